"""What is to be expected of a run that goes on: whether it moves at all, and how long it will take."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from snowmelt.progress.board import Half, RunRows, Stall
from snowmelt.progress.plots import TaskState, tasks_of

#: A load without a row for so long is stalled: a session sends its rows several times a second.
STALL_AFTER = timedelta(seconds=60)
#: What a session of PostgreSQL waits for (wait_event_type), in words.
_WAITS = {
    "Client": "PostgreSQL waits for the worker: its process is stopped, or the network between them is broken.",
    "Lock": "A session waits for a lock that another one holds.",
    "IO": "PostgreSQL waits for its disk.",
}
#: The steps that earlier runs say something about, in their order.
_STEPS = ("unload", "load", "verify", "publish")


class ProgressWatch:
    """Since when each run that is looked at has stood still, as this process has seen it.

    Neither Airflow nor PostgreSQL keeps when a COPY took its last row; two looks tell.
    """

    def __init__(self, kept: int = 200) -> None:
        self._kept = kept
        self._seen: OrderedDict[Hashable, tuple[Hashable, datetime]] = OrderedDict()

    def observe(self, run: Hashable, state: Hashable, now: datetime) -> datetime:
        """Since when the run's state is this one.

        :param state: what changes with every row: see `describe_progress`.
        """
        before = self._seen.pop(run, None)
        since = before[1] if before is not None and before[0] == state else now
        self._seen[run] = (state, since)
        while len(self._seen) > self._kept:
            self._seen.popitem(last=False)
        return since


def describe_progress(rows: RunRows) -> Hashable:
    """A value that is another one after every row that is loaded, and every file and chunk."""
    sessions = tuple(sorted((row["application_name"], row["rows"], row["bytes"]) for row in rows.copying))
    return (len(rows.chunks), sum(row["loaded_files"] for row in rows.units), sessions)


def find_stall(
    rows: RunRows, load: Half, tasks: Sequence[TaskState], still_since: datetime | None
) -> Stall | None:
    """Whether the load stands still while tasks of it run; None where it moves, or has not been looked at for long enough.

    An unload is never called stalled: Snowflake does not report its progress.
    """
    running = [task for task in tasks_of(tasks, "load").values() if task.word == "running"]
    if still_since is None or load.finished or not (running or rows.copying):
        return None
    began = [task.started for task in running if task.started is not None]
    since = max([still_since, *began[:1]] if len(began) == 1 else [still_since])
    if rows.run["now"] - since < STALL_AFTER:
        return None
    if not rows.copying:
        return Stall(since, "No session of PostgreSQL loads: the processes of the running tasks may be gone.")
    waits = {row["waits_for"] for row in rows.copying}
    reason = next((text for kind, text in _WAITS.items() if kind in waits), "PostgreSQL takes no row.")
    return Stall(since, reason)


def estimate_left(rows: RunRows, unload: Half, load: Half) -> float | None:
    """Seconds until the run is published, by what each step took in earlier runs of the table, for as many rows.

    None without an earlier run. The step that goes on counts by its own rate where that is known.
    """
    run, now = rows.run, rows.run["now"]
    if not rows.earlier or not run["source_rows"]:
        return None
    usual = {step: _usual(rows.earlier, step, int(run["source_rows"])) for step in _STEPS}
    ended = {
        "unload": run["staged_at"],
        "load": max((row["loaded_at"] for row in rows.units if row["loaded_at"]), default=None)
        if load.finished
        else None,
        "verify": run["verified_at"],
        "publish": run["published_at"],
    }
    left, began = 0.0, run["started_at"]
    current = True
    for step in _STEPS:
        if ended[step] is not None and current:
            began = ended[step]
            continue
        half = {"unload": unload, "load": load}.get(step)
        own = half.seconds_left if half is not None and current else None
        elapsed = (now - began).total_seconds() if current else 0.0
        left += own if own is not None else max(0.0, usual[step] - elapsed)
        current = False
    return left


def _usual(earlier: Sequence[Mapping[str, Any]], step: str, rows: int) -> float:
    """The median of the step's seconds, each for as many rows as this run has."""
    scaled = [
        row[step] * rows / row["source_rows"] if row["source_rows"] else row[step]
        for row in earlier
        if row[step] is not None and row[step] >= 0
    ]
    return median(scaled) if scaled else 0.0
