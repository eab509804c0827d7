"""Runs whose process is gone: the ledger has them open, Airflow has ended or forgotten them. They are recorded as failed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import psycopg

from snowmelt.doctor.findings import Finding, Status, found
from snowmelt.drivers.postgres_errors import postgres_failures
from snowmelt.ledger.outcomes import list_open, write_failed_run
from snowmelt.ledger.runs import write_ledger


class DagRunState(StrEnum):
    """What Airflow says of a DAG run."""

    ALIVE = "alive"
    FAILED = "failed"
    SUCCEEDED = "succeeded"
    #: Airflow has no such DAG run any more.
    GONE = "gone"
    #: Airflow could not be asked.
    UNKNOWN = "unknown"


#: (dag_id, dag_run_id) → its state.
AskAirflow = Callable[[str, str], DagRunState]

_ENDED = {
    DagRunState.FAILED: "Airflow has ended its DAG run as failed, and no task recorded why: their logs say more.",
    DagRunState.SUCCEEDED: "Airflow has ended its DAG run as successful before the run had an outcome: a task was marked, or skipped.",
}


def find_end(run: Mapping[str, Any], state: DagRunState, now: datetime, hours: int) -> str | None:
    """Why a run is over that the ledger has open; None while it may go on.

    A run that Airflow does not know, or that no DAG run stands for, is over when it was silent for `hours`.
    """
    if state in _ENDED:
        return _ENDED[state]
    if state is DagRunState.ALIVE or run["active_at"] > now - timedelta(hours=hours):
        return None
    known = "Airflow no longer has its DAG run, and it" if state is DagRunState.GONE else "It"
    return f"{known} did nothing since {run['active_at']:%Y-%m-%d %H:%M} UTC: its process is gone."


def check_runs(
    connection: psycopg.Connection[Any],
    conn_id: str,
    hours: int,
    *,
    ask: AskAirflow,
    in_use: Callable[[str, str], bool],
) -> list[Finding]:
    """Close each run whose process is gone; the ledger then says failed, and what the target holds.

    :param in_use: whether a session works on a table: (schema, table).
    """
    with postgres_failures("Looking for runs without an outcome"):
        write_ledger(connection)
        runs = list_open(connection)
        now = datetime.now(UTC)
        findings = []
        for run in runs:
            state = ask(run["dag_id"], run["dag_run_id"]) if run["dag_id"] else DagRunState.UNKNOWN
            reason = find_end(run, state, now, hours)
            if reason is None or (
                run["staging_table"] and in_use(run["target_schema"], run["staging_table"])
            ):
                continue
            write_failed_run(connection, run["run_id"], "", reason)
            text = f"run into {run['target']}, started {run['started_at']:%Y-%m-%d %H:%M} UTC, is now recorded as failed. {reason}"
            findings.append(found("Runs", run["run_id"], Status.ATTENTION, text))
    return findings or [
        found("Runs", conn_id, Status.OK, f"each run that is over has an outcome ({len(runs)} are open)")
    ]
