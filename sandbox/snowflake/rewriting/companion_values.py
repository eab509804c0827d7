"""The companions of a TIME or TIMESTAMP expression, from those of its parts.

Nanoseconds: those below the microsecond, 0 to 999, NULL where the value is NULL. Offset: a TIMESTAMP_TZ's, in minutes.
"""

from __future__ import annotations

import re

from sqlglot import exp

from sandbox.snowflake.catalog import sftypes
from sandbox.snowflake.catalog.companions import DUCKDB_DIGITS, NANOS, OFFSET
from sandbox.snowflake.catalog.sftypes import SEMI_STRUCTURED, SfType
from sandbox.snowflake.rewriting.expressions import (
    bare,
    branches,
    call,
    call_on_copies,
    companion_of,
    number,
    switched,
    type_name,
    type_of,
    unit_of,
    where_present,
)

#: As SF_TEXT_NANOS in `macros`.
_BELOW = re.compile(r"\.\d{6}(\d{1,3})")
_SAME = (exp.Paren, exp.Alias)
_ADDING = (exp.DateAdd, exp.DateSub, exp.TimestampAdd, exp.TimeAdd)
_ROW_OF_WINDOW = (exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue, exp.NthValue, exp.AnyValue, exp.ArgMax, exp.ArgMin)  # fmt: skip
_PARTS = (exp.TimestampFromParts, exp.TimestampTzFromParts, exp.TimestampLtzFromParts, exp.TimeFromParts)
_CONSTANT_IF_ARGUMENT_IS = {"SF_TEXT_NTZ", "SF_TEXT_TZ", "SF_CUT"}
_CONVERSION = re.compile(r"(TRY_)?TO_TIME(STAMP(_NTZ|_LTZ|_TZ)?)?")


def nanos_of(node: exp.Expression | None) -> exp.Expression | None:
    return companion_of(node, NANOS)


def nanos_or_zero(node: exp.Expression) -> exp.Expression:
    """Never absent, and NULL where the value is NULL."""
    found = nanos_of(node)
    return found.copy() if found is not None else zero(node)


def zero(value: exp.Expression) -> exp.Expression:
    return number(0) if _constant(value) else where_present(value, number(0))


def is_zero(nanos: exp.Expression | None) -> bool:
    return isinstance(nanos, exp.Literal) and nanos.name == "0"


def _constant(value: exp.Expression) -> bool:
    """Whether it is a literal other than NULL, judged by its form."""
    if isinstance(value, (exp.Cast, exp.Paren, exp.Neg)) and not isinstance(value, exp.TryCast):
        return _constant(value.this)
    if isinstance(value, exp.Anonymous) and value.name in _CONSTANT_IF_ARGUMENT_IS:
        return _constant(value.expressions[0])
    return isinstance(value, exp.Literal)


def nanos_as(value: exp.Expression, target: SfType) -> exp.Expression | None:
    """The nanoseconds that `value` has once it is of the type `target`; None: none."""
    if target.digits <= DUCKDB_DIGITS:
        return None
    source = type_name(value)
    if source in {"", "TEXT"}:
        found: exp.Expression | None = _of_text(value)
    elif source in SEMI_STRUCTURED:
        found = call("SF_TEXT_NANOS", call_on_copies("SF_VARIANT_TEXT", value))
    elif source == "NUMBER":
        found = call("SF_KEY_NANOS", call_on_copies("SF_NUMBER_KEY", value))
    else:
        found = nanos_of(value)
    if found is None or is_zero(found) or target.digits == 9:
        return None if is_zero(found) else found
    unit = 10 ** (9 - target.digits)
    if isinstance(found, exp.Literal):
        kept = int(found.name) // unit * unit
        return number(kept) if kept else None
    return call_on_copies("SF_NANOS_CUT", found, number(unit))


def _of_text(value: exp.Expression) -> exp.Expression:
    if isinstance(value, exp.Literal) and value.is_string:
        below = _BELOW.search(value.name)
        return number(int(below[1].ljust(3, "0")) if below else 0)
    return call_on_copies("SF_TEXT_NANOS", value)


