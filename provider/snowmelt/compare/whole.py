"""The comparison of a whole target with its whole source: chunk by chunk, then the rows of the chunks that differ. Writes nothing.

Each database scans its table once. Where all chunks agree, that is all. Else the rows of some chunks that differ are listed by
their keys, so that missing, extra and changed rows are counted, and the columns of some changed rows are named.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import psycopg

from snowmelt.compare.canonical import APPROXIMATE, Detail, comparison_of
from snowmelt.compare.databases import Databases, read_both
from snowmelt.compare.differences import (
    ChunkGroups,
    ChunksUnknown,
    find_fingerprint_differences,
    group_chunks,
    translate_predicate,
)
from snowmelt.compare.fingerprint import (
    Fingerprint,
    build_source_fingerprint,
    build_target_fingerprint,
    parse_fingerprint,
    plan_statements,
)
from snowmelt.compare.measure import find_encoding_obstacle, read_groups, read_pair
from snowmelt.compare.rows import (
    KEY_KINDS,
    Key,
    RowDifferences,
    build_source_rows,
    build_target_rows,
    find_changed_columns,
    find_row_differences,
    show_key,
)
from snowmelt.drivers.postgres_errors import postgres_failures
from snowmelt.drivers.snowflake import Connection, naming_recreation
from snowmelt.errors import ConfigurationError
from snowmelt.ledger.state import read_identity
from snowmelt.plan.comparison import ChunkDifference, Comparison, RowCounts
from snowmelt.plan.plan import Plan
from snowmelt.publish.staging import read_contents
from snowmelt.types.columns import Column
from snowmelt.unload.chunks import whole_table
from snowmelt.unload.statements import build_where

#: Rows of the chunks that differ which are listed by their keys: about 150 bytes each on the worker.
LISTED_ROWS = 500_000
#: The first chunk is listed up to as many.
LISTED_FIRST = 1_000_000
#: Keys that are named of each kind, and changed rows whose columns are compared.
EXAMPLES = 5
EXAMINED_KEYS = 100

_CONSISTENT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"


def compare_whole(snowflake: Connection, postgres: psycopg.Connection[Any], plan: Plan) -> Comparison:
    """Compare the target with the source at the plan's snapshot, under its filter.

    :param plan: its chunks are those of the whole source.
    :raises ConfigurationError: there is no target, or its database is not in UTF8.
    """
    began = time.monotonic()
    if isinstance(group_chunks(plan.chunks, plan.columns), ChunksUnknown):
        plan = replace(plan, chunks=whole_table(plan.source_rows))
    both = Databases(snowflake, postgres, plan, plan.target_table)
    reason = find_encoding_obstacle(postgres)
    if reason:
        raise ConfigurationError(f"{plan.target} cannot be compared: {reason}.")
    with (
        naming_recreation(snowflake, plan.source, plan.snapshot),
        postgres_failures(f"Comparing {plan.target}"),
        postgres.transaction(),
    ):
        postgres.execute(_CONSISTENT)
        identity = read_identity(postgres, plan.target_schema, plan.target_table)
        if identity is None:
            raise ConfigurationError(
                f"{plan.target} does not exist, so there is nothing to compare. Run mode full."
            )
        contents = read_contents(postgres, plan.target_schema, plan.target_table, plan.counted)
        chunks = _read_chunks(both)
        differences = tuple(difference for _, _, difference in chunks if difference is not None)
        rows, columns = _look_closer(both, differences)
    return Comparison(
        chunks=len(plan.chunks),
        source_rows=sum(source.rows for source, _, _ in chunks),
        target_rows=contents.rows,
        differences=differences,
        rows=rows,
        columns=columns,
        approximate=tuple(column.source for column in plan.columns if comparison_of(column) in APPROXIMATE),
        target=identity,
        contents=contents.state,
        seconds=time.monotonic() - began,
    )


_NOTHING = Fingerprint(0, 0, ())
_Compared = tuple[Fingerprint, Fingerprint, ChunkDifference | None]


def _read_chunks(both: Databases) -> list[_Compared]:
    """The fingerprints of each chunk in both databases, and the difference where there is one."""
    chunks = both.plan.chunks
    groups = group_chunks(chunks, both.columns)
    if isinstance(groups, ChunkGroups):
        sources, targets = read_groups(both, groups)
    else:
        source, target = read_pair(both)
        sources, targets = {chunks[0].index: source}, {chunks[0].index: target}
    compared: list[_Compared] = []
    for chunk in chunks:
        source, target = sources.get(chunk.index, _NOTHING), targets.get(chunk.index, _NOTHING)
        difference = None
        if source.rows != target.rows or (source.rows and find_fingerprint_differences(source, target)):
            predicate = translate_predicate(chunk.predicate, both.columns) if chunk.predicate else ""
            difference = ChunkDifference(
                chunk=chunk,
                target_predicate="" if isinstance(predicate, ChunksUnknown) else predicate,
                source_rows=source.rows,
                target_rows=target.rows,
            )
        compared.append((source, target, difference))
    return compared


def _look_closer(
    both: Databases, differences: Sequence[ChunkDifference]
) -> tuple[RowCounts, tuple[str, ...]]:
    """The rows that differ, counted, and the columns they differ in."""
    key = find_key(both.plan)
    listed = _choose_listed(differences) if key else ()
    if not listed:
        return _count_by_chunk(differences), _find_chunk_columns(both, differences)
    found = _list_rows(both, key, listed)
    rest = _count_by_chunk([difference for difference in differences if difference not in listed])
    rows = RowCounts(
        missing=len(found.missing) + rest.missing,
        extra=len(found.extra) + rest.extra,
        changed=len(found.changed) + rest.changed,
        exact=len(listed) == len(differences),
        missing_keys=_show(key, found.missing),
        extra_keys=_show(key, found.extra),
        changed_keys=_show(key, found.changed),
    )
    return rows, _find_columns(both, key, listed, found.changed[:EXAMINED_KEYS])


def find_key(plan: Plan) -> tuple[Column, ...]:
    """The columns that identify a row in both databases; empty where there are none whose values can be listed.

    The configured key, else the source's primary key.
    """
    by_name = {column.source: column for column in plan.columns}
    primary = sorted((column.primary_key, column.source) for column in plan.columns if column.primary_key)
    names = plan.uniqueness_columns or tuple(name for _, name in primary)
    key = tuple(by_name[name] for name in names if name in by_name)
    whole = len(key) == len(names) and all(comparison_of(column) in KEY_KINDS for column in key)
    return key if whole else ()


def _choose_listed(differences: Sequence[ChunkDifference]) -> tuple[ChunkDifference, ...]:
    """The first chunks, as far as their rows can be listed."""
    chosen: list[ChunkDifference] = []
    rows = 0
    for difference in differences:
        rows += max(difference.source_rows, difference.target_rows)
        if rows > (LISTED_ROWS if chosen else LISTED_FIRST):
            break
        chosen.append(difference)
    return tuple(chosen)


def _count_by_chunk(differences: Sequence[ChunkDifference]) -> RowCounts:
    """The least numbers of rows that differ, by the rows of the chunks: in one of as many rows at least one was changed."""
    more = [difference.target_rows - difference.source_rows for difference in differences]
    return RowCounts(
        missing=sum(-rows for rows in more if rows < 0),
        extra=sum(rows for rows in more if rows > 0),
        changed=more.count(0),
    )


def _predicates(both: Databases, differences: Sequence[ChunkDifference]) -> tuple[str, str]:
    """What selects the rows of these chunks, in Snowflake (with the run's filter) and in PostgreSQL."""
    if any(not difference.chunk.predicate for difference in differences):
        return build_where(both.plan.where), ""
    source = " OR ".join(f"({difference.chunk.predicate})" for difference in differences)
    target = " OR ".join(f"({difference.target_predicate})" for difference in differences)
    return build_where(both.plan.where, source), target


def _list_rows(
    both: Databases, key: tuple[Column, ...], differences: Sequence[ChunkDifference]
) -> RowDifferences:
    source_where, target_where = _predicates(both, differences)
    parts: list[RowDifferences] = []
    for part in plan_statements(both.columns, around=len(source_where)):
        if part.detail is Detail.LINK:
            continue
        source, target = read_both(
            both,
            build_source_rows(key, part.columns, both.source, source_where),
            build_target_rows(key, part.columns, both.target, target_where),
        )
        parts.append(find_row_differences(source, target, len(key)))
    changed = dict.fromkeys(one for part in parts for one in part.changed)
    return RowDifferences(parts[0].missing, parts[0].extra, tuple(changed))


def _find_columns(
    both: Databases, key: tuple[Column, ...], differences: Sequence[ChunkDifference], keys: Sequence[Key]
) -> tuple[str, ...]:
    """The columns that differ in rows of these keys."""
    if not keys:
        return ()
    source_where, target_where = _predicates(both, differences)
    names: list[str] = []
    for part in plan_statements(both.columns, detail=Detail.COLUMNS, around=len(source_where)):
        if part.detail is Detail.LINK:
            continue
        source, target = read_both(
            both,
            build_source_rows(key, part.columns, both.source, source_where, only=keys),
            build_target_rows(key, part.columns, both.target, target_where, only=keys),
        )
        names += find_changed_columns(source, target, len(key), part.columns)
    return tuple(names)


def _find_chunk_columns(both: Databases, differences: Sequence[ChunkDifference]) -> tuple[str, ...]:
    """The columns that differ in chunks of as many rows in both databases: where rows are missing, each column does."""
    same = [difference for difference in differences if difference.source_rows == difference.target_rows]
    if not same:
        return ()
    source_where, target_where = _predicates(both, same)
    names: list[str] = []
    for part in plan_statements(both.columns, detail=Detail.COLUMNS, around=len(source_where)):
        if part.detail is Detail.LINK:
            continue
        source, target = read_both(
            both,
            build_source_fingerprint(part.columns, both.source, source_where, detail=Detail.COLUMNS),
            build_target_fingerprint(part.columns, both.target, target_where, detail=Detail.COLUMNS),
        )
        left = parse_fingerprint(source[0], part.columns, detail=Detail.COLUMNS)
        right = parse_fingerprint(target[0], part.columns, detail=Detail.COLUMNS)
        names += [
            one.name
            for one, other in zip(left.columns, right.columns, strict=True)
            if (one.hash, one.measures) != (other.hash, other.measures)
        ]
    return tuple(names)


def _show(key: tuple[Column, ...], keys: Sequence[Key]) -> tuple[str, ...]:
    return tuple(show_key(key, one) for one in list(dict.fromkeys(keys))[:EXAMPLES])
