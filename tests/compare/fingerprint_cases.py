"""Hostile values of every type: as Snowflake and as PostgreSQL write them, and the token each has in a row's canonical text."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from fractions import Fraction

from snowmelt.sql.names import snowflake_identifier
from snowmelt.types.columns import Column
from snowmelt.types.target_types import default_target, select_expression
from snowmelt.types.type_names import parse_snowflake_type
from snowmelt.types.type_table import form_of
from snowmelt.vocabulary import FileFormat

NULL = ("NULL", None)
DAY = 86_400_000_000
NINES = "9" * 38
LONG = "é" * 501
LIMIT = "x" * 1000


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def hash_rows(texts) -> int:
    """The rows' hash, from their canonical texts."""
    return sum(int(md5(text)[16:], 16) for text in texts) % 2**64


def float_token(value: float) -> str:
    """The four integers of a float, with exact fractions in place of floats."""
    if value == 0:
        return "0:0:0:0|"
    size = Fraction(abs(value))
    place = next(k for k in range(-11, 12) if size < Fraction(2) ** (49 + 95 * k))
    scaled = Fraction(value) / Fraction(2) ** (95 * place)
    parts = []
    for _ in range(3):
        parts.append(math.trunc(scaled))
        scaled = (scaled - parts[-1]) * 2**49
    assert scaled == 0
    return f"{place}:{parts[0]}:{parts[1]}:{parts[2]}|"


def column(name: str, source: str, target: str = "", file_format: str = "parquet", value: str = "") -> Column:
    kind = parse_snowflake_type(source)
    value = value or snowflake_identifier(name)
    return Column(
        name,
        str(kind),
        form_of(kind),
        value,
        select_expression(kind, value, FileFormat(file_format)),
        name.lower(),
        target or str(default_target(kind)),
        nullable=True,
        primary_key=None,
        comment=None,
        checked=False,
    )


@dataclass(frozen=True)
class Case:
    """A type, the column it goes into, and its values: (in Snowflake, in PostgreSQL, token)."""

    source: str
    target: str
    values: tuple[tuple[str, str | None, str], ...]

    def __str__(self) -> str:
        return f"{self.source} into {self.target}"


def _numbers(*values: str) -> tuple[tuple[str, str | None, str], ...]:
    return (*((value, value, f"{value}|") for value in values), (*NULL, "|"))


def _floats(*values: float) -> tuple[tuple[str, str | None, str], ...]:
    return tuple((f"'{value!r}'::FLOAT", repr(value), float_token(value)) for value in values)


def _json(kind: str, *values: tuple[str, str, int]) -> tuple[tuple[str, str | None, str], ...]:
    """JSON text, what jsonb has of it, quotes and commas."""
    return tuple(
        (f"PARSE_JSON($${text}$$)::{kind}", kept, f"{'0' if text[0] in '-0123456789' else text[0]}{count}|")
        for text, kept, count in values
    )


