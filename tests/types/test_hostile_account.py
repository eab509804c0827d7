"""Whole copies under an account where every session parameter that can change a value is set to something else."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal

import pytest

from snowmelt.airflow.sessions import snowflake_session
from snowmelt.drivers.snowflake import SESSION_PARAMETERS
from tests.load.ways import WAYS, allow_aws_s3
from tests.steps.runs import World

HOSTILE = {
    "ABORT_DETACHED_QUERY": "TRUE",
    "AUTOCOMMIT": "FALSE",
    "BINARY_INPUT_FORMAT": "'UTF8'",
    "BINARY_OUTPUT_FORMAT": "'BASE64'",
    "DATE_INPUT_FORMAT": "'YYYY-DD-MM'",
    "DATE_OUTPUT_FORMAT": "'DD-MON-YYYY'",
    "DEFAULT_NULL_ORDERING": "'FIRST'",
    "ENABLE_UNLOAD_PHYSICAL_TYPE_OPTIMIZATION": "TRUE",
    "ERROR_ON_NONDETERMINISTIC_MERGE": "FALSE",
    "ERROR_ON_NONDETERMINISTIC_UPDATE": "FALSE",
    "GEOGRAPHY_OUTPUT_FORMAT": "'WKB'",
    "GEOMETRY_OUTPUT_FORMAT": "'WKB'",
    "JSON_INDENT": "8",
    "MULTI_STATEMENT_COUNT": "0",
    "QUOTED_IDENTIFIERS_IGNORE_CASE": "TRUE",
    "ROWS_PER_RESULTSET": "1",
    "SEARCH_PATH": "'$public, $current'",
    "STRICT_JSON_OUTPUT": "TRUE",
    "TIMESTAMP_DAY_IS_ALWAYS_24H": "TRUE",
    "TIMESTAMP_INPUT_FORMAT": "'YYYY-DD-MM HH24:MI:SS.FF TZH:TZM'",
    "TIMESTAMP_LTZ_OUTPUT_FORMAT": "'DD/MM/YYYY HH24:MI'",
    "TIMESTAMP_NTZ_OUTPUT_FORMAT": "'DD/MM/YYYY HH24:MI'",
    "TIMESTAMP_OUTPUT_FORMAT": "'DD/MM/YYYY'",
    "TIMESTAMP_TYPE_MAPPING": "'TIMESTAMP_LTZ'",
    "TIMESTAMP_TZ_OUTPUT_FORMAT": "'DD/MM/YYYY HH24:MI'",
    "TIMEZONE": "'Asia/Kolkata'",
    "TIME_INPUT_FORMAT": "'HH24.MI'",
    "TIME_OUTPUT_FORMAT": "'HH12 AM'",
    "TWO_DIGIT_CENTURY_START": "1900",
    "WEEK_OF_YEAR_POLICY": "1",
    "WEEK_START": "4",
}

INSTANT = dt.datetime(2024, 2, 1, 3, 4, 5, 123456, tzinfo=dt.UTC)
VALUES = {
    "Visit Id": ("NUMBER(9,0)", "{row}", None),
    "D": ("DATE", "'2024-02-01'::DATE", dt.date(2024, 2, 1)),
    "T": ("TIME(6)", "'20:57:01.123456'::TIME", dt.time(20, 57, 1, 123456)),
    "N": ("TIMESTAMP_NTZ(6)", "'2024-02-01 03:04:05.123456'::TIMESTAMP_NTZ", INSTANT.replace(tzinfo=None)),
    "L": ("TIMESTAMP_LTZ(6)", "'2024-02-01 03:04:05.123456 +00:00'::TIMESTAMP_LTZ", INSTANT),
    "Z": ("TIMESTAMP_TZ(6)", "'2024-02-01 05:04:05.123456 +02:00'::TIMESTAMP_TZ", INSTANT),
    "B": ("BINARY", "TO_BINARY('00FF', 'HEX')", b"\x00\xff"),
    "A": ("NUMBER(12,2)", "0.50", Decimal("0.50")),
    "G": ("GEOGRAPHY", "'POINT(1 2)'::GEOGRAPHY", "SRID=4326;POINT(1 2)"),
    "V": (
        "VARIANT",
        (
            "OBJECT_CONSTRUCT('d', '2024-02-01'::DATE, 't', '20:57:01.123456789'::TIME, "
            "'n', '2024-02-01 03:04:05.123456789'::TIMESTAMP_NTZ, 'z', '2024-02-01 05:04:05.123456789 +02:00'::TIMESTAMP_TZ, "
            "'a', ARRAY_CONSTRUCT(1, NULL))::VARIANT"
        ),
        {
            "d": "2024-02-01",
            "t": "20:57:01.123456789",
            "n": "2024-02-01 03:04:05.123456789",
            "z": "2024-02-01 05:04:05.123456789 +0200",
            "a": [1, None],
        },
    ),
}
ROWS = 20


def test_every_pinned_parameter_is_set_to_something_else():
    assert HOSTILE.keys() == SESSION_PARAMETERS.keys()
    for name, value in HOSTILE.items():
        assert value.strip("'").casefold() != SESSION_PARAMETERS[name].casefold(), name


@pytest.fixture(scope="module")
def hostile(source_session, sandbox):
    """A world whose Snowflake sessions are opened under the hostile account by the product's own way."""
    with source_session.cursor() as cursor:
        cursor.execute("SHOW PARAMETERS IN SESSION")
        known = {row[0] for row in cursor.fetchall()} & HOSTILE.keys()
        for name in sorted(known):
            cursor.execute(f"ALTER ACCOUNT SET {name} = {HOSTILE[name]}")
    name = f"hostile_{uuid.uuid4().hex[:12]}"
    schema = name.upper()
    try:
        with snowflake_session("snowflake_default") as session:
            made = World(
                session, sandbox.s3("AIRFLOW_READER"), sandbox.create_database(name), sandbox.bucket, schema
            )
            allow_aws_s3(made, sandbox)
            made.sql(f"CREATE SCHEMA TESTS.{schema}", "USE DATABASE TESTS", f"USE SCHEMA {schema}")
            definitions = ", ".join(f'"{column}" {kind}' for column, (kind, _, _) in VALUES.items())
            made.sql(f"CREATE TABLE SRC ({definitions})")
            for row in range(ROWS):
                literals = ", ".join(
                    sql.format(row=row) if column == "Visit Id" else sql
                    for column, (_, sql, _) in VALUES.items()
                )
                made.sql(f"INSERT INTO SRC SELECT {literals}")
            yield made
            made.s3.close()
            made.sql(f"DROP SCHEMA TESTS.{schema}")
            sandbox.drop_database(name)
    finally:
        with source_session.cursor() as cursor:
            for name in sorted(known):
                cursor.execute(f"ALTER ACCOUNT UNSET {name}")


