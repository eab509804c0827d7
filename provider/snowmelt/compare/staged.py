"""What was staged, beside Snowflake: the staged hash of the loaded files against the same over the snapshot.

PostgreSQL's jsonb orders keys and writes numbers anew, and real[] has digits of its own, so the fingerprints of both databases see
little of such values. The loader saw the staged text of each, and hashed it together with columns that bind it to its row.
Where both hashes agree, the texts that PostgreSQL was given are Snowflake's, each in its row: what is left to be trusted is the
encoder of the load and PostgreSQL's own parser.
"""

from __future__ import annotations

from snowmelt.compare.databases import Databases
from snowmelt.compare.fingerprint import build_staged_fingerprint, parse_hash
from snowmelt.drivers.snowflake import read_rows
from snowmelt.ledger.files import read_staged_hashes
from snowmelt.types.staged_hash import find_hashed, is_rewritten

_MODULUS = 2**64
#: Chunks that a difference names.
_NAMED = 5


def list_rewritten(both: Databases) -> tuple[str, ...]:
    """The columns that the staged hash is there for."""
    return tuple(column.source for column in both.columns if is_rewritten(column))


def find_staged_differences(both: Databases) -> list[str] | None:
    """The differences between what was loaded and Snowflake, in words; None where the loaded files have no staged hash."""
    columns = find_hashed(both.columns, both.plan.uniqueness_columns)
    loaded = read_staged_hashes(both.postgres, both.plan.run_id) if columns else None
    if loaded is None:
        return None
    # The plan of a load of existing files has no chunks: all that was loaded is compared.
    compared = {chunk.index: loaded.get(chunk.index, 0) for chunk in both.chunks} or loaded
    doing = f"Hashing the staged texts of {both.plan.source}"
    [(_, whole)] = read_rows(
        both.snowflake, build_staged_fingerprint(columns, both.source, both.where), doing
    )
    found, expected = sum(compared.values()) % _MODULUS, parse_hash(whole)
    if found == expected:
        return []
    names = ", ".join(f'"{name}"' for name in list_rewritten(both))
    return [
        (
            f"the texts of {names} as they were staged: the hash is {expected:016x} in Snowflake, {found:016x} of what was loaded"
            f"{_name_chunks(both, compared)}"
        )
    ]


def _name_chunks(both: Databases, loaded: dict[int, int]) -> str:
    """The chunks that differ, where there is more than one."""
    if len(both.chunks) <= 1:
        return ""
    group = " ".join(f"WHEN {chunk.predicate} THEN {chunk.index}" for chunk in both.chunks)
    columns = find_hashed(both.columns, both.plan.uniqueness_columns)
    sql = build_staged_fingerprint(columns, both.source, both.where, group=f"CASE {group} ELSE -1 END")
    rows = read_rows(both.snowflake, sql, f"Hashing the staged texts of {both.plan.source} by chunk")
    expected = {int(chunk): parse_hash(value) for chunk, _, value in rows}
    differ = [chunk.label for chunk in both.chunks if expected.get(chunk.index, 0) != loaded[chunk.index]]
    more = f" and {len(differ) - _NAMED} more" if len(differ) > _NAMED else ""
    return f"; they differ in {'; '.join(differ[:_NAMED])}{more}"
