"""The keys of two whole tables side by side: which are missing and which are extra, without moving them. Pure.

Both databases hash each key (fingerprint.py), and add the hashes up in buckets by their lowest bits. Where the sums of a bucket
differ, its hashes are read from both and compared one by one: so missing and extra keys are both counted, also where as many
are missing as are extra. Two keys have one hash by chance once in 2^64.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snowmelt.compare.canonical import APPROXIMATE, comparison_of
from snowmelt.compare.canonical_postgres import target_side
from snowmelt.compare.canonical_snowflake import source_side
from snowmelt.compare.fingerprint import (
    build_values,
    concat_parts,
    hash_in_postgres,
    hash_in_snowflake,
    number_columns,
    parse_hash,
)
from snowmelt.types.columns import Column

#: Keys that a bucket has, about, and the most buckets: their sums are small beside the scan of the keys.
_BUCKET_KEYS = 1000
_MAX_BUCKETS = 2**16
#: Hashes that are read at most from each database; buckets beyond are compared by their numbers of keys alone.
MAX_HASHES = 2_000_000

#: Bucket → (keys, sum of their hashes modulo 2^64).
Sums = Mapping[int, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class KeyDifference:
    """How many keys of the source the target lacks, and how many of its own the source lacks."""

    missing: int = 0
    extra: int = 0
    #: False: there are at least so many; too many differ to compare them one by one.
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Side:
    """The keys of one database."""

    columns: tuple[Column, ...]
    #: What follows FROM: the quoted table, in Snowflake with its AT clause.
    table: str
    #: A predicate of that database, or empty.
    where: str
    buckets: int

    @property
    def source(self) -> str:
        """The table and the predicate."""
        return f"{self.table} WHERE {self.where}" if self.where else self.table


def can_compare(columns: Sequence[Column]) -> bool:
    """Whether each value of these columns shows in a hash to the letter."""
    return bool(columns) and not any(comparison_of(column) in APPROXIMATE for column in columns)


def count_buckets(rows: int) -> int:
    """In how many buckets so many keys are added up: a power of two."""
    return min(_MAX_BUCKETS, 1 << (max(0, rows) // _BUCKET_KEYS).bit_length())


def build_source_sums(side: Side, *, distinct: bool = False) -> str:
    """The Snowflake statement for the buckets: rows (bucket, keys, sum of their hashes).

    :param distinct: a key counts once, however many rows have it.
    """
    rows = _source_rows(side, distinct)
    return f"SELECT MOD(SM_H, {side.buckets:d}), COUNT(*), TO_VARCHAR(SUM(SM_H)) FROM ({rows}) AS SM_R GROUP BY 1"


def build_target_sums(side: Side) -> str:
    """The same in PostgreSQL."""
    rows = _target_rows(side)
    return f"SELECT SM_H & {side.buckets - 1:d}, count(*), CAST(sum(SM_H) AS text) FROM ({rows}) AS SM_R GROUP BY 1"


def build_source_hashes(side: Side, chosen: Collection[int], *, distinct: bool = False) -> str:
    """The Snowflake statement for the hashes of some buckets, a row each."""
    rows = _source_rows(side, distinct)
    return f"SELECT TO_VARCHAR(SM_H) FROM ({rows}) AS SM_R WHERE MOD(SM_H, {side.buckets:d}) IN ({_list(chosen)})"


def build_target_hashes(side: Side, chosen: Collection[int]) -> str:
    """The same in PostgreSQL."""
    rows = _target_rows(side)
    return f"SELECT CAST(SM_H AS text) FROM ({rows}) AS SM_R WHERE SM_H & {side.buckets - 1:d} IN ({_list(chosen)})"


def _source_rows(side: Side, distinct: bool) -> str:
    sides = [source_side(column) for column in number_columns(side.columns)]
    values = build_values(sides, "SELECT ", side.source)
    text = " || ".join(one.token[0] for one in sides)
    return (
        f"SELECT {'DISTINCT ' if distinct else ''}{hash_in_snowflake(text)} AS SM_H FROM ({values}) AS SM_V"
    )


def _target_rows(side: Side) -> str:
    sides = [target_side(column) for column in number_columns(side.columns)]
    values = build_values(sides, "SELECT ", side.source)
    text = concat_parts([part for one in sides for part in one.token])
    return f"SELECT {hash_in_postgres(text)} AS SM_H FROM ({values}) AS SM_V"


def parse_sums(rows: Iterable[Sequence[Any]]) -> Sums:
    """The answer to either statement for the buckets."""
    return {int(bucket): (int(keys), parse_hash(total)) for bucket, keys, total in rows}


def find_differing(source: Sums, target: Sums) -> list[int]:
    """The buckets whose keys are not the same."""
    return [
        bucket for bucket in sorted(source.keys() | target.keys()) if source.get(bucket) != target.get(bucket)
    ]


def choose_buckets(differing: Sequence[int], source: Sums, target: Sums) -> list[int]:
    """Of the buckets that differ those whose hashes are read."""
    chosen, hashes = [], 0
    for bucket in differing:
        hashes += max(_keys(source, bucket), _keys(target, bucket))
        if hashes > MAX_HASHES:
            break
        chosen.append(bucket)
    return chosen


def count_differences(
    source: Iterable[str], target: Iterable[str], left: Iterable[tuple[int, int]]
) -> KeyDifference:
    """Count the keys that differ.

    :param source: hashes of the chosen buckets, as both statements give them.
    :param left: numbers of keys (source, target) of each bucket that differs and was not chosen.
    """
    have, found = _count(source), _count(target)
    more = [keys - others for keys, others in left]
    return KeyDifference(
        (have - found).total() + sum(max(0, difference) for difference in more),
        (found - have).total() + sum(max(0, -difference) for difference in more),
        exact=not more,
    )


def count_keys(buckets: Iterable[int], source: Sums, target: Sums) -> list[tuple[int, int]]:
    """Numbers of keys (source, target) of each bucket."""
    return [(_keys(source, bucket), _keys(target, bucket)) for bucket in buckets]


def _count(hashes: Iterable[str]) -> Counter[int]:
    return Counter(parse_hash(text) for text in hashes)


def _keys(sums: Sums, bucket: int) -> int:
    return sums.get(bucket, (0, 0))[0]


def _list(numbers: Iterable[int]) -> str:
    return ", ".join(f"{number:d}" for number in numbers)
