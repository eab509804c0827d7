"""Whatever happens to one value, or to whole rows, shows in the fingerprint."""

from __future__ import annotations

import random

import pytest

from snowmelt.compare.canonical import APPROXIMATE, Detail, comparison_of
from snowmelt.compare.differences import find_fingerprint_differences
from snowmelt.compare.fingerprint import build_target_fingerprint, parse_fingerprint
from tests.compare.fingerprint_cases import CASES, column
from tests.compare.fingerprint_world import postgres

__all__ = ["postgres"]

NAMES = [f"c{place}" for place in range(len(CASES))]
COLUMNS = [column(name.upper(), case.source, case.target) for name, case in zip(NAMES, CASES, strict=True)]
EXACT = [place for place, each in enumerate(COLUMNS) if comparison_of(each) not in APPROXIMATE]


@pytest.fixture(params=range(3))
def chance(request):
    return random.Random(request.param)


@pytest.fixture
def table(postgres, chance):
    """Forty rows of every type: values from the hostile ones, and many others."""
    definitions = ", ".join(f"{name} {case.target}" for name, case in zip(NAMES, CASES, strict=True))
    postgres.execute("DROP TABLE IF EXISTS generated")
    postgres.execute(f"CREATE TABLE generated (row_number integer, {definitions})")
    rows = [[chance.choice(case.values)[1] for case in CASES] for _ in range(40)]
    marks = ", ".join(f"CAST(%s AS {case.target})" for case in CASES)
    for place, row in enumerate(rows):
        postgres.execute(f"INSERT INTO generated VALUES (%s, {marks})", [place, *row])
    return rows


def read(postgres, *, detail=Detail.ROWS):
    sql = build_target_fingerprint(COLUMNS, "generated", detail=detail)
    return parse_fingerprint(postgres.execute(sql).fetchone(), COLUMNS, detail=detail)


def set_value(postgres, place, row, value):
    postgres.execute(
        f"UPDATE generated SET {NAMES[place]} = CAST(%s AS {CASES[place].target}) WHERE row_number = %s",
        (value, row),
    )


def same_value(place, left, right):
    return left == right or {left, right} == {"0.0", "-0.0"}


@pytest.mark.parametrize("place", EXACT, ids=lambda place: str(CASES[place]))
def test_any_changed_value_names_its_column(postgres, table, chance, place):
    before = read(postgres, detail=Detail.COLUMNS)
    row = chance.randrange(len(table))
    others = [value for _, value, _ in CASES[place].values if not same_value(place, value, table[row][place])]
    set_value(postgres, place, row, chance.choice(others))
    differences = find_fingerprint_differences(before, read(postgres, detail=Detail.COLUMNS))
    assert len(differences) == 1
    assert differences[0].startswith(f'column "{COLUMNS[place].source}": ')


@pytest.mark.parametrize("place", EXACT, ids=lambda place: str(CASES[place]))
def test_two_values_that_changed_places_are_found(postgres, table, chance, place):
    before = read(postgres, detail=Detail.COLUMNS)
    one = chance.randrange(len(table))
    far = [
        row
        for row, values in enumerate(table)
        if not same_value(place, values[place], table[one][place]) and row != one
    ]
    other = chance.choice(far)
    set_value(postgres, place, one, table[other][place])
    set_value(postgres, place, other, table[one][place])
    (difference,) = find_fingerprint_differences(before, read(postgres, detail=Detail.COLUMNS))
    assert "they are in other rows" in difference


@pytest.mark.parametrize("place", EXACT, ids=lambda place: str(CASES[place]))
def test_the_rows_hash_alone_sees_any_changed_value(postgres, table, chance, place):
    before = read(postgres)
    row = chance.randrange(len(table))
    others = [value for _, value, _ in CASES[place].values if not same_value(place, value, table[row][place])]
    set_value(postgres, place, row, chance.choice(others))
    (difference,) = find_fingerprint_differences(before, read(postgres))
    assert difference.startswith("the hash of all rows is ")


def test_a_lost_row_and_a_doubled_one_are_found(postgres, table, chance):
    before = read(postgres)
    lost, doubled = chance.sample(range(len(table)), 2)
    names = ", ".join(NAMES)
    postgres.execute("DELETE FROM generated WHERE row_number = %s", (lost,))
    postgres.execute(
        f"INSERT INTO generated SELECT -1, {names} FROM generated WHERE row_number = %s", (doubled,)
    )
    after = read(postgres)
    assert after.rows == before.rows
    assert find_fingerprint_differences(before, after)


def test_the_order_of_the_rows_does_not_matter(postgres, table):
    before = read(postgres)
    postgres.execute("CREATE TEMP TABLE turned AS SELECT * FROM generated ORDER BY row_number DESC")
    postgres.execute("TRUNCATE generated; INSERT INTO generated SELECT * FROM turned; DROP TABLE turned")
    assert read(postgres) == before


@pytest.mark.parametrize(
    ("before", "after"),
    [("1.0", "1.0000000000000002"), ("1e-310", "1.00000000000005e-310"), ("1e300", "1.0000000000000002e300")],
)
def test_the_last_bit_of_a_float_counts(postgres, before, after):
    columns = [column("F", "FLOAT")]
    postgres.execute("DROP TABLE IF EXISTS generated; CREATE TABLE generated (f float8)")
    postgres.execute("INSERT INTO generated VALUES (%s::float8)", (before,))
    first = parse_fingerprint(
        postgres.execute(build_target_fingerprint(columns, "generated")).fetchone(), columns
    )
    postgres.execute("UPDATE generated SET f = %s::float8", (after,))
    second = parse_fingerprint(
        postgres.execute(build_target_fingerprint(columns, "generated")).fetchone(), columns
    )
    assert find_fingerprint_differences(first, second)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (("a", "bc"), ("ab", "c")),
        (("", None), (None, "")),
        (("1:x", ""), ("", "1:x")),
        ((":", None), (None, ":")),
        (("NULL", None), (None, "NULL")),
    ],
)
def test_columns_are_not_confused(postgres, left, right):
    columns = [column("A", "VARCHAR"), column("B", "VARCHAR")]
    found = []
    for values in (left, right):
        postgres.execute("DROP TABLE IF EXISTS generated; CREATE TABLE generated (a text, b text)")
        postgres.execute("INSERT INTO generated VALUES (%s, %s)", values)
        row = postgres.execute(build_target_fingerprint(columns, "generated")).fetchone()
        found.append(parse_fingerprint(row, columns).hash)
    assert found[0] != found[1]
