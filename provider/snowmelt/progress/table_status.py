"""A table as the page of all tables shows it: its last run, and how fresh what readers see is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from snowmelt.vocabulary import Outcome


@dataclass(frozen=True, slots=True)
class TableStatus:
    """One row of the page."""

    source: str
    target: str
    dag_id: str
    dag_run_id: str
    mode: str
    outcome: Outcome
    error: str | None
    started_at: datetime
    finished_at: datetime | None
    rows_done: int
    rows_total: int
    #: Rows per second, while files were loaded.
    rate: float
    #: verified, differs or open.
    verdict: str
    #: Rows in the target by the last publish; None before the first.
    published_rows: int | None
    published_at: datetime | None
    #: Up to when the source's changes are in the target: the watermark where it is a time, else the snapshot.
    fresh_until: datetime | None
    #: watermark or snapshot.
    fresh_by: str
    watermark: str | None
    watermark_column: str | None

    @property
    def word(self) -> str:
        """The page's word for the last run: done, running or failed."""
        if not self.outcome.ended:
            return "running"
        return "done" if self.outcome.good else "failed"

    @property
    def share(self) -> float:
        """How much of the last run's rows are loaded, from 0 to 1."""
        if self.outcome.good:
            return 1.0
        return min(1.0, self.rows_done / self.rows_total) if self.rows_total else 0.0


def build_status(row: Mapping[str, Any]) -> TableStatus:
    """The status made of a row of READ_TABLES."""
    began, ended = row["load_started_at"], row["load_ended_at"]
    seconds = (ended - began).total_seconds() if began and ended else 0.0
    watermark_time = parse_moment(row["watermark"])
    snapshot_time = parse_moment(row["published_snapshot"]) if row["published_run_id"] else None
    result = row["publish_result"] or {}
    published = result.get("rows_after") if isinstance(result, Mapping) else None
    if published is None and row["published_run_id"]:
        published = row["published_source_rows"]
    return TableStatus(
        source=row["source"],
        target=row["target"],
        dag_id=row["dag_id"],
        dag_run_id=row["dag_run_id"],
        mode=row["mode"],
        outcome=Outcome(row["outcome"]),
        error=row["error"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        rows_done=int(row["loaded_rows"] or 0),
        rows_total=int(row["source_rows"] or 0),
        rate=int(row["loaded_rows"] or 0) / seconds if seconds > 0 else 0.0,
        verdict="verified" if row["verified_at"] else "differs" if row["error"] else "open",
        published_rows=None if published is None else int(published),
        published_at=row["last_published_at"],
        fresh_until=watermark_time or snapshot_time,
        fresh_by="watermark" if watermark_time else "snapshot",
        watermark=row["watermark"],
        watermark_column=row["watermark_column"],
    )


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
