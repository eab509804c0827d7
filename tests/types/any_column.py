"""Columns of any type and name, with values of that type: as literals for Snowflake, as psycopg must give them back."""

from __future__ import annotations

import datetime as dt
import json
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from tests.types.case import exact, float_bits, text_literal
from tests.types.numbers import postgres_type, write_number

Pair = tuple[str, Any]


@dataclass(frozen=True)
class Kind:
    """A type and its values."""

    #: As CREATE TABLE takes it in Snowflake, and as format_type prints the target's.
    type: str
    target: str
    #: (literal, value); a value that is no NULL.
    values: st.SearchStrategy[Pair]
    #: What is selected of the target column.
    read: str = "{c}"
    #: What two values are compared by.
    compared: Callable[[Any], Any] = exact


def _cut(value: Any, digits: int) -> Any:
    """A time of day or timestamp with so many digits of its second, six at most."""
    unit = 10 ** (6 - min(digits, 6))
    return value.replace(microsecond=value.microsecond // unit * unit)


@st.composite
def _numbers(draw) -> Kind:
    digits = draw(st.integers(1, 38))
    scale = draw(st.one_of(st.just(0), st.integers(0, min(digits, 37))))
    most = 10**digits - 1
    powers = st.integers(0, digits - 1).map(lambda power: 10**power)
    unscaled = st.one_of(st.integers(-most, most), st.sampled_from([most, -most, 0, 1, -1]), powers)
    kind, target = f"NUMBER({digits},{scale})", postgres_type(digits, scale)
    read = Decimal if target.startswith("numeric") else int

    def pair(number: int) -> Pair:
        text = write_number(str(number), scale)
        return f"'{text}'::{kind}", read(text)

    return Kind(kind, target, unscaled.map(pair))


#: Any double; and thirds of small numbers, which take all of their 17 digits.
_FLOATS = st.one_of(st.integers(-1000, 1000).map(lambda number: number / 3), st.floats())


def _float_pair(value: float) -> Pair:
    return f"'{value!r}'::FLOAT", float_bits(value)


def _float_key(value: bytes | None) -> Any:
    """The bits; all NaNs are one."""
    return "NaN" if value is not None and math.isnan(*struct.unpack(">d", value)) else exact(value)


@st.composite
def _times(draw) -> Kind:
    digits = draw(st.integers(0, 9))
    kind = f"TIME({digits})"
    values = st.times().map(lambda value: _cut(value, digits))
    return Kind(kind, "time without time zone", values.map(lambda value: (f"'{value}'::{kind}", value)))


#: Time zones of the values that a type is given.
_ZONES = {
    "TIMESTAMP_NTZ": st.none(),
    "TIMESTAMP_LTZ": st.just(dt.UTC),
    "TIMESTAMP_TZ": st.integers(-720, 840).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes))),
}
#: A day from either end: with its offset, too, an instant is to stay within the years 1 to 9999.
_FIRST, _LAST = dt.datetime.min + dt.timedelta(days=1), dt.datetime.max - dt.timedelta(days=1)


@st.composite
def _timestamps(draw, name: str) -> Kind:
    digits = draw(st.integers(0, 9))
    kind = f"{name}({digits})"
    values = st.datetimes(_FIRST, _LAST, timezones=_ZONES[name]).map(lambda value: _cut(value, digits))
    pairs = values.map(lambda value: (f"'{_wall_clock(value)}'::{kind}", value))
    zone = "without" if name == "TIMESTAMP_NTZ" else "with"
    return Kind(kind, f"timestamp {zone} time zone", pairs)


def _wall_clock(value: dt.datetime) -> str:
    text = value.replace(tzinfo=None).isoformat(" ")
    offset = value.strftime("%z")
    return f"{text} {offset[:3]}:{offset[3:]}" if offset else text


CHARACTERS = st.characters(exclude_characters="\x00", exclude_categories=["Cs"])
#: What CSV, COPY or SQL could take for its own.
PIECES = (
    *('"', ",", "\\", "\\N", "\\.", "\n", "\r", "\r\n", "\t", " ", "'", "NULL", "{", "}", "$$", "%s", "\ufeff", "🎈", "e\u0301"),
)  # fmt: skip


def texts(most: int) -> st.SearchStrategy[str]:
    pieces = st.lists(st.sampled_from(PIECES), max_size=most).map(lambda found: "".join(found)[:most])
    full = st.text(CHARACTERS, min_size=most, max_size=most)
    return st.one_of(st.text(CHARACTERS, max_size=most), pieces, full)