def derive_nanos(node: exp.Expression) -> exp.Expression | None:
    """The nanoseconds of an expression of more than six digits, from those of its parts; None: none, or lost."""
    kind = type_of(node) or sftypes.NTZ
    if isinstance(node, _SAME):
        return nanos_of(node.this)
    if isinstance(node, exp.TryCast):
        return _tried(node, nanos_as(node.this, kind))
    if isinstance(node, exp.Cast):
        return nanos_as(node.this, kind)
    if isinstance(node, exp.Anonymous):
        return _of_conversion(node, kind) if _CONVERSION.fullmatch(node.name.upper()) else None
    if isinstance(node, exp.ConvertTimezone):
        return nanos_as(node.args["timestamp"], kind)
    if isinstance(node, _ADDING):
        return _of_addition(node)
    if isinstance(node, (exp.Add, exp.Sub)):  # … + INTERVAL '1 day'
        return nanos_of(node.this)
    if isinstance(node, (exp.TimestampTrunc, exp.DateTrunc)):
        return nanos_as(node.this, kind) if unit_of(node) == "NANOSECOND" else None
    if isinstance(node, _PARTS):
        return _of_parts(node)
    if isinstance(node, exp.UnixToTime):
        scale = node.args.get("scale")
        return _of_number(node.this, scale)
    return _of_choice(node) or _of_rows(node)


def _tried(node: exp.Expression, nanos: exp.Expression | None) -> exp.Expression | None:
    """Of a conversion that gives NULL where it fails."""
    return None if nanos is None else where_present(bare(node), nanos)


def _of_conversion(node: exp.Anonymous, kind: SfType) -> exp.Expression | None:
    """TO_TIMESTAMP(value [, scale or model]) and its like."""
    value = node.expressions[0]
    second = node.expressions[1] if len(node.expressions) > 1 else None
    if isinstance(second, exp.Literal) and not second.is_string:
        return _of_number(value, second)
    found = nanos_as(value, kind)
    return _tried(node, found) if node.name.upper().startswith("TRY_") else found


def _of_number(value: exp.Expression, scale: exp.Expression | None) -> exp.Expression | None:
    if not isinstance(scale, exp.Literal):
        return call("SF_KEY_NANOS", call_on_copies("SF_NUMBER_KEY", value))
    if int(scale.name) <= DUCKDB_DIGITS:
        return None
    factor = number(10 ** (9 - int(scale.name)))
    return call("SF_KEY_NANOS", exp.Mul(this=exp.paren(value), expression=factor))


def _of_parts(node: exp.Expression) -> exp.Expression | None:
    nano = node.args.get("nano")
    if isinstance(node.args.get("expression"), exp.Expression):  # of a date and a time
        return nanos_of(node.args["expression"])
    if nano is None or isinstance(nano, exp.Literal):
        below = int(nano.name) % 1000 if nano is not None else 0
        return where_present(bare(node), number(below)) if below else None
    return call_on_copies("SF_KEY_NANOS", nano)


def _of_addition(node: exp.Expression) -> exp.Expression | None:
    amount = node.expression
    nanos = nanos_as(node.this, type_of(node) or sftypes.NTZ)
    if unit_of(node) == "NANOSECOND":
        return call_on_copies("SF_NANOS_SUM", nanos if nanos is not None else zero(node.this), amount)
    if nanos is None or _constant(amount):
        return nanos
    return where_present(amount, nanos.copy())


def _of_choice(node: exp.Expression) -> exp.Expression | None:
    if isinstance(node, exp.Nullif):
        nanos = nanos_of(node.this)
        return None if nanos is None else where_present(bare(node), nanos.copy())
    if all(nanos_of(b) is None for b in branches(node)):
        return None
    return switched(node, lambda b: exp.Null() if b is None else nanos_or_zero(b))


def key(value: exp.Expression) -> exp.Expression:
    """One number that orders values to the nanosecond; NULL where the value is NULL."""
    return call("SF_KEY", value.copy(), nanos_or_zero(value))


