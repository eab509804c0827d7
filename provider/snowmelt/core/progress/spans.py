"""Spans: a chunk or a file, from when to when it was copied, and what that means as a rate."""

from __future__ import annotations

from collections.abc import Sequence
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
    """Rows in a second: since the first span began until the last ended, or over the last `window` only."""
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
