"""The rows that both engines hold, a table for each type, and what Snowflake's documentation makes of each value.

The staged forms are written out by hand, from the pages named, not by the product's code and not by an engine. Where a page
leaves a form open it is None: then the engines are compared with one another alone.
"""

from __future__ import annotations

from dataclasses import dataclass

_DATE_PART = "sql-reference/functions/date_part; sql-reference/functions-date-time (epoch parts count from 1970-01-01T00:00:00Z)"
_TO_CHAR = "sql-reference/functions/to_char; sql-reference/sql-format-models"
_TO_JSON = "sql-reference/functions/to_json; sql-reference/parameters (TIMESTAMP_OUTPUT_FORMAT, TIME_OUTPUT_FORMAT); mlorek/frostlake TemporalTextAndPrecisionTest"
_SEMI = "user-guide/data-types-semistructured"
_UNDEFINED = "user-guide/semistructured-considerations; sql-reference/parameters (STRICT_JSON_OUTPUT)"

MICROS_MAX = "253402300799999999"
MICROS_MIN = "-62135596800000000"


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a type."""

    #: The Snowflake expression that is inserted.
    sql: str
    #: What the product's SELECT for a Parquet file and for a CSV file gives; None: no page says it.
    parquet: str | None
    csv: str | None


@dataclass(frozen=True, slots=True)
class Typed:
    """The values of one type; every table holds a NULL besides."""

    #: The table's name.
    name: str
    #: As CREATE TABLE declares the column.
    declared: str
    #: Type of the product's SELECT for a Parquet file, as the connector names it.
    parquet_type: str
    source: str
    values: tuple[Value, ...]

    def staged_type(self, form: str) -> str:
        """The type of a staged column: in CSV everything but a number or a text is written out as a text."""
        return self.parquet_type if form == "parquet" or self.declared.startswith("NUMBER") else "TEXT"


def _same(*texts: str) -> tuple[Value, ...]:
    return tuple(Value(text, text, text) for text in texts)


TYPES: tuple[Typed, ...] = (
    Typed("NUMBER_4", "NUMBER(4,0)", "FIXED", "sql-reference/data-types-numeric", _same("9999", "-1")),
    Typed("NUMBER_18", "NUMBER(18,0)", "FIXED", "sql-reference/data-types-numeric", _same("999999999999999999", "-999999999999999999")),
    Typed("NUMBER_38", "NUMBER(38,0)", "FIXED", "sql-reference/data-types-numeric", _same("9" * 38, "-" + "9" * 38)),
    Typed("NUMBER_12_2", "NUMBER(12,2)", "FIXED", "sql-reference/data-types-numeric", _same("9999999999.99", "-1.05", "1.50")),
    Typed("NUMBER_38_37", "NUMBER(38,37)", "FIXED", "sql-reference/data-types-numeric", _same("9." + "9" * 37, "0." + "0" * 36 + "1")),
    Typed(
        "FLOAT_64",
        "FLOAT", "REAL",
        "sql-reference/data-types-numeric (FLOAT); sql-reference/sql-format-models (TME)",
        (
            Value("'0.30000000000000004'::FLOAT", "0.30000000000000004", None),
            Value("'1.7976931348623157e308'::FLOAT", "1.7976931348623157e+308", None),
            Value("'NaN'::FLOAT", "nan", "NaN"),
            Value("'inf'::FLOAT", "inf", "Infinity"),
            Value("'-inf'::FLOAT", "-inf", "-Infinity"),
        ),
    ),
    Typed("BOOLEAN_", "BOOLEAN", "BOOLEAN", "sql-reference/data-types-logical; sql-reference/functions/to_char", _same("true", "false")),
    Typed(
        "DATE_",
        "DATE", "DATE",
        f"sql-reference/data-types-datetime; {_TO_CHAR}",
        tuple(Value(f"'{day}'::DATE", day, day) for day in ("0001-01-01", "1582-10-10", "1969-12-31", "9999-12-31")),
    ),
    Typed(
        "TIME_9",
        "TIME(9)", "FIXED",
        f"sql-reference/functions/datediff; {_TO_CHAR}",
        (
            Value("'00:00:00'::TIME", "0", "00:00:00.000000"),
            Value("'23:59:59.999999999'::TIME(9)", "86399999999", "23:59:59.999999"),
        ),
    ),
    Typed(
        "NTZ_9",
        "TIMESTAMP_NTZ(9)", "FIXED",
        f"{_DATE_PART}; sql-reference/functions/date_trunc; {_TO_CHAR}",
        (
            Value("'0001-01-01 00:00:00'::TIMESTAMP_NTZ", MICROS_MIN, "0001-01-01 00:00:00.000000"),
            Value("'1969-12-31 23:59:59.123456789'::TIMESTAMP_NTZ", "-876544", "1969-12-31 23:59:59.123456"),
            Value("'9999-12-31 23:59:59.999999999'::TIMESTAMP_NTZ", MICROS_MAX, "9999-12-31 23:59:59.999999"),
        ),
    ),
    Typed(
        "NTZ_6",
        "TIMESTAMP_NTZ(6)", "FIXED",
        f"{_DATE_PART}; {_TO_CHAR}",
        (Value("'2024-02-29 12:34:56.123456'::TIMESTAMP_NTZ", "1709210096123456", "2024-02-29 12:34:56.123456"),),
    ),
    Typed(
        "LTZ_9",
        "TIMESTAMP_LTZ(9)", "FIXED",
        f"{_DATE_PART}; sql-reference/functions/convert_timezone",
        (
            Value(
                "'1969-12-31 23:59:59.500000001 -0500'::TIMESTAMP_LTZ", "17999500000", "1970-01-01 04:59:59.500000+00"
            ),
        ),
    ),
    Typed(
        "TZ_9",
        "TIMESTAMP_TZ(9)", "FIXED",
        f"{_DATE_PART}; sql-reference/functions/convert_timezone",
        (
            Value("'2024-01-01 00:00:00.123456789 +0530'::TIMESTAMP_TZ", "1704047400123456", "2023-12-31 18:30:00.123456+00"),
            Value("'1969-12-31 23:59:59.5 -0330'::TIMESTAMP_TZ", "12599500000", "1970-01-01 03:29:59.500000+00"),
        ),
    ),
    Typed(
        "VARCHAR_",
        "VARCHAR(100)", "TEXT",
        "sql-reference/data-types-text",
        (
            Value("''", "", ""),
            Value(r"'it''s \\N'", r"it's \N", r"it's \N"),
            Value("'Ü€😀'", "Ü€😀", "Ü€😀"),
            Value("'trailing  '", "trailing  ", "trailing  "),
        ),
    ),
    Typed(
        "BINARY_",
        "BINARY(8)", "BINARY",
        "sql-reference/functions/hex_encode; sql-reference/data-types-text (BINARY)",
        (Value("TO_BINARY('00FFAB', 'HEX')", "00ffab", r"\x00FFAB"), Value("TO_BINARY('', 'HEX')", "", r"\x")),
    ),
    Typed(
        "VARIANT_",
        "VARIANT", "TEXT",
        f"{_TO_JSON}; {_SEMI}",
        (
            Value("PARSE_JSON('null')", "null", "null"),
            Value("PARSE_JSON('12345678901234567890123456789012345678')", *("12345678901234567890123456789012345678",) * 2),
            Value("TO_VARIANT('a\"b')", *('"a\\"b"',) * 2),
            Value("TO_VARIANT(TRUE)", "true", "true"),
            Value("TO_VARIANT(1.5::NUMBER(3,1))", "1.5", "1.5"),
            Value("TO_VARIANT('2024-01-01'::DATE)", *('"2024-01-01"',) * 2),
            Value("TO_VARIANT('12:34:56.123456789'::TIME)", *('"12:34:56"',) * 2),
            Value("TO_VARIANT('2024-01-01 12:34:56.123456789'::TIMESTAMP_NTZ)", *('"2024-01-01 12:34:56.123"',) * 2),
            Value("TO_VARIANT('2024-01-01 12:34:56.123456789 +0530'::TIMESTAMP_TZ)", *('"2024-01-01 12:34:56.123 +0530"',) * 2),
            Value("TO_VARIANT('2024-01-01 12:34:56.123456789 +0000'::TIMESTAMP_TZ)", *('"2024-01-01 12:34:56.123 Z"',) * 2),
        ),
    ),
    Typed(
        "VARIANT_FLOAT",
        "VARIANT", "TEXT",
        f"{_SEMI} (a FLOAT in a VARIANT prints 16 digits)",
        (
            Value("TO_VARIANT(1.23::FLOAT)", *("1.230000000000000e+00",) * 2),
            Value("TO_VARIANT('0.30000000000000004'::FLOAT)", *("3.000000000000000e-01",) * 2),
        ),
    ),
    Typed(
        "OBJECT_",
        "OBJECT", "TEXT",
        f"sql-reference/functions/object_construct (a NULL value leaves its pair out); {_TO_JSON}",
        (
            Value("OBJECT_CONSTRUCT('a', 1)", *('{"a":1}',) * 2),
            Value("OBJECT_CONSTRUCT('a', NULL)", *("{}",) * 2),
            Value(
                "OBJECT_CONSTRUCT('t', '2024-01-01 12:34:56.123456789'::TIMESTAMP_NTZ)",
                *('{"t":"2024-01-01 12:34:56.123"}',) * 2,
            ),
        ),
    ),
    Typed(
        "ARRAY_",
        "ARRAY", "TEXT",
        f"sql-reference/functions/array_construct; {_UNDEFINED}",
        (
            Value("ARRAY_CONSTRUCT()", "[]", "[]"),
            Value("ARRAY_CONSTRUCT(1, 'x')", *('[1,"x"]',) * 2),
            Value("ARRAY_CONSTRUCT(1, NULL)", *("[1,undefined]",) * 2),
            Value("ARRAY_CONSTRUCT(PARSE_JSON('null'))", *("[null]",) * 2),
        ),
    ),
    Typed(
        "GEOGRAPHY_",
        "GEOGRAPHY", "TEXT",
        "sql-reference/functions/st_asewkt",
        (Value("TO_GEOGRAPHY('POINT(-122.35 37.55)')", *("SRID=4326;POINT(-122.35 37.55)",) * 2),),
    ),
    Typed(
        "GEOMETRY_",
        "GEOMETRY", "TEXT",
        "sql-reference/functions/st_asewkt",
        (Value("TO_GEOMETRY('SRID=4326;POINT(-122.35 37.55)')", *("SRID=4326;POINT(-122.35 37.55)",) * 2),),
    ),
    Typed(
        "VECTOR_INT",
        "VECTOR(INT, 3)", "TEXT",
        "sql-reference/data-types-vector; sql-reference/functions/translate",
        (Value("[1, -2, 3]::VECTOR(INT, 3)", "[1,-2,3]", "{1,-2,3}"),),
    ),
    Typed(
        "UUID_",
        "UUID", "TEXT",
        "sql-reference/data-types-text (UUID)",
        (Value("'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::UUID", *("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",) * 2),),
    ),
)  # fmt: skip
