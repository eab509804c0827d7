"""What tasks record for people and other DAGs to read: submitted queries, errors, a run's report, and the published tables as assets.

A submitted unload records its query's id, which the pages show while it runs. A failed task records its error, which the pages
show when Airflow's logs are gone, and ends its run as failed; a task that was cleared opens the run again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from airflow.sdk import Asset, AssetAlias

from snowmelt.airflow.sessions import postgres_session
from snowmelt.errors import SnowmeltError
from snowmelt.plan.plan import plan_run_id
from snowmelt.vocabulary import Outcome

log = logging.getLogger(__name__)


def note_submitted(postgres_conn_id: str, run_id: str, chunk: int, submitted: Mapping[str, Any]) -> None:
    """Record the query of a chunk. Where that fails, the log says so and the unload goes on.

    :param submitted: as `submit_unload` gave it: query_id and submitted_at.
    """
    try:
        from snowmelt.ledger.tries import write_submitted

        note = {"run_id": run_id, "chunk": chunk}
        note |= {name: submitted[name] for name in ("query_id", "submitted_at")}
        with postgres_session(postgres_conn_id) as connection:
            write_submitted(connection, note)
    except Exception as error:  # noqa: BLE001 - Snowflake is unloading: that must not end for a record's sake
        log.warning(
            "Query %s of chunk %s could not be recorded in the ledger, so the pages show it once it has ended: %s",
            submitted["query_id"], chunk, next(iter(str(error).splitlines()), type(error).__name__),
        )  # fmt: skip


#: Characters of an error that are kept: its beginning says what failed.
MAX_CHARACTERS = 8000


#: What is copied, as far as a DAG run's params say it: mode, source, target.
CopyNames = Callable[[Mapping[str, Any]], Mapping[str, str]]
#: What Airflow says of a DAG run that it failed itself.
_REASONS = {
    "task_failure": "A task of the DAG run failed.",
    "timed_out": "The DAG run took longer than its dagrun_timeout.",
    "all_tasks_deadlocked": "No task of the DAG run could be scheduled.",
}


@dataclass(frozen=True, slots=True)
class RunRecords:
    """The callbacks of a migration's DAG, which keep its runs' outcomes in the ledger.

    Where the ledger cannot be written, the log says so, and the task ends as it would have.
    """

    postgres_conn_id: str
    name_copy: CopyNames

    def task_callbacks(self) -> dict[str, Callable[[Mapping[str, Any]], None]]:
        """Callback's name → callback, for every task."""
        return {
            "on_execute_callback": self.reopen,
            "on_retry_callback": self.record_try,
            "on_failure_callback": self.record_failure,
        }

    def record_try(self, context: Mapping[str, Any]) -> None:
        """A try failed, and another one will follow."""
        self._write("The failure", lambda postgres: self._write_try(postgres, context))

    def record_failure(self, context: Mapping[str, Any]) -> None:
        """A task failed for good: so has its run."""

        def write(postgres: Any) -> None:
            failure = self._write_try(postgres, context)
            step = failure["task_id"]
            if failure["map_index"] >= 0:
                step += f" [{failure['map_index']}]"
            self._close(postgres, context, failure["dag_id"], failure["dag_run_id"], step, failure["error"])

        self._write("The failure", write)

    def record_dag_failure(self, context: Mapping[str, Any]) -> None:
        """A DAG run failed: by a task whose process could record nothing, or by a time limit."""
        dag_id, dag_run_id = context["dag"].dag_id, context["run_id"]
        reason = str(context.get("reason") or "")
        self._write(
            "The DAG run's failure",
            lambda postgres: self._close(
                postgres,
                context,
                dag_id,
                dag_run_id,
                "",
                _REASONS.get(reason, reason) or "The DAG run failed.",
            ),
        )

    def reopen(self, context: Mapping[str, Any]) -> None:
        """A task begins that was cleared, so the run goes on."""
        ti, task = context["ti"], context["task"]
        if ti.max_tries <= (task.retries or 0):  # clearing a task gives it more tries than its own
            return
        from snowmelt.ledger.outcomes import write_reopened

        self._write("That the run goes on", lambda postgres: write_reopened(postgres, ti.dag_id, ti.run_id))

    def _write_try(self, postgres: Any, context: Mapping[str, Any]) -> dict[str, Any]:
        from snowmelt.ledger.runs import write_ledger
        from snowmelt.ledger.tries import write_failure

        write_ledger(postgres)
        failure = describe_failure(context)
        write_failure(postgres, failure)
        return failure

    def _close(
        self, postgres: Any, context: Mapping[str, Any], dag_id: str, dag_run_id: str, step: str, error: str
    ) -> None:
        from snowmelt.airflow.metrics import send_failure
        from snowmelt.ledger.outcomes import FailedRun, write_failed
        from snowmelt.ledger.runs import write_ledger

        write_ledger(postgres)
        names = self.name_copy(context.get("params") or {})
        run_id = plan_run_id(dag_id, dag_run_id)
        failed = FailedRun(
            run_id=run_id, dag_id=dag_id, dag_run_id=dag_run_id, step=step, error=error, **names
        )
        if write_failed(postgres, failed):
            send_failure(dag_id, failed.target, step)

    def _write(self, what: str, write: Callable[[Any], object]) -> None:
        try:
            with postgres_session(self.postgres_conn_id) as postgres:
                write(postgres)
        except Exception as error:  # noqa: BLE001 - the task's own error must not be hidden by this one
            first = next(iter(str(error).splitlines()), type(error).__name__)
            log.warning("%s could not be recorded in the ledger: %s", what, first)


