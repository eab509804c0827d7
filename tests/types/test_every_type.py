"""Every type, with and without NULLs, by every way: what was written as literals is what psycopg reads, bit for bit."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.io.runs import World
from tests.types.case import exact
from tests.types.cases import CASES
from tests.types.ways import WAYS, column_types, only_in

SCHEMA = "TESTS.EVERY_TYPE"
ROWS = max(len(case.values) for case in CASES)
#: The nullable table holds the other's rows twice, by their numbers and by more; of each every fifth column is NULL, and
#: no column is so in both.
MORE = 1001
FIFTH = 5
ALL_NULL = (-1, 5000, 5001)
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture(scope="module")
def schema(source_session, sandbox):
    """A schema of Snowflake's with the tables FILLED (all NOT NULL) and NULLABLE, written as literals."""
    made = World(source_session, None, "", sandbox.bucket, SCHEMA.partition(".")[2])
    made.sql(f"CREATE OR REPLACE SCHEMA {SCHEMA}", create("FILLED", " NOT NULL"), create("NULLABLE", ""))
    for row, literals in enumerate(zip(*cycled(0), strict=True)):
        made.sql(f"INSERT INTO {SCHEMA}.FILLED SELECT {row}, {', '.join(literals)}")
    names = ", ".join(case.name for case in CASES)
    for more in (0, MORE):
        made.sql(f"INSERT INTO {SCHEMA}.NULLABLE SELECT ID + {more}, {names} FROM {SCHEMA}.FILLED")
    for fifth in range(FIFTH):
        gone = ", ".join(f"{case.name} = NULL" for case in CASES[fifth::FIFTH])
        made.sql(f"UPDATE {SCHEMA}.NULLABLE SET {gone} WHERE MOD(ID, {FIFTH}) = {fifth}")
    for row in ALL_NULL:
        made.sql(f"INSERT INTO {SCHEMA}.NULLABLE (ID) VALUES ({row})")
    yield made.schema
    made.sql(f"DROP SCHEMA {SCHEMA}")


def create(table: str, constraint: str) -> str:
    columns = ", ".join(f"{case.name} {case.type}{constraint}" for case in CASES)
    return f"CREATE TABLE {SCHEMA}.{table} (ID NUMBER(9,0) NOT NULL, {columns})"


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
def test_every_value_arrives_and_the_same_table_by_every_way(world, schema, table):
    world = replace(world, schema=schema)
    expected = expected_rows(table)
    offsets = [case.name for case in CASES if case.keep_offset]
    required = table == "FILLED"
    wanted_types = [("id", "integer", True)]
    for case in CASES:
        wanted_types.append((case.name.lower(), case.target, required))
        if case.keep_offset:
            wanted_types.append((f"{case.name.lower()}_offset", "smallint", required))
    for way, params in WAYS.items():
        world.run({"source": table, "target": f"by_{way}", "columns": {"keep_offset": offsets}}, **params)
        assert find_differences(world, f"by_{way}", expected) == [], way
        assert column_types(world, f"by_{way}") == wanted_types, way
    for one, other in itertools.permutations(WAYS, 2):
        assert only_in(world, f"by_{one}", f"by_{other}") == [], (one, other)
