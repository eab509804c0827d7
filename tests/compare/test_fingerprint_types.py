"""The canonical text of each type, in PostgreSQL and in Snowflake, against texts that are written out."""

from __future__ import annotations

import pytest

from snowmelt.compare.canonical import Detail
from snowmelt.compare.differences import find_fingerprint_differences
from snowmelt.compare.fingerprint import build_source_fingerprint, build_target_fingerprint, parse_fingerprint
from tests.compare.fingerprint_cases import CASES, NINES, Case, column, hash_rows
from tests.compare.fingerprint_world import postgres, snowflake_connection, snowflake_cursor

__all__ = ["postgres", "snowflake_connection", "snowflake_cursor"]

ODD_SETTINGS = (
    "SET DateStyle = 'German, DMY'; SET TimeZone = 'Asia/Kolkata'; SET extra_float_digits = -5; SET bytea_output = 'escape'; "
    "SET IntervalStyle = 'iso_8601'; SET standard_conforming_strings = off"
)


def write_case(postgres, case: Case) -> None:
    postgres.execute("DROP TABLE IF EXISTS case_table")
    postgres.execute(f"CREATE TABLE case_table (id integer, c {case.target})")
    for place, (_, value, _) in enumerate(case.values):
        postgres.execute(f"INSERT INTO case_table VALUES (%s, CAST(%s AS {case.target}))", (place, value))


def columns_of(case: Case):
    return [column("ID", "NUMBER(9,0)"), column("C", case.source, case.target)]


def expected_hash(case: Case) -> int:
    return hash_rows(f"{place}|{token}" for place, (_, _, token) in enumerate(case.values))


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("settings", ["", ODD_SETTINGS], ids=["defaults", "odd settings"])
def test_postgres_writes_the_canonical_text(postgres, case, settings):
    write_case(postgres, case)
    columns = columns_of(case)
    if settings:
        postgres.execute(settings)
    try:
        alone = postgres.execute(build_target_fingerprint(columns, "case_table")).fetchone()
        sql = build_target_fingerprint(columns, "case_table", detail=Detail.COLUMNS)
        row = postgres.execute(sql).fetchone()
    finally:
        postgres.execute("RESET ALL")
    assert parse_fingerprint(alone, columns).hash == expected_hash(case)
    found = parse_fingerprint(row, columns, detail=Detail.COLUMNS)
    assert found.rows == len(case.values)
    assert found.hash == expected_hash(case)
    assert found.columns[1].measures["count"] == sum(value is not None for _, value, _ in case.values)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_snowflake_writes_the_same_text_and_measures(postgres, snowflake_cursor, case):
    write_case(postgres, case)
    columns = columns_of(case)
    snowflake_cursor.execute(f'CREATE OR REPLACE TABLE CASE_TABLE ("ID" NUMBER(9,0), "C" {case.source})')
    for place, (value, _, _) in enumerate(case.values):
        snowflake_cursor.execute(f"INSERT INTO CASE_TABLE SELECT {place}, {value}")
    sql = build_source_fingerprint(columns, "CASE_TABLE", detail=Detail.COLUMNS)
    source = parse_fingerprint(snowflake_cursor.execute(sql).fetchone(), columns, detail=Detail.COLUMNS)
    sql = build_target_fingerprint(columns, "case_table", detail=Detail.COLUMNS)
    target = parse_fingerprint(postgres.execute(sql).fetchone(), columns, detail=Detail.COLUMNS)
    assert source.hash == expected_hash(case)
    assert find_fingerprint_differences(source, target) == []


def test_numbers_that_no_sum_could_hold_are_counted(postgres):
    columns = [column("C", "NUMBER(38,0)")]
    postgres.execute("DROP TABLE IF EXISTS case_table")
    postgres.execute("CREATE TABLE case_table (c numeric(38,0))")
    postgres.execute(f"INSERT INTO case_table VALUES ({NINES}), ({NINES}), (-{NINES}), (5), (6)")
    sql = build_target_fingerprint(columns, "case_table", detail=Detail.COLUMNS)
    row = postgres.execute(sql).fetchone()
    measures = parse_fingerprint(row, columns, detail=Detail.COLUMNS).columns[0].measures
    assert measures == {"count": 5, "low": -int(NINES), "high": int(NINES), "total": 11, "large": 3}