@contextmanager
def recording_load(postgres: Any, postgres_conn_id: str, run_id: str) -> Iterator[None]:
    """Record how a load that is a run by itself ends; one that failed is loaded when a later try of it ends well.

    :param postgres: the session that loads; another one records a failure, since this one may be broken.
    """
    from snowmelt.ledger.outcomes import write_failed_run
    from snowmelt.ledger.runs import write_outcome

    try:
        yield
    except BaseException as error:
        try:
            with postgres_session(postgres_conn_id) as connection:
                write_failed_run(connection, run_id, "load", describe_error(error))
        except Exception as second:  # noqa: BLE001 - as above
            log.warning("The failure of run %s could not be recorded in the ledger: %s", run_id, second)
        raise
    write_outcome(postgres, run_id, Outcome.LOADED)


def describe_failure(context: Mapping[str, Any]) -> dict[str, Any]:
    """What the ledger keeps of a task's failure."""
    ti = context["ti"]
    task = context.get("task")
    return {
        "dag_id": ti.dag_id,
        "dag_run_id": ti.run_id,
        "task_id": ti.task_id,
        "map_index": ti.map_index if ti.map_index is not None else -1,
        "try_number": ti.try_number,
        "label": str(getattr(task, "map_label", "") or "") or None,
        "error": describe_error(context.get("exception")),
    }


def describe_error(error: BaseException | str | None) -> str:
    """An error's text as the ledger keeps it; what Airflow masks in logs is masked here too."""
    from airflow.sdk.log import redact  # type: ignore[attr-defined]  # it is what the logs are masked by

    text = str(error).strip() if error is not None else ""
    if error is not None and not text:
        text = type(error).__name__
    shown = redact(text or "The task ended without an error of its own; its log says more.")
    return str(shown)[:MAX_CHARACTERS].replace("\x00", "")


def read_run_report(context: Any, *, postgres_conn_id: str = "postgres_default") -> str:
    """The report of a context's DAG run, as Markdown, read from the ledger; of a run without one, what is known.

    Never raises one of Snowmelt's errors: a notification that cannot read the ledger is sent all the same.

    :param context: of a task's callback (on_success_callback, on_failure_callback).
    """
    from snowmelt.steps.finish import load_report

    ti = context["ti"]
    failure = context.get("exception")
    note = f"\n**Task `{ti.task_id}` failed:** {failure}\n" if failure is not None else ""
    try:
        with postgres_session(postgres_conn_id) as postgres:
            report = load_report(postgres, plan_run_id(ti.dag_id, ti.run_id)).to_markdown()
    except SnowmeltError as error:
        report = f"# {ti.dag_id}, {ti.run_id}\n\nNo report: {error}\n"
    return report + note


#: Every publish adds its table's asset to this alias; a DAG scheduled on the alias runs after each of them.
PUBLISHED = AssetAlias("snowmelt")


def published_table(schema: str, table: str, postgres_conn_id: str = "postgres_default") -> Asset:
    """The asset of a table; its events carry rows_before, rows_after, inserted, updated, deleted, run_id and snapshot.

    `snowmelt://<connection>/<schema>/<table>`, names percent-encoded; a DAG with `schedule=[published_table("public", "visits")]`
    runs after each publish.

    :param schema: as PostgreSQL stores it, as the next.
    """
    parts = "/".join(quote(part, safe="") for part in (postgres_conn_id, schema, table))
    return Asset(name=f"{schema}.{table} ({postgres_conn_id})"[:1500], uri=f"snowmelt://{parts}"[:1500])
