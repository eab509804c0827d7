"""Spans: a chunk or a file, from when to when it was copied, and what that means as a rate.

The states of a run's tasks, as Airflow knows them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Span:
    """Rows and bytes that were copied between two moments."""

    #: unload or load.
    step: str
    #: What a person reads.
    label: str
    start: datetime
    #: None: it goes on.
    end: datetime | None
    #: So far, where it goes on.
    rows: int
    bytes: int
    #: done, running or failed.
    state: str = "done"
    worker: str = ""

    def until(self, now: datetime) -> datetime:
        """Its end, or now."""
        return self.end or now


@dataclass(frozen=True, slots=True)
class Amount:
    """Rows and bytes."""

    rows: float = 0.0
    bytes: float = 0.0


def amount_between(spans: Sequence[Span], start: datetime, end: datetime, now: datetime) -> Amount:
    """What was copied between two moments; the rows of a span count as spread evenly over it."""
    rows = size = 0.0
    for span in spans:
        span_end = span.until(now)
        overlap = (min(end, span_end) - max(start, span.start)).total_seconds()
        seconds = (span_end - span.start).total_seconds()
        at_once = 1.0 if start <= span.start < end else 0.0
        share = max(0.0, overlap) / seconds if seconds > 0 else at_once
        rows += span.rows * share
        size += span.bytes * share
    return Amount(rows, size)


def rate_of(spans: Sequence[Span], now: datetime, window: timedelta | None = None) -> float:
    """Rows per second: since the first span began until the last ended, or over the last `window` only."""
    if not spans:
        return 0.0
    start = min(span.start for span in spans)
    end = max(span.until(now) for span in spans)
    if window is not None:
        start = max(start, end - window)
    seconds = (end - start).total_seconds()
    return amount_between(spans, start, end, now).rows / seconds if seconds > 0 else 0.0


def pack_lanes(spans: Sequence[Span], now: datetime) -> list[list[Span]]:
    """Rows of a Gantt plot: spans that do not overlap share one, so there are as many as ever ran at once."""
    lanes: list[list[Span]] = []
    for span in sorted(spans, key=lambda span: (span.start, span.label)):
        free = next((lane for lane in lanes if lane[-1].until(now) <= span.start), None)
        if free is None:
            lanes.append([span])
        else:
            free.append(span)
    return lanes


#: The tasks of a migration, in their order, and what a person calls each step.
STEPS: dict[str, str] = {
    "plan": "Plan",
    "unload": "Unload",
    "manifest": "Check files",
    "files": "List files",
    "load": "Load",
    "verify": "Verify",
    "publish": "Publish",
    "cleanup": "Clean up",
}
#: Airflow's states, in the words of the page. A state that is not here counts as waiting.
_WORDS = {
    "success": "done",
    "skipped": "skipped",
    "running": "running",
    "deferred": "running",
    "restarting": "running",
    "queued": "queued",
    "scheduled": "queued",
    "up_for_retry": "retrying",
    "up_for_reschedule": "running",
    "failed": "failed",
    "upstream_failed": "blocked",
}
#: What a step shows when its tasks are in several states: the first of these that any is in.
_BY_URGENCY = ("failed", "retrying", "running", "blocked", "queued", "waiting", "done", "skipped")


@dataclass(frozen=True, slots=True)
class TaskState:
    """One task instance."""

    task_id: str
    #: -1 where the task is not mapped.
    map_index: int
    #: Airflow's own word; None before it is scheduled.
    state: str | None
    label: str | None = None
    started: datetime | None = None
    ended: datetime | None = None
    try_number: int = 0
    #: The host that runs it, or ran it.
    worker: str = ""

    @property
    def word(self) -> str:
        """The page's word: done, running, queued, retrying, failed, blocked, skipped or waiting."""
        return _WORDS.get(self.state or "", "waiting")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the run, all its mapped tasks together."""

    task_id: str
    title: str
    word: str
    done: int
    total: int
    seconds: float | None


def build_steps(tasks: Sequence[TaskState], now: datetime) -> tuple[Step, ...]:
    """The steps of the run in their order."""
    return tuple(
        _step(task_id, title, [task for task in tasks if task.task_id == task_id], now)
        for task_id, title in STEPS.items()
    )


def _step(task_id: str, title: str, tasks: Sequence[TaskState], now: datetime) -> Step:
    words = {task.word for task in tasks}
    # A blocked task has times in Airflow, and never ran.
    ran = [task for task in tasks if task.started is not None and task.word != "blocked"]
    started = [task.started for task in ran if task.started is not None]
    ended = [task.ended or now for task in ran]
    return Step(
        task_id=task_id,
        title=title,
        word=next((word for word in _BY_URGENCY if word in words), "waiting"),
        done=sum(task.word in {"done", "skipped"} for task in tasks),
        total=len(tasks),
        seconds=(max(ended) - min(started)).total_seconds() if started else None,
    )


def tasks_of(tasks: Iterable[TaskState], task_id: str) -> dict[int, TaskState]:
    """A mapped task's instances by their map index."""
    return {task.map_index: task for task in tasks if task.task_id == task_id and task.map_index >= 0}