def test_an_empty_table_has_a_fingerprint(postgres, snowflake_cursor):
    columns = [column(f"C{place}", case.source, case.target) for place, case in enumerate(CASES)]
    definitions = ", ".join(f"c{place} {case.target}" for place, case in enumerate(CASES))
    postgres.execute("DROP TABLE IF EXISTS case_table")
    postgres.execute(f"CREATE TABLE case_table ({definitions})")
    definitions = ", ".join(f"C{place} {case.source}" for place, case in enumerate(CASES))
    snowflake_cursor.execute(f"CREATE OR REPLACE TABLE CASE_TABLE ({definitions})")
    target = parse_fingerprint(
        postgres.execute(build_target_fingerprint(columns, "case_table")).fetchone(), columns
    )
    row = snowflake_cursor.execute(build_source_fingerprint(columns, "CASE_TABLE")).fetchone()
    assert (target.rows, target.hash) == (0, 0)
    assert find_fingerprint_differences(parse_fingerprint(row, columns), target) == []


def test_a_table_as_wide_as_postgres_allows_is_one_query(postgres):
    names = [f"c{place}" for place in range(1590)]
    postgres.execute("DROP TABLE IF EXISTS case_table")
    postgres.execute(f"CREATE TABLE case_table ({', '.join(f'{name} boolean' for name in names)})")
    postgres.execute("INSERT INTO case_table (c0, c1589) VALUES (true, false)")
    columns = [column(name.upper(), "BOOLEAN") for name in names]
    row = postgres.execute(build_target_fingerprint(columns, "case_table")).fetchone()
    assert parse_fingerprint(row, columns).hash == hash_rows(["t" + "n" * 1588 + "f"])


def test_every_microsecond_is_exact(postgres):
    """Instants around the bounds of the quick way, and far beyond them, against PostgreSQL's exact numeric."""
    postgres.execute("DROP TABLE IF EXISTS instants")
    postgres.execute(
        "CREATE TABLE instants AS SELECT t, t AT TIME ZONE 'UTC' AS z, CAST(t AS time) AS c FROM ("
        "SELECT TIMESTAMP '1970-01-01' + (sign * ((i * 48271 % 2147483647) * power(2, scale)::bigint + i)) * INTERVAL '1 microsecond' AS t "
        "FROM generate_series(1, 3000) AS i, generate_series(0, 26, 2) AS scale, (VALUES (1), (-1)) AS s (sign)) AS made"
    )
    columns = [
        column("T", "TIMESTAMP_NTZ(6)"),
        column("Z", "TIMESTAMP_TZ(6)"),
        column("C", "TIME(6)"),
    ]
    found = parse_fingerprint(
        postgres.execute(build_target_fingerprint(columns, "instants")).fetchone(), columns
    )
    exact = "CAST(extract(epoch FROM {}) * 1000000 AS bigint)"
    texts = postgres.execute(
        f"SELECT concat({exact.format('t')}, '|', {exact.format('z')}, '|', {exact.format('c')}, '|') FROM instants"
    ).fetchall()
    assert len(texts) == 84_000
    assert found.hash == hash_rows(text for (text,) in texts)


def test_the_query_runs_in_parallel_workers_and_computes_values_once(postgres):
    columns = [column("A", "TIMESTAMP_NTZ(6)"), column("B", "FLOAT"), column("C", "VARCHAR")]
    postgres.execute("DROP TABLE IF EXISTS many; CREATE TABLE many (a timestamp, b float8, c text)")
    with postgres.transaction():
        postgres.execute("SET LOCAL parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0")
        postgres.execute("SET LOCAL min_parallel_table_scan_size = 0")
        plan = postgres.execute(f"EXPLAIN (VERBOSE) {build_target_fingerprint(columns, 'many')}").fetchall()
    text = "\n".join(line for (line,) in plan)
    assert "Partial Aggregate" in text
    assert "Sort" not in text
    scan = text[text.index("Parallel Seq Scan") :]
    assert scan.count("EXTRACT(epoch FROM many.a)") == 1
    assert "EXTRACT" not in text[: text.index("Parallel Seq Scan")]


def test_without_floats_and_json_nothing_stands_between_the_scan_and_the_hash(postgres):
    columns = [column("A", "TIMESTAMP_NTZ(6)"), column("C", "VARCHAR")]
    postgres.execute("DROP TABLE IF EXISTS many; CREATE TABLE many (a timestamp, c text)")
    plan = postgres.execute(f"EXPLAIN {build_target_fingerprint(columns, 'many')}").fetchall()
    assert [line.split("(")[0].strip(" ->") for (line,) in plan] == ["Aggregate", "Seq Scan on many"]
