"""Digits beyond the microsecond: refused before anything is unloaded, or cut off alike by every way, and reported."""

from __future__ import annotations

import datetime as dt

import pytest

from snowmelt.errors import ValueRefused, VerificationError
from tests.load.ways import WAYS, allow_aws_s3

COLUMNS = "ID NUMBER(9,0) NOT NULL PRIMARY KEY, T TIME(9), N TIMESTAMP_NTZ(9), L TIMESTAMP_LTZ(9), Z TIMESTAMP_TZ(9), M TIMESTAMP_NTZ(6)"
TABLE = {"source": "P", "target": "p"}
TRUNCATE = TABLE | {"nanoseconds": "truncate"}
#: Each value in Snowflake, one a row: the last digit of a day, of a year, of the time before 1970, and whole microseconds.
INSERT = """
INSERT INTO P VALUES
  (1, '23:59:59.999999999', '2026-12-31 23:59:59.999999999', '2026-12-31 23:59:59.999999999 +00:00', '2026-12-31 23:59:59.999999999 +05:30', '2026-12-31 23:59:59.999999'),
  (2, '00:00:00.000000001', '1969-12-31 23:59:59.999999999', '1969-12-31 23:59:59.999999999 +00:00', '1969-12-31 23:59:59.999999999 -03:30', '1969-12-31 23:59:59.999999'),
  (3, '10:11:12.123456', '1900-01-01 00:00:00.000000001', '1900-01-01 00:00:00.000001 +00:00', '1900-01-01 00:00:00.000001 +00:00', '1900-01-01 00:00:00.000001'),
  (4, '10:11:12.123456001', '9999-12-31 23:59:59.9999995', '0001-01-02 00:00:00.123456789 +00:00', '2026-01-01 00:00:00.000000001 +14:00', NULL),
  (5, NULL, NULL, NULL, NULL, NULL)
"""
UTC = dt.UTC
CUT = [
    (
        1,
        dt.time(23, 59, 59, 999999),
        dt.datetime(2026, 12, 31, 23, 59, 59, 999999),
        dt.datetime(2026, 12, 31, 23, 59, 59, 999999, UTC),
        dt.datetime(2026, 12, 31, 18, 29, 59, 999999, UTC),
        dt.datetime(2026, 12, 31, 23, 59, 59, 999999),
    ),
    (
        2,
        dt.time(0, 0, 0, 0),
        dt.datetime(1969, 12, 31, 23, 59, 59, 999999),
        dt.datetime(1969, 12, 31, 23, 59, 59, 999999, UTC),
        dt.datetime(1970, 1, 1, 3, 29, 59, 999999, UTC),
        dt.datetime(1969, 12, 31, 23, 59, 59, 999999),
    ),
    (
        3,
        dt.time(10, 11, 12, 123456),
        dt.datetime(1900, 1, 1),
        dt.datetime(1900, 1, 1, 0, 0, 0, 1, UTC),
        dt.datetime(1900, 1, 1, 0, 0, 0, 1, UTC),
        dt.datetime(1900, 1, 1, 0, 0, 0, 1),
    ),
    (
        4,
        dt.time(10, 11, 12, 123456),
        dt.datetime(9999, 12, 31, 23, 59, 59, 999999),
        dt.datetime(1, 1, 2, 0, 0, 0, 123456, UTC),
        dt.datetime(2025, 12, 31, 10, 0, tzinfo=UTC),
        None,
    ),
    (5, None, None, None, None, None),
]
COUNTED = "T (3 values), N (4 values), L (3 values), Z (3 values)"


@pytest.fixture
def precise(world):
    world.sql(f"CREATE TABLE P ({COLUMNS})", INSERT)
    return world


def unloaded(world) -> list[str]:
    listed = world.s3.list_objects_v2(Bucket=world.bucket, Prefix=f"TESTS/{world.schema}/")
    return [found["Key"] for found in listed.get("Contents", [])]


def values(world) -> list[tuple]:
    return world.query("SELECT id, t, n, l, z, m FROM public.p ORDER BY id")


