"""A table as the page of all tables shows it: the ledger's last runs, joined with what Airflow says now."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from statistics import median
from typing import Any

from snowmelt.errors import PAGE
from snowmelt.progress.pace import show_age, show_seconds
from snowmelt.progress.verdict import ALL_ROWS
from snowmelt.state import describe_difference
from snowmelt.vocabulary import Outcome


class Standing(StrEnum):
    """How a table is, the worst first: the order of the page."""

    FAILING = "failing"
    LATE = "late"
    DIFFERS = "differs"
    RUNNING = "running"
    GOOD = "good"
    NEVER = "never run"


#: A scheduled run may be created this much later than its time: the scheduler is busy, or was restarted.
SCHEDULE_GRACE = timedelta(minutes=10)
#: A run without any progress for so long, that Airflow does not know, is lost.
LOST_AFTER = timedelta(hours=1)
_ALIVE = {"running", "queued"}


@dataclass(frozen=True, slots=True)
class DagState:
    """A DAG of Snowmelt's, as Airflow has it."""

    dag_id: str
    paused: bool
    #: When the next scheduled run is created; None: no schedule.
    next_run: datetime | None
    #: Seconds after which the target's data is late; None: only the schedule counts.
    expect_fresh_within: int | None = None


@dataclass(frozen=True, slots=True)
class AirflowRun:
    """A DAG run, as Airflow has it."""

    dag_id: str
    run_id: str
    #: queued, running, success or failed.
    state: str
    created: datetime
    ended: datetime | None = None
    #: Tasks that are failed now, as a person reads them.
    failed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TableStatus:
    """One row of the page."""

    standing: Standing
    #: Why it is not good, in a sentence; the first line of an error needs a right of its own.
    reason: str = ""
    error: str = ""
    step: str = ""
    source: str
    target: str
    #: The table's own DAG, else the one that ran last.
    dag_id: str
    run_dag_id: str
    dag_run_id: str
    mode: str
    #: None: the ledger knows no run.
    outcome: Outcome | None
    started_at: datetime | None
    rows_done: int
    rows_total: int | None
    #: When the last file of a running load was through.
    moved_at: datetime | None = None
    #: The last run that was published.
    published_dag_id: str = ""
    published_dag_run_id: str = ""
    published_at: datetime | None = None
    #: Up to when the source's changes are in the target: the instant that was read, else None.
    as_of: datetime | None = None
    watermark: str | None = None
    watermark_column: str | None = None
    #: Rows in the target by the last publish.
    rows: int | None = None
    #: How the last published run was compared; that it is a part of the source comes first.
    compared: str = ""
    #: Seconds of the last published run, and the median of those before.
    seconds: float | None = None
    usual_seconds: float | None = None
    next_run: datetime | None = None
    paused: bool = False
    #: Airflow has no such DAG any more.
    gone: bool = False

    @property
    def share(self) -> float | None:
        """How much of the running run's rows are loaded, from 0 to 1; None: not known yet."""
        return min(1.0, self.rows_done / self.rows_total) if self.rows_total and self.rows_done else None

    @property
    def trend(self) -> str:
        """How the last run's time compares with those before; empty where there are too few."""
        if self.seconds is None or not self.usual_seconds:
            return ""
        change = self.seconds / self.usual_seconds - 1
        if abs(change) < 0.2 or abs(self.seconds - self.usual_seconds) < 2:  # noqa: PLR2004 - a fifth, and two seconds
            return "as usual"
        return f"{abs(change):.0%} {'longer' if change > 0 else 'shorter'} than usual ({show_seconds(self.usual_seconds)})"


@dataclass(frozen=True, slots=True)
class Airflow:
    """What Airflow's own database says."""

    dags: Mapping[str, DagState]
    #: The latest run of each DAG.
    latest: Mapping[str, AirflowRun]
    #: The runs that the ledger names: (dag_id, run_id) → run.
    runs: Mapping[tuple[str, str], AirflowRun]
    #: The DAGs that have one table of their own.
    configured: frozenset[str] = frozenset()


def build_statuses(rows: Sequence[Mapping[str, Any]], airflow: Airflow, now: datetime) -> list[TableStatus]:
    """Every table, the worst first; configured ones that no ledger knows are among them.

    :param rows: of the ledgers' READ_TABLES.
    """
    known = {dag_id for row in rows for dag_id in row["dag_ids"]}
    statuses = [_status(row, airflow, now) for row in rows]
    statuses += [_without_row(airflow, dag_id, now) for dag_id in airflow.configured - known]
    order = list(Standing)
    return sorted(statuses, key=lambda one: (order.index(one.standing), one.target, one.source))


