"""Computed columns, which DESCRIBE TABLE shows as VIRTUAL, are columns like others."""

from __future__ import annotations

from tests.load.ways import WAYS, column_types


def test_a_computed_column_is_copied_with_its_values(world):
    world.sql(
        "CREATE TABLE SRC (ID NUMBER(9,0), PRICE NUMBER(9,2), TOTAL NUMBER(12,2) AS (PRICE * 2))",
        "INSERT INTO SRC (ID, PRICE) VALUES (1, 1.25), (2, NULL), (3, 3.5)",
    )
    for way, params in WAYS.items():
        world.run({"source": "SRC", "target": f"by_{way}"}, verify="fingerprint", **params)
        assert [name for name, _, _ in column_types(world, f"by_{way}")] == ["id", "price", "total"]
        found = world.query(f"SELECT id, total::text FROM public.by_{way} ORDER BY id")
        assert found == [(1, "2.50"), (2, None), (3, "7.00")], way
