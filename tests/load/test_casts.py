"""The allow-list, pair by pair."""

from __future__ import annotations

import itertools

import pyarrow as pa
import pytest

from snowmelt.types.type_table import Form
from tests.load.cast_plans import plan

NUMBERS = ("smallint", "integer", "bigint", "numeric", "numeric(10,2)")
TARGETS = (
    *NUMBERS,
    "double precision",
    "real",
    "boolean",
    "date",
    "time without time zone",
    "time with time zone",
    "timestamp without time zone",
    "timestamp with time zone",
    "timestamp(3) without time zone",
    "text",
    "character varying",
    "character varying(20)",
    "character(20)",
    "jsonb",
    "json",
    "uuid",
    "bytea",
    "real[]",
    "integer[]",
    "double precision[]",
    "text[]",
    "money",
    "interval",
    "xml",
    "oid",
    "inet",
)
ARROW = {
    "int8": pa.int8(),
    "int16": pa.int16(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "uint8": pa.uint8(),
    "uint64": pa.uint64(),
    "decimal(38,0)": pa.decimal128(38, 0),
    "decimal256(40,0)": pa.decimal256(40, 0),
    "decimal(10,2)": pa.decimal128(10, 2),
    "decimal(10,-2)": pa.decimal128(10, -2),
    "half": pa.float16(),
    "float": pa.float32(),
    "double": pa.float64(),
    "bool": pa.bool_(),
    "date32": pa.date32(),
    "date64": pa.date64(),
    "time32": pa.time32("ms"),
    "time64": pa.time64("us"),
    "timestamp[us]": pa.timestamp("us"),
    "timestamp[ms, UTC]": pa.timestamp("ms", "UTC"),
    "timestamp[ns]": pa.timestamp("ns"),
    "duration": pa.duration("us"),
    "string": pa.string(),
    "large_string": pa.large_string(),
    "string_view": pa.string_view(),
    "dictionary": pa.dictionary(pa.int32(), pa.string()),
    "dictionary of double": pa.dictionary(pa.int32(), pa.float64()),
    "binary": pa.binary(),
    "binary(16)": pa.binary(16),
    "list": pa.list_(pa.float32()),
    "struct": pa.struct([("a", pa.int32())]),
    "null": pa.null(),
}
INTEGERS = {"int8", "int16", "int32", "int64", "uint8", "uint64", "decimal(38,0)", "decimal256(40,0)"}
STRINGS = {"string", "large_string", "string_view", "dictionary"}
TIMESTAMPS = {
    "timestamp without time zone",
    "timestamp with time zone",
    "timestamp(3) without time zone",
}
VARCHAR = {"text", "character varying", "character varying(20)"}
#: Written out here: what passes, and nothing else.
PASSES = {
    Form.INTEGER: (INTEGERS, set(NUMBERS)),
    Form.DECIMAL: (INTEGERS | {"decimal(10,2)"}, {"numeric", "numeric(10,2)"}),
    Form.DOUBLE: ({"double", "dictionary of double"}, {"double precision"}),
    Form.BOOLEAN: ({"bool"}, {"boolean"}),
    Form.DATE: ({"date32"}, {"date"}),
    Form.EPOCH_US: (INTEGERS, TIMESTAMPS),
    Form.TIME_US: (INTEGERS, {"time without time zone"}),
    Form.TEXT: (STRINGS, VARCHAR),
    Form.JSON: (STRINGS, {"jsonb", "json", "text"}),
    Form.EWKT: (STRINGS, {"text"}),
    Form.VECTOR: (STRINGS, {"real[]", "integer[]"}),
    Form.UUID: (STRINGS, {"uuid", "text"}),
    Form.BYTES: ({"binary", "binary(16)"}, {"bytea"}),
}


@pytest.mark.parametrize("form", Form)
def test_only_the_allow_list_passes(form):
    arrows, targets = PASSES[form]
    for arrow, target in itertools.product(ARROW, TARGETS):
        planned = plan(form, ARROW[arrow], target)
        if arrow in arrows and target in targets:
            assert not isinstance(planned, str), (arrow, target, planned)
        else:
            assert isinstance(planned, str), (arrow, target)
            assert planned.startswith("SRC: Arrow ")
            assert f"dst {target}" in planned


def test_a_refusal_names_both_types():
    assert plan(Form.DOUBLE, pa.float64(), "bigint") == (
        "SRC: Arrow double, staged as double, has no safe way into dst bigint"
    )


def test_numeric_of_negative_scale_is_refused():
    assert "rounds to the left of the point" in plan(Form.INTEGER, pa.int64(), "numeric(5,-2)")


def test_more_than_37_places_are_refused():
    assert "38 digits after the point" in plan(Form.DECIMAL, pa.decimal128(38, 38), "numeric")
