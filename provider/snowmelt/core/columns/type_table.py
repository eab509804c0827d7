"""The type table: how a value of each Snowflake type is unloaded, how it stands in a staged file, and where it may go.

Unload expressions, DDL, verdicts on existing targets and docs/types.md are all made from `TYPE_TABLE`.

Sources, all of Snowflake's documentation unless named otherwise:
"DATE_PART" and "Date & time functions" (EPOCH_MICROSECOND of a timestamp is counted from 1970-01-01T00:00:00Z; not for DATE),
"DATEDIFF" (MICROSECOND uses the first six digits of a second and does not round), "DATE_TRUNC" (MICROSECOND, of times and timestamps), "CONVERT_TIMEZONE" (two
arguments: the same instant as a TIMESTAMP_TZ), "SQL format models" (TME), "Vector data types" (unload as ARRAY),
"TO_JSON" (JSON null gives the text null, SQL NULL gives NULL), "HEX_ENCODE", "ST_ASEWKT".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from snowmelt.core.columns.type_names import SnowflakeType
from snowmelt.errors import SchemaError

#: Digits of a second that PostgreSQL keeps.
MICROSECOND_DIGITS = 6


class FileFormat(StrEnum):
    """What the staged files are."""

    PARQUET = "parquet"
    CSV = "csv"


class Form(StrEnum):
    """How a value stands in a staged file."""

    INTEGER = "integer"  #: a number without a fraction (Parquet: any integer, or a decimal of scale 0)
    DECIMAL = "decimal"  #: a number with a fraction (Parquet: decimal)
    DOUBLE = "double"
    BOOLEAN = "boolean"
    DATE = "date"
    EPOCH_US = "epoch_us"  #: microseconds since 1970-01-01T00:00:00Z, an integer (CSV: ISO text)
    TIME_US = "time_us"  #: microseconds since midnight, an integer (CSV: ISO text)
    TEXT = "text"
    BYTES = "bytes"  #: Parquet binary (CSV: \x and hexadecimal digits)
    JSON = "json"
    EWKT = "ewkt"
    VECTOR = "vector"  #: a JSON array as text (CSV: PostgreSQL's array text)
    UUID = "uuid"


@dataclass(frozen=True, slots=True)
class TypeRow:
    """One line of the type table."""

    #: Snowflake's name as documentation shows it, and the name that a SnowflakeType carries.
    title: str
    snowflake: str
    form: Form
    #: SELECT expressions; {c} stands for the column. Where it is {t}, digits beyond the microsecond are cut off first.
    parquet: str
    csv: str
    #: Arrow types that a staged Parquet file may hold for it.
    arrow: tuple[str, ...]
    #: Names of the PostgreSQL types that can take it, the default (or the defaults, by size) first.
    targets: tuple[str, ...]
    #: What a reader of docs/types.md should know.
    note: str = ""


_INTEGERS = ("int8", "int16", "int32", "int64", "decimal128(p, 0)")
_TEXTS = ("string", "large_string")
_TIMESTAMP_TEXT = "'YYYY-MM-DD HH24:MI:SS.FF6'"
_EPOCH = "DATE_PART(EPOCH_MICROSECOND, {t})"
_INSTANT_TEXT = "TO_VARCHAR(CONVERT_TIMEZONE('UTC', {t}), " + _TIMESTAMP_TEXT + ") || '+00'"
#: TME prints 17 significant digits (as the users of YADAMU report; a bare FLOAT loses some). The three values that
#: are no numbers are spelled out; NaN equals itself in Snowflake ("Numeric data types", special values).
_FLOAT_TEXT = (
    "CASE WHEN {c} = 'NaN'::FLOAT THEN 'NaN' WHEN {c} = 'inf'::FLOAT THEN 'Infinity' "
    "WHEN {c} = '-inf'::FLOAT THEN '-Infinity' ELSE TO_VARCHAR({c}, 'TME') END"
)
_JSON_TARGETS = ("jsonb", "json", "text")

TYPE_TABLE: tuple[TypeRow, ...] = (
    TypeRow(
        "NUMBER(p,0), INT, INTEGER, BIGINT, …",
        "NUMBER",
        Form.INTEGER,
        "{c}",
        "{c}",
        _INTEGERS,
        ("smallint", "integer", "bigint", "numeric"),
        "p ≤ 4 smallint, ≤ 9 integer, ≤ 18 bigint, else numeric(p,0). INT and its kin are NUMBER(38,0).",
    ),
    TypeRow(
        "NUMBER(p,s), s > 0",
        "NUMBER",
        Form.DECIMAL,
        "{c}",
        "{c}",
        ("decimal128(p, s)", *_INTEGERS),
        ("numeric",),
        "numeric(p,s). A numeric of a smaller scale would round and is refused.",
    ),
    TypeRow(
        "FLOAT, DOUBLE, REAL",
        "FLOAT",
        Form.DOUBLE,
        "{c}",
        _FLOAT_TEXT,
        ("double",),
        ("double precision",),
        "NaN, both infinities, negative zero and subnormal numbers are kept. In CSV with 17 significant digits.",
    ),
    TypeRow("BOOLEAN", "BOOLEAN", Form.BOOLEAN, "{c}", "TO_VARCHAR({c})", ("bool",), ("boolean",)),
    TypeRow(
        "DATE",
        "DATE",
        Form.DATE,
        "{c}",
        "TO_VARCHAR({c}, 'YYYY-MM-DD')",
        ("date32",),
        ("date",),
        "Years 1 to 9999.",
    ),
    TypeRow(
        "TIME(0..9)",
        "TIME",
        Form.TIME_US,
        "DATEDIFF(MICROSECOND, '00:00:00'::TIME, {c})",
        "TO_VARCHAR({t}, 'HH24:MI:SS.FF6')",
        _INTEGERS,
        ("time without time zone",),
    ),
    TypeRow(
        "TIMESTAMP_NTZ(0..9), DATETIME",
        "TIMESTAMP_NTZ",
        Form.EPOCH_US,
        _EPOCH,
        "TO_VARCHAR({t}, " + _TIMESTAMP_TEXT + ")",
        _INTEGERS,
        ("timestamp without time zone",),
        "The wall clock.",
    ),
    TypeRow(
        "TIMESTAMP_LTZ(0..9)",
        "TIMESTAMP_LTZ",
        Form.EPOCH_US,
        _EPOCH,
        _INSTANT_TEXT,
        _INTEGERS,
        ("timestamp with time zone",),
        "The instant.",
    ),
    TypeRow(
        "TIMESTAMP_TZ(0..9)",
        "TIMESTAMP_TZ",
        Form.EPOCH_US,
        _EPOCH,
        _INSTANT_TEXT,
        _INTEGERS,
        ("timestamp with time zone",),
        "The instant. Its offset in minutes goes into a second column on request (keep_offset).",
    ),
    TypeRow(
        "VARCHAR(n), STRING, TEXT, CHAR(n)",
        "VARCHAR",
        Form.TEXT,
        "{c}",
        "{c}",
        _TEXTS,
        ("character varying", "text"),
        "varchar(n), or text where n is beyond what PostgreSQL declares (10485760).",
    ),
    TypeRow(
        "BINARY(n), VARBINARY",
        "BINARY",
        Form.BYTES,
        "{c}",
        r"'\\x' || HEX_ENCODE({c})",
        ("binary", "large_binary"),
        ("bytea",),
    ),
    *(
        TypeRow(
            name,
            name,
            Form.JSON,
            "TO_JSON({c})",
            "TO_JSON({c})",
            _TEXTS,
            _JSON_TARGETS,
            "Numbers keep all their digits. A JSON null stays a JSON null, a SQL NULL stays a SQL NULL. "
            "What JSON cannot say (undefined, NaN) is refused while loading.",
        )
        for name in ("VARIANT", "OBJECT", "ARRAY")
    ),
    *(
        TypeRow(
            name,
            name,
            Form.EWKT,
            "ST_ASEWKT({c})",
            "ST_ASEWKT({c})",
            _TEXTS,
            ("text",),
            "With its SRID. Every digit that ST_ASEWKT prints.",
        )
        for name in ("GEOGRAPHY", "GEOMETRY")
    ),
    TypeRow(
        "VECTOR(FLOAT|INT, n)",
        "VECTOR",
        Form.VECTOR,
        "TO_JSON(CAST({c} AS ARRAY))",
        "TRANSLATE(TO_JSON(CAST({c} AS ARRAY)), '[]', '{{}}')",
        _TEXTS,
        ("real[]", "integer[]"),
        "FLOAT elements are 32-bit: real[]. INT elements: integer[].",
    ),
    TypeRow(
        "UUID",
        "UUID",
        Form.UUID,
        "CAST({c} AS VARCHAR)",
        "CAST({c} AS VARCHAR)",
        _TEXTS,
        ("uuid", "text"),
    ),
)


def row_of(source: SnowflakeType) -> TypeRow:
    """The line of the table for a source type.

    :raises SchemaError: when there is none; it names the type and the ways out.
    """
    wanted = None
    if source.name == "NUMBER":
        wanted = Form.DECIMAL if source.scale else Form.INTEGER
    for row in TYPE_TABLE:
        if source.known and row.snowflake == source.name and wanted in {None, row.form}:
            return row
    raise SchemaError(
        f"Snowmelt has no way to carry the Snowflake type {source}. Leave the column out (columns.exclude), or turn it into a type that is "
        "carried: cast it in a view, or give it an expression under columns.mask with that expression's type, such as VARIANT or VARCHAR."
    )


def form_of(source: SnowflakeType) -> Form:
    """How values of the type stand in a staged file."""
    return row_of(source).form


def loses_nanoseconds(source: SnowflakeType) -> bool:
    """Whether a column of the type may hold digits beyond the microsecond, which PostgreSQL cannot."""
    return (
        row_of(source).form in {Form.TIME_US, Form.EPOCH_US} and (source.precision or 0) > MICROSECOND_DIGITS
    )


def nanosecond_predicate(column_sql: str) -> str:
    """A Snowflake predicate that is true for a time or timestamp with digits beyond the microsecond.

    DATE_PART(NANOSECOND) is the whole fraction of the second in nanoseconds, 0..999999999, before 1970 too.
    """
    return f"MOD(DATE_PART(NANOSECOND, {column_sql}), 1000) <> 0"


def select_expression(source: SnowflakeType, column_sql: str, file_format: FileFormat) -> str:
    """The Snowflake expression that puts a column into a staged file, without an alias.

    :param column_sql: a quoted column, or an expression in parentheses.
    """
    row = row_of(source)
    template = row.parquet if file_format == FileFormat.PARQUET else row.csv
    cut = f"DATE_TRUNC('MICROSECOND', {column_sql})" if loses_nanoseconds(source) else column_sql
    return template.format(c=column_sql, t=cut)


def offset_expression(column_sql: str) -> str:
    """The original offset of a TIMESTAMP_TZ in minutes east of UTC, such as 330 or -210: the wall clock less the one in UTC.

    A cast of a TIMESTAMP_TZ to TIMESTAMP_NTZ keeps the wall clock ("Date & time data types"). TIMEZONE_HOUR and
    TIMEZONE_MINUTE are not used: the sign of the minutes west of UTC is not documented.
    """
    utc = f"CAST(CONVERT_TIMEZONE('UTC', {column_sql}) AS TIMESTAMP_NTZ)"
    return f"DATEDIFF(MINUTE, {utc}, CAST({column_sql} AS TIMESTAMP_NTZ))"
