"""Surveying the source: what a catch-up starts from, the snapshot, the rows in it, and where to cut them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from snowmelt.config.request import MigrationRequest
from snowmelt.drivers.snowflake import Connection, read_now, read_rows
from snowmelt.errors import SchemaError, SourceError
from snowmelt.ledger.runs import read_watermark
from snowmelt.plan.statistics import Census, build_census, parse_census
from snowmelt.plan.watermark import build_highest, build_since, build_target_highest, build_window
from snowmelt.publish.target import TargetTable
from snowmelt.sql.names import match_name
from snowmelt.types.columns import ColumnPlan, SourceColumn
from snowmelt.types.narrow import Range, find_measured, find_outgrown
from snowmelt.types.type_names import SnowflakeType
from snowmelt.unload.chunks import (
    Bucket,
    Chunk,
    ChunkKey,
    build_bounds_query,
    check_ordered,
    plan_chunks,
    sample_percent,
    whole_table,
)
from snowmelt.unload.statements import build_source
from snowmelt.vocabulary import Mode

log = logging.getLogger(__name__)

#: (start, end) of a backfill's data interval, with their time zones.
Window = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Since:
    """From where a catch-up takes rows, and how the new watermark is read."""

    before: str | None
    predicate: str
    highest: str | None


def read_since(
    postgres: psycopg.Connection[Any],
    request: MigrationRequest,
    source_columns: tuple[SourceColumn, ...],
    columns: ColumnPlan,
    target: TargetTable | None,
    window: Window | None = None,
) -> Since:
    """The last published watermark; of a target that was filled by other means, its own highest.

    :param window: of a backfill, which takes the rows of that window and leaves the watermark where it is.
    """
    name = request.watermark_column
    if name is None or request.mode not in {Mode.FULL, Mode.INCREMENTAL}:
        return Since(None, "", None)
    type_ = next(column.type for column in source_columns if column.name == name)
    check_ordered(type_, name, "watermark_column")
    highest = build_highest(name, type_)
    if request.mode == Mode.FULL:
        return Since(None, "", highest)
    if window is not None:
        log.info("Backfilling %s from %s to before %s", name, *window)
        return Since(None, build_window(name, type_, *window), None)
    where = f"{request.target_schema}.{request.target_table}"
    before = read_watermark(postgres, source=str(request.source), target=where, column=name)
    if before is None and target is not None:
        before = _read_target_highest(postgres, request, columns, type_)
    log.info("Catching up from the watermark %s = %s", name, before or "(none: everything)")
    overlap = request.policies.watermark_overlap
    return Since(before, build_since(name, type_, before, overlap), highest)


def _read_target_highest(
    postgres: psycopg.Connection[Any], request: MigrationRequest, columns: ColumnPlan, type_: SnowflakeType
) -> str | None:
    target = {column.source: column.target for column in columns.columns}.get(request.watermark_column or "")
    sql = build_target_highest(request.target_schema, request.target_table, target, type_) if target else None
    row = postgres.execute(sql).fetchone() if sql else None
    return None if row is None or row[0] is None else str(row[0])


def take_snapshot(
    session: Connection,
    request: MigrationRequest,
    columns: ColumnPlan,
    where: str,
    highest: str | None,
    measured: Mapping[str, str],
) -> tuple[str | None, str | None, Census]:
    """The instant that all chunks will read, and the census at it; without time travel, the census of now and the reason.

    :param measured: see `build_census`.
    """
    now = read_now(session)
    table = request.source
    doing = f"Counting the rows of {table}"
    asked = (where, columns.nanoseconds, highest, measured)
    try:
        rows = read_rows(session, build_census(build_source(table.sql, now), *asked), doing)
    except SourceError as error:
        if "000707" not in str(error):
            raise
        note = f"no snapshot: {table} has no time travel, so chunks unloaded at different moments may differ by what changed in between"
        log.warning("%s. Snowflake says: %s", note, error)
        rows = read_rows(session, build_census(table.sql, *asked), doing)
        return None, note, parse_census(rows[0], columns.nanoseconds, measured)
    return now, None, parse_census(rows[0], columns.nanoseconds, measured)


def find_numbers(
    request: MigrationRequest, source_columns: tuple[SourceColumn, ...], columns: ColumnPlan
) -> dict[str, str]:
    """The whole numbers whose range is asked: all but those whose type the configuration says."""
    names = [column.name for column in source_columns]
    ruled = [name for typed in request.columns.type if (name := match_name(typed, names)) is not None]
    return find_measured([column for column in columns.columns if column.source in names], ruled)


def refuse_outgrown(
    request: MigrationRequest, columns: ColumnPlan, target: TargetTable, ranges: Mapping[str, Range]
) -> None:
    """Before the unload: numbers that the existing target cannot take, each with the ALTER that would take them."""
    where = (request.target_schema, request.target_table)
    faults = find_outgrown(columns.columns, target.columns, ranges, where)
    if faults:
        raise SchemaError(f"{request.source} has outgrown {'.'.join(where)}. Nothing was unloaded:", faults)


def count_keys(session: Connection, request: MigrationRequest, snapshot: str | None) -> int:
    """Rows that the run's filter alone selects, at its snapshot: so many keys the source has."""
    sql = build_census(build_source(request.source.sql, snapshot), request.source_filter or "", {})
    return int(read_rows(session, sql, f"Counting the keys of {request.source}")[0][0])


def read_chunks(
    session: Connection,
    request: MigrationRequest,
    source_columns: tuple[SourceColumn, ...],
    source: str,
    where: str,
    rows: int,
) -> tuple[Chunk, ...]:
    """The chunks of the run; one of the whole table without a chunking column, or with no more rows than one takes."""
    if not request.chunking_column:
        return whole_table(rows)
    if rows <= request.chunk_rows:
        return whole_table(rows)
    name = request.chunking_column
    key = ChunkKey(name, next(column.type for column in source_columns if column.name == name))
    sql = build_bounds_query(source, key, where=where, chunk_rows=request.chunk_rows, table_rows=rows)
    found = read_rows(session, sql, f"Cutting {request.source} into chunks by {name}")
    buckets = [Bucket(row[0], row[1], int(row[2])) for row in found]
    return plan_chunks(buckets, key, chunk_rows=request.chunk_rows, exact=sample_percent(rows) is None)


def check_counted(chunks: tuple[Chunk, ...], rows: int, table: str) -> None:
    """The chunks' rows and the snapshot's count come from two statements over one snapshot: they must agree."""
    counted = [chunk.rows for chunk in chunks]
    if None not in counted and sum(count or 0 for count in counted) != rows:
        raise SourceError(
            f"{table} has {rows:,} rows, and its {len(chunks)} chunks have {sum(count or 0 for count in counted):,}. "
            "Without a snapshot the table may have changed in between: start a new run."
        )