def test_whole_microseconds_pass_and_more_is_refused_before_anything_is_unloaded(world):
    world.sql(
        f"CREATE TABLE P ({COLUMNS})",
        "INSERT INTO P VALUES (1, '23:59:59.999999', '2026-01-01 00:00:00.000001', '1969-12-31 23:59:59.999999 +00:00', "
        "'1969-12-31 23:59:59.999999 +05:30', '2026-01-01')",
    )
    world.run(TABLE)
    before, files = values(world), unloaded(world)
    assert before == [
        (
            1,
            dt.time(23, 59, 59, 999999),
            dt.datetime(2026, 1, 1, 0, 0, 0, 1),
            dt.datetime(1969, 12, 31, 23, 59, 59, 999999, UTC),
            dt.datetime(1969, 12, 31, 18, 29, 59, 999999, UTC),
            dt.datetime(2026, 1, 1),
        )
    ]
    assert any(key.endswith(".snappy.parquet") for key in files)
    world.sql("DELETE FROM P", INSERT)
    with pytest.raises(ValueRefused) as refused:
        world.run(TABLE)
    said = str(refused.value)
    assert f"PostgreSQL cannot keep: {COUNTED}. Set nanoseconds to" in said
    assert unloaded(world) == files
    assert values(world) == before


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_once_asked_the_unload_refuses_them_and_the_planning_scans_nothing(world, sandbox, way):
    allow_aws_s3(world, sandbox)
    world.sql(
        f"CREATE TABLE P ({COLUMNS})",
        "INSERT INTO P (ID, N) VALUES (1, '2026-01-01 00:00:00.000001'), (2, NULL)",
    )
    first = world.plan(TABLE, **way)
    assert (first.guarded, first.nanoseconds_key is None) == (False, False)
    world.finish(first, world.unload(first))
    again = world.plan(TABLE, **way)
    assert (again.guarded, again.nanoseconds_key) == (True, first.nanoseconds_key)
    world.finish(again, world.unload(again))
    before, files = values(world), unloaded(world)
    assert [row[2] for row in before] == [dt.datetime(2026, 1, 1, 0, 0, 0, 1), None]
    world.sql("DELETE FROM P", INSERT)
    late = world.plan(TABLE, **way)
    with pytest.raises(ValueRefused) as refused:
        world.unload(late)
    assert f"PostgreSQL cannot keep: {COUNTED}. Set nanoseconds to" in str(refused.value)
    assert (unloaded(world), values(world)) == (files, before)
    assert world.plan(TRUNCATE, **way).guarded is False
    world.sql(f"CREATE OR REPLACE TABLE P ({COLUMNS})")
    assert world.plan(TABLE, **way).guarded is False


def test_one_column_that_holds_more_is_the_only_one_named(precise):
    precise.sql(
        "UPDATE P SET T = DATE_TRUNC('MICROSECOND', T), N = DATE_TRUNC('MICROSECOND', N), Z = DATE_TRUNC('MICROSECOND', Z)"
    )
    with pytest.raises(ValueRefused, match=r"cannot keep: L \(3 values\)\."):
        precise.plan(TABLE)
    precise.plan(TABLE | {"columns": {"exclude": ["L"]}})
    precise.plan(TABLE | {"source_filter": "ID IN (3, 5)"})


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_truncated_values_are_cut_by_every_way_and_never_rounded(precise, sandbox, way):
    allow_aws_s3(precise, sandbox)
    plan = precise.plan(TRUNCATE, **way)
    assert plan.snapshot_note == (
        f"Digits beyond the microsecond are cut off, as the policy nanoseconds = truncate says: {COUNTED}"
    )
    precise.finish(plan, precise.unload(plan))
    assert values(precise) == CUT
    [(verification, note)] = precise.query("SELECT verification, snapshot_note FROM snowmelt.run")
    assert verification["fingerprint"]["compared"] is True
    assert note == plan.snapshot_note


def test_the_fingerprint_tells_a_value_that_was_rounded(precise):
    plan = precise.plan(TRUNCATE)
    rounded = f"UPDATE public.\"{plan.staging_table}\" SET n = '2027-01-01 00:00:00' WHERE id = 1"
    with pytest.raises(
        VerificationError, match=r'column "N": sum of microseconds since 1970 \S+7 in Snowflake, \S+8 in'
    ):
        precise.finish(plan, precise.unload(plan), before_verify=rounded)


def test_a_mask_of_six_digits_is_cut_by_its_type_and_one_of_nine_is_counted(precise):
    masked = {"expression": "DATEADD('nanosecond', 1, N)", "type": "TIMESTAMP_NTZ(6)"}
    table = TABLE | {"columns": {"exclude": ["T", "L", "Z"], "mask": {"N": masked}}}
    precise.run(table)
    assert precise.query("SELECT n FROM public.p WHERE id IN (1, 2) ORDER BY id") == [
        (dt.datetime(2027, 1, 1),),
        (dt.datetime(1970, 1, 1),),
    ]
    masked["type"] = "TIMESTAMP_NTZ(9)"
    with pytest.raises(ValueRefused, match=r"cannot keep: N \(2 values\)\."):
        precise.plan(table)


