"""MigrationVerifyOperator: nothing is published that was not counted in every place it passed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from snowmelt.core.settings.execution import DEFAULT_FINGERPRINT_ROWS
from snowmelt.links import MigrationLink
from snowmelt.tasks.failing import failing_fast
from snowmelt.tasks.sessions import postgres_session, snowflake_session, task_tag

if TYPE_CHECKING:
    from airflow.sdk import Context


class MigrationVerifyOperator(BaseOperator):
    """Compare the rows of every chunk at the snapshot, as unloaded, as loaded and in the staging table; then fingerprints.

    Returns what was compared, as it stands in the ledger.

    :param run_id: the run's id in the ledger.
    :param fingerprint_rows: above this many rows only counts are compared; 0: never fingerprints.
    :param statement_timeout: seconds after which Snowflake cancels the fingerprint's query; None: the account's setting.
    """

    template_fields: Sequence[str] = ("run_id",)
    ui_color = "#d9ead3"
    operator_extra_links = (MigrationLink(),)

    def __init__(
        self,
        *,
        run_id: str,
        fingerprint_rows: int = DEFAULT_FINGERPRINT_ROWS,
        statement_timeout: int | None = None,
        snowflake_conn_id: str = "snowflake_default",
        postgres_conn_id: str = "postgres_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.run_id = run_id
        self.fingerprint_rows = fingerprint_rows
        self.statement_timeout = statement_timeout
        self.snowflake_conn_id = snowflake_conn_id
        self.postgres_conn_id = postgres_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Count, compare, record."""
        from snowmelt.io.unload.planning import read_plan
        from snowmelt.io.verify.run import verify_run

        with failing_fast(), postgres_session(self.postgres_conn_id) as postgres:
            plan = read_plan(postgres, self.run_id)
            if plan.mode == "unload":
                raise AirflowSkipException("Mode unload: nothing was loaded")
            verified = verify_run(
                postgres,
                plan,
                snowflake=lambda: snowflake_session(
                    self.snowflake_conn_id, tag=task_tag(context), timeout=self.statement_timeout
                ),
                fingerprint_rows=self.fingerprint_rows,
            )
        self.log.info(
            "Verified: %s rows in Snowflake, in %s files, in the ledger and in %s; fingerprint: %s",
            f"{verified['source_rows']:,}", verified["files"], plan.staging_table, verified["fingerprint"],
        )  # fmt: skip
        return verified
