"""A run's report for Airflow's callbacks: what a notifier sends when a DAG run ended, or a task failed."""

from __future__ import annotations

from typing import Any

from snowmelt.core.unload.plan import plan_run_id
from snowmelt.errors import SnowmeltError
from snowmelt.tasks.sessions import postgres_session


def read_run_report(context: Any, *, postgres_conn_id: str = "postgres_default") -> str:
    """The report of a context's DAG run, as Markdown, read from the ledger; of a run without one, what is known.

    Never raises one of Snowmelt's errors: a notification that cannot read the ledger is sent all the same.

    :param context: of a task's callback (on_success_callback, on_failure_callback).
    """
    from snowmelt.io.ending import load_report

    ti = context["ti"]
    failure = context.get("exception")
    told = f"\n**Task `{ti.task_id}` failed:** {failure}\n" if failure is not None else ""
    try:
        with postgres_session(postgres_conn_id) as postgres:
            report = load_report(postgres, plan_run_id(ti.dag_id, ti.run_id)).to_markdown()
    except SnowmeltError as error:
        report = f"# {ti.dag_id}, {ti.run_id}\n\nNo report: {error}\n"
    return report + told
