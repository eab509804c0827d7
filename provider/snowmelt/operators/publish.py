"""MigrationVerifyOperator: nothing is published that was not counted in every place it passed.

MigrationPublishOperator: the one step that readers of the target notice.

MigrationCleanupOperator: removes the staged files where the configuration says so, ends the run, reports.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from snowmelt.airflow.links import MigrationLink
from snowmelt.airflow.planned_run import PlannedRunOperator
from snowmelt.airflow.records import PUBLISHED, published_table
from snowmelt.airflow.retrying import failing_fast
from snowmelt.airflow.sessions import postgres_session, run_session, s3_client
from snowmelt.airflow.versions import AirflowSkipException
from snowmelt.vocabulary import Mode

if TYPE_CHECKING:
    from airflow.sdk import Context

    from snowmelt.config.sections import Execution


class MigrationVerifyOperator(PlannedRunOperator):
    """Compare the rows of every chunk at the snapshot, as unloaded, as loaded and in the staging table; then fingerprints.

    Returns what was compared, as it is in the ledger.
    """

    ui_color = "#d9ead3"
    operator_extra_links = (MigrationLink(),)

    def execute(self, context: Context) -> dict[str, Any]:
        """Count, compare, record."""
        from snowmelt.progress.verdict import describe_fingerprint
        from snowmelt.steps.planning import read_plan
        from snowmelt.steps.verify import verify_run

        with failing_fast(), postgres_session(self.postgres_conn_id) as postgres:
            plan = read_plan(postgres, self.run_id)
            if plan.mode is Mode.UNLOAD:
                raise AirflowSkipException("Mode unload: nothing was loaded")
            verified = verify_run(
                postgres,
                plan,
                snowflake=lambda: run_session(self.snowflake_conn_id, plan, context),
            )
        if not plan.copies:
            self.log.info("Compared: %s", verified["comparison"]["text"])
            return verified
        self.log.info(
            "Verified: %s rows in Snowflake, in %s files, in the ledger and in %s; fingerprint: %s",
            f"{verified['source_rows']:,}", verified["files"], plan.staging_table, describe_fingerprint(verified["fingerprint"]),
        )  # fmt: skip
        return verified


#: What an asset's event says of a publish.
_REPORTED = ("method", "rows_before", "rows_after", "inserted", "updated", "deleted", "unchanged")


class MigrationPublishOperator(PlannedRunOperator):
    """Make a verified run's rows the target's, in one transaction with its ledger row.

    A run in mode `test` is not published: its table is dropped. Publishing twice does nothing the second time.

    Returns what the publish did: method, rows_before, rows_after, inserted, updated, deleted, seconds.

    With `snowmelt.airflow.records.PUBLISHED` among its outlets, the table's asset gets an event with the numbers of rows.

    :param execution: how patient to be with locks, and what an index build may use; None: the defaults.
    :param expect_fresh_within: seconds after which the pages call the target's data late; the task does nothing by it.
    """

    # The last two are among them so that the serialized DAG says where the ledger is and when data is late: the pages read it there.
    template_fields: Sequence[str] = ("run_id", "postgres_conn_id", "expect_fresh_within")
    ui_color = "#d9ead3"
    operator_extra_links = (MigrationLink(),)

    def __init__(
        self,
        *,
        execution: Execution | None = None,
        expect_fresh_within: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.execution = execution
        self.expect_fresh_within = expect_fresh_within

    def execute(self, context: Context) -> dict[str, Any]:
        """Build the indexes, then publish."""
        from snowmelt.steps.planning import read_plan
        from snowmelt.steps.publish import publish_run

        with failing_fast(), postgres_session(self.postgres_conn_id) as postgres:
            plan = read_plan(postgres, self.run_id)
            if plan.mode is Mode.UNLOAD:
                raise AirflowSkipException("Mode unload: nothing was loaded")
            result = publish_run(
                postgres,
                plan,
                self.execution,
                snowflake=lambda: run_session(self.snowflake_conn_id, plan, context),
            )
        self.log.info("%s: %s", plan.target, result)
        if result["published"] and PUBLISHED in self.outlets:
            asset = published_table(plan.target_schema, plan.target_table, self.postgres_conn_id)
            extra = {name: result[name] for name in _REPORTED if name in result}
            extra |= {"run_id": plan.run_id, "source": str(plan.source), "snapshot": plan.snapshot}
            context["outlet_events"][PUBLISHED].add(asset, extra=extra)
        return result

    def get_openlineage_facets_on_start(self) -> Any:
        """The table and the files that the rows come from, for OpenLineage's provider."""
        from snowmelt.airflow.lineage import build_publish_lineage

        return build_publish_lineage(self, ended=False)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """The table read and the target written, column by column, for OpenLineage's provider."""
        from snowmelt.airflow.lineage import build_publish_lineage

        return build_publish_lineage(self, ended=True)


class MigrationCleanupOperator(PlannedRunOperator):
    """Remove a published run's files, by Snowflake through the stage, or by Python with a connection that may.

    Without `cleanup_after_load` in the plan the files stay; the manifest stays in either case: it is the audit trail.

    Returns the run's report without its queries; the whole of it is kept in the ledger (snowmelt.run.report), is written beside
    the manifest as report.json, where it outlives the files that are removed, and is logged.

    :param aws_cleanup_conn_id: Airflow connection with s3:DeleteObject; None: Snowflake removes.
    """

    operator_extra_links = (MigrationLink(),)

    def __init__(
        self,
        *,
        aws_cleanup_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.aws_cleanup_conn_id = aws_cleanup_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Remove what may be removed, end the run, report."""
        from snowmelt.airflow.metrics import send_run
        from snowmelt.steps.finish import finish_run, remove_staged
        from snowmelt.steps.planning import read_plan

        cleanup_conn_id = self.aws_cleanup_conn_id
        with failing_fast(), postgres_session(self.postgres_conn_id) as postgres:
            plan = read_plan(postgres, self.run_id)

            def snowflake() -> Any:
                return run_session(self.snowflake_conn_id, plan, context)

            if plan.cleanup_after_load:
                client = (lambda: s3_client(cleanup_conn_id)) if cleanup_conn_id else None
                removed = remove_staged(postgres, plan, snowflake=snowflake, s3=client)
                self.log.info("Removed %s objects", removed)
            report = finish_run(postgres, plan, snowflake=snowflake)
        self.log.info("The run's report:\n%s", report.to_markdown())
        send_run(report)
        return report.summary()
