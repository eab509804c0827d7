"""How many chunks are worth it, by the partitions that one of them reads."""

from __future__ import annotations

import pytest

from snowmelt.types.type_names import parse_snowflake_type
from snowmelt.unload.chunks import Bucket, ChunkKey, plan_chunks
from snowmelt.unload.pruning import (
    Partitions,
    build_explain,
    describe_limit,
    limit_chunks,
    merge_buckets,
    parse_explain,
)

KEY = ChunkKey("ID", parse_snowflake_type("NUMBER(18,0)"))
BUCKETS = [Bucket(str(low), str(low + 9), 10) for low in range(0, 100, 10)]


def test_the_chunk_in_the_middle_is_asked_about():
    chunks = plan_chunks(BUCKETS, KEY, chunk_rows=10)
    assert (
        build_explain("T", "", chunks)
        == 'EXPLAIN USING JSON SELECT COUNT(*) FROM T WHERE "ID" >= 50 AND "ID" < 60'
    )
    assert build_explain("T", '"X" > 1 OR "Y" > 1', chunks) == (
        'EXPLAIN USING JSON SELECT COUNT(*) FROM T WHERE ("X" > 1 OR "Y" > 1) AND ("ID" >= 50 AND "ID" < 60)'
    )


@pytest.mark.parametrize(
    ("chunks", "assigned", "total", "kept"),
    [
        (300, 1000, 1000, 4),
        (300, 502, 1000, 8),
        (300, 6, 1000, 300),
        (300, 3, 300, 300),
        (3, 1000, 1000, 3),
        (300, 9, 9, 300),
        (300, 0, 0, 300),
    ],
    ids=["no pruning", "half", "ordered", "as many partitions", "few chunks", "a small table", "unknown"],
)
def test_chunks_that_do_not_prune_are_fewer(chunks, assigned, total, kept):
    assert limit_chunks(chunks, Partitions(assigned, total)) == kept


def test_an_answer_without_partitions_changes_nothing():
    assert parse_explain('{"Operations": [[]]}') == Partitions(0, 0)


def test_neighbours_are_put_together_and_no_row_is_lost():
    nulls = Bucket(None, None, 5)
    merged = merge_buckets([nulls, *BUCKETS], 4)
    assert merged == (
        nulls,
        Bucket("0", "29", 30),
        Bucket("30", "59", 30),
        Bucket("60", "89", 30),
        Bucket("90", "99", 10),
    )


def test_what_is_said_names_the_way_out():
    assert describe_limit(KEY, 300, 4, Partitions(1000, 1000)) == (
        "A chunk of ID reads 1,000 of the table's 1,000 partitions, so 4 chunks are unloaded instead of 300. "
        "Choose a chunking_column that the table is clustered by or grows with, or none"
    )
