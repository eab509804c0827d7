"""Fingerprints of a run's rows, computed by both databases at once, compared before anything is published."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

import psycopg

from snowmelt.compare.canonical import Detail
from snowmelt.compare.databases import Databases, SampledChunk, read_both
from snowmelt.compare.differences import (
    ChunkGroups,
    ChunksUnknown,
    find_fingerprint_differences,
    group_chunks,
    list_approximate,
    translate_predicate,
)
from snowmelt.compare.fingerprint import (
    Fingerprint,
    build_source_fingerprint,
    build_target_fingerprint,
    join_fingerprints,
    parse_fingerprint,
    parse_groups,
    plan_statements,
)
from snowmelt.compare.staged import find_staged_differences, list_rewritten
from snowmelt.drivers.postgres_errors import postgres_failures
from snowmelt.drivers.snowflake import Connection, find_recreation
from snowmelt.drivers.snowflake_errors import NO_TIME_TRAVEL
from snowmelt.errors import SourceError, VerificationError
from snowmelt.ledger.files import read_counts, read_rejected_rows
from snowmelt.plan.plan import Plan
from snowmelt.plan.set_aside import Key, build_source_keys, build_target_keys, find_keys
from snowmelt.progress.verdict import ALL_ROWS
from snowmelt.unload.chunks import Chunk
from snowmelt.unload.statements import build_where
from snowmelt.vocabulary import Mode

#: Chunks that are compared column by column, and differences that a message names.
NAMED_CHUNKS = 3
NAMED_DIFFERENCES = 12
#: Chunks at most that are compared of a run of more than fingerprint_rows.
SAMPLED_CHUNKS = 12


def verify_fingerprint(
    snowflake: Connection, postgres: psycopg.Connection[Any], plan: Plan, *, rejected: int | None = None
) -> dict[str, Any]:
    """Compare the run's rows in Snowflake, at its snapshot, with the staging table: all of them, or those of a sample of chunks.

    Writes nothing. The two databases compute at the same time, by one statement each or, for wide tables, by some one after the
    other. Returns a small dict for the ledger and XCom, without any value of the data (progress/verdict.py): `compared`, `reason` when
    nothing was compared, `scope`, `rows`, `hash`, `columns`, the columns that are compared by their staged text and approximately, `seconds`.

    :param rejected: rows that were set aside while loading; None: as the ledger says.
    :raises VerificationError: naming each column and, where they are known, the chunks, with both values.
    """
    if rejected is None:
        rejected = int(sum(row["rejected"] for row in read_counts(postgres, plan.run_id)))
    aside = read_rejected_rows(postgres, plan.run_id) if rejected else ()
    keys = find_keys(aside, plan.row_key) if len(aside) == rejected else None
    reason = find_obstacle(postgres, plan, unknown=rejected if keys is None else 0)
    if reason:
        return {"compared": False, "reason": reason}
    sampled = () if plan.source_rows <= plan.fingerprint_rows else _sample(plan)
    if isinstance(sampled, str):
        return {
            "compared": False,
            "reason": f"more than {plan.fingerprint_rows:,} rows, and {sampled}: only counts were compared",
        }
    whole = Databases(snowflake, postgres, plan, plan.staging_table, sampled)
    both = _leave_out(whole, keys or ())
    began = time.monotonic()
    try:
        source, target = read_pair(both)
    except SourceError as error:
        if error.code != NO_TIME_TRAVEL:
            raise
        created = find_recreation(snowflake, plan.source, plan.snapshot or "")
        why = f", for {plan.source} was created again at {created}" if created else ""
        return {
            "compared": False,
            "reason": f"Snowflake no longer has the snapshot {plan.snapshot}{why}: only counts were compared",
        }
    differences = find_fingerprint_differences(source, target)
    if differences:
        raise VerificationError(_describe(both, differences))
    staged = find_staged_differences(whole)  # the loader saw the rows that were set aside, too
    if staged:
        raise VerificationError(_describe_staged(plan, staged))
    known = set() if staged is None else set(list_rewritten(both))
    return {
        "compared": True,
        "scope": f"{len(sampled)} of {len(plan.chunks)} chunks" if sampled else ALL_ROWS,
        "rows": source.rows,
        "hash": f"{source.hash:016x}",
        "columns": len(plan.columns),
        "staged": sorted(known),
        "approximate": [name for name in list_approximate(plan.columns) if name not in known],
        "seconds": round(time.monotonic() - began, 3),
        **({"set_aside": rejected} if rejected else {}),
    }


def _sample(plan: Plan) -> tuple[SampledChunk, ...] | str:
    """The chunks that a run of very many rows compares, or why it compares none.

    Another run compares others, a retry the same. In Snowflake their predicates prune; in PostgreSQL they are one pass over the staging
    table. So a comparison costs the same whatever the table's size, but for that pass.
    """
    if not plan.fingerprint_rows:
        return "fingerprint_rows is 0"
    if len(plan.chunks) <= 1:
        return "its rows are in one chunk"
    rows_each = max(1, plan.source_rows // len(plan.chunks))
    count = min(max(1, plan.fingerprint_rows // rows_each), SAMPLED_CHUNKS, len(plan.chunks))
    places = sorted(Random(plan.run_id).sample(range(len(plan.chunks)), count))  # noqa: S311 - which chunks are compared is no secret
    sampled = []
    for chunk in (plan.chunks[place] for place in places):
        condition = translate_predicate(chunk.predicate, plan.columns)
        if isinstance(condition, ChunksUnknown):
            return f"PostgreSQL cannot tell their chunks ({condition.reason})"
        sampled.append(SampledChunk(chunk, condition))
    return tuple(sampled)


def _leave_out(both: Databases, keys: Sequence[Key]) -> Databases:
    """All but the rows of these keys, which were set aside: in both databases, since one key may be in several rows."""
    if not keys:
        return both
    plan = both.plan
    aside = build_source_keys(plan.row_key, keys)
    where = build_where(plan.where, f"NOT COALESCE({aside}, FALSE)")
    return replace(both, plan=replace(plan, where=where), without=build_target_keys(plan.row_key, keys))


def find_obstacle(postgres: psycopg.Connection[Any], plan: Plan, *, unknown: int = 0) -> str:
    """Why fingerprints cannot agree, or cannot be computed, for this run; empty when they can.

    :param unknown: rows that were set aside, where the keys of some are not known.
    """
    if plan.mode is Mode.LOAD and plan.files_of is None:
        return "this ledger does not know the unload that the files are of: only counts were compared"
    if plan.row_limit and plan.source_rows >= plan.row_limit:
        return f"a test copies any {plan.row_limit:,} rows, which Snowflake cannot name again: only counts were compared"
    if plan.snapshot is None:
        return "there is no snapshot, so the table may have changed since: only counts were compared"
    if unknown:
        return f"{unknown:,} rows were set aside while loading, and their keys are not known: only counts were compared"
    reason = find_encoding_obstacle(postgres)
    return f"{reason}: only counts were compared" if reason else ""


def find_encoding_obstacle(postgres: psycopg.Connection[Any]) -> str:
    """Why hashes of texts cannot agree in this database; empty when they can."""
    with postgres_failures("Reading the server's encoding"):
        row = postgres.execute("SELECT current_setting('server_encoding')").fetchone()
    encoding = row[0] if row else ""
    return (
        ""
        if encoding == "UTF8"
        else f"the database's encoding is {encoding}, and hashes of texts agree in UTF8 only"
    )


def read_pair(both: Databases) -> tuple[Fingerprint, Fingerprint]:
    """The fingerprint of all compared rows in both databases."""
    where, condition = both.where, both.condition
    sources, targets = [], []
    for part in plan_statements(both.columns, around=len(both.source) + len(where)):
        source, target = read_both(
            both,
            build_source_fingerprint(part.columns, both.source, where, detail=part.detail),
            build_target_fingerprint(part.columns, both.target, condition, detail=part.detail),
        )
        sources.append(parse_fingerprint(source[0], part.columns, detail=part.detail))
        targets.append(parse_fingerprint(target[0], part.columns, detail=part.detail))
    return join_fingerprints(sources), join_fingerprints(targets)


def _describe(both: Databases, differences: Sequence[str]) -> str:
    """The whole message: the differences by chunk and column where the chunks are known, else of the table."""
    plan = both.plan
    chunks, note = _find_chunks(both)
    named = [
        f"{chunk.label}: {difference}"
        for chunk in chunks[:NAMED_CHUNKS]
        for difference in _find_by_column(both, chunk)
    ]
    if chunks:
        more = len(chunks) - NAMED_CHUNKS
        note = f"{len(chunks)} of {len(both.chunks)} chunks differ" + (
            f", the first {NAMED_CHUNKS} are named" if more > 0 else ""
        )
    else:
        named = _find_by_column(both, None)
    lines = named or list(differences)
    hidden = len(lines) - NAMED_DIFFERENCES
    rest = (f"and {hidden} more differences",) if hidden > 0 else ()
    listed = "\n".join(f"  - {line}" for line in (*lines[:NAMED_DIFFERENCES], *rest))
    return (
        f"{plan.source} → {plan.target}, run {plan.run_id}: the rows in Snowflake at {plan.snapshot} and those loaded into "
        f"{plan.target_schema}.{plan.staging_table} are not the same ({note}).\n{listed}\n"
        f"Nothing was published; the rows are in {plan.target_schema}.{plan.staging_table}, where you can look at them. Start a new run; when it "
        "differs in the same place, report the column's type and this message."
    )


def _describe_staged(plan: Plan, differences: Sequence[str]) -> str:
    return (
        f"{plan.source} → {plan.target}, run {plan.run_id}: what was loaded is not what Snowflake has at {plan.snapshot}: "
        f"{'; '.join(differences)}. Nothing was published; the rows are in {plan.target_schema}.{plan.staging_table}. Start a new run; when "
        "it differs in the same place, report the column's type and this message."
    )


def _find_chunks(both: Databases) -> tuple[list[Chunk], str]:
    """The chunks that differ, or why they are not known."""
    groups = group_chunks(both.chunks, both.columns)
    if isinstance(groups, ChunksUnknown):
        return [], f"the chunk is not known: {groups.reason}"
    source, target = read_groups(both, groups)
    return [
        chunk for chunk in both.chunks if _differ(source.get(chunk.index), target.get(chunk.index))
    ], "the difference is in no chunk"


def _differ(source: Fingerprint | None, target: Fingerprint | None) -> bool:
    if source is None or target is None:
        return source is not target
    return bool(find_fingerprint_differences(source, target))


def read_groups(
    both: Databases, groups: ChunkGroups
) -> tuple[dict[int, Fingerprint], dict[int, Fingerprint]]:
    """The fingerprint of each chunk in both databases; a chunk without rows is not among them."""
    where, condition = both.where, both.condition
    around = len(both.source) + len(where) + len(groups.source)
    sources: list[dict[int, Fingerprint]] = []
    targets: list[dict[int, Fingerprint]] = []
    for part in plan_statements(both.columns, around=around):
        source, target = read_both(
            both,
            build_source_fingerprint(
                part.columns, both.source, where, group=groups.source, detail=part.detail
            ),
            build_target_fingerprint(
                part.columns, both.target, condition, group=groups.target, detail=part.detail
            ),
        )
        sources.append(parse_groups(source, part.columns, detail=part.detail))
        targets.append(parse_groups(target, part.columns, detail=part.detail))
    return join_groups(sources), join_groups(targets)


def join_groups(parts: Sequence[dict[int, Fingerprint]]) -> dict[int, Fingerprint]:
    """The whole fingerprint of each chunk; every statement reads the same rows, so each has the same chunks."""
    return {chunk: join_fingerprints([part[chunk] for part in parts if chunk in part]) for chunk in parts[0]}


def _find_by_column(both: Databases, chunk: Chunk | None) -> list[str]:
    """The differences in one chunk, or in the whole table, by the measures and hashes of its columns."""
    where, condition = both.where, both.condition
    if chunk is not None:
        translated = translate_predicate(chunk.predicate, both.columns)
        condition = "" if isinstance(translated, ChunksUnknown) else translated
        where = build_where(both.plan.where, chunk.predicate)
    found: list[str] = []
    around = len(both.source) + len(where)
    for part in plan_statements(both.columns, detail=Detail.COLUMNS, around=around):
        source, target = read_both(
            both,
            build_source_fingerprint(part.columns, both.source, where, detail=part.detail),
            build_target_fingerprint(part.columns, both.target, condition, detail=part.detail),
        )
        differences = find_fingerprint_differences(
            parse_fingerprint(source[0], part.columns, detail=part.detail),
            parse_fingerprint(target[0], part.columns, detail=part.detail),
        )
        if not (
            part.detail is Detail.LINK and found
        ):  # beside differences of its columns, a link shows the same again
            found += [text for text in differences if text not in found]
    return found
