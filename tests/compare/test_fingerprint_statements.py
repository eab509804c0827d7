"""No statement of a fingerprint is long, whatever the table; rows that mixed their values up are found all the same."""

from __future__ import annotations

import pytest

from snowmelt.compare.canonical import Detail
from snowmelt.compare.differences import find_fingerprint_differences
from snowmelt.compare.fingerprint import (
    STATEMENT_CHARACTERS,
    build_source_fingerprint,
    build_target_fingerprint,
    join_fingerprints,
    parse_fingerprint,
    plan_statements,
)
from tests.compare.fingerprint_cases import column
from tests.compare.fingerprint_world import postgres, snowflake_connection, snowflake_cursor

__all__ = ["postgres", "snowflake_connection", "snowflake_cursor"]

TYPES = ("NUMBER(38,0)", "FLOAT", "VARCHAR(40)", "TIMESTAMP_NTZ(6)", "VARIANT")
TARGETS = {"FLOAT": "double precision", "VARCHAR(40)": "varchar(40)"}


def wide(count: int, *kinds: str):
    return [
        column(f"A_COLUMN_OF_THIRTY_CHARACTERS_{place}", kinds[place % len(kinds)]) for place in range(count)
    ]


def texts_of(columns, **options):
    return [
        build(part.columns, "T", detail=part.detail)
        for part in plan_statements(columns, **options)
        for build in (build_source_fingerprint, build_target_fingerprint)
    ]


@pytest.mark.parametrize("kinds", [*((kind,) for kind in TYPES), TYPES])
@pytest.mark.parametrize("detail", [Detail.ROWS, Detail.COLUMNS])
def test_no_statement_of_250_columns_is_long(kinds, detail):
    texts = texts_of(wide(250, *kinds), detail=detail)
    assert max(map(len, texts)) <= STATEMENT_CHARACTERS
    assert len(texts) < 50


def test_a_table_of_usual_width_is_one_statement():
    assert len(plan_statements(wide(40, *TYPES))) == 1
    assert len(plan_statements(wide(250, "NUMBER(38,0)", "VARCHAR(40)", "TIMESTAMP_NTZ(6)"))) == 1


def test_every_column_is_measured_once_and_every_two_are_linked():
    columns = wide(1200, "VARCHAR(40)")
    parts = plan_statements(columns)
    measured = [each for part in parts if part.detail is not Detail.LINK for each in part.columns]
    assert measured == columns
    linked = [{each.source for each in part.columns} for part in parts if part.detail is Detail.LINK]
    assert len(linked) > 1
    for one in columns[::97]:
        for other in columns[::89]:
            assert any({one.source, other.source} <= names for names in linked)


FLOATS = ("0.1", "-1e300", "NULL", "'NaN'::FLOAT", "5e-324", "1e20")


def float_rows(count: int) -> list[list[str]]:
    return [[FLOATS[(row + place) % len(FLOATS)] for place in range(count)] for row in range(8)]


def in_postgres(value: str) -> str:
    return "'NaN'::float8" if "NaN" in value else value if value == "NULL" else f"'{value}'::float8"


def test_both_databases_agree_and_a_swap_between_blocks_is_found(postgres, snowflake_cursor):
    columns = [column(f"C{place}", "FLOAT") for place in range(120)]
    assert len(plan_statements(columns)) > 2
    rows = float_rows(len(columns))
    names = ", ".join(f"{each.source} FLOAT" for each in columns)
    snowflake_cursor.execute(f"CREATE OR REPLACE TABLE WIDE ({names})")
    for row in rows:
        cells = ", ".join(
            f"'{value}'::FLOAT" if value[0].isdigit() or value[0] == "-" else value for value in row
        )
        snowflake_cursor.execute(f"INSERT INTO WIDE SELECT {cells}")

    def write(rows):
        postgres.execute("DROP TABLE IF EXISTS wide")
        postgres.execute(f"CREATE TABLE wide ({', '.join(f'{each.target} float8' for each in columns)})")
        for row in rows:
            postgres.execute(f"INSERT INTO wide VALUES ({', '.join(map(in_postgres, row))})")

    def compare():
        sources, targets = [], []
        for part in plan_statements(columns):
            text = build_source_fingerprint(part.columns, "WIDE", detail=part.detail)
            sources.append(
                parse_fingerprint(snowflake_cursor.execute(text).fetchone(), part.columns, detail=part.detail)
            )
            text = build_target_fingerprint(part.columns, "wide", detail=part.detail)
            targets.append(
                parse_fingerprint(postgres.execute(text).fetchone(), part.columns, detail=part.detail)
            )
        return find_fingerprint_differences(join_fingerprints(sources), join_fingerprints(targets))

    write(rows)
    assert compare() == []
    # Two rows exchange their values of a whole block: every count, sum and block's hash stays what it was.
    block = len(plan_statements(columns)[0].columns)
    mixed = [list(row) for row in rows]
    mixed[0][:block], mixed[1][:block] = rows[1][:block], rows[0][:block]
    write(mixed)
    [difference] = compare()
    assert "the hash of all rows is" in difference
