"""Who runs a run, and by what: the user, the roles, the warehouse, the versions and the configuration. Kept in the ledger."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from snowmelt import __version__
from snowmelt.drivers.snowflake import read_rows
from snowmelt.errors import SnowmeltError

if TYPE_CHECKING:
    import psycopg
    from airflow.sdk import Context

    from snowmelt.config.file import Config

log = logging.getLogger(__name__)

READ_SESSION = (
    "SELECT CURRENT_ACCOUNT(), CURRENT_USER(), CURRENT_ROLE(), CURRENT_WAREHOUSE(), CURRENT_VERSION()"
)


def describe_caller(
    context: Context, config: Config, snowflake: Any, postgres: psycopg.Connection[Any]
) -> dict[str, Any]:
    """What the ledger keeps of a planned run beside its plan; a name that cannot be read is None.

    :param snowflake: the session that plans, as the next.
    """
    from airflow import __version__ as airflow_version

    from snowmelt.steps.source import read_warehouse_size

    run: Any = context["dag_run"]
    session: Mapping[str, Any] = {}
    try:
        names = ("account", "snowflake_user", "snowflake_role", "warehouse", "snowflake_version")
        doing = "Reading who runs this run"
        session = dict(zip(names, read_rows(snowflake, READ_SESSION, doing)[0], strict=True))
        session = {**session, "warehouse_size": read_warehouse_size(snowflake, session["warehouse"])}
    except SnowmeltError as error:  # an audit that lacks a name is no reason to copy nothing
        log.warning("The ledger will not say by whom in Snowflake this run was made: %s", error)
    return {
        "triggered_by": getattr(run, "triggering_user_name", None),
        "run_type": str(getattr(run.run_type, "value", run.run_type)) if run is not None else None,
        **session,
        "postgres_role": postgres.info.user,
        "postgres_database": postgres.info.dbname,
        "postgres_version": postgres.info.parameter_status("server_version"),
        "provider_version": __version__,
        "airflow_version": airflow_version,
        "config": config.origin,
        "config_sha256": config.digest,
    }
