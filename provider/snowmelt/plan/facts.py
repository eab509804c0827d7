"""What planning knows before it decides: whose run it is, and what Snowflake, PostgreSQL and S3 said of its tables, read once.

The source's statistics are one statement: how many rows a run copies, whether any value has digits that PostgreSQL cannot keep, and,
where it is asked, between what the whole numbers lie.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from snowmelt.config.sections import DEFAULT_FINGERPRINT_ROWS
from snowmelt.state import LastCompared, Owner, TargetNow, TargetState
from snowmelt.types.columns import SourceColumn, TargetColumn
from snowmelt.types.nanoseconds import build_refusal, describe_counts
from snowmelt.types.policies import SourcePolicies
from snowmelt.types.target_types import Range
from snowmelt.types.type_names import SnowflakeType
from snowmelt.unload.chunks import Bucket
from snowmelt.unload.manifest import Manifest
from snowmelt.unload.statements import Location
from snowmelt.vocabulary import Nanoseconds


@dataclass(frozen=True, slots=True)
class SourceStatistics:
    """What one pass over the source found, at the snapshot and under the filter."""

    rows: int
    #: Column → values with digits beyond the microsecond; only columns that have any.
    nanoseconds: Mapping[str, int]
    #: The highest watermark, as a bound's text; None when it was not asked for, or there is none.
    watermark: str | None = None
    #: Column → its smallest and largest value; only columns that were asked for.
    ranges: Mapping[str, Range] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StatisticsQuestion:
    """What is asked of the source."""

    #: The run's predicate, or empty.
    where: str = ""
    #: Column → predicate that is true for a value with digits beyond the microsecond. Without any, Snowflake answers from
    #: metadata where there is no filter.
    nanoseconds: Mapping[str, str] = field(default_factory=dict)
    #: The expression for the highest watermark; None without a watermark column.
    highest: str | None = None
    #: Column → expression whose smallest and largest value are asked; from metadata likewise.
    measured: Mapping[str, str] = field(default_factory=dict)

    def sql(self, source: str) -> str:
        """`SELECT COUNT(*), <highest watermark>, COUNT_IF(<predicate>), …, MIN(<number>), MAX(<number>), … FROM <source> WHERE …`.

        :param source: what is behind FROM: the quoted table with its AT clause.
        """
        counts = [
            "COUNT(*)",
            self.highest or "NULL",
            *(f"COUNT_IF({predicate})" for predicate in self.nanoseconds.values()),
            *(f"{end}({number})" for number in self.measured.values() for end in ("MIN", "MAX")),
        ]
        return f"SELECT {', '.join(counts)} FROM {source}{f' WHERE {self.where}' if self.where else ''}"

    def parse(self, row: Sequence[Any]) -> SourceStatistics:
        """The statistics from the statement's one row."""
        ends = 2 + len(self.nanoseconds)
        found = {name: int(count or 0) for name, count in zip(self.nanoseconds, row[2:ends], strict=True)}
        numbers = [None if value is None else int(value) for value in row[ends:]]
        ranges = zip(self.measured, numbers[::2], numbers[1::2], strict=True)
        return SourceStatistics(
            int(row[0]),
            {name: count for name, count in found.items() if count},
            None if row[1] is None else str(row[1]),
            {name: Range(low, high) for name, low, high in ranges},
        )


def refuse_nanoseconds(statistics: SourceStatistics, policy: Nanoseconds, table: str) -> str | None:
    """What to report under the policy `truncate`; None when there is nothing to say.

    :raises ValueRefused: values would lose digits, and the policy is `refuse`.
    """
    if not statistics.nanoseconds:
        return None
    if policy is Nanoseconds.TRUNCATE:
        return (
            "Digits beyond the microsecond are cut off, as the policy nanoseconds = truncate says: "
            f"{describe_counts(statistics.nanoseconds)}"
        )
    raise build_refusal(table, statistics.nanoseconds)