def _status(row: Mapping[str, Any], airflow: Airflow, now: datetime) -> TableStatus:
    dag = _own_dag(row, airflow)
    run = airflow.runs.get((row["dag_id"], row["dag_run_id"]))
    outcome = Outcome(row["outcome"])
    as_of = parse_moment(row["published_snapshot"]) if row["published_run_id"] else None
    result = row["published_result"] or {}
    recent = [seconds for seconds in row["recent_seconds"] or () if seconds is not None]
    case = _Case(row, outcome, dag, run, _newer_run(row, dag, airflow), as_of, now)
    standing, reason, step = case.judge()
    rows = result.get("rows_after")
    return TableStatus(
        standing=standing,
        reason=reason,
        error=first_line(row["error"]) if standing is Standing.FAILING else "",
        step=step,
        source=row["source"],
        target=row["target"],
        dag_id=dag.dag_id if dag else row["dag_id"],
        run_dag_id=row["dag_id"],
        dag_run_id=row["dag_run_id"],
        mode=row["mode"],
        outcome=outcome,
        started_at=row["started_at"],
        rows_done=int(row["loaded_rows"] or 0),
        rows_total=row["source_rows"],
        moved_at=row["load_ended_at"],
        published_dag_id=row["published_dag_id"] or "",
        published_dag_run_id=row["published_dag_run_id"] or "",
        published_at=row["last_published_at"],
        as_of=as_of,
        watermark=row["watermark"],
        watermark_column=row["watermark_column"],
        rows=rows if rows is not None else row["published_source_rows"],
        compared=describe_compared(row["published_verification"], result, row["published_filter"]),
        seconds=recent[-1] if recent else None,
        usual_seconds=median(recent[:-1]) if len(recent) > 2 else None,  # noqa: PLR2004 - two runs before it
        next_run=dag.next_run if dag else None,
        paused=dag.paused if dag else False,
        gone=dag is None,
    )


def _own_dag(row: Mapping[str, Any], airflow: Airflow) -> DagState | None:
    """The DAG whose schedule is the table's: its own, else the one that ran last."""
    dags = [airflow.dags[dag_id] for dag_id in row["dag_ids"] if dag_id in airflow.dags]
    own = next((dag for dag in dags if dag.dag_id in airflow.configured), None)
    return own or airflow.dags.get(row["dag_id"]) or next(iter(dags), None)


#: Standing, reason and step.
Judgement = tuple[Standing, str, str]


@dataclass(frozen=True, slots=True)
class _Case:
    """What is known of one table."""

    row: Mapping[str, Any]
    outcome: Outcome
    dag: DagState | None
    #: The DAG run of the ledger's last run; None: Airflow has forgotten it.
    run: AirflowRun | None
    #: A later DAG run, which the ledger does not have.
    newer: AirflowRun | None
    as_of: datetime | None
    now: datetime

    def judge(self) -> Judgement:
        """The first that holds; what Airflow says of a run that the ledger has open goes before the ledger."""
        found = self._unrecorded() or self._under_way() or self._failed() or self._without_outcome()
        return found or self._late_or_different() or (Standing.GOOD, "", "")

    def _unrecorded(self) -> Judgement | None:
        if self.newer is None or self.newer.state != "failed":
            return None
        return Standing.FAILING, "The latest DAG run failed before the ledger had it.", _tasks(self.newer)

    def _under_way(self) -> Judgement | None:
        run = next((one for one in (self.run, self.newer) if one is not None and one.state in _ALIVE), None)
        if run is None:
            return None
        if run.failed:
            return Standing.FAILING, "Tasks of the running DAG run have failed.", _tasks(run)
        if run.state == "queued":
            return Standing.RUNNING, f"Queued {show_age(run.created, self.now)}.", ""
        again = "A failed task was cleared: it runs again." if self.outcome is Outcome.FAILED else ""
        return Standing.RUNNING, again, ""

    def _failed(self) -> Judgement | None:
        step = self.row["failed_step"] or _tasks(self.run)
        if self.outcome is Outcome.FAILED:
            return Standing.FAILING, self.row["target_check"] or "", step
        if self.outcome.ended and (
            self.row["failed_step"] or (self.run is not None and self.run.state == "failed")
        ):
            return Standing.FAILING, f"{self.outcome.capitalize()}, and a later step failed.", step
        return None

    def _without_outcome(self) -> Judgement | None:
        if self.outcome.ended:
            return None
        if self.run is not None:
            reason = f"Airflow has ended the DAG run ({self.run.state}); the ledger has no outcome of it."
            return Standing.FAILING, reason, _tasks(self.run)
        moments = (self.row["started_at"], self.row["staged_at"], self.row["load_ended_at"])
        active = max(moment for moment in moments if moment)
        if self.now - active <= LOST_AFTER:
            return Standing.RUNNING, "", ""
        reason = f"Airflow does not know this DAG run; its last progress was {show_age(active, self.now)}."
        return Standing.FAILING, reason, ""

    def _late_or_different(self) -> Judgement | None:
        late = find_lateness(self.dag, self.as_of or self.row["last_published_at"], self.now)
        if late:
            return Standing.LATE, late, ""
        if self.outcome is Outcome.DIFFERS:
            return Standing.DIFFERS, describe_difference(self.row["publish_result"]), ""
        return None


