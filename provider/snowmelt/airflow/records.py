"""What tasks record for people and other DAGs to read: submitted queries, errors, a run's report, and the published tables as assets.

A submitted unload records its query's id, which the pages show while it runs. A failed task records its error, which the pages
show when Airflow's logs are gone. Nothing decides by either.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from airflow.sdk import Asset, AssetAlias

from snowmelt.airflow.sessions import postgres_session
from snowmelt.errors import SnowmeltError
from snowmelt.plan.plan import plan_run_id

log = logging.getLogger(__name__)


def note_submitted(postgres_conn_id: str, run_id: str, chunk: int, submitted: Mapping[str, Any]) -> None:
    """Record the query of a chunk. Where that fails, the log says so and the unload goes on.

    :param submitted: as `submit_unload` gave it: query_id and submitted_at.
    """
    try:
        from snowmelt.ledger.runs import write_submitted

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


def build_failure_record(postgres_conn_id: str) -> Callable[[Mapping[str, Any]], None]:
    """A callback for on_failure_callback and on_retry_callback.

    Where the failure cannot be recorded, the log says so, and the task fails with its own error all the same.
    """

    def record(context: Mapping[str, Any]) -> None:
        try:
            failure = describe_failure(context)
            from snowmelt.ledger.runs import write_failure

            with postgres_session(postgres_conn_id) as connection:
                write_failure(connection, failure)
        except Exception as error:  # noqa: BLE001 - the task's own error must not be hidden by this one
            log.warning("The failure could not be recorded in the ledger: %s", str(error).splitlines()[:1])

    return record


def describe_failure(context: Mapping[str, Any]) -> dict[str, Any]:
    """What the ledger keeps of a task's failure; what Airflow masks in logs is masked here too."""
    from airflow.sdk.log import redact  # type: ignore[attr-defined]  # it is what the logs are masked by

    ti = context["ti"]
    error = context.get("exception")
    text = str(error).strip() if error is not None else ""
    if error is not None and not text:
        text = type(error).__name__
    task = context.get("task")
    return {
        "dag_id": ti.dag_id,
        "dag_run_id": ti.run_id,
        "task_id": ti.task_id,
        "map_index": ti.map_index if ti.map_index is not None else -1,
        "try_number": ti.try_number,
        "label": str(getattr(task, "map_label", "") or "") or None,
        "error": str(redact(text or "The task ended without an error of its own; its log says more."))[
            :MAX_CHARACTERS
        ].replace("\x00", ""),
    }


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
