"""The record of a doctor's run: every name and secret that it must not hold, read from the configuration and the connections."""

from __future__ import annotations

import re

from snowmelt.config.file import Config
from snowmelt.doctor.record import Recorder
from snowmelt.setup.facts import SetupFacts, plan_scope


def build_recorder(config: Config) -> Recorder:
    """A recorder that knows the user's names: those of the configuration and of the connections."""
    staging, unload = config.s3_staging, config.snowflake_unload
    names = [staging.bucket, *re.split(r"[/{}]", staging.prefix_pattern)]
    names += [
        unload.storage_integration,
        unload.stage_database,
        unload.stage_schema,
        unload.stage_name,
        unload.warehouse,
    ]
    expressions = []
    for table in config.tables:
        names += [
            table.source.database,
            table.source.schema,
            table.source.table,
            table.target_schema,
            table.target_table,
            table.dag_id,
        ]
        expressions += [rule.expression for rule in table.columns.rules().mask.values()]
        expressions += [table.source_filter] if table.source_filter else []
    for kind in ("snowflake", "aws", "postgres", "aws_cleanup"):
        for conn_id in plan_scope(config, SetupFacts()).connections(kind):
            names += _connection_names(conn_id)
    placeholders = {"source_database", "source_schema", "source_table", "target_schema", "target_table"}
    return Recorder((name for name in names if name and name not in placeholders), expressions)


def _connection_names(conn_id: str) -> list[str]:
    """Whatever a person could be recognised by in an Airflow connection."""
    from airflow.sdk import Connection

    try:
        connection = Connection.get(conn_id)
    except Exception:  # noqa: BLE001 - whichever backend failed says so where the session is opened
        return []
    extra = [str(value) for value in connection.extra_dejson.values() if isinstance(value, (str, int))]
    parts = (connection.host, connection.login, connection.password, connection.schema, *extra)
    return [str(part) for part in parts if part]


def snowflake_names(conn_id: str) -> tuple[str, str | None, str | None]:
    """Login, role and warehouse as the Airflow connection gives them; nothing secret is read."""
    from airflow.sdk import Connection

    try:
        connection = Connection.get(conn_id)
    except Exception:  # noqa: BLE001 - whichever backend failed said so when the session was opened
        return "", None, None
    extra = connection.extra_dejson
    return (
        str(connection.login or ""),
        extra.get("role") or extra.get("extra__snowflake__role"),
        extra.get("warehouse") or extra.get("extra__snowflake__warehouse"),
    )
