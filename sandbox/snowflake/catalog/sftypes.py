"""Snowflake's column types: what DuckDB stores for them, how metadata prints them, how they travel to a client."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlglot import exp

from sandbox.snowflake import errors

MAX_TEXT = 16_777_216
MAX_BINARY = 8_388_608
#: types whose value DuckDB holds as JSON text
SEMI_STRUCTURED = ("VARIANT", "OBJECT", "ARRAY")
GEOSPATIAL = ("GEOGRAPHY", "GEOMETRY")
TIMESTAMPS = ("TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "TIMESTAMP_TZ")

_DUCKDB = {
    "FLOAT": "DOUBLE",
    "TEXT": "VARCHAR",
    "BINARY": "BLOB",
    "BOOLEAN": "BOOLEAN",
    "DATE": "DATE",
    "TIME": "TIME",
    "TIMESTAMP_NTZ": "TIMESTAMP",
    "TIMESTAMP_LTZ": "TIMESTAMPTZ",
    "TIMESTAMP_TZ": "TIMESTAMPTZ",
    "VARIANT": "JSON",
    "OBJECT": "JSON",
    "ARRAY": "JSON",
    "GEOGRAPHY": "VARCHAR",
    "GEOMETRY": "VARCHAR",
    "UUID": "UUID",
}

_WIRE = {"NUMBER": "fixed", "FLOAT": "real", "UUID": "text"}


@dataclass(frozen=True, slots=True)
class SfType:
    """`precision` counts digits of a NUMBER, `scale` its fraction or a time's subsecond digits,
    `length` characters or bytes, `dimension` and `element` (FLOAT, INT) belong to VECTOR."""

    name: str
    precision: int | None = None
    scale: int | None = None
    length: int | None = None
    element: str | None = None
    dimension: int | None = None

    def __str__(self) -> str:
        """As DESCRIBE TABLE prints it."""
        match self.name:
            case "NUMBER":
                return f"NUMBER({self.precision},{self.scale})"
            case "TEXT":
                return f"VARCHAR({self.length or MAX_TEXT})"
            case "BINARY":
                return f"BINARY({self.length or MAX_BINARY})"
            case "VECTOR":
                return f"VECTOR({self.element}, {self.dimension})"
            case "TIME" | "TIMESTAMP_NTZ" | "TIMESTAMP_LTZ" | "TIMESTAMP_TZ":
                return f"{self.name}({self.digits})"
        return self.name

    @property
    def digits(self) -> int:
        """Digits of a second that a TIME or TIMESTAMP has; 0 for every other type."""
        if self.name not in {"TIME", *TIMESTAMPS}:
            return 0
        return 9 if self.scale is None else self.scale

    @property
    def duckdb(self) -> str:
        """The type that stores it; what it cannot hold is beside it (see `companions`)."""
        if self.name == "NUMBER":
            return f"DECIMAL({self.precision},{self.scale})"
        if self.name == "VECTOR":
            return f"{'INTEGER' if self.element == 'INT' else 'FLOAT'}[{self.dimension}]"
        return _DUCKDB[self.name]

    @property
    def wire(self) -> str:
        """The name in a result's rowtype."""
        return _WIRE.get(self.name, self.name.lower())


def number(precision: int = 38, scale: int = 0) -> SfType:
    return SfType("NUMBER", precision=precision, scale=scale)


TEXT = SfType("TEXT", length=MAX_TEXT)
BOOLEAN = SfType("BOOLEAN")
FLOAT = SfType("FLOAT")
DATE = SfType("DATE")
TIME = SfType("TIME", scale=9)
NTZ = SfType("TIMESTAMP_NTZ", scale=9)
LTZ = SfType("TIMESTAMP_LTZ", scale=9)
TZ = SfType("TIMESTAMP_TZ", scale=9)
BINARY = SfType("BINARY", length=MAX_BINARY)
VARIANT = SfType("VARIANT")
OBJECT = SfType("OBJECT")
ARRAY = SfType("ARRAY")