#: (start, end) of a backfill's data interval, with their time zones.
Window = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """Whose run it is, and what is said of it beside the request."""

    run_id: str
    dag_id: str
    dag_run_id: str
    #: Of a backfill: the data interval whose rows an incremental run takes.
    window: Window | None = None
    #: Fingerprints are compared up to this many rows.
    fingerprint_rows: int = DEFAULT_FINGERPRINT_ROWS


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """What PostgreSQL says."""

    #: Columns of the existing target; None: it does not exist, and the publish creates it.
    columns: tuple[TargetColumn, ...] | None
    #: Why aws_s3 cannot be used there; None when it can.
    aws_s3_reason: str | None
    #: The watermark of the last published run of the same source, target and column.
    published_watermark: str | None
    #: Which table it is now; None where it does not exist.
    now: TargetNow | None = None
    #: What the last published run left in it; None where no run of this ledger filled it.
    state: TargetState | None = None
    #: Keys of rows that are kept out of it; the run copies them again.
    set_aside: tuple[Mapping[str, str], ...] = ()
    #: The copies that filled it.
    owners: tuple[Owner, ...] = ()
    #: When all of it was compared with the source last; None: never.
    compared: LastCompared | None = None


@dataclass(frozen=True, slots=True)
class TableFacts:
    """The first reading: both tables as they are, and where Snowflake writes."""

    source_columns: tuple[SourceColumn, ...]
    target: TargetFacts
    location: Location
    #: When the source was created; None where Snowflake does not say.
    created_on: str | None = None
    #: Snowflake's policies on the source; None: they were not asked for.
    policies: SourcePolicies | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The source's columns."""
        return tuple(column.name for column in self.source_columns)

    def type_of(self, name: str) -> SnowflakeType:
        """The type of a column of the source."""
        return next(column.type for column in self.source_columns if column.name == name)


@dataclass(frozen=True, slots=True)
class Start:
    """Where a run starts."""

    #: The watermark that an incremental run starts from: the published one, else the target's own highest; None: everything.
    watermark: str | None = None
    #: Publish append: the watermark that it ends at; None: there is none.
    until: str | None = None
    #: Publish append: rows of the source up to the watermark that it starts from, and all of them.
    covered: int = 0
    total: int = 0
    #: Mode changes: the snapshot that the changes follow; None: everything.
    changes_since: str | None = None
    #: The run whose state it goes on from, where none may come between.
    follows: str | None = None
    #: All rows are copied although the target has rows, and those that the source does not have are deleted.
    reload: bool = False
    #: The whole table is compared, and what differs is copied again, instead.
    repair: bool = False
    #: Why, one line each.
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The instant that all chunks read, or None and why not; and the statistics at it."""

    at: str | None
    note: str | None
    statistics: SourceStatistics


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that a plan is decided from."""

    tables: TableFacts
    #: Where an incremental run starts.
    start: Start
    snapshot: Snapshot
    #: The bounds' buckets; None where the table is one chunk.
    buckets: tuple[Bucket, ...] | None = None
    #: Why they are fewer than chunk_rows says; None where they are not.
    buckets_note: str | None = None
    #: An earlier run found no digits beyond the microsecond: the unload looks for them, not the planning.
    guarded: bool = False
    #: Rows that the run's filter alone selects at the snapshot, for a run that goes on: the whole target must have as many.
    scope_rows: int | None = None
    #: Rows that were deleted between the two snapshots of mode changes.
    deleted_rows: int | None = None
    #: Whether the whole table is compared after the publish, and the buckets of its chunks.
    compares_after: bool = False
    whole_buckets: tuple[Bucket, ...] | None = None


@dataclass(frozen=True, slots=True)
class UnloadFacts:
    """A run of this ledger that unloaded files."""

    run_id: str
    #: Its predicate, or empty; and whether it may ask other objects.
    where: str
    filter_subqueries: bool
    #: Whether these are all rows of the source under its filter.
    whole: bool


@dataclass(frozen=True, slots=True)
class StagedFacts:
    """Everything that the plan of a load of existing files is decided from; Snowflake's table is not asked."""

    manifest: Manifest
    location: Location
    target: TargetFacts
    #: What the ledger knows of the run that unloaded the files; None: nothing.
    unload: UnloadFacts | None = None
