"""The states of a run's tasks, as Airflow knows them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

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
_LOUDEST = ("failed", "retrying", "running", "blocked", "queued", "waiting", "done", "skipped")


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
        word=next((word for word in _LOUDEST if word in words), "waiting"),
        done=sum(task.word in {"done", "skipped"} for task in tasks),
        total=len(tasks),
        seconds=(max(ended) - min(started)).total_seconds() if started else None,
    )


def tasks_of(tasks: Iterable[TaskState], task_id: str) -> dict[int, TaskState]:
    """A mapped task's instances by their map index."""
    return {task.map_index: task for task in tasks if task.task_id == task_id and task.map_index >= 0}