CASES = (
    Case("NUMBER(4,0)", "smallint", _numbers("-9999", "0", "9999")),
    Case("NUMBER(9,0)", "integer", _numbers("-999999999", "0", "1")),
    Case("NUMBER(38,0)", "bigint", _numbers("-9223372036854775808", "0", "9223372036854775807")),
    Case("NUMBER(38,0)", "numeric(38,0)", _numbers(f"-{NINES}", NINES, NINES, "0", "1" + "0" * 26)),
    Case("NUMBER(38,0)", "numeric", _numbers(f"-{NINES}", "0", "100")),
    Case("NUMBER(12,2)", "numeric(12,2)", _numbers("0.00", "-0.01", "0.50", "1.10", "9999999999.99")),
    Case("NUMBER(12,2)", "numeric(14,4)", _numbers("0.00", "-0.01", "0.50", "100.00", "-9999999999.99")),
    Case("NUMBER(12,2)", "numeric", _numbers("0.00", "-0.01", "0.50", "100.00")),
    Case(
        "NUMBER(38,37)", "numeric(38,37)", _numbers("0." + "0" * 36 + "1", "9." + "9" * 37, "-0." + "5" * 37)
    ),
    Case(
        "NUMBER(38,10)",
        "numeric(38,10)",
        _numbers("9" * 28 + "." + "9" * 10, "-0.0000000001", "0.0000000000"),
    ),
    Case(
        "FLOAT",
        "double precision",
        (
            *_floats(
                0.0, -0.0, 0.1, 1 / 3, -1e15, 1e23, 5e-324, -2.2250738585072014e-308, 1.7976931348623157e308
            ),
            *_floats(2.0**49, math.nextafter(2.0**49, 0), 2.0**-46, math.nextafter(2.0**-46, 0), 2.0**53 + 2),
            ("'NaN'::FLOAT", "NaN", "nan|"),
            ("'inf'::FLOAT", "Infinity", "inf|"),
            ("'-inf'::FLOAT", "-Infinity", "-inf|"),
            (*NULL, "|"),
        ),
    ),
    Case("BOOLEAN", "boolean", (("TRUE", "t", "t"), ("FALSE", "f", "f"), (*NULL, "n"))),
    Case(
        "DATE",
        "date",
        (
            ("'0001-01-01'::DATE", "0001-01-01", "-719162|"),
            ("'1582-10-15'::DATE", "1582-10-15", "-141427|"),
            ("'1970-01-01'::DATE", "1970-01-01", "0|"),
            ("'9999-12-31'::DATE", "9999-12-31", "2932896|"),
            (*NULL, "|"),
        ),
    ),
    Case(
        "TIME(9)",
        "time without time zone",
        (
            ("'00:00:00'::TIME", "00:00:00", "0|"),
            ("'12:00:00.000001'::TIME", "12:00:00.000001", f"{DAY // 2 + 1}|"),
            ("'23:59:59.999999'::TIME", "23:59:59.999999", f"{DAY - 1}|"),
            (*NULL, "|"),
        ),
    ),
    Case(
        "TIMESTAMP_NTZ(9)",
        "timestamp without time zone",
        (
            ("'0001-01-01 00:00:00'::TIMESTAMP_NTZ", "0001-01-01", f"{-719162 * DAY}|"),
            ("'1969-12-31 23:59:59.999999'::TIMESTAMP_NTZ", "1969-12-31 23:59:59.999999", "-1|"),
            (
                "'9999-12-31 23:59:59.999999'::TIMESTAMP_NTZ",
                "9999-12-31 23:59:59.999999",
                f"{2932897 * DAY - 1}|",
            ),
            (*NULL, "|"),
        ),
    ),
    Case(
        "TIMESTAMP_LTZ(6)",
        "timestamp with time zone",
        (
            ("'1970-01-01 00:00:00.000001 +00:00'::TIMESTAMP_LTZ", "1970-01-01 00:00:00.000001+00", "1|"),
            (*NULL, "|"),
        ),
    ),
    Case(
        "TIMESTAMP_TZ(9)",
        "timestamp with time zone",
        (
            ("'0001-01-01 00:00:00 +00:00'::TIMESTAMP_TZ", "0001-01-01 00:00:00+00", f"{-719162 * DAY}|"),
            ("'1970-01-01 05:30:00.5 +05:30'::TIMESTAMP_TZ", "1970-01-01 00:00:00.5+00", "500000|"),
            (*NULL, "|"),
        ),
    ),
    Case(
        "VARCHAR",
        "text",
        (
            ("''", "", "0:"),
            ("'NULL'", "NULL", "4:NULL"),
            ("' '", " ", "1: "),
            ("'3:abc|'", "3:abc|", "6:3:abc|"),
            ("'é😀'", "é😀", "6:é😀"),
            ("'e' || CHR(769)", "e\u0301", "3:e\u0301"),
            ("'a' || CHR(10) || CHR(9) || '\\\\'", "a\n\t\\", "4:a\n\t\\"),
            (f"'{LIMIT}'", LIMIT, f"1000:{LIMIT}"),
            (f"'{LONG}'", LONG, f"1002:{md5(LONG)}"),
            (*NULL, ":"),
        ),
    ),
    Case("VARCHAR(5)", "character varying(5)", (("'ab  '", "ab  ", "4:ab  "), (*NULL, ":"))),
    Case(
        "BINARY",
        "bytea",
        (
            ("TO_BINARY('', 'HEX')", r"\x", "0:"),
            ("TO_BINARY('00C3FF', 'HEX')", r"\x00c3ff", "3:00c3ff"),
            (f"TO_BINARY('{'0A' * 1001}', 'HEX')", r"\x" + "0a" * 1001, f"1001:{md5('0a' * 1001)}"),
            (*NULL, ":"),
        ),
    ),
    Case(
        "VARIANT",
        "jsonb",
        (
            *_json(
                "VARIANT",
                ('{"bb":1,"a":[1.5,"x,y"]}', '{"bb":1,"a":[1.5,"x,y"]}', 9),
                ("null", "null", 0),
                ("-1.5", "-1.50", 0),
                ('"text"', '"text"', 2),
                ("true", "true", 0),
                ("[]", "[]", 0),
            ),
            (*NULL, "|"),
        ),
    ),
    Case("OBJECT", "text", (("PARSE_JSON('{\"b\":1}')::OBJECT", '{"b":1}', '7:{"b":1}'), (*NULL, ":"))),
    Case("ARRAY", "json", (("PARSE_JSON('[1,2]')::ARRAY", "[1,2]", "5:[1,2]"), (*NULL, ":"))),
    Case(
        "GEOGRAPHY",
        "text",
        (("'POINT(1 2)'::GEOGRAPHY", "SRID=4326;POINT(1 2)", "20:SRID=4326;POINT(1 2)"), (*NULL, ":")),
    ),
    Case(
        "GEOMETRY",
        "text",
        (("'POINT(1 2)'::GEOMETRY", "SRID=0;POINT(1 2)", "17:SRID=0;POINT(1 2)"), (*NULL, ":")),
    ),
    Case("VECTOR(INT, 2)", "integer[]", (("[1,-2]::VECTOR(INT, 2)", "{1,-2}", "{1,-2}|"), (*NULL, "|"))),
    Case("VECTOR(FLOAT, 2)", "real[]", (("[1.5,2.25]::VECTOR(FLOAT, 2)", "{1.5,2.25}", "1|"), (*NULL, "|"))),
    Case(
        "UUID",
        "uuid",
        (
            (
                "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'::UUID",
                "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
                "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11|",
            ),
            (*NULL, "|"),
        ),
    ),
)