def _newer_run(row: Mapping[str, Any], dag: DagState | None, airflow: Airflow) -> AirflowRun | None:
    """The latest run of the table's own DAG, where the ledger does not have it."""
    latest = airflow.latest.get(dag.dag_id) if dag and dag.dag_id in airflow.configured else None
    if latest is None or latest.run_id == row["dag_run_id"] or latest.created <= row["started_at"]:
        return None
    return latest


def _tasks(run: AirflowRun | None) -> str:
    return ", ".join(run.failed) if run else ""


def find_lateness(dag: DagState | None, as_of: datetime | None, now: datetime) -> str:
    """Why a table is late; empty when it is not."""
    if dag is None:
        return ""
    limit = dag.expect_fresh_within
    if limit is not None and as_of is not None and now - as_of > timedelta(seconds=limit):
        return f"Its data is of {show_age(as_of, now)}, and is expected within {show_seconds(limit)}."
    if not dag.paused and dag.next_run is not None and now - dag.next_run > SCHEDULE_GRACE:
        return f"Its scheduled run was due {show_age(dag.next_run, now)}, and Airflow has not created it."
    return ""


def _without_row(airflow: Airflow, dag_id: str, now: datetime) -> TableStatus:
    """A configured table that no ledger knows: never run, or failed before its plan without a record."""
    dag, latest = airflow.dags[dag_id], airflow.latest.get(dag_id)
    standing, reason, step = Standing.NEVER, "", ""
    if latest is not None and latest.state == "failed":
        standing, reason, step = (
            Standing.FAILING,
            "The latest DAG run failed before the ledger had it.",
            _tasks(latest),
        )
    elif latest is not None and latest.state in _ALIVE:
        standing, reason = Standing.RUNNING, latest.state
    elif late := find_lateness(dag, None, now):
        standing, reason = Standing.LATE, late
    return TableStatus(
        standing=standing, reason=reason, step=step, source="", target=dag_id, dag_id=dag_id, run_dag_id=dag_id,
        dag_run_id=latest.run_id if latest else "", mode="", outcome=None, started_at=latest.created if latest else None,
        rows_done=0, rows_total=None, next_run=dag.next_run, paused=dag.paused,
    )  # fmt: skip


def describe_compared(verification: Mapping[str, Any] | None, result: Mapping[str, Any], where: str) -> str:
    """How a published run was compared, in a few words; a filtered copy says so first."""
    if not verification and not result:
        return ""
    fingerprint = (verification or {}).get("fingerprint") or {}
    compared = isinstance(fingerprint, Mapping) and bool(fingerprint.get("compared"))
    scope = fingerprint.get("scope", ALL_ROWS) if compared else ""
    rows = (
        f"values of {scope}{' that were copied' if scope == ALL_ROWS else ''}"
        if compared
        else "numbers of rows only"
    )
    whole = (result.get("whole_target") or {}).get("compared")
    parts = [f"rows under a filter: {where}"] if where else []
    parts += [rows, f"the whole target by its {whole}" if whole else "the whole target not compared"]
    return "; ".join(parts)


def first_line(text: str | None) -> str:
    """The first line of an error, of a length for a list, and the address that tells how to solve it."""
    whole = (text or "").strip()
    line = next(iter(whole.splitlines()), "")
    line = line if len(line) <= 300 else f"{line[:299]}…"  # noqa: PLR2004 - three lines of the page
    address = re.search(rf"See {re.escape(PAGE)}#[a-z0-9-]+", whole)
    return line if address is None or address[0] in line else f"{line} {address[0]}"


def parse_moment(text: str | None) -> datetime | None:
    """The instant of `2026-11-22 10:00:00.123456789 +0000`, or of the same without offset, in UTC; None: it is not a time."""
    if not text:
        return None
    moment, _, offset = text.strip().partition(" +")
    head, _, digits = moment.partition(".")
    if "-" not in head:  # a watermark that is a number
        return None
    try:
        parsed = datetime.fromisoformat(f"{head}.{digits[:6]:0<6}" if digits else head)
    except ValueError:
        return None
    if offset.strip("0:"):
        return None
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
