"""Chunks over real statements: whatever stands in the column, every row is in exactly one chunk, and few are far too large."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snowmelt.types.type_names import parse_snowflake_type
from snowmelt.unload.chunks import KEYED_ROWS, Bucket, ChunkKey, build_bounds_query, plan_chunks

MOMENTS = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59))
NEAR = st.integers(0, 3).map(lambda micros: datetime(2026, 1, 1) + timedelta(microseconds=micros))
OFFSETS = st.integers(-12 * 60, 14 * 60).map(
    lambda m: f"{'-' if m < 0 else '+'}{abs(m) // 60:02d}:{abs(m) % 60:02d}"
)
#: Type → texts that Snowflake reads as its values: extremes, close neighbours and repeats.
VALUES = {
    "NUMBER(38,0)": st.one_of(st.integers(-(10**37), 10**37), st.integers(-3, 3)).map(str),
    "NUMBER(20,5)": st.decimals(-(10**14), 10**14, places=5, allow_nan=False).map(lambda value: f"{value:f}"),
    "DATE": st.one_of(
        st.dates(), st.sampled_from([date(1, 1, 1), date(1582, 10, 15), date(9999, 12, 31)])
    ).map(date.isoformat),
    "TIMESTAMP_NTZ(6)": st.one_of(MOMENTS, NEAR).map(lambda moment: moment.isoformat(" ", "microseconds")),
    "TIMESTAMP_TZ(6)": st.builds(
        lambda moment, offset: f"{moment.isoformat(' ', 'microseconds')} {offset}",
        st.one_of(st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1)), NEAR),
        OFFSETS,
    ),
    "VARCHAR": st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=6),
}


def literal(text, type_):
    if text is None:
        return "NULL"
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return text if type_.startswith("NUMBER") else f"'{escaped}'"


@pytest.mark.parametrize("type_", VALUES)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_row_is_in_exactly_one_chunk(world, type_, data):
    keys = data.draw(st.lists(st.one_of(st.none(), VALUES[type_]), min_size=1, max_size=40))
    keys += data.draw(st.lists(st.sampled_from(keys), max_size=40))  # skew: some stand many times
    chunk_rows = data.draw(st.integers(1, 15))
    rows = ", ".join(f"({number}, {literal(key, type_)})" for number, key in enumerate(keys))
    world.sql(f"CREATE OR REPLACE TABLE K (ID NUMBER(9,0), K {type_})", f"INSERT INTO K VALUES {rows}")
    where = '"ID" % 7 <> 3' if data.draw(st.booleans()) else ""
    chosen = [key for number, key in enumerate(keys) if not where or number % 7 != 3]
    key = ChunkKey("K", parse_snowflake_type(type_))
    many = type_ != "VARCHAR" and data.draw(
        st.booleans()
    )  # as for so many rows that keys are not grouped one by one
    table_rows = KEYED_ROWS + 1 if many else len(keys)
    found = world.sql(build_bounds_query("K", key, where=where, chunk_rows=chunk_rows, table_rows=table_rows))
    chunks = plan_chunks(
        [Bucket(low, high, int(count)) for low, high, count in found], key, chunk_rows=chunk_rows
    )

    members = " + ".join(f"IFF({chunk.predicate or 'TRUE'}, 1, 0)" for chunk in chunks)
    assert world.sql(f"SELECT DISTINCT {members} FROM K") == [(1,)]
    condition = f" WHERE {where}" if where else ""
    counts = ", ".join(f"COUNT_IF({chunk.predicate or 'TRUE'})" for chunk in chunks)
    (counted,) = world.sql(f"SELECT {counts} FROM K{condition}")
    assert list(counted) == [chunk.rows for chunk in chunks]
    assert sum(counted) == len(chosen)
    # One value is never cut; beside that, a chunk is at most what was asked for and one value more.
    most = max(Counter(chosen).values(), default=0)
    nulls = chosen.count(None)
    assert many or all(count <= chunk_rows + most + nulls for count in counted)


def test_many_rows_are_cut_evenly_whatever_lies_far_away(world):
    """A date of the year 9999 and one of the year 1 among three years of days, more in the last one."""
    world.sql(
        "CREATE TABLE F (D DATE)",
        "INSERT INTO F SELECT DATEADD(DAY, MOD(SEQ4() * SEQ4(), 1095), '2024-01-01'::DATE) FROM TABLE(GENERATOR(ROWCOUNT => 20000))",
        "INSERT INTO F VALUES ('9999-12-31'), ('0001-01-01'), (NULL)",
    )
    key = ChunkKey("D", parse_snowflake_type("DATE"))
    found = world.sql(build_bounds_query("F", key, where="", chunk_rows=1000, table_rows=KEYED_ROWS + 1))
    chunks = plan_chunks([Bucket(low, high, int(count)) for low, high, count in found], key, chunk_rows=1000)
    assert sum(chunk.rows for chunk in chunks) == 20003
    assert 15 <= len(chunks) <= 25
    assert max(chunk.rows for chunk in chunks) < 2500


def test_a_key_that_does_not_prune_gets_few_chunks_and_the_run_says_so(world):
    """Twelve partitions: ID grows with them, MIXED is the same in each."""
    world.sql(
        "CREATE TABLE P AS SELECT SEQ8() AS ID, MOD(SEQ8() * 7919, 120000) AS MIXED FROM TABLE(GENERATOR(ROWCOUNT => 120000))"
    )
    table = {"source": "P", "target": "p", "chunk_rows": 5000}
    mixed = world.plan(table | {"chunking_column": "MIXED"}, mode="full")
    assert len(mixed.chunks) == 4
    assert sum(chunk.rows for chunk in mixed.chunks) == 120_000
    assert (
        "A chunk of MIXED reads 12 of the table's 12 partitions, so 4 chunks are unloaded instead of 24"
        in mixed.snapshot_note
    )
    grown = world.plan(table | {"chunking_column": "ID"}, mode="full")
    assert (len(grown.chunks), grown.snapshot_note) == (24, None)
