"""Tables of one column: a row without a value is an empty line of CSV, an empty text is a pair of quotes."""

from __future__ import annotations

import pytest

from tests.load.ways import WAYS

TEXTS = (None, "", "\\.", "\\N", "NULL", '"', '""', ",", "\n", " ", "x", None, "", None)


def literal(text: str | None) -> str:
    return "NULL" if text is None else "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


@pytest.mark.parametrize("way", list(WAYS))
def test_every_text_and_null_of_a_table_of_one_column(world, way):
    world.sql(
        "CREATE TABLE SRC (A VARCHAR(9))",
        f"INSERT INTO SRC VALUES {', '.join(f'({literal(text)})' for text in TEXTS)}",
    )
    world.run({"source": "SRC", "target": "t"}, verify="fingerprint", **WAYS[way])
    found = [row[0] for row in world.query("SELECT a FROM public.t")]
    assert sorted(found, key=repr) == sorted(TEXTS, key=repr)


@pytest.mark.parametrize("way", list(WAYS))
def test_numbers_and_nulls_of_a_table_of_one_column(world, way):
    world.sql("CREATE TABLE SRC (N NUMBER(9,0))", "INSERT INTO SRC VALUES (NULL), (0), (NULL), (-5), (NULL)")
    world.run({"source": "SRC", "target": "t"}, verify="fingerprint", **WAYS[way])
    found = world.query("SELECT n, count(*) FROM public.t GROUP BY 1 ORDER BY 1")
    assert found == [(-5, 1), (0, 1), (None, 3)]
