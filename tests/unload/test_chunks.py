"""Chunks: whatever the data, every row is in exactly one of them. DuckDB's place is taken by plain Python predicates."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowmelt.errors import ConfigurationError
from snowmelt.types.type_names import parse_snowflake_type
from snowmelt.unload.chunks import (
    KEYED_ROWS,
    MAX_CHUNKS,
    Bucket,
    ChunkKey,
    build_bounds_query,
    plan_chunks,
    sample_percent,
)

NUMBER = ChunkKey("ID", parse_snowflake_type("NUMBER(38,0)"))
TEXT = ChunkKey('Na"me', parse_snowflake_type("VARCHAR(20)"))


def buckets_of(values: list[Decimal | None], chunk_rows: int) -> list[Bucket]:
    """What the bounds query returns, computed another way: from the sorted list of the keys."""
    nulls = sum(value is None for value in values)
    keys = sorted(value for value in values if value is not None)
    found: dict[int, list[Decimal]] = {}
    for key in sorted(set(keys)):
        before = sum(other < key for other in keys)
        found.setdefault(before // chunk_rows, []).extend(other for other in keys if other == key)
    rows = [Bucket(str(min(group)), str(max(group)), len(group)) for _, group in sorted(found.items())]
    return ([Bucket(None, None, nulls)] if nulls else []) + rows


def holds(predicate: str, value: Decimal | None) -> bool:
    """Evaluate a chunk's predicate for one key, by SQL's three-valued logic."""
    if not predicate:
        return True
    if value is None:
        return bool(re.search(r'(^|OR )"ID" IS NULL', predicate.strip("()")))
    for term in predicate.strip("()").split(" OR ")[0].split(" AND "):
        _, operator, bound = (*term.split(" ", 2),)
        if operator == "IS":
            if bound == "NULL":
                return False
        elif operator == ">=" and not value >= Decimal(bound):
            return False
        elif operator == "<" and not value < Decimal(bound):
            return False
    return True


KEYS = st.lists(
    st.one_of(
        st.none(),
        st.integers(-(10**37), 10**37).map(Decimal),
        st.integers(-3, 3).map(Decimal),
        st.decimals(-1000, 1000, places=3),
    ),
    max_size=60,
)


@given(KEYS, st.integers(1, 20), st.one_of(st.none(), st.integers(-(10**38), 10**38).map(Decimal)))
def test_every_row_is_in_exactly_one_chunk_also_one_that_nobody_counted(values, chunk_rows, late):
    chunks = plan_chunks(buckets_of(values, chunk_rows), NUMBER, chunk_rows=chunk_rows)
    for value in [*values, late]:
        assert sum(holds(chunk.predicate, value) for chunk in chunks) == 1, (value, chunks)
    assert sum(chunk.rows for chunk in chunks) == len(values)
    for chunk in chunks:
        assert sum(holds(chunk.predicate, value) for value in values) == chunk.rows
    assert [chunk.index for chunk in chunks] == list(range(len(chunks)))


def test_intervals_are_half_open_and_the_outer_ones_have_no_end():
    found = plan_chunks(
        [Bucket("1", "50", 50), Bucket("51", "100", 50), Bucket("101", "110", 10)], NUMBER, chunk_rows=50
    )
    assert [chunk.predicate for chunk in found] == [
        '("ID" < 51 OR "ID" IS NULL)',
        '"ID" >= 51 AND "ID" < 101',
        '"ID" >= 101',
    ]
    assert [chunk.folder for chunk in found] == ["chunk_000", "chunk_001", "chunk_002"]
    assert found[1].label == "chunk 001: ID 51 … 101"


def test_many_nulls_get_a_chunk_of_their_own():
    found = plan_chunks([Bucket(None, None, 30), Bucket("1", "50", 50)], NUMBER, chunk_rows=50)
    assert [(chunk.predicate, chunk.rows) for chunk in found] == [
        ('"ID" IS NULL', 30),
        ('"ID" IS NOT NULL', 50),
    ]


def test_a_column_of_nulls_or_no_rows_is_one_chunk_without_a_predicate():
    assert [c.predicate for c in plan_chunks([Bucket(None, None, 9)], NUMBER, chunk_rows=5)] == [""]
    assert [(c.predicate, c.rows) for c in plan_chunks([], NUMBER, chunk_rows=5)] == [("", 0)]


def test_text_bounds_are_quoted():
    found = plan_chunks([Bucket("a", "b", 1), Bucket("o'h\\no", "z", 1)], TEXT, chunk_rows=1)
    assert found[1].predicate == "\"Na\"\"me\" >= 'o''h\\\\no'"


@pytest.mark.parametrize(
    ("type_", "bound", "literal"),
    [
        ("DATE", "0001-01-01", "'0001-01-01'::DATE"),
        (
            "TIMESTAMP_NTZ(9)",
            "2026-01-01 00:00:00.123456789",
            "'2026-01-01 00:00:00.123456789'::TIMESTAMP_NTZ(9)",
        ),
        (
            "TIMESTAMP_TZ(9)",
            "2026-01-01 00:00:00.000000001",
            "'2026-01-01 00:00:00.000000001 +00:00'::TIMESTAMP_TZ(9)",
        ),
        (
            "TIMESTAMP_LTZ(3)",
            "2026-01-01 00:00:00.100000000",
            "'2026-01-01 00:00:00.100000000 +00:00'::TIMESTAMP_TZ(9)",
        ),
        ("NUMBER(19,3)", "-12.345", "-12.345"),
    ],
)
def test_bounds_of_every_ordered_type_keep_all_digits(type_, bound, literal):
    key = ChunkKey("K", parse_snowflake_type(type_))
    assert plan_chunks(
        [Bucket("1" if type_[0] == "N" else bound, bound, 1), Bucket(bound, bound, 1)], key, chunk_rows=1
    )[1].predicate == (f'"K" >= {literal}')


@pytest.mark.parametrize("bound", ["1; DROP TABLE t", "1 OR 1=1", "", "NaN", "1e5"])
def test_a_bound_that_is_no_number_is_refused(bound):
    with pytest.raises(ConfigurationError, match="is not a bound of type NUMBER"):
        plan_chunks([Bucket("0", "0", 1), Bucket(bound, bound, 1)], NUMBER, chunk_rows=1)


@pytest.mark.parametrize("type_", ["VARIANT", "FLOAT", "BOOLEAN", "BINARY(8)", "GEOGRAPHY"])
def test_a_column_without_an_order_is_refused_by_name(type_):
    key = ChunkKey("PAYLOAD", parse_snowflake_type(type_))
    with pytest.raises(ConfigurationError, match="chunking_column is 'PAYLOAD', a column of type"):
        build_bounds_query("T", key, where="", chunk_rows=10, table_rows=100)


def test_the_bounds_query_is_one_statement_with_filter_and_limit_on_chunks():
    query = build_bounds_query('"A"."B"."T"', NUMBER, where='"X" > 1', chunk_rows=50000, table_rows=100_000)
    assert query == (
        'WITH "SNOWMELT_KEYS" AS (SELECT "ID" AS "P", MIN("ID") AS "LOW", MAX("ID") AS "HIGH", COUNT(*) AS "N" '
        'FROM "A"."B"."T" WHERE ("X" > 1) GROUP BY 1), '
        '"SNOWMELT_SIZE" AS (SELECT GREATEST(50000, CEIL(SUM("N") / 298)) AS "S" FROM "SNOWMELT_KEYS"), '
        '"SNOWMELT_RUNNING" AS (SELECT "LOW", "HIGH", "N", '
        'SUM("N") OVER (ORDER BY "P" ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - "N" AS "B" '
        'FROM "SNOWMELT_KEYS" WHERE "P" IS NOT NULL), '
        '"SNOWMELT_BUCKETS" AS (SELECT FLOOR("B" / "S") AS "I", MIN("LOW") AS "LOW", MAX("HIGH") AS "HIGH", SUM("N") AS "ROWS" '
        'FROM "SNOWMELT_RUNNING" CROSS JOIN "SNOWMELT_SIZE" GROUP BY 1 '
        'UNION ALL SELECT -1, NULL, NULL, "N" FROM "SNOWMELT_KEYS" WHERE "P" IS NULL) '
        'SELECT TO_VARCHAR("LOW") AS "LOW", TO_VARCHAR("HIGH") AS "HIGH", "ROWS" FROM "SNOWMELT_BUCKETS" ORDER BY "I"'
    )


def test_many_rows_are_never_grouped_by_their_key():
    """Whatever the table's size, no step has more groups than fine buckets; the key's column alone is read."""
    query = build_bounds_query("T", NUMBER, where='"X" > 1', chunk_rows=5_000_000, table_rows=272_000_000)
    assert query.startswith(
        'WITH "SNOWMELT_ENDS" AS (SELECT APPROX_PERCENTILE(CAST("ID" AS FLOAT), 0.005) AS "SNOWMELT_FIRST", '
        'APPROX_PERCENTILE(CAST("ID" AS FLOAT), 0.995) AS "SNOWMELT_LAST" FROM T WHERE ("X" > 1)), '
        '"SNOWMELT_PLACES" AS (SELECT "ID" AS "K", WIDTH_BUCKET(CAST("ID" AS FLOAT), "SNOWMELT_FIRST", '
        'IFF("SNOWMELT_LAST" > "SNOWMELT_FIRST", "SNOWMELT_LAST", "SNOWMELT_FIRST" + ABS("SNOWMELT_FIRST") + 1), 10000) AS "P" '
        'FROM T CROSS JOIN "SNOWMELT_ENDS" WHERE ("X" > 1)), '
        '"SNOWMELT_KEYS" AS (SELECT "P", MIN("K") AS "LOW", MAX("K") AS "HIGH", COUNT(*) AS "N" FROM "SNOWMELT_PLACES" GROUP BY 1), '
    )
    assert "SAMPLE" not in query
    assert sample_percent(NUMBER, 272_000_000) is None


def test_of_many_texts_a_sample_is_grouped():
    key = ChunkKey("CODE", parse_snowflake_type("VARCHAR"))
    assert sample_percent(key, KEYED_ROWS) is None
    assert sample_percent(key, 272_000_000) == 0.37
    query = build_bounds_query("T", key, where="", chunk_rows=5_000_000, table_rows=272_000_000)
    assert "FROM T SAMPLE BERNOULLI (0.37) GROUP BY 1" in query
    assert "GREATEST(18500," in query
    assert MAX_CHUNKS == 300
