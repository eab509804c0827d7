"""Every value that must not pass a cast, and what passes it untouched."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest

from snowmelt.load.casts import show_of
from snowmelt.types.type_table import Form
from tests.load.cast_plans import plan

FIRST_US, FIRST_DAY, LAST_DAY = -210_866_803_200_000_000, -2_440_588, 2_145_042_905
OUT = "out of range for "
REFUSED = [
    (Form.INTEGER, pa.int64(), "smallint", [32768, -32769, 0, None], [OUT + "smallint"] * 2),
    (Form.INTEGER, pa.int64(), "integer", [2**31, -(2**31) - 1], [OUT + "integer"] * 2),
    (Form.INTEGER, pa.uint64(), "bigint", [2**63, 1], [OUT + "bigint"]),
    (
        Form.INTEGER,
        pa.decimal128(38, 0),
        "bigint",
        [Decimal(2**63), Decimal(-(2**63) - 1), Decimal(2**64 + 5), Decimal(7)],
        [OUT + "bigint"] * 3,
    ),
    (
        Form.DECIMAL,
        pa.decimal128(10, 3),
        "numeric(10,2)",
        [Decimal("1.005"), Decimal("1.010")],
        ["has more than 2 digits after the point, numeric(10,2) would round it"],
    ),
    (
        Form.DECIMAL,
        pa.decimal128(38, 37),
        "numeric(38,2)",
        [Decimal("1." + "0" * 36 + "1"), Decimal("1.5")],
        ["has more than 2 digits after the point, numeric(38,2) would round it"],
    ),
    (
        Form.DECIMAL,
        pa.decimal128(38, 2),
        "numeric(10,2)",
        [Decimal("100000000.00"), Decimal("-100000000.00"), Decimal("99999999.99")],
        [OUT + "numeric(10,2)"] * 2,
    ),
    (Form.INTEGER, pa.int64(), "numeric(4,2)", [100, -100, 99], [OUT + "numeric(4,2)"] * 2),
    # of more than 28 digits: Python's own arithmetic would round the nines up to the bound
    (
        Form.INTEGER,
        pa.decimal128(38, 0),
        "numeric(30,0)",
        [Decimal("1" + "0" * 30), Decimal("-1" + "0" * 30), Decimal("9" * 30), Decimal("-" + "9" * 30), None],
        [OUT + "numeric(30,0)"] * 2,
    ),
    (
        Form.DECIMAL,
        pa.decimal128(38, 10),
        "numeric(30,10)",
        [
            Decimal("1" + "0" * 20),
            Decimal("-" + "9" * 20 + "." + "9" * 10),
            Decimal("9" * 20 + "." + "9" * 10),
        ],
        [OUT + "numeric(30,10)"],
    ),
    (
        Form.INTEGER,
        pa.decimal256(60, 0),
        "numeric",
        [Decimal(10**38), Decimal(10**38 - 1)],
        ["more than 38 digits"],
    ),
    (
        Form.EPOCH_US,
        pa.int64(),
        "timestamp",
        [FIRST_US - 1, -(2**63), FIRST_US, 2**63 - 1],
        [OUT + "timestamp without time zone"] * 2,
    ),
    (
        Form.EPOCH_US,
        pa.decimal128(38, 0),
        "timestamptz",
        [Decimal(2**63), Decimal(0)],
        [OUT + "timestamp with time zone"],
    ),
    (
        Form.EPOCH_US,
        pa.int64(),
        "timestamp(3)",
        [1_001, -1, 1_000, -1_000],
        ["timestamp(3) without time zone would round away digits of the second"] * 2,
    ),
    (
        Form.TIME_US,
        pa.int64(),
        "time",
        [86_400_000_000, -1, 86_399_999_999],
        [OUT + "time without time zone"] * 2,
    ),
    (
        Form.TEXT,
        pa.string(),
        "text",
        ["a\x00b", "\x00", "ok", None, ""],
        ["holds a NUL character (0x00)"] * 2,
    ),
    (
        Form.TEXT,
        pa.string(),
        "varchar(3)",
        ["abcd", "abc ", "éèê", "abc"],
        ["4 characters, character varying(3) holds 3"] * 2,
    ),
    (
        Form.JSON,
        pa.string(),
        "jsonb",
        ['"\\u0000"', '"\\\\u0000"', '"\\\\\\u0000"'],
        ["holds \\u0000, which jsonb cannot hold", None, "holds \\u0000, which jsonb cannot hold"],
    ),
    (
        Form.JSON,
        pa.string(),
        "jsonb",
        [
            '"\\ud83d"',
            '"\\ude42"',
            '"\\ud83d\\ud83d\\ude42"',
            '"\\ud83dx\\ude42"',
            '"\\ud83d\\n"',
            '"\\ud83d\\ude42\\ud83d\\ude42"',
            '"\\uD83D\\uDE42"',
        ],
        ["holds half of a surrogate pair, which jsonb cannot hold"] * 5,
    ),
    (Form.JSON, pa.string(), "text", ['"\x00"', '"\\u0000"'], ["holds a NUL character (0x00)"]),
    (
        Form.UUID,
        pa.string(),
        "uuid",
        [
            "x",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1g",
            "a0eebc999c0b4ef8bb6d6bb9bd380a11aaaa",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        ],
        ["not a UUID of 36 characters"] * 3,
    ),
    (
        Form.VECTOR,
        pa.string(),
        "real[]",
        ["[1,null]", "1,2", "[]", '["1"]', "[1e39]", "[[1]]", "[1]"],
        [
            "element None is not a number of real[]",
            *["not a JSON array of numbers"] * 2,
            "element '1' is not a number of real[]",
            "element 1e+39 is out of range for real[]",
            "element [1] is not a number of real[]",
        ],
    ),
    (
        Form.VECTOR,
        pa.string(),
        "integer[]",
        ["[1.5]", "[2147483648]", "[true]", "[1]"],
        [
            "element 1.5 is not a number of integer[]",
            "element 2147483648 is out of range for integer[]",
            "element True is not a number of integer[]",
        ],
    ),
]


@pytest.mark.parametrize(
    ("form", "arrow", "target", "values", "reasons"), REFUSED, ids=lambda part: str(part)[:40]
)
def test_values_that_must_not_pass(form, arrow, target, values, reasons):
    cast = plan(form, arrow, target)
    casted = cast.apply(pa.array(values, arrow))
    assert casted.refused == {row: reason for row, reason in enumerate(reasons) if reason}
    assert len(casted.array) == len(values)
    for row, value in enumerate(values):
        assert casted.array[row].is_valid == (row not in casted.refused and value is not None)
    # and without them the same batch passes
    good = [value for row, value in enumerate(values) if row not in casted.refused]
    assert cast.apply(pa.array(good, arrow)).refused == {}


def test_dates_beyond_what_postgres_has():
    cast = plan(Form.DATE, pa.date32(), "date")
    days = pa.array([FIRST_DAY - 1, FIRST_DAY, LAST_DAY, LAST_DAY + 1], pa.int32()).view(pa.date32())
    assert cast.apply(days).refused == {0: "out of range for date", 3: "out of range for date"}
    assert [show_of(days.slice(at, 1)) for at in range(4)] == [
        "-4713-11-23",
        "-4713-11-24",
        "5874897-12-31",
        "5874898-01-01",
    ]


def test_null_in_a_not_null_column():
    cast = plan(Form.TEXT, pa.string(), "text", nullable=False)
    casted = cast.apply(pa.array(["a", None, "\x00"]))
    assert casted.refused == {1: "NULL in a NOT NULL column", 2: "holds a NUL character (0x00)"}


def test_nul_bytes_under_a_null_or_outside_of_a_slice_do_not_matter():
    cast = plan(Form.TEXT, pa.string(), "text")
    under = pa.StringArray.from_buffers(
        3,
        pa.array([0, 1, 2, 3], pa.int32()).buffers()[1],
        pa.py_buffer(b"a\x00b"),
        pa.array([True, False, True]).buffers()[1],
    )
    assert cast.apply(under).array.to_pylist() == ["a", None, "b"]
    outside = pa.array(["\x00", "a", "b", "\x00"]).slice(1, 2)
    assert cast.apply(outside).array.to_pylist() == ["a", "b"]
    assert cast.apply(outside).refused == {}


def test_slices_keep_their_rows():
    text = pa.array(
        [None, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", None, "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A12", "bad"]
    )
    casted = plan(Form.UUID, pa.string(), "uuid").apply(text.slice(1, 3))
    assert [value and value.hex() for value in casted.array.to_pylist()] == [
        "a0eebc999c0b4ef8bb6d6bb9bd380a11",
        None,
        "a0eebc999c0b4ef8bb6d6bb9bd380a12",
    ]
    vectors = pa.array(["[9]", None, "[1, 2]", "[3]", None]).slice(1, 4)
    assert plan(Form.VECTOR, pa.string(), "integer[]").apply(vectors).array.to_pylist() == [
        None,
        [1, 2],
        [3],
        None,
    ]


@pytest.mark.parametrize("form", [Form.VECTOR, Form.UUID])
@pytest.mark.parametrize("values", [[], [None, None]])
def test_nothing_but_nulls(form, values):
    cast = plan(form, pa.string(), "real[]" if form is Form.VECTOR else "uuid")
    assert cast.apply(pa.array(values, pa.string())).array.to_pylist() == values
