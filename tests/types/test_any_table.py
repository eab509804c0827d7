"""Generated tables, from CREATE TABLE in Snowflake to the published target, by every way: names, types and values.

HYPOTHESIS_PROFILE=long tries 1,000 tables instead of 30.
"""

from __future__ import annotations

import datetime as dt
import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.load.ways import WAYS, column_types, quoted
from tests.types.any_table import AnyColumn, any_tables

TABLES = 1000 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 30
MINUTE = dt.timedelta(minutes=1)


def create(world, columns: list[AnyColumn]) -> None:
    definitions = ", ".join(
        f"{quoted(column.name)} {column.kind.type}{'' if column.nullable else ' NOT NULL'}"
        for column in columns
    )
    world.sql(f"CREATE TABLE SRC (ID NUMBER(9,0) NOT NULL, {definitions})")
    for row, literals in enumerate(zip(*(column.literals() for column in columns), strict=True)):
        world.sql(f"INSERT INTO SRC SELECT {row}, {', '.join(literals)}")


def check_target(world, target: str, columns: list[AnyColumn]) -> None:
    """Compare a published table with the generated columns, by position: names may have been shortened."""
    found = column_types(world, target)[1:]
    wanted = [
        (name, kind, not column.nullable)
        for column in columns
        for name, kind in ((column.target, column.kind.target), ("offset", "smallint"))[
            : 1 + column.keep_offset
        ]
    ]
    assert [each[1:] for each in found] == [each[1:] for each in wanted]
    read, reading = [], []
    places = iter(found)
    for column in columns:
        name = next(places)[0]
        assert column.target in {name, None}
        reading.append((column, column.kind.compared, column.expected()))
        read.append(column.kind.read.format(c=quoted(name)))
        if column.keep_offset:
            minutes = [None if value is None else value.utcoffset() // MINUTE for value in column.expected()]
            reading.append((column, lambda value: value, minutes))
            read.append(quoted(next(places)[0]))
    rows = world.query(f"SELECT {', '.join(read)} FROM public.{target} ORDER BY id")
    assert len(rows) == len(columns[0].values)
    for place, (column, compared, expected) in enumerate(reading):
        for row, value in zip(rows, expected, strict=True):
            assert compared(row[place]) == compared(value), (target, column.name, column.kind.type)


@settings(
    max_examples=TABLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(columns=any_tables(), compared=st.sampled_from(list(WAYS)))
def test_any_table_arrives_by_every_way(shared_world, columns, compared):
    kept = [quoted(column.name) for column in columns if column.keep_offset]
    table = {"source": "SRC", "long_names": "shorten", "columns": {"keep_offset": kept}}
    create(shared_world, columns)
    try:
        for way, params in WAYS.items():
            # The fingerprint is asked for half a second later; that of one way in three is enough.
            verify = "fingerprint" if way == compared else "counts"
            shared_world.run(table | {"target": f"by_{way}"}, verify=verify, **params)
            check_target(shared_world, f"by_{way}", columns)
    finally:
        shared_world.sql("DROP TABLE SRC")
        shared_world.execute(*(f"DROP TABLE IF EXISTS public.by_{way}" for way in WAYS))
