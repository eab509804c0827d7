"""Plots as inline SVG, made of rectangles, lines and text; colours come from the page's style sheet by class.

What they show: spans (a chunk or a file, from when to when it was copied, and what that means as a rate) and the states of a run's
tasks, as Airflow knows them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from typing import Literal

from snowmelt.progress.pace import show_bytes, show_count, show_seconds


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


_WIDTH = 1000
_LEFT, _RIGHT = 72, 8
_AXIS = 22
_LANE, _GAP = 14, 3
#: Lanes that are drawn; how many more there are is written below them.
MAX_LANES = 24
_BINS = 120
_RATE_HEIGHT = 150
_ROUND_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
_MAX_TICKS = 7
#: What a rate is of.
Measure = Literal["rows", "bytes"]
_TITLES = {"unload": "Unload", "load": "Load"}


@dataclass(frozen=True, slots=True)
class _Axis:
    start: datetime
    end: datetime

    def x(self, moment: datetime) -> float:
        span = (self.end - self.start).total_seconds() or 1.0
        share = (moment - self.start).total_seconds() / span
        return _LEFT + min(1.0, max(0.0, share)) * (_WIDTH - _LEFT - _RIGHT)


def plot_gantt(spans: Sequence[Span], now: datetime, *, live: bool = False) -> str:
    """Chunks and files over time, a lane for each that ran beside others; empty without spans.

    :param live: the run goes on: the axis ends now.
    """
    if not spans:
        return ""
    axis = _axis(spans, now, live=live)
    parts: list[str] = []
    y = 4
    for step, title in _TITLES.items():
        lanes = pack_lanes([span for span in spans if span.step == step], now)
        if not lanes:
            continue
        parts.append(f'<text class="what" x="0" y="{y + _LANE - 3}">{title}</text>')
        for lane in lanes[:MAX_LANES]:
            parts.extend(_bar(span, axis, y, now) for span in lane)
            y += _LANE + _GAP
        if len(lanes) > MAX_LANES:
            parts.append(
                f'<text x="{_LEFT}" y="{y + _LANE - 3}">and {len(lanes) - MAX_LANES} more at once</text>'
            )
            y += _LANE + _GAP
        y += 6
    return _svg(y + _AXIS, "Chunks and files over time", [*_time_ticks(axis, y), *parts])


def plot_rate(spans: Sequence[Span], now: datetime, what: Measure = "rows", *, live: bool = False) -> str:
    """Rows (or bytes) per second over time, a line for the unload and one for the load; empty without spans.

    The rows of a span count as spread evenly over it.

    :param live: as of `plot_gantt`.
    """
    measured = [span for span in spans if getattr(span, what)]
    if not measured:
        return ""
    axis = _axis(measured, now, live=live)
    step_seconds = (axis.end - axis.start).total_seconds() / _BINS
    lines = {
        step: _rates([span for span in measured if span.step == step], axis, step_seconds, now, what)
        for step in _TITLES
    }
    top = _round_up(max((max(rates) for rates in lines.values() if rates), default=0.0))
    if not top:
        return ""
    height = _RATE_HEIGHT
    parts = []
    for share in (0.0, 0.5, 1.0):
        y = 8 + (1 - share) * (height - 8)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(
            f'<text class="right" x="{_LEFT - 6}" y="{y + 4:.1f}">{_short(top * share, "B" if what == "bytes" else "")}</text>'
        )
    for step, rates in lines.items():
        if rates:
            parts.append(_area(step, rates, top, height))
    return _svg(
        height + _AXIS, f"{what.capitalize()} per second over time", [*_time_ticks(axis, height), *parts]
    )


def _rates(spans: Sequence[Span], axis: _Axis, seconds: float, now: datetime, what: Measure) -> list[float]:
    """The amount of each bin, by the second; a span adds to the bins that it touches."""
    if not spans or seconds <= 0:
        return []
    bins = [0.0] * _BINS
    for span in spans:
        begins = (span.start - axis.start).total_seconds() / seconds
        ends = max((span.until(now) - axis.start).total_seconds() / seconds, begins + 1e-9)
        amount = getattr(span, what) / (ends - begins)
        for place in range(max(0, int(begins)), min(_BINS, math.ceil(ends))):
            bins[place] += amount * (min(ends, place + 1) - max(begins, place))
    return [amount / seconds for amount in bins]


def _area(step: str, rates: Sequence[float], top: float, height: int) -> str:
    wide = (_WIDTH - _LEFT - _RIGHT) / len(rates)
    points = []
    for place, rate in enumerate(rates):
        y = 8 + (1 - rate / top) * (height - 8)
        points.append(f"{_LEFT + wide * place:.1f},{y:.1f} {_LEFT + wide * (place + 1):.1f},{y:.1f}")
    line = " ".join(points)
    return (
        f'<polygon class="area {step}" points="{_LEFT},{height} {line} {_WIDTH - _RIGHT},{height}"/>'
        f'<polyline class="line {step}" points="{line}"><title>{_TITLES[step]}</title></polyline>'
    )


def _axis(spans: Sequence[Span], now: datetime, *, live: bool) -> _Axis:
    start = min(span.start for span in spans)
    end = now if live else max(span.until(now) for span in spans)
    return _Axis(start, max(end, start + timedelta(seconds=1)))


def _bar(span: Span, axis: _Axis, y: int, now: datetime) -> str:
    left, right = axis.x(span.start), axis.x(span.until(now))
    seconds = (span.until(now) - span.start).total_seconds()
    text = f"{span.label}: {show_count(span.rows)} rows, {show_bytes(span.bytes)}, {show_seconds(seconds)}"
    where = f" on {span.worker}" if span.worker else ""
    return (
        f'<rect class="bar {span.step} {span.state}" x="{left:.1f}" y="{y}" width="{max(right - left, 2):.1f}" height="{_LANE}" rx="2">'
        f"<title>{escape(text + where)}</title></rect>"
    )


def _time_ticks(axis: _Axis, height: int) -> list[str]:
    seconds = (axis.end - axis.start).total_seconds()
    each = next((step for step in _ROUND_SECONDS if seconds / step <= _MAX_TICKS), 86400)
    parts = []
    for number in range(int(seconds // each) + 1):
        x = axis.x(axis.start + timedelta(seconds=each * number))
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height}"/>')
        parts.append(f'<text class="tick" x="{x:.1f}" y="{height + 15}">{_clock(each * number)}</text>')
    return parts


def _clock(seconds: int) -> str:
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds} s"
    hours, minutes, rest = seconds // 3600, seconds % 3600 // 60, seconds % 60
    if hours:
        return f"{hours} h {minutes:02d}" if minutes else f"{hours} h"
    return f"{minutes}:{rest:02d} min" if rest else f"{minutes} min"


def _round_up(value: float) -> float:
    if value <= 0:
        return 0.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= value)


def _short(rate: float, unit: str) -> str:
    for prefix, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if rate >= size:
            return f"{rate / size:g} {prefix}{unit}"
    return f"{rate:g} {unit}".rstrip() if rate else "0"


def _svg(height: int, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg class="plot" viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(title)}">'
        f"{''.join(parts)}</svg>"
    )
