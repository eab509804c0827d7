"""What planning knows before it decides: whose run it is, and what Snowflake, PostgreSQL and S3 said of its tables, read once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from snowmelt.config.sections import DEFAULT_FINGERPRINT_ROWS
from snowmelt.plan.statistics import SourceStatistics
from snowmelt.state import TargetNow, TargetState
from snowmelt.types.columns import SourceColumn, TargetColumn
from snowmelt.types.policies import SourcePolicies
from snowmelt.types.type_names import SnowflakeType
from snowmelt.unload.chunks import Bucket
from snowmelt.unload.location import Location
from snowmelt.unload.manifest import Manifest

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
    #: All rows are copied although the target has rows, and those that the source does not have are deleted.
    reload: bool = False
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
    #: Rows that the run's filter alone selects at the snapshot, for an incremental run: the whole target must have as many.
    scope_rows: int | None = None


@dataclass(frozen=True, slots=True)
class StagedFacts:
    """Everything that the plan of a load of existing files is decided from; Snowflake's table is not asked."""

    manifest: Manifest
    location: Location
    target: TargetFacts
