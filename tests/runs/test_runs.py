"""Runs end to end without Airflow: columns that are masked, renamed, retyped or new, names of every kind, catch-up, resume."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import psycopg
import pytest

from snowmelt.errors import ConfigurationError, PlanChanged, SchemaError, ValueRefused, VerificationError
from snowmelt.io import ledger_files
from tests.io.runs import World

UTC = dt.UTC


EVERY_TYPE = """
CREATE TABLE EVERY_TYPE (
  ID NUMBER(38,0) NOT NULL PRIMARY KEY, N4 NUMBER(4,0), N9 NUMBER(9,0), N18 NUMBER(18,0), N38 NUMBER(38,0), D2 NUMBER(10,2), D37 NUMBER(38,37),
  F FLOAT, B BOOLEAN, D DATE, T TIME(6), NTZ TIMESTAMP_NTZ(9), LTZ TIMESTAMP_LTZ(9), TZ TIMESTAMP_TZ(9),
  S VARCHAR(50), LONG VARCHAR, BIN BINARY, V VARIANT, O OBJECT, A ARRAY)
"""
HOSTILE = [
    "",
    "NULL",
    "\\N",
    "\\.",
    "a\tb",
    'quo"te',
    "it's",
    "line\nfeed",
    "car\r\nriage",
    "comma,semi;",
    "back\\slash",
    "𝔘nicode 🎈",
    " spaces ",
]


def fill(world: World) -> list[tuple]:
    """Values written as literals by this test; returns what PostgreSQL must hold."""
    rows: list[tuple] = [(0, *[None] * 19)]
    world.sql(EVERY_TYPE, "INSERT INTO EVERY_TYPE (ID) VALUES (0)")
    for number, text in enumerate(HOSTILE, start=1):
        quoted = "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
        sign = -1 if number % 2 else 1
        world.sql(
            f"INSERT INTO EVERY_TYPE SELECT {number}, {sign * 9999}, {sign * 999999999}, {sign * (10**18 - 1)}, {sign * (10**38 - 1)}, "
            f"{sign}2345678.90, {sign}.{'0123456789' * 3}0123456, {sign}.1::FLOAT, {'TRUE' if number % 2 else 'FALSE'}, "
            f"'{1500 + number:04d}-02-03'::DATE, '23:59:59.{number:06d}'::TIME, '1969-12-31 23:59:59.{number:06d}'::TIMESTAMP_NTZ, "
            f"'2026-01-01 00:00:00.{number:06d} +05:30'::TIMESTAMP_TZ::TIMESTAMP_LTZ, '2026-06-01 12:00:00.{number:06d} -07:00'::TIMESTAMP_TZ, "
            f"{quoted}, REPEAT({quoted}, 3), TO_BINARY('00FF{number:02X}', 'HEX'), PARSE_JSON('{{\"big\": 12345678901234567890, \"n\": null}}'), "
            f"OBJECT_CONSTRUCT('k', {number}), ARRAY_CONSTRUCT(1, 'x')"
        )
        second = dt.timedelta(microseconds=number)
        rows.append(
            (
                number,
                sign * 9999,
                sign * 999999999,
                sign * (10**18 - 1),
                Decimal(sign * (10**38 - 1)),
                Decimal(f"{sign}2345678.90"),
                Decimal(f"{sign}.{'0123456789' * 3}0123456"),
                float(f"{sign}.1"),
                bool(number % 2),
                dt.date(1500 + number, 2, 3),
                dt.time(23, 59, 59, number),
                dt.datetime(1969, 12, 31, 23, 59, 59, number),
                dt.datetime(2025, 12, 31, 18, 30, tzinfo=UTC) + second,
                dt.datetime(2026, 6, 1, 19, 0, tzinfo=UTC) + second,
                text,
                text * 3,
                bytes([0, 255, number]),
                {"big": 12345678901234567890, "n": None},
                {"k": number},
                [1, "x"],
            )
        )
    return rows


def install_aws_s3(world, sandbox):
    dsn = psycopg.conninfo.conninfo_to_dict(world.dsn)
    with psycopg.connect(sandbox.superuser_dsn(dsn["dbname"]), autocommit=True) as admin:
        admin.execute("CREATE EXTENSION aws_s3 CASCADE")
        admin.execute(f'GRANT USAGE ON SCHEMA aws_s3, aws_commons TO "{dsn["user"]}"')
        admin.execute(f'GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA aws_s3, aws_commons TO "{dsn["user"]}"')


@pytest.mark.parametrize(
    "way",
    [
        {"file_format": "parquet"},
        {"file_format": "csv", "load_method": "copy"},
        {"file_format": "csv", "load_method": "aws_s3"},
    ],
    ids=["parquet", "csv streamed", "csv by aws_s3"],
)
def test_every_type_arrives_to_the_last_digit_by_every_way(world, sandbox, way):
    expected = fill(world)
    if way.get("load_method") == "aws_s3":
        install_aws_s3(world, sandbox)
    world.run({"source": "EVERY_TYPE"}, **way)
    found = world.query("SELECT * FROM public.every_type ORDER BY id")
    for row, wanted in zip(found, expected, strict=True):
        assert row == wanted
    types = dict(
        world.query(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'every_type'"
        )
    )
    assert (types["n4"], types["n9"], types["n18"], types["n38"]) == (
        "smallint",
        "integer",
        "bigint",
        "numeric",
    )
    assert (types["ntz"], types["ltz"], types["tz"]) == (
        "timestamp without time zone",
        "timestamp with time zone",
        "timestamp with time zone",
    )


def test_columns_are_left_out_masked_renamed_and_retyped(world):
    world.sql(
        "CREATE TABLE P (ID NUMBER(38,0), NAME VARCHAR(20), SECRET VARCHAR, NOISE VARCHAR)",
        "INSERT INTO P VALUES (7, 'ann', 'x', 'y')",
    )
    world.run(
        {
            "source": "P",
            "columns": {
                "exclude": ["NOISE"],
                "rename": {"NAME": "Full Name"},
                "type": {"ID": "bigint"},
                "mask": {"SECRET": {"expression": "SHA2(SECRET)", "type": "VARCHAR(64)"}},
            },
        }
    )
    assert world.query('SELECT id, "Full Name", secret FROM public.p') == [
        (7, "ann", "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881")
    ]
    assert world.query(
        "SELECT data_type FROM information_schema.columns WHERE table_name = 'p' AND column_name = 'id'"
    ) == [("bigint",)]


def test_a_value_beyond_the_target_is_refused_with_its_place_or_set_aside(world):
    world.sql(
        "CREATE TABLE W (ID NUMBER(38,0), N NUMBER(38,0))",
        "INSERT INTO W VALUES (1, 5), (2, 99999999999), (3, 6)",
    )
    world.execute("CREATE TABLE public.w (id numeric(38,0), n integer)")
    with pytest.raises(ValueRefused, match=r"(?s)data_.*row 2.*N.*99999999999"):
        world.run({"source": "W"})
    assert world.query("SELECT count(*) FROM public.w") == [(0,)]
    world.run({"source": "W", "bad_rows": "quarantine"})
    assert world.query("SELECT id, n FROM public.w ORDER BY id") == [(1, 5), (3, 6)]
    assert world.query("SELECT row_number, column_name, row->>'N' FROM snowmelt.rejected_row") == [
        (2, "N", "99999999999")
    ]


def test_a_changed_schema_fails_or_adds_columns(world):
    world.sql("CREATE TABLE D (ID NUMBER(38,0))", "INSERT INTO D VALUES (1)")
    world.run({"source": "D"})
    world.sql("ALTER TABLE D ADD COLUMN EXTRA VARCHAR(5)", "UPDATE D SET EXTRA = 'new'")
    with pytest.raises(SchemaError, match="EXTRA"):
        world.run({"source": "D"})
    world.run({"source": "D", "schema_drift": "add_columns"})
    assert world.query("SELECT id, extra FROM public.d") == [(1, "new")]


@pytest.mark.parametrize("name", ['we"ird', "with space", "do.t", "ünï🎈", "select", "semi;colon --"])
def test_tables_and_columns_of_any_name(world, name):
    quoted = '"' + name.replace('"', '""') + '"'
    world.sql(
        f"CREATE TABLE {quoted} ({quoted} NUMBER(5,0) NOT NULL, CONSTRAINT PK PRIMARY KEY ({quoted}))",
        f"INSERT INTO {quoted} VALUES (5)",
    )
    world.run({"source": quoted, "target": quoted})
    assert world.query(f"SELECT {quoted} FROM public.{quoted}") == [(5,)]


def test_catch_up_takes_what_changed_with_ties_and_without_a_watermark(world):
    table = {"source": "C", "mode": "catch_up", "uniqueness_columns": ["ID"], "watermark_column": "AT"}
    world.sql(
        "CREATE TABLE C (ID NUMBER(9,0) NOT NULL PRIMARY KEY, AT TIMESTAMP_TZ(6), V VARCHAR)",
        "INSERT INTO C VALUES (1, '2026-01-01 10:00 +02:00', 'a'), (2, '2026-01-01 09:00 +00:00', 'b'), (3, NULL, 'c')",
    )
    world.run(table)
    assert world.query("SELECT id, v FROM public.c ORDER BY id") == [(1, "a"), (2, "b"), (3, "c")]
    world.sql(
        "INSERT INTO C VALUES (4, '2026-01-01 09:00 +00:00', 'tie'), (5, '2026-01-02 00:00 +00:00', 'later')",
        "UPDATE C SET V = 'changed', AT = '2026-01-02 00:00 +00:00' WHERE ID = 1",
        "UPDATE C SET V = 'null changed' WHERE ID = 3",
        "INSERT INTO C VALUES (6, '2020-01-01 00:00 +00:00', 'too late')",
    )
    plan = world.plan(table)
    assert (plan.watermark_before, plan.watermark) == (
        "2026-01-01 09:00:00.000000000",
        "2026-01-02 00:00:00.000000000",
    )
    assert plan.source_rows == 5
    result = world.finish(plan, world.unload(plan))
    assert (result["inserted"], result["updated"]) == (2, 2)
    assert world.query("SELECT id, v FROM public.c ORDER BY id") == [
        (1, "changed"), (2, "b"), (3, "null changed"), (4, "tie"), (5, "later"),
    ]  # fmt: skip


def test_catch_up_of_a_target_filled_by_other_means_starts_at_its_own_maximum(world):
    world.sql(
        "CREATE TABLE M (ID NUMBER(9,0) PRIMARY KEY, AT TIMESTAMP_NTZ(6))",
        "INSERT INTO M VALUES (1, '2026-01-01'), (2, '2026-01-02'), (3, '2026-01-03')",
    )
    world.execute(
        "CREATE TABLE public.m (id integer PRIMARY KEY, at timestamp)",
        "INSERT INTO public.m VALUES (1, '2026-01-01'), (2, '2026-01-02')",
    )
    plan = world.plan(
        {"source": "M", "mode": "catch_up", "uniqueness_columns": ["ID"], "watermark_column": "AT"}
    )
    assert plan.source_rows == 2
    world.finish(plan, world.unload(plan))
    assert world.query("SELECT array_agg(id ORDER BY id) FROM public.m") == [([1, 2, 3],)]


def test_changes_between_two_chunks_do_not_show(world):
    world.sql(
        "CREATE TABLE SNAP (ID NUMBER(9,0))",
        "INSERT INTO SNAP SELECT SEQ4() FROM TABLE(GENERATOR(ROWCOUNT => 100))",
    )
    plan = world.plan({"source": "SNAP", "chunking_column": "ID", "chunk_rows": 25})
    assert len(plan.chunks) == 4
    world.sql("DELETE FROM SNAP WHERE ID >= 50", "INSERT INTO SNAP VALUES (1000)")
    world.finish(plan, world.unload(plan))
    assert world.query("SELECT count(*), max(id) FROM public.snap") == [(100, 99)]


def test_a_run_goes_on_under_its_own_plan_only(world):
    world.sql("CREATE TABLE K (ID NUMBER(9,0))", "INSERT INTO K VALUES (1)")
    first = world.plan({"source": "K"}, run="r")
    assert world.plan({"source": "K"}, run="r") == first
    with pytest.raises(PlanChanged, match=r'source_filter: null → "ID > 0"'):
        world.plan({"source": "K", "source_filter": "ID > 0"}, run="r")


def test_a_lost_row_stops_the_run_before_the_publish(world):
    world.sql("CREATE TABLE L (ID NUMBER(9,0))", "INSERT INTO L VALUES (1), (2)")
    plan = world.plan({"source": "L"})
    chunks = world.unload(plan)
    with world.target() as connection:
        from snowmelt.io.load import run as loading
        from snowmelt.io.publish import run as publishing
        from snowmelt.io.unload import gathering
        from snowmelt.io.verify import run as verification

        gathered = gathering.gather_files(
            connection, plan.run_id, chunks, s3=lambda: world.s3, snowflake=world.session
        )
        loading.load_files(
            connection,
            world.s3,
            ledger_files.read_batch(connection, plan.run_id, gathered.batches[0].index),
            loading.build_load_job(plan, ""),
        )
        connection.execute(f'DELETE FROM public."{plan.staging_table}" WHERE id = 1')
        with pytest.raises(VerificationError, match=r"2 rows by the ledger, 1 in public\.snowmelt_"):
            verification.verify_run(connection, plan, snowflake=world.session)
        with pytest.raises(VerificationError, match="the run is not verified"):
            publishing.publish_run(connection, plan)
        assert connection.execute("SELECT to_regclass('public.l')").fetchone() == (None,)


def test_what_stands_in_the_way_of_a_swap_is_told_before_anything_is_unloaded(world):
    world.sql("CREATE TABLE VV (ID NUMBER(9,0))")
    world.execute(
        "CREATE TABLE public.vv (id integer)", "CREATE VIEW public.over_vv AS SELECT id FROM public.vv"
    )
    with pytest.raises(ConfigurationError, match=r"(?s)public\.vv cannot be swapped.*over_vv"):
        world.plan({"source": "VV"})


@pytest.mark.parametrize("file_format", ["parquet", "csv"])
def test_shapes_vectors_and_uuids_arrive(world, file_format):
    world.sql(
        "CREATE TABLE RARE (ID NUMBER(9,0), G GEOGRAPHY, M GEOMETRY, VF VECTOR(FLOAT, 3), VI VECTOR(INT, 2), U UUID)",
        "INSERT INTO RARE SELECT 1, TO_GEOGRAPHY('POINT(1 2)'), TO_GEOMETRY('POINT(3 4)'), [1.5, -2.25, 0]::VECTOR(FLOAT, 3), "
        "[7, -8]::VECTOR(INT, 2), 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'::UUID",
        "INSERT INTO RARE (ID) VALUES (2)",
    )
    world.run({"source": "RARE"}, file_format=file_format, load_method="copy")
    rows = world.query("SELECT id, g, m, vf, vi, u::text FROM public.rare ORDER BY id")
    assert rows[1] == (2, None, None, None, None, None)
    number, geography, geometry, floats, integers, identifier = rows[0]
    assert (number, floats, integers) == (1, [1.5, -2.25, 0.0], [7, -8])
    assert identifier == "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
    assert geography.replace(" (", "(") == "SRID=4326;POINT(1 2)"
    assert geometry.replace(" (", "(").removeprefix("SRID=0;") == "POINT(3 4)"


@pytest.mark.parametrize("way", [("parquet", "copy"), ("csv", "copy"), ("csv", "aws_s3")])
def test_a_text_of_snowflakes_largest_size_arrives_whole(world, sandbox, way):
    file_format, load_method = way
    if load_method == "aws_s3":
        install_aws_s3(world, sandbox)
    # 16,777,216 bytes: two for each é, so that no cut at a boundary of bytes goes unseen.
    world.sql(
        "CREATE TABLE HUGE (ID NUMBER(9,0), S VARCHAR)",
        "INSERT INTO HUGE SELECT 1, REPEAT('é', 8388608) UNION ALL SELECT 2, REPEAT('\"\\n', 2000000)",
    )
    world.run({"source": "HUGE"}, file_format=file_format, load_method=load_method)
    assert world.query(
        "SELECT id, octet_length(s), s = repeat('é', 8388608), s = repeat(E'\"\\n', 2000000) FROM public.huge ORDER BY id"
    ) == [
        (1, 16_777_216, True, False),
        (2, 4_000_000, False, True),
    ]


def test_a_filter_may_ask_another_table_where_the_configuration_allows_it(world):
    world.sql(
        "CREATE TABLE VISIT (ID NUMBER(9,0) NOT NULL PRIMARY KEY, CLINIC NUMBER(9,0))",
        "INSERT INTO VISIT SELECT SEQ4(), MOD(SEQ4(), 3) FROM TABLE(GENERATOR(ROWCOUNT => 30))",
        "CREATE TABLE CLINIC (ID NUMBER(9,0), OPEN BOOLEAN)",
        "INSERT INTO CLINIC VALUES (0, TRUE), (1, FALSE), (2, TRUE)",
    )
    open_ones = f"CLINIC IN (SELECT ID FROM TESTS.{world.schema}.CLINIC WHERE OPEN)"
    table = {"source": "VISIT", "source_filter": open_ones, "chunking_column": "ID", "chunk_rows": 7}
    with pytest.raises(AssertionError, match='A subquery needs "filter_subqueries": true'):
        world.run(table)
    with pytest.raises(ConfigurationError, match="source_filter"):  # what the form says does not allow it
        world.run({"source": "VISIT"}, source_filter=open_ones)
    world.run({**table, "filter_subqueries": True})
    assert world.query("SELECT clinic, count(*) FROM public.visit GROUP BY 1 ORDER BY 1") == [
        (0, 10),
        (2, 10),
    ]
