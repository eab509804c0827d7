"""MigrationPlanOperator: decides once what a run does, and keeps it in the ledger.

MigrationFilesOperator: turns what the unloads returned into the run's manifest, in the ledger and in S3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, XComArg

from snowmelt.airflow.links import MigrationLink, S3FolderLink, build_s3_url, store_link
from snowmelt.airflow.planned_run import PlannedRunOperator
from snowmelt.airflow.retrying import failing_fast
from snowmelt.airflow.sessions import postgres_session, run_session, s3_client, snowflake_session, task_tag
from snowmelt.json_values import from_json
from snowmelt.plan.plan import plan_run_id
from snowmelt.unload.manifest import StagedChunk

if TYPE_CHECKING:
    from airflow.sdk import Context

    from snowmelt.config.file import Config
    from snowmelt.config.table import TableConfig
    from snowmelt.plan.facts import RunIdentity

#: XCom key beside the return value: the run's id in the ledger.
RUN_ID_KEY = "run_id"


class MigrationPlanOperator(BaseOperator):
    """Read the source and the target, plan the chunks, store the plan; a retry of the same DAG run finds it again.

    Returns a list of {chunk, label}, one entry for each unload task; empty in mode `load`, which has nothing to unload.

    :param config: the configuration, which gives what the DAG run's params do not ask.
    :param table: the configured table; None for a table that the params name.
    """

    template_fields: Sequence[str] = ()
    ui_color = "#fff2cc"
    operator_extra_links = (MigrationLink(),)

    def __init__(self, *, config: Config, table: TableConfig | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config = config
        self.table = table

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Plan, store, and hand out the chunks."""
        from snowmelt.airflow.audit import describe_caller
        from snowmelt.config.request import parse_request
        from snowmelt.ledger.outcomes import write_audit
        from snowmelt.steps.planning import list_unload_tasks, plan_run
        from snowmelt.steps.planning_facts import PlanningSessions

        with failing_fast():
            request = parse_request(context["params"], self.config, self.table)
            with (
                postgres_session(request.connections.postgres) as postgres,
                snowflake_session(
                    request.connections.snowflake,
                    warehouse=request.staging.warehouse,
                    tag=task_tag(context),
                    timeout=request.staging.statement_timeout_s,
                ) as snowflake,
            ):
                sessions = PlanningSessions(snowflake, postgres, lambda: s3_client(request.connections.aws))
                plan = plan_run(sessions, request, self._identify(context))
                tasks = list_unload_tasks(postgres, plan)
                ti = context["ti"]
                audit = describe_caller(context, self.config, snowflake, postgres)
                write_audit(postgres, ti.dag_id, ti.run_id, audit)
        context["ti"].xcom_push(key=RUN_ID_KEY, value=plan.run_id)
        self.log.info(
            "Run %s: %s → %s, %s rows in %s chunks, of which %s are to be unloaded, snapshot %s",
            plan.run_id, plan.source, plan.target, f"{plan.source_rows:,}", len(plan.chunks), len(tasks),
            plan.snapshot or plan.snapshot_note,
        )  # fmt: skip
        return tasks

    def _identify(self, context: Context) -> RunIdentity:
        from snowmelt.plan.facts import RunIdentity

        ti = context["ti"]
        execution = self.table.execution if self.table else self.config.execution
        return RunIdentity(
            plan_run_id(ti.dag_id, ti.run_id),
            ti.dag_id,
            ti.run_id,
            window=read_window(context["dag_run"]),
            fingerprint_rows=execution.fingerprint_rows,
        )


def read_window(dag_run: Any) -> tuple[datetime, datetime] | None:
    """The data interval of a backfill; None for any other run, which starts at the watermark instead."""
    if str(getattr(dag_run, "run_type", "")).rpartition(".")[2].lower() != "backfill":
        return None
    start, end = dag_run.data_interval_start, dag_run.data_interval_end
    if start is None or end is None or start >= end:
        return None
    return start, end


class MigrationFilesOperator(PlannedRunOperator):
    """Add up the chunks, record the files in the ledger, have Snowflake write manifest.json, hand out the files.

    Returns a list of {batch, label, keys}, one entry for each load task; empty in mode `unload`.

    :param chunks: what S3ManifestSensor returned, one dict for each chunk; None in mode `load`.
    """

    template_fields: Sequence[str] = ("run_id", "chunks")
    operator_extra_links = (MigrationLink(), S3FolderLink())

    def __init__(
        self,
        *,
        chunks: Iterable[Mapping[str, Any]] | XComArg | None = None,
        aws_conn_id: str = "aws_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.chunks = chunks
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Check, record, write the manifest."""
        from snowmelt.steps.planning import read_plan
        from snowmelt.steps.register import register_files

        staged = [from_json(StagedChunk, chunk) for chunk in _all(self.chunks) if chunk is not None]
        with failing_fast(), postgres_session(self.postgres_conn_id) as postgres:
            plan = read_plan(postgres, self.run_id)
            registered = register_files(
                postgres,
                plan,
                staged,
                s3=lambda: s3_client(self.aws_conn_id),
                snowflake=lambda: run_session(self.snowflake_conn_id, plan, context),
            )
        folder = f"{registered.manifest_key.rpartition('/')[0]}/"
        store_link(context, S3FolderLink(), build_s3_url(registered.bucket, folder))
        self.log.info(
            "%s files, %s rows, %.1f MB; manifest s3://%s/%s",
            registered.files, f"{registered.rows:,}", registered.bytes / 1e6, registered.bucket, registered.manifest_key,
        )  # fmt: skip
        return registered.load_tasks()


def _all(chunks: Any) -> list[Any]:
    """All results of a mapped task by one request; a lazy sequence that is walked asks for each, and once too often."""
    return [] if chunks is None else list(chunks[:])