def _of_rows(node: exp.Expression) -> exp.Expression | None:
    """Aggregates and window functions that give one of their values, and the greatest of several."""
    if isinstance(node, (exp.Max, exp.Min)):
        value = node.this.expressions[0] if isinstance(node.this, exp.Distinct) else node.this
        return None if nanos_of(value) is None else call("SF_KEY_NANOS", type(node)(this=key(value)))
    if isinstance(node, (exp.Greatest, exp.Least)):
        return _of_greatest(node)
    if isinstance(node, _ROW_OF_WINDOW):
        if nanos_of(node.this) is None:
            return None
        twin = bare(node)
        twin.set("this", nanos_or_zero(node.this))
        if node.args.get("default") is not None:
            twin.set("default", nanos_or_zero(node.args["default"]))
        return twin
    if isinstance(node, (exp.IgnoreNulls, exp.RespectNulls, exp.Filter, exp.Window)):
        return _wrapped(node)
    return None


def _wrapped(node: exp.Expression) -> exp.Expression | None:
    """A function's own companion under the same OVER, FILTER or IGNORE NULLS."""
    nanos = nanos_of(node.this)
    if nanos is None:
        return None
    twin = bare(node)
    outer = isinstance(nanos, exp.Anonymous) and nanos.name == "SF_KEY_NANOS"
    twin.set("this", (nanos.expressions[0] if outer else nanos).copy())
    return call("SF_KEY_NANOS", twin) if outer else twin


def _of_greatest(node: exp.Expression) -> exp.Expression | None:
    values = [node.this, *node.expressions]
    if all(nanos_of(v) is None for v in values) or len({type_name(v) for v in values}) > 1:
        return None
    first, *others = (key(v) for v in values)
    greatest = type(node)(this=first, expressions=others, ignore_nulls=node.args.get("ignore_nulls"))
    return call("SF_KEY_NANOS", greatest)


_KEEPING_OFFSET = (exp.Paren, exp.Alias, exp.DateAdd, exp.DateSub, exp.TimestampAdd, exp.TimeAdd, exp.TimestampTrunc, exp.DateTrunc)  # fmt: skip


def offset_of(node: exp.Expression | None) -> exp.Expression | None:
    return companion_of(node, OFFSET)


def derive_offset(node: exp.Expression) -> exp.Expression | None:
    """The offset of an expression from those of its parts; None where it is lost (UTC then)."""
    if isinstance(node, _KEEPING_OFFSET):
        return offset_of(node.this)
    if isinstance(node, (exp.Cast, exp.TryCast)):
        return _offset_of_cast(node)
    if isinstance(node, exp.Anonymous) and node.name.upper() == "TO_TIMESTAMP_TZ":
        return _offset_of_cast(exp.Cast(this=node.expressions[0], to=exp.DataType.build("TIMESTAMPTZ")))
    if isinstance(node, (exp.Max, exp.Min)):
        offset, nanos = offset_of(node.this), companion_of(node.this, NANOS)
        by = node.this if nanos is None else call_on_copies("SF_KEY", node.this, nanos)
        name = "arg_max" if isinstance(node, exp.Max) else "arg_min"
        return offset and call_on_copies(name, offset, by)
    if isinstance(node, exp.ConvertTimezone):
        return call_on_copies("SF_ZONE_OFFSET", node, node.args["target_tz"])
    if isinstance(node, exp.TimestampTzFromParts):
        zone = node.args.get("zone")
        return (
            call_on_copies("SF_ZONE_OFFSET", node, zone)
            if zone is not None
            else call_on_copies("SF_SESSION_OFFSET", node)
        )
    return switched(node, _or_utc)


def _or_utc(branch: exp.Expression | None) -> exp.Expression:
    return offset.copy() if (offset := offset_of(branch)) is not None else number(0)


def _offset_of_cast(node: exp.Expression) -> exp.Expression | None:
    source = type_of(node.this)
    if source is None or source.name == "TEXT":
        return call_on_copies("SF_TEXT_OFFSET", exp.cast(node.this.copy(), "VARCHAR"))
    if source.name == "TIMESTAMP_TZ":
        return offset_of(node.this)
    return call_on_copies("SF_SESSION_OFFSET", node)