@pytest.mark.parametrize("column", ["T", "N", "L", "Z"])
def test_chunks_within_one_microsecond_have_every_row_once(world, column):
    literal = "'10:00:00.123456'::TIME" if column == "T" else "'2026-01-01 10:00:00.123456 +00:00'"
    kind = {"T": "TIME", "N": "TIMESTAMP_NTZ", "L": "TIMESTAMP_LTZ", "Z": "TIMESTAMP_TZ"}[column]
    world.sql(
        f"CREATE TABLE P ({COLUMNS})",
        f"INSERT INTO P (ID, {column}) SELECT SEQ4(), DATEADD('nanosecond', FLOOR(SEQ4() / 3), {literal}::{kind}) "
        "FROM TABLE(GENERATOR(ROWCOUNT => 60))",
        "INSERT INTO P (ID) VALUES (60)",
    )
    plan = world.plan(TRUNCATE | {"chunking_column": column, "chunk_rows": 10})
    assert sum(chunk.rows or 0 for chunk in plan.chunks) == 61
    assert len(plan.chunks) == 6
    assert ".123456004" in plan.chunks[1].predicate
    world.finish(plan, world.unload(plan))
    assert world.query("SELECT count(*), count(DISTINCT id) FROM public.p") == [(61, 61)]


CATCH_UP = {
    "source": "C",
    "mode": "catch_up",
    "uniqueness_columns": ["ID"],
    "watermark_column": "AT",
    "nanoseconds": "truncate",
    "watermark_overlap": 0,
}


def test_a_catch_up_misses_no_row_whose_watermark_differs_in_nanoseconds_alone(world):
    world.sql(
        "CREATE TABLE C (ID NUMBER(9,0) NOT NULL PRIMARY KEY, AT TIMESTAMP_NTZ(9), V VARCHAR)",
        "INSERT INTO C VALUES (1, '2026-01-01 10:00:00.123456001', 'x'), (2, '2026-01-01 10:00:00.123456500', 'x')",
    )
    world.run(CATCH_UP)
    marks = "SELECT value FROM snowmelt.watermark"
    assert world.query(marks) == [("2026-01-01 10:00:00.123456500",)]
    world.sql(
        "INSERT INTO C VALUES (3, '2026-01-01 10:00:00.123456500', 'as high'), (4, '2026-01-01 10:00:00.123456501', 'higher')",
        "UPDATE C SET AT = '2026-01-01 10:00:00.123456999', V = 'changed' WHERE ID = 1",
    )
    world.run(CATCH_UP)
    rows = "SELECT id, at, v FROM public.c ORDER BY id"
    moment = dt.datetime(2026, 1, 1, 10, 0, 0, 123456)
    expected = [(1, moment, "changed"), (2, moment, "x"), (3, moment, "as high"), (4, moment, "higher")]
    assert world.query(rows) == expected
    assert world.query(marks) == [("2026-01-01 10:00:00.123456999",)]
    # Below the watermark, if by nanoseconds alone, is what the overlap is for.
    world.sql("INSERT INTO C VALUES (5, '2026-01-01 10:00:00.123456998', 'late')")
    with pytest.raises(VerificationError, match="1 rows are missing"):
        world.run(CATCH_UP)
    assert world.query(rows) == expected
    world.run(CATCH_UP | {"watermark_overlap": 1})
    assert world.query(rows) == [*expected, (5, moment, "late")]


def test_rows_of_one_key_that_nanoseconds_alone_would_tell_apart_are_refused(world):
    world.sql(
        "CREATE TABLE C (ID NUMBER(9,0) NOT NULL PRIMARY KEY, AT TIMESTAMP_NTZ(9), V VARCHAR)",
        "INSERT INTO C VALUES (1, '2026-01-01 10:00:00.123456001', 'x')",
    )
    world.run(CATCH_UP)
    world.sql("INSERT INTO C VALUES (1, '2026-01-01 10:00:00.123456002', 'y')")
    with pytest.raises(
        ValueRefused, match=r"(?s)several rows with the same at.*most frequent key is in 2 rows"
    ):
        world.run(CATCH_UP)
    assert world.query("SELECT v FROM public.c") == [("x",)]


def test_a_target_filled_by_other_means_starts_at_its_own_microsecond(world):
    world.sql(
        "CREATE TABLE C (ID NUMBER(9,0) NOT NULL PRIMARY KEY, AT TIMESTAMP_NTZ(9), V VARCHAR)",
        "INSERT INTO C VALUES (1, '2026-01-01 10:00:00.123456001', 'x'), (2, '2026-01-01 10:00:00.123456500', 'x')",
    )
    world.run(CATCH_UP)
    world.execute("DELETE FROM snowmelt.watermark")
    world.sql("INSERT INTO C VALUES (3, '2026-01-01 10:00:00.123456002', 'late')")
    world.run(CATCH_UP)
    assert world.query("SELECT id, v FROM public.c ORDER BY id") == [(1, "x"), (2, "x"), (3, "late")]
