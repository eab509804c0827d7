"""Comparison, order and grouping: texts against times by Snowflake's rules, and times to the nanosecond.

DuckDB compares, sorts and groups the microseconds; where a value has nanoseconds too, these decide among equals.
"""

from __future__ import annotations

from sqlglot import exp

from sandbox.snowflake.catalog.companions import NANOS
from sandbox.snowflake.catalog.sftypes import SEMI_STRUCTURED, SfType
from sandbox.snowflake.rewriting.casts import convert
from sandbox.snowflake.rewriting.companion_values import is_zero, key, nanos_as, nanos_of, nanos_or_zero, zero
from sandbox.snowflake.rewriting.datetime_formats import Formats
from sandbox.snowflake.rewriting.expressions import call, reference, type_of

_COMPARED = {"DATE", "TIME", "TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "TIMESTAMP_TZ", "BINARY"}
#: What decides once the values differ, and what once only the nanoseconds may.
_STRICT = {exp.GTE: exp.GT, exp.LTE: exp.LT}


def _agree(formats: Formats, value: exp.Expression, other: exp.Expression) -> exp.Expression:
    """`value` as what it is compared with: a text becomes a date or time by Snowflake's rules, not DuckDB's."""
    mine, theirs = type_of(value), type_of(other)
    if mine is None or theirs is None:
        return value
    if mine.name == "TEXT" and theirs.name in _COMPARED:
        agreed = convert(formats, value, theirs)
        nanos = nanos_as(value, theirs)
        if nanos is not None:
            agreed.meta[NANOS.key] = nanos
        return agreed
    if mine.name == "TIMESTAMP_TZ" and theirs.name == "TIMESTAMP_NTZ":
        return value
    if mine.name in SEMI_STRUCTURED and theirs.name in {"TEXT", "NUMBER", "FLOAT", "BOOLEAN"}:
        return convert(formats, value, theirs)
    return value


def comparison(formats: Formats, node: exp.Expression) -> exp.Expression:
    left, right = node.this, node.expression
    if isinstance(right, (exp.Any, exp.All)) and isinstance(right.this, exp.Query):
        return _with_query(node, right, "this")
    left, right = _agree(formats, left, right), _agree(formats, right, left)
    node.set("this", left)
    node.set("expression", right)
    return _to_the_nanosecond(node)


def _to_the_nanosecond(node: exp.Expression) -> exp.Expression:
    left, right = node.this, node.expression
    if nanos_of(left) is None and nanos_of(right) is None:
        return node
    low, high = nanos_or_zero(left), nanos_or_zero(right)
    kind = type(node)
    if (kind in {exp.GTE, exp.LT} and is_zero(high)) or (kind in {exp.LTE, exp.GT} and is_zero(low)):
        return node  # no nanoseconds are below zero, so the microseconds decide
    if kind in {exp.EQ, exp.NullSafeEQ}:
        return exp.paren(exp.And(this=node, expression=kind(this=low, expression=high)), copy=False)
    if kind in {exp.NEQ, exp.NullSafeNEQ}:
        return exp.paren(exp.Or(this=node, expression=kind(this=low, expression=high)), copy=False)
    apart = _STRICT.get(kind, kind)(this=left.copy(), expression=right.copy())
    equal = exp.EQ(this=left.copy(), expression=right.copy())
    tie = exp.paren(exp.And(this=equal, expression=kind(this=low, expression=high)), copy=False)
    return exp.paren(exp.Or(this=apart, expression=tie), copy=False)


def between(formats: Formats, node: exp.Expression) -> exp.Expression:
    value, low, high = node.this, *(_agree(formats, node.args[k], node.this) for k in ("low", "high"))
    node.set("low", low)
    node.set("high", high)
    if all(nanos_of(part) is None for part in (value, low, high)):
        return node
    above = _to_the_nanosecond(exp.GTE(this=value, expression=low))
    below = _to_the_nanosecond(exp.LTE(this=value.copy(), expression=high))
    return exp.paren(exp.And(this=above, expression=below), copy=False)


def in_list(formats: Formats, node: exp.Expression) -> exp.Expression:
    if node.args.get("query") is not None:
        return _with_query(node, node, "query")
    listed = [_agree(formats, e, node.this) for e in node.expressions]
    node.set("expressions", listed)
    if all(nanos_of(part) is None for part in (node.this, *listed)):
        return node
    equal = [_to_the_nanosecond(exp.EQ(this=node.this.copy(), expression=e)) for e in listed]
    return exp.paren(exp.or_(*equal, copy=False), copy=False)


def _with_query(node: exp.Expression, holder: exp.Expression, place: str) -> exp.Expression:
    """IN, ANY and ALL of a query, which is in `holder`: whole values on both sides."""
    query = holder.args[place]
    [output, *others] = query.meta.get("outputs") or [None]
    hidden = output.hidden.get(NANOS) if output is not None and not others else None
    if hidden is None and nanos_of(node.this) is None:
        return node
    given = reference("k0")
    if output is not None and _zoned(output.type) == _zoned(type_of(node.this)):
        nanos = reference(hidden) if hidden is not None else zero(given)
        given = call("SF_KEY", given, nanos)
        node.set("this", key(node.this))
    source = query.copy() if isinstance(query, exp.Subquery) else exp.Subquery(this=query.copy())
    columns = [exp.to_identifier("k0", quoted=True)]
    source.set("alias", exp.TableAlias(this=exp.to_identifier("q"), columns=columns))
    holder.set(place, exp.Subquery(this=exp.select(given).from_(source)))
    return node


def _zoned(kind: SfType | None) -> bool:
    return kind is not None and kind.name in {"TIMESTAMP_LTZ", "TIMESTAMP_TZ"}


def case(formats: Formats, node: exp.Expression) -> exp.Expression:
    """CASE value WHEN …: each WHEN is a comparison."""
    compared = [node.this, *(branch.this for branch in node.args["ifs"])] if node.this is not None else []
    if all(nanos_of(part) is None for part in compared):
        return node
    for branch in node.args["ifs"]:
        branch.set("this", comparison(formats, exp.EQ(this=node.this.copy(), expression=branch.this)))
    node.set("this", None)
    return node


def order(formats: Formats, node: exp.Expression) -> exp.Expression:
    """ORDER BY, also of a window and of an aggregate: nanoseconds right behind what they belong to."""
    if not _takes_more(node):
        return node
    listed = []
    for ordered in node.expressions:
        listed.append(ordered)
        nanos = nanos_of(ordered.this) if isinstance(ordered, exp.Ordered) else nanos_of(ordered)
        if nanos is not None:
            more = ordered.copy() if isinstance(ordered, exp.Ordered) else exp.Ordered()
            more.set("this", nanos.copy())
            listed.append(more)
    node.set("expressions", listed)
    return node


def _takes_more(node: exp.Expression) -> bool:
    """Whether an order may have another column: not in a RANGE of intervals, nor within a percentile or DISTINCT."""
    if isinstance(node.this, exp.Distinct):
        return False
    parent = node.parent
    if isinstance(parent, exp.WithinGroup):
        return isinstance(parent.this, (exp.ArrayAgg, exp.GroupConcat))
    spec = parent.args.get("spec") if isinstance(parent, exp.Window) else None
    if spec is None or str(spec.args.get("kind")).upper() != "RANGE":
        return True
    bounds = {str(spec.args.get(k)).upper() for k in ("start", "end")}
    return bounds <= {"UNBOUNDED", "CURRENT ROW", "NONE"}


def group(formats: Formats, node: exp.Expression) -> exp.Expression:
    node.set("expressions", _with_nanos(node.expressions))
    return node


def window(formats: Formats, node: exp.Expression) -> exp.Expression:
    if node.args.get("partition_by"):
        node.set("partition_by", _with_nanos(node.args["partition_by"]))
    return node


def _with_nanos(values: list[exp.Expression]) -> list[exp.Expression]:
    found = [nanos.copy() for v in values if (nanos := nanos_of(v)) is not None and not _is_constant(nanos)]
    return [*values, *found]


def _is_constant(nanos: exp.Expression) -> bool:
    return isinstance(nanos, exp.Literal)


def ordered_by(formats: Formats, node: exp.Expression) -> exp.Expression:
    """MAX_BY and MIN_BY"""
    if nanos_of(node.expression) is not None:
        node.set("expression", key(node.expression))
    return node


def distinct(formats: Formats, node: exp.Expression) -> exp.Expression:
    """COUNT(DISTINCT …)"""
    if isinstance(node.parent, exp.Count):
        node.set("expressions", [key(e) if nanos_of(e) is not None else e for e in node.expressions])
    return node


RULES = (
    ((exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ), comparison),
    (exp.EqualNull, lambda f, n: comparison(f, exp.NullSafeEQ(this=n.this, expression=n.expression))),
    (exp.Between, between),
    (exp.In, in_list),
    (exp.Case, case),
    (exp.Order, order),
    (exp.Group, group),
    (exp.Window, window),
    ((exp.ArgMax, exp.ArgMin), ordered_by),
    (exp.Distinct, distinct),
)
