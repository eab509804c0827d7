"""Every type, with and without NULLs, by every way: what was written as literals is what psycopg reads, bit for bit."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from tests.load.ways import WAYS, column_types, only_in
from tests.types.case import exact
from tests.types.cases import CASES

ROWS = max(len(case.values) for case in CASES)
#: The nullable table holds the other's rows twice, by their numbers and by more; of each every fifth column is NULL, and
#: no column is so in both.
MORE = 1001
FIFTH = 5
ALL_NULL = (-1, 5000, 5001)
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture(scope="module")
def filled(shared_world):
    """The world with the tables FILLED (all NOT NULL) and NULLABLE, written as literals."""
    world = shared_world
    world.sql(create("FILLED", " NOT NULL"), create("NULLABLE", ""))
    for row, literals in enumerate(zip(*cycled(0), strict=True)):
        world.sql(f"INSERT INTO FILLED SELECT {row}, {', '.join(literals)}")
    names = ", ".join(case.name for case in CASES)
    for more in (0, MORE):
        world.sql(f"INSERT INTO NULLABLE SELECT ID + {more}, {names} FROM FILLED")
    for fifth in range(FIFTH):
        gone = ", ".join(f"{case.name} = NULL" for case in CASES[fifth::FIFTH])
        world.sql(f"UPDATE NULLABLE SET {gone} WHERE MOD(ID, {FIFTH}) = {fifth}")
    world.sql(*(f"INSERT INTO NULLABLE (ID) VALUES ({row})" for row in ALL_NULL))
    return world


def create(table: str, constraint: str) -> str:
    columns = ", ".join(f"{case.name} {case.type}{constraint}" for case in CASES)
    return f"CREATE TABLE {table} (ID NUMBER(9,0) NOT NULL, {columns})"


def cycled(part: int) -> list[Iterator[Any]]:
    """The literals (0) or the values (1) of each column, from the beginning again where others have more."""
    return [itertools.islice(itertools.cycle([pair[part] for pair in case.values]), ROWS) for case in CASES]


def expected_rows(table: str) -> dict[int, tuple[Any, ...]]:
    """ID → the values of the columns."""
    filled = dict(enumerate(zip(*cycled(1), strict=True)))
    if table == "FILLED":
        return filled
    rows: dict[int, tuple[Any, ...]] = {row: (None,) * len(CASES) for row in ALL_NULL}
    for more, (row, values) in itertools.product((0, MORE), filled.items()):
        fifth = (row + more) % FIFTH
        rows[row + more] = tuple(
            None if place % FIFTH == fifth else value for place, value in enumerate(values)
        )
    return rows


def find_differences(world, target: str, expected: dict[int, tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """(ID, column, found, expected) of every value, and of every offset beside one, that is not what it should be."""
    kept = [place for place, case in enumerate(CASES) if case.keep_offset]
    names = [str(case) for case in CASES] + [f"{CASES[place]}, offset" for place in kept]
    read = [case.read.format(c=case.name.lower()) for case in CASES]
    read += [f"{CASES[place].name.lower()}_offset" for place in kept]
    found = {row[0]: row[1:] for row in world.query(f"SELECT id, {', '.join(read)} FROM public.{target}")}
    assert found.keys() == expected.keys()
    differences = []
    for row, values in expected.items():
        offsets = [None if values[place] is None else values[place].utcoffset() // MINUTE for place in kept]
        for name, mine, wanted in zip(names, found[row], (*values, *offsets), strict=True):
            if exact(mine) != exact(wanted):
                differences.append((row, name, mine, wanted))
    return differences


@pytest.mark.parametrize("table", ["FILLED", "NULLABLE"])
def test_every_value_arrives_and_the_same_table_by_every_way(filled, table):
    expected, required = expected_rows(table), table == "FILLED"
    wanted_types = [("id", "integer", True)]
    for case in CASES:
        wanted_types.append((case.name.lower(), case.target, required))
        if case.keep_offset:
            wanted_types.append((f"{case.name.lower()}_offset", "smallint", required))
    kept = [case.name for case in CASES if case.keep_offset]
    targets = {way: f"{table.lower()}_{way}" for way in WAYS}
    for way, target in targets.items():
        filled.run({"source": table, "target": target, "columns": {"keep_offset": kept}}, **WAYS[way])
        assert find_differences(filled, target, expected) == [], way
        assert column_types(filled, target) == wanted_types, way
    for one, other in itertools.permutations(targets.values(), 2):
        assert only_in(filled, one, other) == []
