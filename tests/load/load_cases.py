"""Values of every type, as they stand in Parquet, as they stand in CSV, and as PostgreSQL must print them afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import pyarrow as pa

from snowmelt.types.type_table import Form

_UUID = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
_NINES = "9" * 38


@dataclass(frozen=True)
class Case:
    name: str
    form: Form
    target: str
    parquet: pa.Array
    csv: tuple[str, ...]
    expected: tuple[str, ...]

    def __str__(self) -> str:
        return self.name


def _case(name, form, target, values, arrow, csv, expected=None) -> Case:
    return Case(name, form, target, pa.array(values, arrow), tuple(csv), tuple(expected or csv))


def _numbers(name, form, target, arrow, *texts) -> Case:
    values = [Decimal(text) if pa.types.is_decimal(arrow) else int(text) for text in texts]
    return _case(name, form, target, values, arrow, texts)


CASES = (
    _numbers("int8 to smallint", Form.INTEGER, "smallint", pa.int8(), "-128", "0", "127"),
    _numbers("int64 to smallint", Form.INTEGER, "smallint", pa.int64(), "-32768", "0", "32767"),
    _numbers("decimal to smallint", Form.INTEGER, "smallint", pa.decimal128(38, 0), "-32768", "0", "32767"),
    _numbers(
        "decimal to integer", Form.INTEGER, "integer", pa.decimal128(9, 0), "-999999999", "0", "999999999"
    ),
    _numbers("int16 to integer", Form.INTEGER, "integer", pa.int16(), "-32768", "0", "32767"),
    _numbers("int32 to integer", Form.INTEGER, "integer", pa.int32(), "-2147483648", "0", "2147483647"),
    _numbers(
        "int64 to bigint", Form.INTEGER, "bigint", pa.int64(), "-9223372036854775808", "9223372036854775807"
    ),
    _numbers(
        "decimal to bigint",
        Form.INTEGER,
        "bigint",
        pa.decimal128(38, 0),
        "-9223372036854775808",
        "9223372036854775807",
    ),
    _numbers(
        "decimal256 to bigint", Form.INTEGER, "bigint", pa.decimal256(60, 0), "-1", "9223372036854775807"
    ),
    _numbers("uint64 to numeric", Form.INTEGER, "numeric", pa.uint64(), "0", "18446744073709551615"),
    _numbers(
        "int64 to numeric(38)", Form.INTEGER, "numeric(38,0)", pa.int64(), "-9223372036854775808", "10000"
    ),
    _numbers(
        "decimal to numeric(38)",
        Form.INTEGER,
        "numeric(38,0)",
        pa.decimal128(38, 0),
        _NINES,
        f"-{_NINES}",
        "0",
        "1",
        "9999",
        "10000",
        "100000000",
        "10000000000000000000",
    ),
    _numbers(
        "decimal to numeric(10,2)",
        Form.DECIMAL,
        "numeric(10,2)",
        pa.decimal128(10, 2),
        "0.00",
        "-0.01",
        "99999999.99",
        "-99999999.99",
        "1.10",
    ),
    _numbers(
        "decimal to numeric",
        Form.DECIMAL,
        "numeric",
        pa.decimal128(38, 18),
        "0.000000000000000001",
        "-99999999999999999999.999999999999999999",
        "0.000000000000000000",
    ),
    _numbers(
        "decimal(37,37)",
        Form.DECIMAL,
        "numeric(37,37)",
        pa.decimal128(37, 37),
        "0." + "9" * 37,
        "-0." + "0" * 36 + "1",
    ),
    _numbers("decimal256", Form.DECIMAL, "numeric(38,2)", pa.decimal256(60, 2), "9" * 36 + ".99", "-0.50"),
    _case(
        "narrowed to int8",
        Form.DECIMAL,
        "numeric(10,2)",
        [5, -7],
        pa.int8(),
        ["5", "-7"],
        ["5.00", "-7.00"],
    ),
    _case(
        "scale narrowed",
        Form.DECIMAL,
        "numeric(20,4)",
        [Decimal("1.5"), Decimal("-0.1")],
        pa.decimal128(5, 1),
        ["1.5", "-0.1"],
        ["1.5000", "-0.1000"],
    ),
    _case(
        "double",
        Form.DOUBLE,
        "double precision",
        [0.1, -0.0, float("nan"), float("inf"), float("-inf"), 5e-324, 1.7976931348623157e308, 1 / 3],
        pa.float64(),
        [
            "1.0000000000000001e-01",
            "-0",
            "NaN",
            "Infinity",
            "-Infinity",
            "4.9406564584124654e-324",
            "1.7976931348623157e+308",
            "3.3333333333333331e-01",
        ],
        [
            "0.1",
            "-0",
            "NaN",
            "Infinity",
            "-Infinity",
            "5e-324",
            "1.7976931348623157e+308",
            "0.3333333333333333",
        ],
    ),
    _case("boolean", Form.BOOLEAN, "boolean", [True, False], pa.bool_(), ["true", "false"]),
    _case(
        "date",
        Form.DATE,
        "date",
        [-719162, 2932896, 0, -1, 19782],
        pa.int32(),
        ["0001-01-01", "9999-12-31", "1970-01-01", "1969-12-31", "2024-02-29"],
    ),
    _case(
        "time",
        Form.TIME_US,
        "time",
        [0, 86_399_999_999, 1],
        pa.int64(),
        ["00:00:00.000000", "23:59:59.999999", "00:00:00.000001"],
        ["00:00:00", "23:59:59.999999", "00:00:00.000001"],
    ),
    _case(
        "timestamp",
        Form.EPOCH_US,
        "timestamp",
        [0, -1, -62135596800000000, 253402300799999999, 1700000000123456],
        pa.int64(),
        [
            "1970-01-01 00:00:00.000000",
            "1969-12-31 23:59:59.999999",
            "0001-01-01 00:00:00.000000",
            "9999-12-31 23:59:59.999999",
            "2023-11-14 22:13:20.123456",
        ],
        [
            "1970-01-01 00:00:00",
            "1969-12-31 23:59:59.999999",
            "0001-01-01 00:00:00",
            "9999-12-31 23:59:59.999999",
            "2023-11-14 22:13:20.123456",
        ],
    ),
    _case(
        "timestamptz from decimal",
        Form.EPOCH_US,
        "timestamptz",
        [Decimal(-1), Decimal(1700000000123456)],
        pa.decimal128(38, 0),
        ["1969-12-31 23:59:59.999999+00", "2023-11-14 22:13:20.123456+00"],
    ),
    _case(
        "timestamp(3)",
        Form.EPOCH_US,
        "timestamp(3)",
        [1700000000123000],
        pa.int64(),
        ["2023-11-14 22:13:20.123"],
    ),
    *(
        _case(
            f"text as {arrow}",
            Form.TEXT,
            target,
            ["", " ", "a,b", 'say "x"', "\\N", "\\.", "line\nfeed", "cr\rlf\r\n", "tab\t", "é🙂", "  two  "],
            arrow,
            [
                '""',
                '" "',
                '"a,b"',
                '"say ""x"""',
                '"\\N"',
                '"\\."',
                '"line\nfeed"',
                '"cr\rlf\r\n"',
                '"tab\t"',
                '"é🙂"',
                '"  two  "',
            ],
            ["", " ", "a,b", 'say "x"', "\\N", "\\.", "line\nfeed", "cr\rlf\r\n", "tab\t", "é🙂", "  two  "],
        )
        for arrow, target in (
            (pa.string(), "text"),
            (pa.large_string(), "varchar(10)"),
            (pa.string_view(), "varchar"),
            (pa.dictionary(pa.int32(), pa.string()), "text"),
        )
    ),
    _case(
        "jsonb",
        Form.JSON,
        "jsonb",
        [
            '{"a": 1.10, "b": [null, true]}',
            '"\\ud83d\\ude42"',
            "null",
            '"\\\\u0000"',
            "123456789012345678901.5",
        ],
        pa.string(),
        [
            '"{""a"": 1.10, ""b"": [null, true]}"',
            '"""\\ud83d\\ude42"""',
            '"null"',
            '"""\\\\u0000"""',
            '"123456789012345678901.5"',
        ],
        ['{"a": 1.10, "b": [null, true]}', '"🙂"', "null", '"\\\\u0000"', "123456789012345678901.5"],
    ),
    _case(
        "json",
        Form.JSON,
        "json",
        ['{"a":  1}', '"\\u0000"'],
        pa.string(),
        ['"{""a"":  1}"', '"""\\u0000"""'],
        ['{"a":  1}', '"\\u0000"'],
    ),
    _case("json to text", Form.JSON, "text", ['{"a":  1}'], pa.string(), ['"{""a"":  1}"'], ['{"a":  1}']),
    _case(
        "ewkt",
        Form.EWKT,
        "text",
        ["SRID=4326;POINT(1 2)"],
        pa.string(),
        ['"SRID=4326;POINT(1 2)"'],
        ["SRID=4326;POINT(1 2)"],
    ),
    _case(
        "uuid",
        Form.UUID,
        "uuid",
        [_UUID, _UUID.upper()],
        pa.string(),
        [f'"{_UUID}"', f'"{_UUID.upper()}"'],
        [_UUID, _UUID],
    ),
    _case(
        "vector of floats",
        Form.VECTOR,
        "real[]",
        ["[1, -2.5, 0.1]", "[3.4028235e38,1e-45]", "[0.100000001490116]"],
        pa.string(),
        ['"{1, -2.5, 0.1}"', '"{3.4028235e38,1e-45}"', '"{0.100000001490116}"'],
        ["{1,-2.5,0.1}", "{3.4028235e+38,1e-45}", "{0.1}"],
    ),
    _case(
        "vector of integers",
        Form.VECTOR,
        "integer[]",
        ["[1,-2147483648]", "[2147483647]"],
        pa.string(),
        ['"{1,-2147483648}"', '"{2147483647}"'],
        ["{1,-2147483648}", "{2147483647}"],
    ),
    *(
        _case(
            f"bytes as {arrow}",
            Form.BYTES,
            "bytea",
            [b"", b"\x00\xff", b"abc"],
            arrow,
            ['"\\x"', '"\\x00ff"', '"\\x616263"'],
            ["\\x", "\\x00ff", "\\x616263"],
        )
        for arrow in (pa.binary(), pa.large_binary(), pa.binary_view())
    ),
)
