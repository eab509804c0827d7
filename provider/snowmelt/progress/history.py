"""The history of one table, as its page shows it: its runs, what each cost, what changed between them, and plots."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from itertools import zip_longest
from typing import Any

from snowmelt.progress.pace import show_bytes, show_count, show_seconds, show_time
from snowmelt.progress.table_status import describe_compared, first_line
from snowmelt.vocabulary import Outcome

_WIDTH, _HEIGHT, _LEFT = 1000, 90, 86
#: Bars are not wider than this, so that three runs do not fill the page.
_WIDEST = 28


@dataclass(frozen=True, slots=True)
class PastRun:
    """One run of a table."""

    run_id: str
    dag_id: str
    dag_run_id: str
    mode: str
    outcome: Outcome
    step: str
    error: str
    target_check: str
    started_at: datetime
    #: Until it was published, else until it ended; None: it goes on.
    seconds: float | None
    #: None: it was not planned.
    rows: int | None
    bytes: int | None
    rejected: int
    snapshot: str | None
    compared: str
    #: From the first unload's start to the last one's end, and by which warehouse; None: nothing was unloaded.
    warehouse_seconds: float | None
    warehouse: str
    #: Who started it: a user, or what Airflow calls its kind.
    by: str
    #: Settings that differ from those of the run before.
    changes: tuple[str, ...]

    @property
    def word(self) -> str:
        """The page's word: done, running, failed, or retrying for one that differs."""
        if not self.outcome.ended:
            return "running"
        if self.outcome is Outcome.DIFFERS:
            return "retrying"
        return "done" if self.outcome.good and not self.step else "failed"


def build_history(rows: Sequence[Mapping[str, Any]]) -> list[PastRun]:
    """The runs of READ_HISTORY's rows, the latest first."""
    return [_run(row, before) for row, before in zip_longest(rows, rows[1:])]


def _run(row: Mapping[str, Any], before: Mapping[str, Any] | None) -> PastRun:
    audit = row["audit"] or {}
    ended = row["published_at"] or row["finished_at"]
    warehouse = [
        audit.get("warehouse") or row["warehouse"],
        row["warehouse_size"] or audit.get("warehouse_size"),
    ]
    return PastRun(
        run_id=row["run_id"],
        dag_id=row["dag_id"],
        dag_run_id=row["dag_run_id"],
        mode=row["mode"],
        outcome=Outcome(row["outcome"]),
        step=row["failed_step"] or "",
        error=first_line(row["error"]),
        target_check=row["target_check"] or "",
        started_at=row["started_at"],
        seconds=(ended - row["started_at"]).total_seconds() if ended else None,
        rows=row["staged_rows"] if row["staged_rows"] is not None else row["source_rows"],
        bytes=row["staged_bytes"],
        rejected=int(row["rejected_rows"] or 0),
        snapshot=row["snapshot"],
        compared=describe_compared(row["verification"], row["publish_result"] or {}, row["filter"])
        if row["verified_at"]
        else "",
        warehouse_seconds=row["warehouse_seconds"],
        warehouse=", ".join(str(one) for one in warehouse if one),
        by=audit.get("triggered_by") or audit.get("run_type") or "",
        changes=find_changes(before["request"], row["request"]) if before else (),
    )


def find_changes(before: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> tuple[str, ...]:
    """The settings that differ between two stored requests, by their paths; none where one was not planned."""
    if not before or not now:
        return ()
    first, second = dict(_flatten(before)), dict(_flatten(now))
    return tuple(sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name)))


def _flatten(value: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, each in value.items():
        if isinstance(each, Mapping):
            yield from _flatten(each, f"{path}{name}.")
        else:
            yield f"{path}{name}", each


#: What is plotted: title → (value of a run, how it is written).
MEASURES: dict[str, tuple[Callable[[PastRun], float | None], Callable[[float | None], str]]] = {
    "Duration": (lambda run: run.seconds, show_seconds),
    "Rows": (lambda run: run.rows, show_count),
    "Staged": (lambda run: run.bytes, show_bytes),
}


def plot_history(runs: Sequence[PastRun], title: str) -> str:
    """One bar for each run, the latest last, in the colour of its outcome; empty without a value."""
    value, show = MEASURES[title]
    values = [value(run) for run in reversed(runs)]
    top = max((each for each in values if each), default=0)
    if not top:
        return ""
    room = (_WIDTH - _LEFT) / len(values)
    width = min(room * 0.8, _WIDEST)
    parts = []
    for share in (0.0, 1.0):
        y = 6 + (1 - share) * (_HEIGHT - 12)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(
            f'<text class="right" x="{_LEFT - 6}" y="{y + 4:.1f}">{escape(show(top * share) if share else "0")}</text>'
        )
    for place, (run, each) in enumerate(zip(reversed(runs), values, strict=True)):
        height = max((each or 0) / top * (_HEIGHT - 12), 2)
        text = f"{show_time(run.started_at)} UTC, {run.outcome}: {show(each)}"
        parts.append(
            f'<rect class="bar {run.word}" x="{_LEFT + room * place:.1f}" y="{_HEIGHT - 6 - height:.1f}" width="{width:.1f}" '
            f'height="{height:.1f}"><title>{escape(text)}</title></rect>'
        )
    label = escape(f"{title} of the last {len(runs)} runs")
    return f'<svg class="plot" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">{"".join(parts)}</svg>'
