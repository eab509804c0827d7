"""Every NUMBER(p,s) there is, 778 of them, by every way: digit by digit, and in the narrowest type that takes all of its values."""

from __future__ import annotations

import pytest

from tests.load.ways import WAYS, column_types
from tests.types.numbers import postgres_type, write_number

#: 38 digits, no two neighbours alike.
MIXED = "73918264501928374650918273645019283746"
#: Digits of the columns of one table. A row of PostgreSQL's has to fit into 8 kB, which 778 such columns would not.
SPANS = ((1, 19), (20, 27), (28, 33), (34, 38))


def number_types(low: int, high: int) -> list[tuple[int, int]]:
    return [(digits, scale) for digits in range(low, high + 1) for scale in range(min(digits, 37) + 1)]


def number_values(digits: int, scale: int) -> list[str]:
    """The largest, the smallest, zero, one unit in the last place and its negative, mixed digits."""
    unscaled = ("9" * digits, "-" + "9" * digits, "0", "1", "-1", MIXED[:digits])
    return [write_number(text, scale) for text in unscaled]


def test_all_number_types_are_tried():
    types = [each for span in SPANS for each in number_types(*span)]
    assert len(types) == len(set(types)) == 778
    assert {digits for digits, _ in types} == set(range(1, 39))
    assert number_values(3, 2) == ["9.99", "-9.99", "0.00", "0.01", "-0.01", "7.39"]
    assert number_values(2, 2) == ["0.99", "-0.99", "0.00", "0.01", "-0.01", "0.73"]
    assert number_values(2, 0) == ["99", "-99", "0", "1", "-1", "73"]


@pytest.mark.parametrize("span", SPANS, ids=lambda span: f"{span[0]} to {span[1]} digits")
def test_every_number_arrives_to_the_last_digit_by_every_way(world, span):
    types = number_types(*span)
    rows = list(zip(*(number_values(*each) for each in types), strict=True))
    columns = ", ".join(f"N{digits}_{scale} NUMBER({digits},{scale})" for digits, scale in types)
    world.sql(f"CREATE TABLE NUMBERS (ID NUMBER(9,0), {columns})")
    for row, texts in enumerate(rows):
        world.sql(f"INSERT INTO NUMBERS SELECT {row}, " + ", ".join(f"'{text}'" for text in texts))
    names = [f"n{digits}_{scale}" for digits, scale in types]
    read = ", ".join(f"{name}::text" for name in names)
    for way, params in WAYS.items():
        # Two hundred columns' fingerprints take longer than all the rest: they are compared once.
        verify = "fingerprint" if way == "parquet" else "counts"
        world.run({"source": "NUMBERS", "target": f"by_{way}"}, verify=verify, **params)
        found = world.query(f"SELECT {read} FROM public.by_{way} ORDER BY id")
        assert [len(found), *map(len, found)] == [len(rows), *map(len, rows)]
        wrong = [
            (name, mine, text)
            for row, texts in enumerate(rows)
            for name, mine, text in zip(names, found[row], texts, strict=True)
            if mine != text
        ]
        assert wrong == [], way
        assert [kind for _, kind, _ in column_types(world, f"by_{way}")[1:]] == [
            postgres_type(*each) for each in types
        ], way