@st.composite
def _varchars(draw) -> Kind:
    most = draw(st.integers(1, 40))
    kind, target = draw(
        st.sampled_from([("VARCHAR", "text"), (f"VARCHAR({most})", f"character varying({most})")])
    )
    return Kind(kind, target, texts(most).map(lambda value: (text_literal(value), value)))


@st.composite
def _binaries(draw) -> Kind:
    most = draw(st.integers(1, 40))
    pairs = st.binary(max_size=most).map(lambda value: (f"TO_BINARY('{value.hex()}', 'HEX')", value))
    return Kind(draw(st.sampled_from(["BINARY", f"BINARY({most})"])), "bytea", pairs)


def json_value(text: str | None) -> Any:
    """JSON with every number by its value; a number is no truth value and no text."""

    def number(digits: str) -> tuple[str, Fraction]:
        return "number", Fraction(digits)

    return None if text is None else ("json", json.loads(text, parse_int=number, parse_float=number))


_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**38) + 1, 10**38 - 1),
    st.floats(allow_nan=False, allow_infinity=False, min_value=-1e30, max_value=1e30),
    texts(10),
)
_KEYS = texts(8)
_ANY = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=6,
)
_SEMI_STRUCTURED = {
    "VARIANT": _ANY,
    "OBJECT": st.dictionaries(_KEYS, _ANY, max_size=3),
    "ARRAY": st.lists(_ANY, max_size=3),
}


@st.composite
def _json(draw) -> Kind:
    kind = draw(st.sampled_from(list(_SEMI_STRUCTURED)))
    spaces, escaped = draw(st.sampled_from([(",", ":"), (" , ", " : ")])), draw(st.booleans())

    def pair(value: Any) -> Pair:
        text = json.dumps(value, separators=spaces, ensure_ascii=escaped)
        return f"PARSE_JSON({text_literal(text)})::{kind}", text

    return Kind(kind, "jsonb", _SEMI_STRUCTURED[kind].map(pair), "{c}::text", json_value)


@st.composite
def _shapes(draw) -> Kind:
    kind, srid = draw(st.sampled_from([("GEOGRAPHY", 4326), ("GEOMETRY", 0)]))
    number = st.decimals(-90, 90, places=9).map(lambda value: f"{value:f}")

    def pair(values: list[str]) -> Pair:
        points = [f"{one} {other}" for one, other in zip(values[::2], values[1::2], strict=True)]
        text = f"POINT({points[0]})" if len(points) == 1 else f"LINESTRING({','.join(points)})"
        return f"TO_{kind}('{text}')", f"SRID={srid};{text}"

    lists = st.integers(1, 4).flatmap(lambda size: st.lists(number, min_size=2 * size, max_size=2 * size))
    return Kind(kind, "text", lists.map(pair))


@st.composite
def _vectors(draw) -> Kind:
    size = draw(st.integers(1, 5))
    whole = draw(st.booleans())
    kind = f"VECTOR({'INT' if whole else 'FLOAT'}, {size})"
    floats = st.floats(width=32, allow_nan=False, allow_infinity=False).map(lambda value: value or 0.0)
    elements = st.integers(-(2**31), 2**31 - 1) if whole else floats
    lists = st.lists(elements, min_size=size, max_size=size)
    pairs = lists.map(lambda values: (f"[{', '.join(map(repr, values))}]::{kind}", values))
    return Kind(
        kind, "integer[]" if whole else "real[]", pairs, "{c}" if whole else "{c}::double precision[]"
    )


KINDS = st.one_of(
    _numbers(),
    _json(),
    _varchars(),
    _timestamps("TIMESTAMP_TZ"),
    _timestamps("TIMESTAMP_LTZ"),
    _timestamps("TIMESTAMP_NTZ"),
    _times(),
    _binaries(),
    _shapes(),
    _vectors(),
    st.just(Kind("FLOAT", "double precision", _FLOATS.map(_float_pair), "float8send({c})", _float_key)),
    st.just(Kind("DATE", "date", st.dates().map(lambda value: (f"'{value}'::DATE", value)))),
    st.just(Kind("BOOLEAN", "boolean", st.booleans().map(lambda value: (str(value).upper(), value)))),
    st.just(Kind("UUID", "uuid", st.uuids().map(lambda value: (f"'{value}'::UUID", value)))),
    _varchars(),
    _json(),
    _timestamps("TIMESTAMP_TZ"),
    _numbers(),
)
