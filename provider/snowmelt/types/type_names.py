"""How types are written: Snowflake's as DESCRIBE TABLE prints them, PostgreSQL's as format_type does.

Sources: Snowflake "Summary of data types" (synonyms, default lengths), "String & binary data types", "Vector data types";
PostgreSQL "Data types" (aliases) and "System information functions" (format_type).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from snowmelt.errors import SchemaError

#: The lengths Snowflake gives when none is written.
VARCHAR_DEFAULT_LENGTH = 16_777_216
BINARY_DEFAULT_LENGTH = 8_388_608
#: NUMBER: digits and digits after the point, at most.
NUMBER_DIGITS = 38
NUMBER_SCALE = 37
#: TIME and TIMESTAMP: digits of a second, at most and when none are written.
SECOND_DIGITS = 9
VECTOR_DIMENSIONS = 4096

_SNOWFLAKE_SYNONYMS = {
    "NUMBER": ("DECIMAL", "NUMERIC", "DEC", "INT", "INTEGER", "BIGINT", "SMALLINT", "TINYINT", "BYTEINT"),
    "FLOAT": ("FLOAT4", "FLOAT8", "DOUBLE", "DOUBLE PRECISION", "REAL"),
    "VARCHAR": (
        "STRING",
        "TEXT",
        "NVARCHAR",
        "NVARCHAR2",
        "CHAR VARYING",
        "NCHAR VARYING",
        "CHARACTER VARYING",
    ),
    "CHAR": ("CHARACTER", "NCHAR"),
    "BINARY": ("VARBINARY", "BINARY VARYING"),
    "BOOLEAN": (),
    "DATE": (),
    "TIME": (),
    "TIMESTAMP_NTZ": ("DATETIME", "TIMESTAMPNTZ", "TIMESTAMP WITHOUT TIME ZONE"),
    "TIMESTAMP_LTZ": ("TIMESTAMPLTZ", "TIMESTAMP WITH LOCAL TIME ZONE"),
    "TIMESTAMP_TZ": ("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE"),
    "VARIANT": (),
    "OBJECT": (),
    "ARRAY": (),
    "GEOGRAPHY": (),
    "GEOMETRY": (),
    "VECTOR": (),
    "UUID": (),
}
_SNOWFLAKE_NAMES = {
    synonym: name for name, synonyms in _SNOWFLAKE_SYNONYMS.items() for synonym in (name, *synonyms)
}
_WHOLE_NUMBERS = {"INT", "INTEGER", "BIGINT", "SMALLINT", "TINYINT", "BYTEINT"}
_TIMES = {"TIME", "TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "TIMESTAMP_TZ"}
_COLLATION = re.compile(r"\s+COLLATE\s+'(?P<collation>[^']*)'$", re.IGNORECASE)
_SNOWFLAKE_TYPE = re.compile(
    r"(?P<name>[A-Za-z][A-Za-z0-9_ ]*?)\s*(?:\((?P<arguments>[^()]*)\))?(?P<zone> WITH.*)?"
)


@dataclass(frozen=True, slots=True)
class SnowflakeType:
    """A type of Snowflake.

    A type that Snowmelt does not carry keeps the text it was written with as its name, and `known` is false.
    """

    name: str
    #: NUMBER: digits, 1..38. TIME and TIMESTAMP: digits of a second, 0..9.
    precision: int | None = None
    #: NUMBER: digits after the point, 0..37.
    scale: int | None = None
    #: VARCHAR: characters. BINARY: bytes.
    length: int | None = None
    #: VECTOR: elements, 1..4096.
    dimension: int | None = None
    #: VECTOR: INT (32-bit integer) or FLOAT (32-bit float).
    element: str | None = None
    #: VARCHAR: the collation that the column compares by, such as en-ci; None: by bytes.
    collation: str | None = None

    @property
    def known(self) -> bool:
        """Whether the name is one that Snowmelt carries."""
        return self.name in _SNOWFLAKE_SYNONYMS and (self.name != "VECTOR" or self.dimension is not None)

    def __str__(self) -> str:
        if self.name == "NUMBER":
            return f"NUMBER({self.precision},{self.scale})"
        if self.dimension is not None:
            return f"VECTOR({self.element}, {self.dimension})"
        argument = self.length if self.length is not None else self.precision
        bare = self.name if argument is None else f"{self.name}({argument})"
        return f"{bare} COLLATE '{self.collation}'" if self.collation else bare


def parse_snowflake_type(text: str) -> SnowflakeType:
    """`NUMBER(38,0)`, `TIMESTAMP_TZ(9)`, `VECTOR(FLOAT, 3)`, or a synonym (`INT`, `STRING`), as a type with all its numbers.

    A collation is kept: it does not change values, and decides which of them are alike. `TIMESTAMP` alone is refused, because a session
    parameter decides what it means; DESCRIBE TABLE never prints it.

    :raises SchemaError: for a type that Snowmelt does not carry, or numbers out of Snowflake's range.
    """
    collated = _COLLATION.search(text.strip())
    match = _SNOWFLAKE_TYPE.fullmatch(_COLLATION.sub("", text.strip()))
    written = "" if match is None else " ".join((match["name"] + (match["zone"] or "")).upper().split())
    if written == "TIMESTAMP":
        raise SchemaError(
            "The type TIMESTAMP depends on a session parameter: write TIMESTAMP_NTZ, TIMESTAMP_LTZ or TIMESTAMP_TZ."
        )
    name = _SNOWFLAKE_NAMES.get(written)
    if match is None or name is None:
        raise SchemaError(f"Snowmelt has no way to carry the Snowflake type {text}.")
    arguments = [part.strip().upper() for part in (match["arguments"] or "").split(",") if part.strip()]
    if name == "VECTOR":
        return _vector(text, arguments)
    if not all(part.isascii() and part.isdigit() for part in arguments):
        raise SchemaError(f"Snowmelt has no way to carry the Snowflake type {text}.")
    found = _with_numbers(text, written, name, [int(part) for part in arguments])
    return replace(found, collation=collated["collation"] or None) if collated else found


def describe_snowflake_type(text: str) -> SnowflakeType:
    """Like `parse_snowflake_type`, but a type that is not carried is returned under its own text, to be named at planning."""
    try:
        return parse_snowflake_type(text)
    except SchemaError:
        return SnowflakeType(text.strip())


def _vector(text: str, arguments: list[str]) -> SnowflakeType:
    if len(arguments) == 2 and arguments[0] in {"INT", "FLOAT"} and arguments[1].isdigit():  # noqa: PLR2004 - element, dimension
        dimension = int(arguments[1])
        if 1 <= dimension <= VECTOR_DIMENSIONS:
            return SnowflakeType("VECTOR", dimension=dimension, element=arguments[0])
    raise SchemaError(
        f"{text} is not a type of Snowflake: VECTOR takes INT or FLOAT and a dimension from 1 to {VECTOR_DIMENSIONS}."
    )


def _with_numbers(text: str, written: str, name: str, numbers: list[int]) -> SnowflakeType:
    most = {"NUMBER": 0 if written in _WHOLE_NUMBERS else 2, "VARCHAR": 1, "CHAR": 1, "BINARY": 1}.get(
        name, 1 if name in _TIMES else 0
    )
    if len(numbers) > most:
        raise SchemaError(f"Snowmelt has no way to carry the Snowflake type {text}.")
    first = numbers[0] if numbers else None
    if name == "NUMBER":
        precision = NUMBER_DIGITS if first is None else first
        scale = numbers[1] if len(numbers) > 1 else 0
        if not (1 <= precision <= NUMBER_DIGITS and 0 <= scale <= NUMBER_SCALE):
            raise SchemaError(
                f"{text} is not a type of Snowflake: NUMBER takes 1 to 38 digits, 0 to 37 of them after the point."
            )
        return SnowflakeType("NUMBER", precision=precision, scale=scale)
    if name in _TIMES:
        digits = SECOND_DIGITS if first is None else first
        if digits > SECOND_DIGITS:
            raise SchemaError(
                f"{text} is not a type of Snowflake: a second has at most {SECOND_DIGITS} digits."
            )
        return SnowflakeType(name, precision=digits)
    if name in {"VARCHAR", "CHAR"}:
        return SnowflakeType("VARCHAR", length=first or (1 if name == "CHAR" else VARCHAR_DEFAULT_LENGTH))
    if name == "BINARY":
        return SnowflakeType("BINARY", length=first or BINARY_DEFAULT_LENGTH)
    return SnowflakeType(name)


_POSTGRES_ALIASES = {
    "int2": "smallint",
    "int": "integer",
    "int4": "integer",
    "int8": "bigint",
    "decimal": "numeric",
    "float4": "real",
    "float8": "double precision",
    "float": "double precision",
    "bool": "boolean",
    "varchar": "character varying",
    "char": "character",
    "time": "time without time zone",
    "timetz": "time with time zone",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
}
_POSTGRES_TYPE = re.compile(
    r'(?P<name>[^\W\d][\w ."$]*?)\s*(?:\(\s*(?P<arguments>-?\d+(?:\s*,\s*-?\d+)*)\s*\))?(?P<zone> with(?:out)? time zone)?(?P<array>(?:\[\])*)',
    re.IGNORECASE,
)
#: Built-in types that take numbers: how many at most, and the range of the first.
_POSTGRES_ARGUMENTS = {
    "numeric": (2, 1, 1000),
    "character varying": (1, 1, 10_485_760),
    "character": (1, 1, 10_485_760),
    "bit": (1, 1, 83_886_080),
    "bit varying": (1, 1, 83_886_080),
    "time without time zone": (1, 0, 6),
    "time with time zone": (1, 0, 6),
    "timestamp without time zone": (1, 0, 6),
    "timestamp with time zone": (1, 0, 6),
    "interval": (1, 0, 6),
}
_POSTGRES_PLAIN = frozenset(
    {
        *("smallint", "integer", "bigint", "real", "double precision", "boolean", "date"),
        *("text", "bytea", "json", "jsonb", "uuid"),
    }
)
_QUOTED = re.compile(
    r'(?P<name>"(?:[^"]|"")+"(?:\."(?:[^"]|"")+"|\.\w+)?)(?P<arguments>)(?P<zone>)(?P<array>(?:\[\])*)'
)


@dataclass(frozen=True, slots=True)
class PostgresType:
    """A type of PostgreSQL under the name that format_type prints, its numbers apart; `str()` is format_type's text."""

    name: str
    arguments: tuple[int, ...] = ()

    def __str__(self) -> str:
        if not self.arguments:
            return self.name
        numbers = f"({','.join(str(number) for number in self.arguments)})"
        element = self.name.removesuffix("[]")
        brackets = self.name[len(element) :]
        first, space, rest = element.partition(" ")
        if first in {"time", "timestamp"}:
            return f"{first}{numbers}{space}{rest}{brackets}"
        return f"{element}{numbers}{brackets}"


