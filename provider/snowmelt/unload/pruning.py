"""What the chunks of a table cost Snowflake: whether their predicates skip partitions, or each of them reads the whole table.

A table keeps the least and the greatest value of each column for each of its micro-partitions. Where rows were written in the order
of the chunking column, a chunk reads its share of them; where they were not, n chunks are n scans of the table. EXPLAIN
says how many partitions a query would read, from metadata alone.

Sources, Snowflake documentation: "EXPLAIN" (GlobalStats: partitionsTotal, partitionsAssigned), "Micro-partitions and data clustering".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from snowmelt.unload.chunks import Bucket, Chunk, ChunkKey

#: Scans of the whole table that an unload may add up to. One COPY writes its files in parallel, so more chunks gain nothing there.
MAX_SCANS = 4
#: A table of fewer partitions is read in a moment.
SMALL_PARTITIONS = 10
#: Partitions at the two ends of a chunk, which its neighbours read too.
_EDGES = 2


@dataclass(frozen=True, slots=True)
class Partitions:
    """What one chunk would read."""

    assigned: int
    total: int

    @property
    def share(self) -> float:
        """The share of the table that it reads, its ends left out; 0 where that does not matter."""
        if self.total < SMALL_PARTITIONS:
            return 0.0
        return max(0, self.assigned - _EDGES) / self.total


def build_explain(source: str, where: str, chunks: Sequence[Chunk]) -> str:
    """The question for one chunk, from the middle: its ends are where outliers are.

    :param source: what is behind FROM: the quoted table with its AT clause.
    """
    predicate = chunks[len(chunks) // 2].predicate
    condition = f"({where}) AND ({predicate})" if where else predicate
    return f"EXPLAIN USING JSON SELECT COUNT(*) FROM {source} WHERE {condition}"


def parse_explain(text: str) -> Partitions:
    """The partitions of EXPLAIN's answer; none where it names none, as for a view of a shared database."""
    found = json.loads(text).get("GlobalStats") or {}
    return Partitions(int(found.get("partitionsAssigned") or 0), int(found.get("partitionsTotal") or 0))


def limit_chunks(chunks: int, partitions: Partitions) -> int:
    """How many chunks are worth it."""
    if chunks * partitions.share <= MAX_SCANS:
        return chunks
    return max(1, int(MAX_SCANS / partitions.share))


def merge_buckets(buckets: Sequence[Bucket], count: int) -> tuple[Bucket, ...]:
    """Neighbours put together until as many are left; the row of the NULL keys stays by itself."""
    nulls = [bucket for bucket in buckets if bucket.low is None]
    intervals = [bucket for bucket in buckets if bucket.low is not None]
    size = -(-len(intervals) // count)
    groups = [intervals[at : at + size] for at in range(0, len(intervals), size)]
    merged = [Bucket(group[0].low, group[-1].high, sum(one.rows for one in group)) for group in groups]
    return (*nulls, *merged)


def describe_limit(key: ChunkKey, chunks: int, kept: int, partitions: Partitions) -> str:
    """What the run reports where chunks were put together."""
    return (
        f"A chunk of {key.name} reads {partitions.assigned:,} of the table's {partitions.total:,} partitions, so {kept} chunks are "
        f"unloaded instead of {chunks}. Choose a chunking_column that the table is clustered by or grows with, or none"
    )
