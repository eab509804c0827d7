"""The chunks of a run: those that it unloads, and those in which whole tables are compared. Pure.

A comparison has more and smaller chunks than an unload: the rows of those that differ are listed, or copied again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from snowmelt.config.request import MigrationRequest
from snowmelt.errors import SourceError
from snowmelt.plan.comparison import Comparison
from snowmelt.plan.facts import StatisticsQuestion, TableFacts
from snowmelt.plan.plan import Plan
from snowmelt.unload.chunks import (
    Bucket,
    Chunk,
    ChunkKey,
    build_bounds_query,
    is_ordered,
    plan_chunks,
    sample_percent,
    whole_table,
)
from snowmelt.unload.pruning import (
    MAX_SCANS,
    build_explain,
    describe_limit,
    limit_chunks,
    merge_buckets,
    parse_explain,
)
from snowmelt.unload.statements import build_source
from snowmelt.vocabulary import Duplicates, Mode, PublishMethod

#: Rows aimed at in a chunk that is compared. Tables of more than 3 million rows have larger ones.
COMPARED_ROWS = 10_000


def ask_bounds(
    request: MigrationRequest,
    tables: TableFacts,
    question: StatisticsQuestion,
    snapshot: str | None,
    rows: int,
    *,
    changes: bool = False,
    compared: bool = False,
) -> str | None:
    """The query for the chunks' bounds; None: the table is one chunk.

    :param rows: that the run copies, or compares.
    :param changes: these are changes: each chunk would compute all of them again.
    :param compared: the chunks are those of a comparison, whatever the mode.
    """
    key, chunk_rows = _find_key(request, tables, compared), _count_rows(request, compared)
    if key is None or (changes and not compared) or Mode(request.mode) is Mode.TEST or rows <= chunk_rows:
        return None
    return build_bounds_query(
        build_source(request.source.sql, snapshot),
        key,
        where=question.where,
        chunk_rows=chunk_rows,
        table_rows=rows,
    )


def plan_run_chunks(
    request: MigrationRequest,
    tables: TableFacts,
    buckets: Sequence[Bucket] | None,
    rows: int,
    *,
    compared: bool = False,
) -> tuple[Chunk, ...]:
    """The chunks; their rows and the snapshot's count come from two statements over one snapshot: they must agree.

    :param buckets: the answer to `ask_bounds`; None: it was not asked.
    """
    key = _find_key(request, tables, compared)
    if buckets is None or key is None:
        return whole_table(rows)
    exact = sample_percent(key, rows) is None
    chunks = plan_chunks(list(buckets), key, chunk_rows=_count_rows(request, compared), exact=exact)
    counted = [chunk.rows for chunk in chunks if chunk.rows is not None]
    if len(counted) == len(chunks) and sum(counted) != rows:
        raise SourceError(
            f"{request.source} has {rows:,} rows, and its {len(chunks)} chunks have {sum(counted):,}. "
            "Without a snapshot the table may have changed in between: start a new run."
        )
    return chunks


def ask_pruning(
    request: MigrationRequest,
    tables: TableFacts,
    question: StatisticsQuestion,
    snapshot: str | None,
    buckets: Sequence[Bucket] | None,
) -> str | None:
    """The question of how much of the table an unload of one chunk reads; None: there are few enough, whatever they read."""
    key = _find_key(request, tables, compared=False)
    if buckets is None or key is None or Mode(request.mode).compares or len(buckets) <= MAX_SCANS:
        return None
    chunks = plan_chunks(list(buckets), key, chunk_rows=request.chunk_rows)
    return build_explain(build_source(request.source.sql, snapshot), question.where, chunks)


def limit_buckets(
    request: MigrationRequest, tables: TableFacts, buckets: tuple[Bucket, ...], answer: str
) -> tuple[tuple[Bucket, ...], str | None]:
    """As many buckets as are worth it, and what the run reports where these are fewer.

    :param answer: to `ask_pruning`.
    """
    key = _find_key(request, tables, compared=False)
    partitions = parse_explain(answer)
    kept = limit_chunks(len(buckets), partitions)
    if key is None or kept >= len(buckets):
        return buckets, None
    merged = merge_buckets(buckets, kept)
    return merged, describe_limit(key, len(buckets), len(merged), partitions)


def _find_key(request: MigrationRequest, tables: TableFacts, compared: bool) -> ChunkKey | None:
    """The column that the run is cut by; a comparison without a chunking column takes the unique key's first, or the primary key's."""
    name = request.chunking_column
    if not name and (compared or Mode(request.mode).compares):
        primary = sorted((one.primary_key, one.name) for one in tables.source_columns if one.primary_key)
        names = (*request.uniqueness_columns[:1], *(name for _, name in primary[:1]))
        name = next((one for one in names if is_ordered(tables.type_of(one))), None)
    return None if not name else ChunkKey(name, tables.type_of(name))


def _count_rows(request: MigrationRequest, compared: bool) -> int:
    """The rows to aim at in a chunk."""
    compares = compared or Mode(request.mode).compares
    return min(request.chunk_rows, COMPARED_ROWS) if compares else request.chunk_rows


def plan_compared(plan: Plan, comparison: Comparison) -> Plan:
    """The plan of a run that compares, once it has: a repair copies the chunks that differ, and nothing else is copied."""
    if plan.mode is Mode.COMPARE or comparison.agrees:
        return replace(plan, chunks=(), comparison=comparison)
    keyed = set(plan.uniqueness_columns) <= {column.source for column in plan.columns}
    return replace(
        plan,
        chunks=tuple(replace(one.chunk, rows=one.source_rows) for one in comparison.differences),
        source_rows=sum(one.source_rows for one in comparison.differences),
        comparison=comparison,
        publish=PublishMethod.REPAIR,
        uniqueness_columns=plan.uniqueness_columns if keyed else (),
        duplicates=Duplicates.REFUSE,
        inserts_only=False,
        defer_indexes=False,
    )