def parse_postgres_type(text: str) -> PostgresType:
    """format_type's text, or an alias (`varchar(10)`, `timestamptz`, `int8`), as a type. Any name passes: the table decides.

    :raises SchemaError: when the text is not a type's name at all, or a built-in type's numbers are out of range.
    """
    stripped = " ".join(text.split())
    match = _POSTGRES_TYPE.fullmatch(stripped) or _QUOTED.fullmatch(stripped)
    if match is None:
        raise SchemaError(
            f"{text[:80]!r} is not the name of a PostgreSQL type. Write it as in CREATE TABLE, such as numeric(20,4)."
        )
    written = match["name"] if '"' in match["name"] else match["name"].lower()
    name = (
        written + (match["zone"] or "").lower() if match["zone"] else _POSTGRES_ALIASES.get(written, written)
    )
    arguments = tuple(int(number) for number in (match["arguments"] or "").split(",") if number)
    if name == "character" and not arguments:
        arguments = (1,)
    if name == "numeric" and len(arguments) == 1:
        arguments = (*arguments, 0)
    limit, low, high = _POSTGRES_ARGUMENTS.get(name, (0, 0, 0) if name in _POSTGRES_PLAIN else (9, -9, 10**9))
    if len(arguments) > limit or not all(low <= number <= high for number in arguments[:1]):
        raise SchemaError(f"{text} is not a type of PostgreSQL: its numbers are out of range.")
    return PostgresType(name + match["array"], arguments)
