"""Semi-structured values (JSON text in DuckDB) and geography (WKT text)."""

from __future__ import annotations

from sqlglot import exp

from sandbox.snowflake.catalog.sftypes import SEMI_STRUCTURED
from sandbox.snowflake.rewriting.datetime_formats import Formats
from sandbox.snowflake.rewriting.expressions import call, duck_cast, number, type_of


def to_json(formats: Formats, node: exp.Expression) -> exp.Expression:
    return call("SF_TO_JSON", node.this)


def parse_json(formats: Formats, node: exp.Expression) -> exp.Expression:
    kind = type_of(node.this)
    if kind is not None and kind.name in SEMI_STRUCTURED:
        return node.this
    return duck_cast(duck_cast(node.this, "VARCHAR"), "JSON", safe=bool(node.args.get("safe")))


def to_variant(formats: Formats, node: exp.Expression) -> exp.Expression:
    return as_json(node.this)


def as_json(value: exp.Expression) -> exp.Expression:
    kind = type_of(value)
    return value if kind is not None and kind.name in SEMI_STRUCTURED else call("to_json", value)


def object_construct(formats: Formats, node: exp.Expression) -> exp.Expression:
    keep = isinstance(node, exp.JSONObject)
    keys: list[exp.Expression] = []
    values: list[exp.Expression] = []
    for pair in node.expressions:
        if not isinstance(pair, (exp.PropertyEQ, exp.JSONKeyValue)):
            return node
        key = pair.this
        keys.append(
            exp.Literal.string(key.name) if isinstance(key, exp.Identifier) else duck_cast(key, "VARCHAR")
        )
        values.append(as_json(pair.expression))
    built_keys, built_values = call("list_value", *keys), call("list_value", *values)
    return call("SF_OBJECT", built_keys, built_values, exp.true() if keep else exp.false())


def array_construct(formats: Formats, node: exp.Expression) -> exp.Expression:
    return call("json_array", *(as_json(e) for e in node.expressions))


def array_agg(formats: Formats, node: exp.Expression) -> exp.Expression:
    if isinstance(node.parent, (exp.Window, exp.WithinGroup)):
        return node
    inner: exp.Expression = exp.ArrayAgg(this=node.this, nulls_excluded=True)
    argument = node.this.this if isinstance(node.this, (exp.Order, exp.Distinct)) else node.this
    present = exp.Not(this=exp.Is(this=argument.copy(), expression=exp.Null()))
    listed = (
        exp.Filter(this=call("list", node.this), expression=exp.Where(this=present))
        if not isinstance(node.this, exp.Distinct)
        else inner
    )
    return exp.Coalesce(
        this=call("to_json", listed), expressions=[duck_cast(exp.Literal.string("[]"), "JSON")]
    )


def within_group(formats: Formats, node: exp.Expression) -> exp.Expression:
    """ARRAY_AGG(x) WITHIN GROUP (ORDER BY …)."""
    if not isinstance(node.this, exp.ArrayAgg):
        return node
    value = node.this.this
    present = exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null()))
    ordered = exp.Order(this=value, expressions=node.expression.expressions)
    listed = exp.Filter(this=call("list", ordered), expression=exp.Where(this=present))
    return exp.Coalesce(
        this=call("to_json", listed), expressions=[duck_cast(exp.Literal.string("[]"), "JSON")]
    )


def array_size(formats: Formats, node: exp.Expression) -> exp.Expression:
    length = call("json_array_length", node.this)
    is_array = exp.EQ(this=call("json_type", node.this.copy()), expression=exp.Literal.string("ARRAY"))
    return exp.Case(ifs=[exp.If(this=is_array, true=length)])


def extract(formats: Formats, node: exp.Expression) -> exp.Expression:
    """v:a.b and GET(v, 'a'): a JSON value, NULL where it is absent."""
    return exp.paren(node, copy=False) if not isinstance(node.parent, exp.Paren) else node


def bracket(formats: Formats, node: exp.Expression) -> exp.Expression:
    if len(node.expressions) != 1 or not isinstance(node.expressions[0], exp.Literal):
        return node
    index = node.expressions[0]
    if index.is_string:
        path = '$."' + index.name.replace('"', '\\"') + '"'
    else:
        path = f"$[{index.name}]"
    return call("json_extract", node.this, exp.Literal.string(path))


def typeof(formats: Formats, node: exp.Expression) -> exp.Expression:
    return call("SF_TYPEOF", as_json(node.this))


def system_typeof(formats: Formats, node: exp.Expression) -> exp.Expression:
    kind = type_of(node.expressions[0])
    return exp.Literal.string(str(kind)) if kind is not None else call("typeof", node.expressions[0])


def ewkt(formats: Formats, node: exp.Expression) -> exp.Expression:
    kind = type_of(node.expressions[0])
    srid = 0 if kind is not None and kind.name == "GEOMETRY" else 4326
    return call("SF_EWKT", node.expressions[0], number(srid))


def make_point(formats: Formats, node: exp.Expression) -> exp.Expression:
    return call("format", exp.Literal.string("POINT({} {})"), *node.expressions)