_T = exp.DataType.Type
_INTEGERS = {_T.INT, _T.BIGINT, _T.SMALLINT, _T.TINYINT, _T.INT128, _T.UINT, _T.MEDIUMINT}
_PLAIN = {
    _T.BOOLEAN: BOOLEAN,
    _T.DATE: DATE,
    _T.DATE32: DATE,
    _T.VARIANT: VARIANT,
    _T.JSON: VARIANT,
    _T.OBJECT: OBJECT,
    _T.STRUCT: OBJECT,
    _T.ARRAY: ARRAY,
    _T.LIST: ARRAY,
    _T.UUID: SfType("UUID"),
    _T.GEOGRAPHY: SfType("GEOGRAPHY"),
    _T.GEOMETRY: SfType("GEOMETRY"),
    _T.FLOAT: FLOAT,
    _T.DOUBLE: FLOAT,
}
_TEMPORAL = {
    _T.TIME: "TIME",
    _T.TIMESTAMPNTZ: "TIMESTAMP_NTZ",
    _T.TIMESTAMP: "TIMESTAMP_NTZ",
    _T.DATETIME: "TIMESTAMP_NTZ",
    _T.TIMESTAMPLTZ: "TIMESTAMP_LTZ",
    _T.TIMESTAMPTZ: "TIMESTAMP_TZ",
}


def from_ast(node: exp.DataType) -> SfType:
    """A type as written in a Snowflake statement; raises for types the stand-in lacks (MAP, FILE, intervals, …)."""
    kind = node.this
    sizes = [int(p.name) for p in node.expressions if isinstance(p, exp.DataTypeParam) and p.name.isdigit()]
    if kind in _INTEGERS:
        return number()
    if kind == _T.DECIMAL:
        precision, scale = (sizes + [38, 0][len(sizes) :])[:2] if sizes else (38, 0)
        if precision > 38 or scale > 37:
            raise errors.compilation(
                1039, "42601", f"Invalid argument for NUMBER type: ({precision},{scale})."
            )
        return number(precision, scale)
    if kind in {_T.VARCHAR, _T.TEXT, _T.NVARCHAR}:
        return SfType("TEXT", length=sizes[0] if sizes else MAX_TEXT)
    if kind in {_T.CHAR, _T.NCHAR}:
        return SfType("TEXT", length=sizes[0] if sizes else 1)
    if kind in {_T.BINARY, _T.VARBINARY}:
        return SfType("BINARY", length=sizes[0] if sizes else MAX_BINARY)
    if kind in _TEMPORAL:
        return SfType(_TEMPORAL[kind], scale=sizes[0] if sizes else 9)
    if kind == _T.VECTOR:
        element = next((p for p in node.expressions if isinstance(p, exp.DataType)), None)
        dimension = int(node.expressions[-1].name)
        integral = element is not None and element.this in _INTEGERS
        return SfType("VECTOR", element="INT" if integral else "FLOAT", dimension=dimension)
    if kind in _PLAIN:
        return _PLAIN[kind]
    raise errors.NotImplementedHere(f"data type {node.sql(dialect='snowflake')}")


_FIXED_ARRAY = re.compile(r"(INTEGER|FLOAT)\[(\d+)\]")
_FROM_DUCKDB = {
    "BOOLEAN": BOOLEAN,
    "DATE": DATE,
    "TIME": TIME,
    "TIME_NS": TIME,
    "TIMESTAMP": NTZ,
    "TIMESTAMP_NS": NTZ,
    "TIMESTAMP_S": NTZ,
    "TIMESTAMP_MS": NTZ,
    "TIMESTAMP WITH TIME ZONE": TZ,
    "DOUBLE": FLOAT,
    "FLOAT": FLOAT,
    "BLOB": BINARY,
    "JSON": VARIANT,
    "UUID": SfType("UUID"),
    "INTERVAL": TEXT,
}
_DUCKDB_INTEGERS = re.compile(r"U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)$")


def from_duckdb(name: str) -> SfType:
    """The Snowflake type of an expression, from the type DuckDB gave it."""
    if found := re.fullmatch(r"DECIMAL\((\d+),\s*(\d+)\)", name):
        return number(int(found[1]), int(found[2]))
    if _DUCKDB_INTEGERS.match(name):
        return number()
    if found := _FIXED_ARRAY.fullmatch(name):
        element = "INT" if found[1] == "INTEGER" else "FLOAT"
        return SfType("VECTOR", element=element, dimension=int(found[2]))
    if name.endswith("]"):
        return ARRAY
    if name.startswith(("STRUCT", "MAP")):
        return OBJECT
    return _FROM_DUCKDB.get(name, TEXT)


def reconcile(declared: SfType | None, stored: SfType) -> SfType:
    """The inferred type where it fits what DuckDB really returned, else what DuckDB returned."""
    if declared is None or (stored.name == "TEXT" and declared.name not in {"TEXT", *GEOSPATIAL}):
        return stored
    if declared.name == "NUMBER" or stored.name == "NUMBER":
        return stored
    same_storage = _DUCKDB.get(declared.name) == _DUCKDB.get(stored.name)
    return declared if same_storage or declared == stored else stored
