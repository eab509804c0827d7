"""MigrationCleanupOperator: removes the staged files where the configuration says so, ends the run, reports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from snowmelt.links import MigrationLink
from snowmelt.tasks.failing import failing_fast
from snowmelt.tasks.sessions import postgres_session, s3_client, snowflake_session, task_tag

if TYPE_CHECKING:
    from airflow.sdk import Context


class MigrationCleanupOperator(BaseOperator):
    """Remove a published run's files, by Snowflake through the stage, or by Python with a connection that may.

    Without `cleanup_after_load` the files and the manifest stay: they are the audit trail.

    Returns the run's report without its queries; the whole of it is kept in the ledger (snowmelt.run.report), is written beside
    the manifest as report.json, where it outlives the files that are removed, and is logged.

    :param run_id: the run's id in the ledger.
    :param cleanup_after_load: whether to remove. (templated, so that a DAG run's param decides)
    :param aws_cleanup_conn_id: Airflow connection with s3:DeleteObject; None: Snowflake removes.
    """

    template_fields: Sequence[str] = ("run_id", "cleanup_after_load")
    ui_color = "#fff2cc"
    operator_extra_links = (MigrationLink(),)

    def __init__(
        self,
        *,
        run_id: str,
        cleanup_after_load: bool | str = False,
        snowflake_conn_id: str = "snowflake_default",
        postgres_conn_id: str = "postgres_default",
        aws_cleanup_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.run_id = run_id
        self.cleanup_after_load = cleanup_after_load
        self.snowflake_conn_id = snowflake_conn_id
        self.postgres_conn_id = postgres_conn_id
        self.aws_cleanup_conn_id = aws_cleanup_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Remove what may be removed, end the run, report."""
        from snowmelt.io.ending import end_run, remove_staged

        def snowflake() -> Any:
            return snowflake_session(self.snowflake_conn_id, tag=task_tag(context))

        with failing_fast(), postgres_session(self.postgres_conn_id) as postgres:
            if str(self.cleanup_after_load).lower() == "true":
                removed = remove_staged(
                    postgres,
                    self.run_id,
                    snowflake=snowflake,
                    s3=(lambda: s3_client(str(self.aws_cleanup_conn_id)))
                    if self.aws_cleanup_conn_id
                    else None,
                )
                self.log.info("Removed %s objects", removed)
            report = end_run(postgres, self.run_id, snowflake=snowflake)
        self.log.info("The run's report:\n%s", report.to_markdown())
        return report.summary()
