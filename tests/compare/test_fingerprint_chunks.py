"""A chunk's Snowflake predicate, written for PostgreSQL."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest

from snowmelt.compare.differences import ChunksUnknown, group_chunks, translate_predicate
from snowmelt.types.type_names import parse_snowflake_type
from snowmelt.unload.chunks import Bucket, ChunkKey, plan_chunks, whole_table
from tests.compare.fingerprint_cases import column


@pytest.mark.parametrize(
    ("source", "bounds", "expected"),
    [
        ("NUMBER(38,0)", ("-5", "10"), ('("k" < 10 OR "k" IS NULL)', '"k" >= 10')),
        ("NUMBER(12,2)", ("0.50", "-1.25"), ('("k" < -1.25 OR "k" IS NULL)', '"k" >= -1.25')),
        (
            "DATE",
            ("2024-01-01", "2024-02-01"),
            ('("k" < DATE \'2024-02-01\' OR "k" IS NULL)', "\"k\" >= DATE '2024-02-01'"),
        ),
        (
            "TIMESTAMP_NTZ(6)",
            ("2024-01-01 00:00:00.000000000", "2024-02-01 12:00:00.123456000"),
            (
                '("k" < TIMESTAMP \'2024-02-01 12:00:00.123456\' OR "k" IS NULL)',
                "\"k\" >= TIMESTAMP '2024-02-01 12:00:00.123456'",
            ),
        ),
        (
            "TIMESTAMP_TZ(6)",
            ("2024-01-01 00:00:00.000000000", "2024-02-01 12:00:00.123456000"),
            (
                '("k" < TIMESTAMPTZ \'2024-02-01 12:00:00.123456 +00:00\' OR "k" IS NULL)',
                "\"k\" >= TIMESTAMPTZ '2024-02-01 12:00:00.123456 +00:00'",
            ),
        ),
        (
            "TIME(3)",
            ("00:00:00.000000000", "12:00:00.500000000"),
            ('("k" < TIME \'12:00:00.500000\' OR "k" IS NULL)', "\"k\" >= TIME '12:00:00.500000'"),
        ),
        (
            "VARCHAR",
            ("a", "it's \\ AND \"k\" < 'x' OR 1"),
            (
                "(\"k\" COLLATE \"C\" < E'it''s \\\\ AND \"k\" < ''x'' OR 1' OR \"k\" IS NULL)",
                "\"k\" COLLATE \"C\" >= E'it''s \\\\ AND \"k\" < ''x'' OR 1'",
            ),
        ),
    ],
)
def test_bounds_of_every_ordered_type(source, bounds, expected):
    key = ChunkKey("K", parse_snowflake_type(source))
    chunks = plan_chunks([Bucket(low, low, 10) for low in bounds], key, chunk_rows=10)
    assert tuple(translate_predicate(chunk.predicate, [column("K", source)]) for chunk in chunks) == expected


def test_the_chunks_are_told_by_one_expression_a_side():
    key = ChunkKey('My "K', parse_snowflake_type("NUMBER(9,0)"))
    chunks = plan_chunks(
        [Bucket(None, None, 50), Bucket("1", "5", 10), Bucket("6", "9", 10)], key, chunk_rows=10
    )
    groups = group_chunks(chunks, [column('My "K', "NUMBER(9,0)", "integer")])
    name, target = '"My ""K"', '"my ""k"'
    assert groups.source == (
        f"CASE WHEN {name} IS NULL THEN 0 WHEN {name} < 6 THEN 1 WHEN {name} >= 6 THEN 2 ELSE -1 END"
    )
    assert groups.target == groups.source.replace(name, target)


@pytest.mark.parametrize("nulls", [0, 1, 500])
def test_every_row_of_many_chunks_is_in_the_chunk_whose_predicate_is_true_of_it(nulls):
    """PostgreSQL's own reading of it: the blocks must not change which chunk a row is in."""
    key = ChunkKey("K", parse_snowflake_type("NUMBER(9,0)"))
    buckets = [Bucket(str(low), str(low + 9), 10) for low in range(0, 1000, 10)]
    chunks = plan_chunks([Bucket(None, None, nulls), *buckets] if nulls else buckets, key, chunk_rows=10)
    columns = [column("K", "NUMBER(9,0)", "integer")]
    groups = group_chunks(chunks, columns)
    rows = [None, *range(-5, 1010)]
    by_case = sqlite_values(groups.target, rows)
    by_predicate = [
        next(
            chunk.index
            for chunk in chunks
            if sqlite_values(f"({translate_predicate(chunk.predicate, columns)})", [row])[0]
        )
        for row in rows
    ]
    assert by_case == by_predicate
    assert groups.target.count("CASE") == 1 + -(-len(chunks) // 17)


def sqlite_values(expression, rows):
    """What a plain expression of SQL gives for values of k."""
    with sqlite3.connect(":memory:") as connection:
        return [
            connection.execute(f"SELECT {expression} FROM (SELECT ? AS k)", (row,)).fetchone()[0]
            for row in rows
        ]


@pytest.mark.parametrize(
    ("columns", "predicate", "reason"),
    [
        ([column("OTHER", "NUMBER(9,0)")], '"K" >= 5', 'the chunking column "K" is not copied'),
        (
            [column("K", "NUMBER(9,0)", value='CAST(("K") AS NUMBER(9,0))')],
            '"K" >= 5',
            'the chunking column "K" is masked',
        ),
        (
            [column("K", "TIMESTAMP_NTZ(9)")],
            "\"K\" >= '2024-01-01 00:00:00.000000001'::TIMESTAMP_NTZ(9)",
            'a bound of the chunking column "K" has digits beyond the microsecond',
        ),
        ([column("K", "NUMBER(9,0)")], "", "a chunk has no predicate"),
        (
            [column("K", "NUMBER(9,0)")],
            'ABS("K") >= 5',
            'the chunk\'s predicate ABS("K") >= 5 is of a form that is not known',
        ),
        (
            [column("K", "NUMBER(9,0)")],
            '"K" >= 5 OR TRUE',
            'the chunk\'s predicate "K" >= 5 OR TRUE is of a form that is not known',
        ),
        (
            [column("K", "NUMBER(9,0)")],
            '("K" >= 5 OR TRUE)',
            'the chunk\'s predicate ("K" >= 5 OR TRUE) is of a form that is not known',
        ),
    ],
)
def test_what_cannot_be_told_says_why(columns, predicate, reason):
    assert translate_predicate(predicate, columns) == ChunksUnknown(reason)


def test_one_chunk_is_not_told_apart():
    assert group_chunks(whole_table(5), [column("K", "NUMBER(9,0)")]) == ChunksUnknown(
        "the run has one chunk"
    )


def test_a_chunk_that_cannot_be_told_makes_all_untold():
    key = ChunkKey("K", parse_snowflake_type("NUMBER(9,0)"))
    chunks = plan_chunks([Bucket("1", "5", 10), Bucket("6", "9", 10)], key, chunk_rows=10)
    odd = (chunks[0], replace(chunks[1], predicate='"K" BETWEEN 6 AND 9'))
    assert isinstance(group_chunks(odd, [column("K", "NUMBER(9,0)")]), ChunksUnknown)
