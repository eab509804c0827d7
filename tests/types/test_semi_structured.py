"""What TO_JSON prints is loaded as what it means: a NULL of an ARRAY, texts that look like it, times with all digits, FLOATs."""

from __future__ import annotations

import pytest

from tests.load.ways import WAYS

ARRAYS = (
    ("ARRAY_CONSTRUCT(1, NULL, 'x')", [1, None, "x"]),
    ("ARRAY_CONSTRUCT(NULL, ARRAY_CONSTRUCT(NULL, NULL), 2)", [None, [None, None], 2]),
    (
        "ARRAY_CONSTRUCT('undefined', NULL, ',undefined,', '[undefined]')",
        ["undefined", None, ",undefined,", "[undefined]"],
    ),
    (
        "ARRAY_CONSTRUCT(NULL, 'say \"undefined\"', 'ends in \\\\', NULL)",
        [None, 'say "undefined"', "ends in \\", None],
    ),
    ("ARRAY_CONSTRUCT('\\\\\"', NULL, '\x01undefined', 'null')", ['\\"', None, "\x01undefined", "null"]),
    ("ARRAY_CONSTRUCT('undefined')", ["undefined"]),
    ("ARRAY_CONSTRUCT()", []),
)


@pytest.mark.parametrize("strict", ["FALSE", "TRUE"])
def test_the_null_of_an_array_is_a_json_null(world, strict):
    world.sql("CREATE TABLE SRC (ID NUMBER(9,0), A ARRAY, V VARIANT)")
    for row, (sql, _) in enumerate(ARRAYS):
        world.sql(f"INSERT INTO SRC SELECT {row}, {sql}, OBJECT_CONSTRUCT('undefined', {sql})::VARIANT")
    world.sql(f"ALTER SESSION SET STRICT_JSON_OUTPUT = {strict}")
    expected = [(row, value, {"undefined": value}) for row, (_, value) in enumerate(ARRAYS)]
    try:
        for way, params in WAYS.items():
            world.run({"source": "SRC", "target": f"by_{way}"}, verify="fingerprint", **params)
            assert world.query(f"SELECT id, a, v FROM public.by_{way} ORDER BY id") == expected, way
    finally:
        world.sql("ALTER SESSION SET STRICT_JSON_OUTPUT = FALSE")


def test_a_float_inside_a_variant_has_sixteen_digits_and_all_of_them_as_a_column_of_its_own(world):
    """docs/types.md shows this view."""
    world.sql(
        "CREATE TABLE RAW_EVENTS AS SELECT 1 AS ID, OBJECT_CONSTRUCT('x', 0.1::FLOAT + 0.2::FLOAT)::VARIANT AS V",
        "CREATE VIEW SRC AS SELECT ID, V, V:x::FLOAT AS X FROM RAW_EVENTS",
    )
    world.run({"source": "SRC", "target": "t"}, **WAYS["parquet"])
    [(inside, beside)] = world.query("SELECT (v->>'x')::float8, x FROM public.t")
    assert beside == 0.1 + 0.2
    assert inside == 0.3
