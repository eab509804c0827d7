"""The values of a run's board: its halves, its pieces, who copied them and what failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from snowmelt.core.progress.counts import Verdict
from snowmelt.core.progress.spans import Span
from snowmelt.core.progress.task_states import Step


@dataclass(frozen=True, slots=True)
class Piece:
    """A chunk or a file on the board."""

    label: str
    #: waiting, queued, running, retrying, done, skipped, failed or blocked.
    word: str
    task_id: str
    map_index: int
    rows: int | None
    #: Copied so far.
    rows_done: int
    bytes: int | None
    seconds: float | None
    query_id: str = ""
    files: int | None = None
    worker: str = ""
    rejected: int = 0

    @property
    def share(self) -> float:
        """How much of it is copied, from 0 to 1."""
        if self.word == "done" or not self.rows:
            return 1.0 if self.word == "done" else 0.0
        return min(1.0, self.rows_done / self.rows)


@dataclass(frozen=True, slots=True)
class Half:
    """The unload, or the load, as a whole."""

    pieces: tuple[Piece, ...]
    rows_total: int | None
    rows_done: int
    bytes_done: int
    #: Rows in a second: over all, and lately; 0: nothing to tell it by.
    rate: float
    rate_lately: float

    @property
    def share(self) -> float:
        """From 0 to 1."""
        if self.rows_total:
            return min(1.0, self.rows_done / self.rows_total)
        return 1.0 if self.pieces and self.finished else 0.0

    @property
    def finished(self) -> bool:
        """Whether every piece is through."""
        return all(piece.word in {"done", "skipped"} for piece in self.pieces)

    @property
    def seconds_left(self) -> float | None:
        """At the pace of late; None when that cannot be told."""
        rate = self.rate_lately or self.rate
        if self.finished or not rate or self.rows_total is None:
            return None
        return max(0, self.rows_total - self.rows_done) / rate


@dataclass(frozen=True, slots=True)
class Worker:
    """What one worker has loaded."""

    name: str
    files: int
    rows: int
    bytes: int
    #: Rows in a second, while it was loading.
    rate: float


@dataclass(frozen=True, slots=True)
class Failure:
    """A task that failed, and why."""

    task_id: str
    map_index: int
    try_number: int
    label: str
    error: str
    failed_at: datetime | None
    #: Whether it stands as failed now; otherwise a later try is under way or went well.
    current: bool


@dataclass(frozen=True, slots=True)
class RunRows:
    """What the ledger says about a run: rows of its tables by the columns' names."""

    run: Mapping[str, Any]
    chunks: Sequence[Mapping[str, Any]]
    files: Sequence[Mapping[str, Any]]
    failures: Sequence[Mapping[str, Any]]
    #: COPYs that run now: application_name, rows, bytes, seconds.
    copying: Sequence[Mapping[str, Any]]
    #: Queries that were submitted for chunks, told before their results are: chunk, query_id.
    submitted: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class RunBoard:
    """All that the page of a run shows."""

    run: Mapping[str, Any]
    now: datetime
    steps: tuple[Step, ...]
    unload: Half
    load: Half
    spans: tuple[Span, ...]
    workers: tuple[Worker, ...]
    failures: tuple[Failure, ...]
    verdict: Verdict
    #: Whether anything may still change.
    live: bool
