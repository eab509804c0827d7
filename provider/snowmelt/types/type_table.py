"""The type table: for each Snowflake type how it is unloaded, what a staged file holds, where it may go, how it is compared.

Unload expressions, default types and verdicts on existing targets (target_types.py), the allow-list of the
load (load/casts.py), the comparison (compare/canonical.py) and docs/types.md are all made from `TYPE_TABLE`.

Sources, all of Snowflake's documentation unless named otherwise:
"DATE_PART" and "Date & time functions" (EPOCH_MICROSECOND of a timestamp is counted from 1970-01-01T00:00:00Z; not for DATE),
"DATEDIFF" (MICROSECOND uses the first six digits of a second and does not round), "DATE_TRUNC" (MICROSECOND, of times and timestamps), "CONVERT_TIMEZONE" (two
arguments: the same instant as a TIMESTAMP_TZ), "SQL format models" (TME), "Vector data types" (unload as ARRAY),
"TO_JSON" (JSON null gives the text null, SQL NULL gives NULL), "HEX_ENCODE", "ST_ASEWKT"; "Date & time data types" (years
beyond 1582 to 9999 are taken and not recommended), "Data unloading considerations" (a CAST chooses a number's Parquet type).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from snowmelt.errors import SchemaError
from snowmelt.sql.names import snowflake_literal
from snowmelt.types.type_names import PostgresType, SnowflakeType


class Form(StrEnum):
    """How a value is written in a staged file."""

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


class ArrowKind(StrEnum):
    """The Arrow types that may be loaded, by kind; any other (timestamps, float, nested types) never is."""

    INTEGER = "integer"
    WHOLE = "whole decimal"
    DECIMAL = "decimal"
    DOUBLE = "double"
    BOOLEAN = "boolean"
    DATE = "date"
    TEXT = "text"
    BYTES = "bytes"


#: The Arrow types of each kind, as Arrow prints them. A dictionary of one of them is of its kind.
ARROW_TYPES: dict[ArrowKind, tuple[str, ...]] = {
    ArrowKind.INTEGER: ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    ArrowKind.WHOLE: ("decimal128(p, 0)", "decimal256(p, 0)"),
    ArrowKind.DECIMAL: ("decimal128(p, s)", "decimal256(p, s)"),
    ArrowKind.DOUBLE: ("double",),
    ArrowKind.BOOLEAN: ("bool",),
    ArrowKind.DATE: ("date32",),
    ArrowKind.TEXT: ("string", "large_string", "string_view"),
    ArrowKind.BYTES: ("binary", "large_binary", "binary_view", "fixed_size_binary"),
}


class Comparison(StrEnum):
    """How source and target are compared: the canonical form of a value, written alike by both databases."""

    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    DATE = "date"
    TIME = "time"
    INSTANT = "instant"  #: timestamps of all three kinds
    FLOAT = "float"
    TEXT = "text"
    BYTES = "bytes"
    UUID = "uuid"
    INTEGERS = "integers"  #: a vector of integers
    JSON = "json"  #: into jsonb: its shape; the text is compared as it was staged (staged_hash.py)
    PRESENCE = "presence"  #: only which values are NULL; the text is compared as it was staged


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
    #: What a staged Parquet file may hold for it.
    arrow: frozenset[ArrowKind]
    #: Names of the PostgreSQL types that can take it, the default (or the defaults, by size) first.
    targets: tuple[str, ...]
    #: How values are compared.
    compared: Comparison
    #: PostgreSQL type → how values that went into it are compared, where that differs.
    compared_into: Mapping[str, Comparison] = field(default_factory=lambda: MappingProxyType({}))
    #: The type of a new column, by the source type's own numbers; None: the first of `targets`.
    default: Callable[[SnowflakeType], PostgresType] | None = None
    #: Digits → the integer type that numbers of up to that many digits are cast to in Parquet, the fewest first: every value
    #: fits, and an integer is a third of the work of decoding a DECIMAL (docs/decisions/load-pipeline.md).
    casts: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))
    #: What a reader of docs/types.md should know.
    note: str = ""


#: Digits of a second that PostgreSQL keeps.
MICROSECOND_DIGITS = 6
#: The longest varchar(n) that PostgreSQL declares.
POSTGRES_VARCHAR_LENGTH = 10_485_760
#: Decimal digits of which every number fits.
INTEGER_DIGITS = MappingProxyType({"smallint": 4, "integer": 9, "bigint": 18})
#: The numbers of microseconds of the years 1 to 9999 have at most 18 digits.
MICROSECONDS_DIGITS = 18
_BY_DIGITS = MappingProxyType({4: "SMALLINT", 9: "INT", 18: "BIGINT"})
_AS_BIGINT = MappingProxyType({MICROSECONDS_DIGITS: "BIGINT"})

#: ENABLE_UNLOAD_PHYSICAL_TYPE_OPTIMIZATION narrows numbers by the values of a file: each narrower kind is taken too.
_WHOLE = frozenset({ArrowKind.INTEGER, ArrowKind.WHOLE})
_TEXT = frozenset({ArrowKind.TEXT})

#: COPY reads years of four digits without doubt. What follows another year makes PostgreSQL refuse the value, and says why.
BEYOND_YEARS = " is beyond the years 1 to 9999"
_YEARS = f"IFF(YEAR({{0}}) BETWEEN 1 AND 9999, '', '{BEYOND_YEARS}')"
_UTC = "CONVERT_TIMEZONE('UTC', {t})"


def _dated(value: str, model: str, zone: str = "") -> str:
    return f"TO_VARCHAR({value}, '{model}'){zone} || " + _YEARS.format(value)


_EPOCH = "DATE_PART(EPOCH_MICROSECOND, {t})"
_TIMESTAMP = "YYYY-MM-DD HH24:MI:SS.FF6"
_INSTANT_TEXT = _dated(_UTC, _TIMESTAMP, " || '+00'")
#: TME prints 17 significant digits (as the users of YADAMU report; a bare FLOAT loses some). NaN and the infinities
#: are spelled out; NaN equals itself in Snowflake ("Numeric data types", special values).
_FLOAT_TEXT = (
    "CASE WHEN {c} = 'NaN'::FLOAT THEN 'NaN' WHEN {c} = 'inf'::FLOAT THEN 'Infinity' "
    "WHEN {c} = '-inf'::FLOAT THEN '-Infinity' ELSE TO_VARCHAR({c}, 'TME') END"
)
_STRING_OR_UNDEFINED = r'(undefined|"(\\.|[^"\\])*")'
#: An ARRAY prints SQL NULL as `undefined`, which is not JSON. Every string and every `undefined` is marked by a character that
#: JSON text never holds bare; a marked `undefined` becomes null, and the marks go. What is inside of a string stays.
_MARKED = f"REGEXP_REPLACE(TO_JSON({{c}}), {snowflake_literal(_STRING_OR_UNDEFINED)}, '\\\\1' || CHR(1))"
_JSON = (
    "IFF(CONTAINS(TO_JSON({c}), 'undefined'), "
    f"REPLACE(REPLACE({_MARKED}, 'undefined' || CHR(1), 'null'), CHR(1), ''), TO_JSON({{c}}))"
)
_BEYOND = "Years 1 to 9999 by every load method. Parquet carries what lies beyond as it is; CSV refuses it."
_JSON_NOTE = (
    "Whole and decimal numbers keep all their digits, a FLOAT has 16; jsonb writes them without exponents, and -0 as 0. A JSON null "
    "stays a JSON null, a SQL NULL stays a SQL NULL; a SQL NULL inside an ARRAY becomes a JSON null. NaN and the infinities are "
    "not JSON and are refused while loading."
)


def _whole_number(source: SnowflakeType) -> PostgresType:
    precision = source.precision or 0
    name = next((name for name, digits in INTEGER_DIGITS.items() if precision <= digits), None)
    return PostgresType(name) if name else PostgresType("numeric", (precision, 0))


def _decimal(source: SnowflakeType) -> PostgresType:
    precision, scale = source.precision or 0, source.scale or 0
    return PostgresType("numeric", (max(precision, scale), scale))


def _varchar(source: SnowflakeType) -> PostgresType:
    length = source.length or 0
    if length > POSTGRES_VARCHAR_LENGTH:
        return PostgresType("text")
    return PostgresType("character varying", (length,))


def _vector(source: SnowflakeType) -> PostgresType:
    return PostgresType("integer[]" if source.element == "INT" else "real[]")


TYPE_TABLE: tuple[TypeRow, ...] = (
    TypeRow(
        "NUMBER(p,0), INT, INTEGER, BIGINT, …",
        "NUMBER",
        Form.INTEGER,
        "{c}",
        "{c}",
        _WHOLE,
        ("smallint", "integer", "bigint", "numeric"),
        Comparison.INTEGER,
        default=_whole_number,
        casts=_BY_DIGITS,
        note="p ≤ 4 smallint, ≤ 9 integer, ≤ 18 bigint, else numeric(p,0). INT, INTEGER, BIGINT and the like are NUMBER(38,0).",
    ),
    TypeRow(
        "NUMBER(p,s), s > 0",
        "NUMBER",
        Form.DECIMAL,
        "{c}",
        "{c}",
        _WHOLE | {ArrowKind.DECIMAL},
        ("numeric",),
        Comparison.DECIMAL,
        default=_decimal,
        note="numeric(p,s). A numeric of a smaller scale would round and is refused.",
    ),
    TypeRow(
        "FLOAT, DOUBLE, REAL",
        "FLOAT",
        Form.DOUBLE,
        "{c}",
        _FLOAT_TEXT,
        frozenset({ArrowKind.DOUBLE}),
        ("double precision",),
        Comparison.FLOAT,
        note="NaN, both infinities, negative zero and subnormal numbers are kept. In CSV with 17 significant digits.",
    ),
    TypeRow(
        "BOOLEAN",
        "BOOLEAN",
        Form.BOOLEAN,
        "{c}",
        "TO_VARCHAR({c})",
        frozenset({ArrowKind.BOOLEAN}),
        ("boolean",),
        Comparison.BOOLEAN,
    ),
    TypeRow(
        "DATE",
        "DATE",
        Form.DATE,
        "{c}",
        _dated("{c}", "YYYY-MM-DD"),
        frozenset({ArrowKind.DATE}),
        ("date",),
        Comparison.DATE,
        note=_BEYOND,
    ),
    TypeRow(
        "TIME(0..9)",
        "TIME",
        Form.TIME_US,
        "DATEDIFF(MICROSECOND, '00:00:00'::TIME, {c})",
        "TO_VARCHAR({t}, 'HH24:MI:SS.FF6')",
        _WHOLE,
        ("time without time zone",),
        Comparison.TIME,
        casts=_AS_BIGINT,
    ),
    TypeRow(
        "TIMESTAMP_NTZ(0..9), DATETIME",
        "TIMESTAMP_NTZ",
        Form.EPOCH_US,
        _EPOCH,
        _dated("{t}", _TIMESTAMP),
        _WHOLE,
        ("timestamp without time zone",),
        Comparison.INSTANT,
        casts=_AS_BIGINT,
        note=f"The wall clock. {_BEYOND}",
    ),
    TypeRow(
        "TIMESTAMP_LTZ(0..9)",
        "TIMESTAMP_LTZ",
        Form.EPOCH_US,
        _EPOCH,
        _INSTANT_TEXT,
        _WHOLE,
        ("timestamp with time zone",),
        Comparison.INSTANT,
        casts=_AS_BIGINT,
        note=f"The instant. {_BEYOND}",
    ),
    TypeRow(
        "TIMESTAMP_TZ(0..9)",
        "TIMESTAMP_TZ",
        Form.EPOCH_US,
        _EPOCH,
        _INSTANT_TEXT,
        _WHOLE,
        ("timestamp with time zone",),
        Comparison.INSTANT,
        casts=_AS_BIGINT,
        note=f"The instant. Its offset in minutes goes into a second column on request (keep_offset). {_BEYOND}",
    ),
    TypeRow(
        "VARCHAR(n), STRING, TEXT, CHAR(n)",
        "VARCHAR",
        Form.TEXT,
        "{c}",
        "{c}",
        _TEXT,
        ("character varying", "text"),
        Comparison.TEXT,
        default=_varchar,
        note="varchar(n), or text where n is beyond what PostgreSQL declares (10485760). A NUL character is refused.",
    ),
    TypeRow(
        "BINARY(n), VARBINARY",
        "BINARY",
        Form.BYTES,
        "{c}",
        r"'\\x' || HEX_ENCODE({c})",
        frozenset({ArrowKind.BYTES}),
        ("bytea",),
        Comparison.BYTES,
    ),
    *(
        TypeRow(
            name,
            name,
            Form.JSON,
            _JSON,
            _JSON,
            _TEXT,
            ("jsonb", "json", "text"),
            Comparison.JSON,
            MappingProxyType({"json": Comparison.TEXT, "text": Comparison.TEXT}),
            note=_JSON_NOTE,
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
            _TEXT,
            ("text",),
            Comparison.TEXT,
            note="With its SRID. Every digit that ST_ASEWKT prints.",
        )
        for name in ("GEOGRAPHY", "GEOMETRY")
    ),
    TypeRow(
        "VECTOR(FLOAT|INT, n)",
        "VECTOR",
        Form.VECTOR,
        "TO_JSON(CAST({c} AS ARRAY))",
        "TRANSLATE(TO_JSON(CAST({c} AS ARRAY)), '[]', '{{}}')",
        _TEXT,
        ("real[]", "integer[]"),
        Comparison.PRESENCE,
        MappingProxyType({"integer[]": Comparison.INTEGERS}),
        default=_vector,
        note="FLOAT elements are 32-bit: real[]. INT elements: integer[].",
    ),
    TypeRow(
        "UUID",
        "UUID",
        Form.UUID,
        "CAST({c} AS VARCHAR)",
        "CAST({c} AS VARCHAR)",
        _TEXT,
        ("uuid", "text"),
        Comparison.UUID,
        MappingProxyType({"text": Comparison.TEXT}),
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
    """How values of the type are written in a staged file."""
    return row_of(source).form


def find_allowed(form: Form) -> tuple[frozenset[ArrowKind], frozenset[str]]:
    """What a Parquet file may hold for a form, and the PostgreSQL types (names) that its values may go into: the allow-list."""
    rows = [row for row in TYPE_TABLE if row.form is form]
    return (
        frozenset().union(*(row.arrow for row in rows)),
        frozenset(name for row in rows for name in row.targets),
    )