def check(world, target: str, rows: range) -> None:
    names = ", ".join(f'"{column}"' if column == "Visit Id" else column.lower() for column in VALUES)
    found = world.query(f'SELECT {names} FROM public.{target} ORDER BY "Visit Id"')
    assert [row[0] for row in found] == list(rows)
    for row in found:
        for (column, (_, _, expected)), value in list(zip(VALUES.items(), row, strict=True))[1:]:
            assert value == expected, column


def count_chunks(world) -> int:
    """Of the latest run."""
    [(count,)] = world.query(
        "SELECT jsonb_array_length(plan->'chunks') FROM snowmelt.run ORDER BY started_at DESC LIMIT 1"
    )
    return count


@pytest.mark.parametrize("way", list(WAYS))
def test_a_table_arrives_as_it_is(hostile, way):
    table = {"source": "SRC", "target": f"by_{way}", "chunking_column": '"Visit Id"', "chunk_rows": 6}
    hostile.run(table, verify="fingerprint", **WAYS[way])
    assert count_chunks(hostile) > 1
    check(hostile, f"by_{way}", range(ROWS))


@pytest.mark.parametrize("column", ["D", "T", "N", "L", "Z"])
def test_bounds_of_dates_and_times_are_read_as_they_were_written(hostile, column):
    """A literal that was read with day and month exchanged would move rows, or lose them."""
    table = {
        "source": "SRC",
        "target": f"chunked_{column.lower()}",
        "chunking_column": column,
        "chunk_rows": 5,
    }
    hostile.run(table, verify="fingerprint", **WAYS["parquet"])
    check(hostile, f"chunked_{column.lower()}", range(ROWS))


def test_a_watermark_is_read_as_it_was_written(hostile):
    table = {
        "source": "SRC", "target": "followed", "mode": "catch_up", "watermark_column": "N",
        "uniqueness_columns": ['"Visit Id"'],
    }  # fmt: skip
    hostile.run(table, **WAYS["parquet"])
    later = [sql.format(row=ROWS) for _, sql, _ in VALUES.values()]
    later[3] = "'2024-02-01 03:04:06.123456'::TIMESTAMP_NTZ"
    hostile.sql(f"INSERT INTO SRC SELECT {', '.join(later)}")
    try:
        hostile.run(table, **WAYS["parquet"])
        assert hostile.query("SELECT count(*) FROM public.followed") == [(ROWS + 1,)]
    finally:
        hostile.sql(f'DELETE FROM SRC WHERE "Visit Id" = {ROWS}')
