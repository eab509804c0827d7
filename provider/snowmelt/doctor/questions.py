"""What the doctor asks an account: a query for each assumption, and three rows that are unloaded as Parquet and as CSV."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Question:
    """One query that returns one row, and the row that is expected, each value as text (None: NULL)."""

    name: str
    sql: str
    expected: tuple[str | None, ...]
    #: What is compared of an answer's text: its value, where an account is free to write it otherwise.
    read: Callable[[str], str] = str


def _decimals(text: str) -> str:
    """The numbers of a JSON text by their value, to the last digit."""
    return str(json.loads(text, parse_int=Decimal, parse_float=Decimal))


def _doubles(text: str) -> str:
    """All numbers in a text as the nearest 64-bit floats."""
    return ", ".join(repr(float(number)) for number in re.findall(r"-?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?", text))


def _singles(text: str) -> str:
    """The numbers of a JSON array as the nearest 32-bit floats, in hexadecimal digits."""
    return ", ".join(struct.pack(">f", number).hex() for number in json.loads(text))


QUESTIONS: tuple[Question, ...] = (
    Question(
        "epoch microseconds",
        "SELECT DATE_PART(EPOCH_MICROSECOND, '1969-12-31 23:59:59.999999'::TIMESTAMP_NTZ), "
        "DATE_PART(EPOCH_MICROSECOND, '0001-01-01 00:00:00'::TIMESTAMP_NTZ), "
        "DATE_PART(EPOCH_MICROSECOND, '9999-12-31 23:59:59.999999'::TIMESTAMP_NTZ), "
        "DATE_PART(EPOCH_MICROSECOND, '1969-12-31 23:59:59.500000 -0500'::TIMESTAMP_TZ)",
        ("-1", "-62135596800000000", "253402300799999999", "17999500000"),
    ),
    Question(
        "float fingerprint",
        "SELECT CAST(TRUNC(562949953421311::FLOAT + 0.5::FLOAT) AS NUMBER(38,0)), "
        "CAST(TRUNC(-562949953421311::FLOAT - 0.5::FLOAT) AS NUMBER(38,0)), "
        "IFF(POWER(2, -1074) * POWER(2, 537) * POWER(2, 537) = 1, 1, 0), "
        "CAST((0.1::FLOAT - TRUNC(0.1::FLOAT)) * 562949953421312 * 64 AS NUMBER(38,0))",
        ("562949953421311", "-562949953421311", "1", "3602879701896397"),
    ),
    Question("hash", "SELECT MD5_NUMBER_LOWER64('abc')", ("15462616177412505458",)),
    Question(
        "text measures",
        "SELECT LENGTH('Ü€😀'), OCTET_LENGTH('Ü€😀'), HEX_ENCODE(TO_BINARY('00FFAB', 'HEX'), 0)",
        ("3", "9", "00ffab"),
    ),
    Question(
        "nanoseconds",
        "SELECT DATE_PART(NANOSECOND, '1969-12-31 23:59:59.123456789'::TIMESTAMP_NTZ(9)), "
        "DATE_PART(NANOSECOND, '23:59:59.999999999'::TIME(9)), "
        "DATE_PART(EPOCH_MICROSECOND, DATE_TRUNC('MICROSECOND', '1969-12-31 23:59:59.123456789'::TIMESTAMP_NTZ(9))), "
        "DATEDIFF(MICROSECOND, '00:00:00'::TIME, '23:59:59.999999999'::TIME(9)), "
        "TO_VARCHAR(DATE_TRUNC('MICROSECOND', '23:59:59.999999999'::TIME(9)), 'HH24:MI:SS.FF6')",
        ("123456789", "999999999", "-876544", "86399999999", "23:59:59.999999"),
    ),
    Question(
        "JSON numbers",
        "SELECT TO_JSON(PARSE_JSON('[12345678901234567890123456789012345678, -0.1234567890123456789012345678901234567]')), "
        "TO_JSON(PARSE_JSON('null')), TO_JSON(PARSE_JSON(NULL))",
        (
            "[Decimal('12345678901234567890123456789012345678'), Decimal('-0.1234567890123456789012345678901234567')]",
            "None",
            None,
        ),
        _decimals,
    ),
    Question("JSON NULL", "SELECT TO_JSON(ARRAY_CONSTRUCT(1, NULL))", ("[1,undefined]",)),
    Question(
        "JSON times",
        "SELECT TO_JSON(OBJECT_CONSTRUCT('n', '2024-02-01 03:04:05.123456789'::TIMESTAMP_NTZ(9), 't', '20:57:01.123456789'::TIME(9)))",
        ('{"n":"2024-02-01 03:04:05.123456789","t":"20:57:01.123456789"}',),
    ),
    Question(
        "literals",
        "SELECT '2024-02-01'::DATE, TO_VARCHAR('2024-02-01 03:04:05.123456789'::TIMESTAMP_NTZ(9), 'YYYY-MM-DD HH24:MI:SS.FF9')",
        ("2024-02-01", "2024-02-01 03:04:05.123456789"),
    ),
    Question(
        "JSON floats",
        "SELECT TO_JSON(TO_VARIANT(0.30000000000000004::FLOAT)), TO_JSON(TO_VARIANT(0.1::FLOAT))",
        ("0.3", "0.1"),
        _doubles,
    ),
    Question(
        "vector digits",
        "SELECT TO_JSON(CAST([0.1, -3.4028235e38, 16777217, 1e-45]::VECTOR(FLOAT, 4) AS ARRAY))",
        ("3dcccccd, ff7fffff, 4b800000, 00000001",),
        _singles,
    ),
    Question(
        "coordinates",
        "SELECT ST_ASEWKT(TO_GEOGRAPHY('POINT(-0.12345678901234567 51.123456789012345)'))",
        ("4326.0, -0.12345678901234566, 51.123456789012344",),
        _doubles,
    ),
    Question(
        "UUID text",
        "SELECT CAST('A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'::UUID AS VARCHAR)",
        ("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",),
        str.lower,
    ),
)


#: The columns of the staged rows: name → Snowflake type. Read by the product's own expressions for each type.
STAGED_TYPES: Mapping[str, str] = {
    "I": "NUMBER(9,0)",
    "N": "NUMBER(38,0)",
    "E": "NUMBER(10,2)",
    "F": "FLOAT",
    "T": "VARCHAR(100)",
    "B": "BINARY(8)",
    "D": "DATE",
    "H": "TIME(9)",
    "TS": "TIMESTAMP_NTZ(9)",
    "TZ": "TIMESTAMP_TZ(9)",
}

#: Three rows: the lowest values, awkward ones, and NULLs.
_STAGED_ROWS: tuple[Mapping[str, str], ...] = (
    {
        "I": "0",
        "N": "'-99999999999999999999999999999999999999'",
        "E": "'-1.05'",
        "F": "'-0'",
        "T": "''",
        "B": "TO_BINARY('00FF', 'HEX')",
        "D": "'0001-01-01'",
        "H": "'00:00:00'",
        "TS": "'0001-01-01 00:00:00'",
        "TZ": "'1969-12-31 23:59:59.999999 -0500'",
    },
    {
        "I": "1",
        "N": "'99999999999999999999999999999999999999'",
        "E": "'99999999.99'",
        "F": "'0.30000000000000004'",
        "T": "'\\\\N, \"q\"\\n'",
        "B": "TO_BINARY('7F', 'HEX')",
        "D": "'1582-10-04'",
        "H": "'23:59:59.999999'",
        "TS": "'1969-12-31 23:59:59.999999'",
        "TZ": "'9999-12-31 23:59:59.999999 +0000'",
    },
    {"I": "2"},
)

#: Assumption → column → the values of rows 0, 1 and 2 as Python's repr of what Parquet holds.
PARQUET_EXPECTED: Mapping[str, Mapping[str, tuple[str, str, str]]] = {
    "numbers in Parquet": {
        "N": ("-99999999999999999999999999999999999999", "99999999999999999999999999999999999999", "None"),
        "E": ("-1.05", "99999999.99", "None"),
    },
    "floats in Parquet": {"F": ("*", "0.30000000000000004", "None")},
    "binary in Parquet": {"B": ("b'\\x00\\xff'", "b'\\x7f'", "None")},
    "dates in Parquet": {"D": ("0001-01-01", "1582-10-04", "None")},
    "texts in Parquet": {"T": ("''", "'\\\\N, \"q\"\\n'", "None")},
    "times in Parquet": {
        "H": ("0", "86399999999", "None"),
        "TS": ("-62135596800000000", "-1", "None"),
        "TZ": ("17999999999", "253402300799999999", "None"),
    },
    "minus zero": {"F": ("-0.0", "*", "*")},
}  # fmt: skip

#: The same rows in CSV, as bytes in the file; a float is compared by value.
CSV_EXPECTED: Mapping[str, Mapping[str, tuple[str, str, str]]] = {
    "CSV quoting": {"T": ('""', '"\\N, ""q""\n"', "")},
    "CSV values": {
        "N": ("-99999999999999999999999999999999999999", "99999999999999999999999999999999999999", ""),
        "E": ("-1.05", "99999999.99", ""),
        "B": ('"\\x00FF"', '"\\x7F"', ""),
        "D": ('"0001-01-01"', '"1582-10-04"', ""),
        "TS": ('"0001-01-01 00:00:00.000000"', '"1969-12-31 23:59:59.999999"', ""),
        "TZ": ('"1970-01-01 04:59:59.999999+00"', '"9999-12-31 23:59:59.999999+00"', ""),
    },
    "float text": {"F": ("*", "0.30000000000000004", "")},
}


def build_staged_source() -> str:
    """The three rows as a query, every column cast to its type."""
    rows = [
        ", ".join(
            f'CAST({row.get(name, "NULL")} AS {type_}) AS "{name}"' for name, type_ in STAGED_TYPES.items()
        )
        for row in _STAGED_ROWS
    ]
    return "(" + " UNION ALL ".join(f"SELECT {row}" for row in rows) + ")"


def compare_cells(expected: Mapping[str, tuple[str, str, str]], cells: Mapping[str, tuple[str, ...]]) -> str:
    """The first cells that differ, or an empty text. `*` stands for any value."""
    wrong = [
        f"{column} in row {place}: expected {want}, found {got}"
        for column, wanted in expected.items()
        for place, (want, got) in enumerate(zip(wanted, cells.get(column, ("missing",) * 3), strict=True))
        if want not in {"*", got}
    ]
    return "; ".join(wrong[:5])
