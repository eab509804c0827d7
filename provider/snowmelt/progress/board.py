"""What the page of a run shows, as values: unload and load, chunks and files, workers, failures and the verification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from snowmelt.progress.plots import Span, Step
from snowmelt.progress.verdict import describe_fingerprint

_PLACES = {
    "source_rows": "Snowflake, at the snapshot",
    "staged_rows": "Files in S3, as the unload returned",
    "loaded_rows": "Ledger, as PostgreSQL's COPY counted",
    "table_rows": "Table in PostgreSQL, counted",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Rows in one of the places that they passed."""

    name: str
    #: None: not counted yet.
    rows: int | None
    #: Whether this is as many as the place before says; None: nothing to compare yet.
    agrees: bool | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verification of a run."""

    #: verified, differs or open.
    word: str
    places: tuple[Place, ...]
    rejected: int
    fingerprint: str
    #: Why it differs.
    error: str | None


def build_verdict(run: Mapping[str, Any], *, staged_rows: int | None, loaded_rows: int | None) -> Verdict:
    """The verdict of a run; before its verification, what the ledger knows so far.

    :param run: the row of snowmelt.run.
    """
    found = run["verification"] or {
        "source_rows": run["source_rows"],
        "staged_rows": staged_rows,
        "loaded_rows": loaded_rows,
    }
    rejected = int(found.get("rejected_rows") or 0)
    places = []
    expected: int | None = None
    for name, title in _PLACES.items():
        rows = found.get(name)
        counted = None if rows is None else int(rows)
        required = None if expected is None else expected - (rejected if name == "table_rows" else 0)
        agrees = None if counted is None or required is None else counted == required
        if (
            agrees is False
            and run["verification"] is None
            and counted is not None
            and counted < (required or 0)
        ):
            agrees = None  # the run goes on
        places.append(Place(title, counted, agrees))
        expected = counted if counted is not None else expected
    verified = run["verified_at"] is not None
    word = "verified" if verified else "differs" if run["verification"] and run["error"] else "open"
    error = run["error"] if word == "differs" else None
    return Verdict(
        word,
        tuple(places),
        rejected,
        _describe_compared(found),
        error,
    )


def _describe_compared(found: Mapping[str, Any]) -> str:
    """One sentence on what was compared: the whole table, the run's rows, or both."""
    fingerprint, comparison = found.get("fingerprint"), found.get("comparison")
    if not comparison:
        return _fingerprint(fingerprint)
    whole = f"whole table: {comparison['text']}"
    return f"{_fingerprint(fingerprint)}; {whole}" if fingerprint else whole


def _fingerprint(found: object) -> str:
    if isinstance(found, Mapping) and (found.get("compared") or found.get("reason")):
        return describe_fingerprint(found)
    return str(found) if found and isinstance(found, str) else "not compared yet"


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
    #: Of several files together: those that are loaded.
    files_done: int | None = None

    @property
    def share(self) -> float:
        """How much of it is copied, from 0 to 1."""
        if self.word == "done" or not self.rows:
            return 1.0 if self.word == "done" else 0.0
        return min(1.0, self.rows_done / self.rows)


@dataclass(frozen=True, slots=True)
class Half:
    """The unload, or the load, as a whole."""

    #: Chunks; files, or of very many the files of each task together.
    pieces: tuple[Piece, ...]
    rows_total: int | None
    rows_done: int
    bytes_done: int
    #: Chunks or files: those that are through, and all.
    done: int
    total: int
    #: Rows per second, until now: over all, and recently; 0: nothing was copied.
    rate: float
    recent_rate: float
    #: What is listed by name: all chunks, or one page of the files.
    listed: tuple[Piece, ...] = ()

    @property
    def share(self) -> float:
        """From 0 to 1."""
        if self.rows_total:
            return min(1.0, self.rows_done / self.rows_total)
        return 1.0 if self.pieces and self.finished else 0.0

    @property
    def finished(self) -> bool:
        """Whether every chunk or file is through."""
        return self.done == self.total

    @property
    def seconds_left(self) -> float | None:
        """At the recent rate; None when that is not known, or nothing moves."""
        if self.finished or not self.recent_rate or self.rows_total is None:
            return None
        return max(0, self.rows_total - self.rows_done) / self.recent_rate


@dataclass(frozen=True, slots=True)
class Worker:
    """What one worker has loaded."""

    name: str
    files: int
    rows: int
    bytes: int
    #: Rows per second, while it was loading.
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
    #: Whether it is failed now; otherwise a later try is under way or went well.
    current: bool


#: The time left is estimated by the rate of the last minutes.
RECENT = timedelta(minutes=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRows:
    """What the ledger holds of a run: rows of its tables by the columns' names."""

    run: Mapping[str, Any]
    chunks: Sequence[Mapping[str, Any]]
    #: Files, or the files of each load task together.
    units: Sequence[Mapping[str, Any]]
    #: One page of the files.
    files: Sequence[Mapping[str, Any]]
    page: int
    #: Rows that were loaded within RECENT.
    recent_rows: float
    workers: Sequence[Mapping[str, Any]]
    failures: Sequence[Mapping[str, Any]]
    #: COPYs that run now: application_name, rows, bytes, seconds, waits_for.
    copying: Sequence[Mapping[str, Any]]
    #: Files that are not loaded, and may be loading.
    loading: Sequence[Mapping[str, Any]]
    #: Queries that were submitted for chunks, known before their results are: chunk, query_id.
    submitted: Sequence[Mapping[str, Any]] = ()
    #: Seconds of each step of earlier runs of this table.
    earlier: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Stall:
    """Nothing moves in a step that should."""

    since: datetime
    #: What it seems to wait for.
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
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
    #: The page of the files' list, from 0.
    page: int = 0
    stall: Stall | None = None
    #: Seconds until the run is published, by earlier runs; None: not known.
    run_seconds_left: float | None = None
    #: How many earlier runs that is by.
    earlier_runs: int = 0
