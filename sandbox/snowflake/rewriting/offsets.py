"""The offset of a TIMESTAMP_TZ expression, in minutes."""

from __future__ import annotations

from sqlglot import exp

from sandbox.snowflake.catalog.companions import NANOS, OFFSET
from sandbox.snowflake.rewriting.annotations import companion_of, type_of
from sandbox.snowflake.rewriting.expressions import call_on_copies, number
from sandbox.snowflake.rewriting.switching import switched

_SAME = (exp.Paren, exp.Alias, exp.DateAdd, exp.DateSub, exp.TimestampAdd, exp.TimeAdd, exp.TimestampTrunc, exp.DateTrunc)  # fmt: skip


def offset_of(node: exp.Expression | None) -> exp.Expression | None:
    return companion_of(node, OFFSET)


def derive_offset(node: exp.Expression) -> exp.Expression | None:
    """The offset of an expression from those of its parts; None where it is lost (UTC then)."""
    if isinstance(node, _SAME):
        return offset_of(node.this)
    if isinstance(node, (exp.Cast, exp.TryCast)):
        return _cast(node)
    if isinstance(node, exp.Anonymous) and node.name.upper() == "TO_TIMESTAMP_TZ":
        return _cast(exp.Cast(this=node.expressions[0], to=exp.DataType.build("TIMESTAMPTZ")))
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


def _cast(node: exp.Expression) -> exp.Expression | None:
    source = type_of(node.this)
    if source is None or source.name == "TEXT":
        return call_on_copies("SF_TEXT_OFFSET", exp.cast(node.this.copy(), "VARCHAR"))
    if source.name == "TIMESTAMP_TZ":
        return offset_of(node.this)
    return call_on_copies("SF_SESSION_OFFSET", node)
