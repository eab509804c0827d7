"""Snowflake's functions and casts as DuckDB expressions.

`rewrite` goes through a bound tree from the leaves up; types come from `infer`. What is not named here is left to
sqlglot's own translation from Snowflake to DuckDB.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from sandbox.snowflake.catalog.companions import COMPANIONS, NANOS
from sandbox.snowflake.rewriting import casts, comparisons, dates, semi_structured
from sandbox.snowflake.rewriting.datetime_formats import Formats
from sandbox.snowflake.rewriting.expressions import (
    TYPE,
    call,
    companion_of,
    companions_in,
    duck_cast,
    number,
    type_of,
)

Rule = Callable[[Formats, exp.Expression], exp.Expression]

_MEANING = (TYPE, *(c.key for c in COMPANIONS))


def rewrite(tree: exp.Expression, formats: Formats) -> exp.Expression:
    """The tree with every node replaced where a rule applies; nested queries included."""
    for key, value in list(tree.args.items()):
        if isinstance(value, list):
            tree.set(key, [rewrite(v, formats) if isinstance(v, exp.Expression) else v for v in value])
        elif isinstance(value, exp.Expression):
            tree.set(key, rewrite(value, formats))
    for companion, expression in companions_in(tree).items():
        tree.meta[companion.key] = rewrite(expression.copy(), formats)
    for rule in _rules(tree):
        new = rule(formats, tree)
        if new is not tree:
            for key in _MEANING:
                if key in tree.meta:
                    new.meta.setdefault(key, tree.meta[key])
            return new
    return tree


def _rules(node: exp.Expression) -> list[Rule]:
    if isinstance(node, exp.Anonymous):
        return [r for r in (_ANONYMOUS.get(node.name.upper()),) if r is not None]
    return [r for kind, r in _RULES if isinstance(node, kind)]


def _constant(formats: Formats, node: exp.Expression) -> exp.Expression:
    key = node.name.upper() if isinstance(node, exp.Anonymous) else type(node).sql_name().upper()
    value = formats.constants.get(key)
    return exp.Literal.string(value) if value is not None else exp.cast(exp.Null(), "VARCHAR")


def last_query_id(ids: tuple[str, ...], node: exp.Anonymous) -> str | None:
    """LAST_QUERY_ID([n]): from the end when n is negative, from the first (1) otherwise."""
    index = int(node.expressions[0].sql()) if node.expressions else -1
    try:
        return ids[index] if index < 0 else ids[index - 1]
    except IndexError:
        return None


def _last_query_id(formats: Formats, node: exp.Expression) -> exp.Expression:
    found = last_query_id(formats.query_ids, node) if isinstance(node, exp.Anonymous) else None
    return exp.Literal.string(found) if found is not None else exp.cast(exp.Null(), "VARCHAR")


def _hash_agg(formats: Formats, node: exp.Expression) -> exp.Expression:
    arguments = [node.this, *node.expressions]
    if isinstance(node.this, exp.Star):
        row: exp.Expression = exp.Anonymous(this="row", expressions=[exp.Var(this="*COLUMNS(*)")])
    else:
        row = call("row", *arguments, *_beside(arguments))
    return exp.Coalesce(this=call("bit_xor", call("SF_HASH_ROW", row)), expressions=[number(0)])


def _hash(formats: Formats, node: exp.Expression) -> exp.Expression:
    return call("SF_HASH_ROW", call("row", *node.expressions, *_beside(node.expressions)))


def _beside(values: list[exp.Expression]) -> list[exp.Expression]:
    return [nanos.copy() for v in values if (nanos := companion_of(v, NANOS)) is not None]


def _length(formats: Formats, node: exp.Expression) -> exp.Expression:
    kind = type_of(node.this)
    return call("octet_length" if kind is not None and kind.name == "BINARY" else "length", node.this)


def _wide(formats: Formats, node: exp.Expression) -> exp.Expression:
    """Integer literals count as NUMBER(38,0) in Snowflake; in DuckDB two of them would overflow at 32 bits."""
    sides = (node.this, node.expression)
    numbers = all((kind := type_of(s)) is not None and kind.name in {"NUMBER", "FLOAT"} for s in sides)
    if numbers or isinstance(node, exp.Mul):
        for key, side in zip(("this", "expression"), sides, strict=True):
            if (
                isinstance(side, exp.Literal)
                and not side.is_string
                and side.name.isdigit()
                and len(side.name) < 19
            ):
                cast = duck_cast(side, "BIGINT")
                cast.meta[TYPE] = type_of(side)
                node.set(key, cast)
    return node


def _divided(formats: Formats, node: exp.Expression) -> exp.Expression:
    """A division by zero is refused (docs.snowflake.com/en/sql-reference/functions/div0); DuckDB gives an infinity or NULL."""
    divisor = node.expression
    if not (isinstance(divisor, exp.Literal) and divisor.name.strip("0.")):
        node.set("expression", call("SF_DIVISOR", divisor))
    return node


def _is_text(node: exp.Expression) -> bool:
    kind = type_of(node)
    return kind is None or kind.name == "TEXT"


def _bitwise(formats: Formats, node: exp.Expression) -> exp.Expression:
    node.set("this", duck_cast(node.this, "HUGEINT"))
    return node


def _digest(name: str) -> Rule:
    def rule(formats: Formats, node: exp.Expression) -> exp.Expression:
        argument = node.this if not isinstance(node, exp.Anonymous) else node.expressions[0]
        kind = type_of(argument)
        if kind is not None and kind.name not in {"TEXT", "BINARY"}:
            argument = casts.to_text(formats, argument)
        return call(name, argument)

    return rule


def _sha2(formats: Formats, node: exp.Expression) -> exp.Expression:
    return _digest("sha256")(formats, node)


def _regexp_like(formats: Formats, node: exp.Expression) -> exp.Expression:
    flag = node.args.get("flag")
    arguments = [node.this, node.expression]
    return call(
        "regexp_full_match", *arguments, *([call("SF_REGEXP_FLAGS", flag)] if flag is not None else [])
    )


def _to_number(formats: Formats, node: exp.Expression) -> exp.Expression:
    return casts.to_number(formats, node)


def _generic_number(name: str) -> Rule:
    return lambda formats, node: call(name, node.this)


_RULES: tuple[tuple[type[exp.Expression] | tuple[type[exp.Expression], ...], Rule], ...] = (
    ((exp.Cast, exp.TryCast), casts.cast),
    (exp.ToNumber, _to_number),
    (exp.ToChar, casts.to_char),
    (exp.ToBinary, casts.to_binary),
    (exp.ToDouble, casts.to_double),
    (exp.HexString, casts.hex_string),
    (exp.Extract, dates.extract),
    (dates.PART_FUNCTIONS, dates.part_function),
    (exp.ConvertTimezone, dates.convert_timezone),
    (exp.CurrentTimestamp, dates.current_timestamp),
    (exp.CurrentDate, dates.current_date),
    ((exp.DateAdd, exp.TimestampAdd, exp.TimeAdd), dates.date_add),
    (exp.DateDiff, dates.date_diff),
    ((exp.TimestampTrunc, exp.DateTrunc), dates.date_trunc),
    (exp.UnixToTime, dates.unix_to_time),
    (exp.TimestampFromParts, dates.ntz_from_parts),
    (exp.TimeFromParts, dates.time_from_parts),
    (exp.TimestampTzFromParts, dates.tz_from_parts),
    (exp.TimestampLtzFromParts, dates.ltz_from_parts),
    (exp.JSONFormat, semi_structured.to_json),
    (exp.ParseJSON, semi_structured.parse_json),
    (exp.ToVariant, semi_structured.to_variant),
    ((exp.Struct, exp.JSONObject), semi_structured.object_construct),
    (exp.Array, semi_structured.array_construct),
    (exp.ArrayAgg, semi_structured.array_agg),
    (exp.WithinGroup, semi_structured.within_group),
    (exp.ArraySize, semi_structured.array_size),
    (exp.JSONExtract, semi_structured.extract),
    (exp.Bracket, semi_structured.bracket),
    (exp.Typeof, semi_structured.typeof),
    (exp.HashAgg, _hash_agg),
    ((exp.Mul, exp.Add, exp.Sub), _wide),
    ((exp.Div, exp.Mod), _divided),
    (exp.Length, _length),
    (exp.ByteLength, lambda f, n: call("strlen" if _is_text(n.this) else "octet_length", n.this)),
    ((exp.BitwiseXorAgg, exp.BitwiseAndAgg, exp.BitwiseOrAgg), _bitwise),
    *comparisons.RULES,
    (exp.MD5, _digest("md5")),
    (exp.SHA2, _sha2),
    (exp.MD5NumberLower64, _generic_number("SF_MD5_LOWER")),
    (exp.MD5NumberUpper64, _generic_number("SF_MD5_UPPER")),
    (exp.RegexpLike, _regexp_like),
    (
        exp.WidthBucket,
        lambda f, n: call("SF_WIDTH_BUCKET", n.this, n.args["min_value"], n.args["max_value"], n.args["num_buckets"]),
    ),
    (
        (
            exp.CurrentRole, exp.CurrentWarehouse, exp.CurrentUser, exp.CurrentAccount, exp.CurrentDatabase,
            exp.CurrentSchema, exp.CurrentVersion, exp.CurrentSession, exp.CurrentRegion,
        ),
        _constant,
    ),
)  # fmt: skip

_ANONYMOUS: dict[str, Rule] = {
    "HASH": _hash,
    "HEX_ENCODE": casts.hex_encode,
    "MD5_HEX": _digest("md5"),
    "SHA2_HEX": _digest("sha256"),
    "LAST_QUERY_ID": _last_query_id,
    "CURRENT_SESSION": _constant,
    "CURRENT_STATEMENT": _constant,
    "CURRENT_TRANSACTION": _constant,
    "CURRENT_CLIENT": _constant,
    "CURRENT_IP_ADDRESS": _constant,
    "CURRENT_ORGANIZATION_NAME": _constant,
    "CURRENT_ACCOUNT_NAME": _constant,
    "ST_ASEWKT": semi_structured.ewkt,
    "ST_ASWKT": lambda f, n: call("SF_WKT", n.expressions[0]),
    "ST_ASTEXT": lambda f, n: call("SF_WKT", n.expressions[0]),
    "TO_GEOGRAPHY": lambda f, n: n.expressions[0],
    "TO_GEOMETRY": lambda f, n: n.expressions[0],
    "ST_GEOGRAPHYFROMWKT": lambda f, n: n.expressions[0],
    "ST_GEOMETRYFROMWKT": lambda f, n: n.expressions[0],
    "ST_MAKEPOINT": semi_structured.make_point,
    "ST_POINT": semi_structured.make_point,
    "TO_OBJECT": lambda f, n: exp.cast(n.expressions[0], "JSON"),
    "TO_ARRAY": lambda f, n: exp.cast(n.expressions[0], "JSON"),
    "TRY_PARSE_JSON": lambda f, n: exp.TryCast(this=n.expressions[0], to=exp.DataType.build("JSON")),
    "SYSTEM$TYPEOF": semi_structured.system_typeof,
    "TO_TIMESTAMP": dates.to_timestamp("TIMESTAMP_NTZ"),
    "TO_TIMESTAMP_NTZ": dates.to_timestamp("TIMESTAMP_NTZ"),
    "TO_TIMESTAMP_LTZ": dates.to_timestamp("TIMESTAMP_LTZ"),
    "TO_TIMESTAMP_TZ": dates.to_timestamp("TIMESTAMP_TZ"),
    "TRY_TO_TIMESTAMP": dates.to_timestamp("TIMESTAMP_NTZ", safe=True),
    "TRY_TO_TIMESTAMP_NTZ": dates.to_timestamp("TIMESTAMP_NTZ", safe=True),
    "TRY_TO_TIMESTAMP_LTZ": dates.to_timestamp("TIMESTAMP_LTZ", safe=True),
    "TRY_TO_TIMESTAMP_TZ": dates.to_timestamp("TIMESTAMP_TZ", safe=True),
    "TO_DATE": dates.to_date,
    "TRY_TO_DATE": dates.to_date,
    "TO_TIME": dates.to_time,
    "TRY_TO_TIME": dates.to_time,
    "ARRAY_CONSTRUCT": semi_structured.array_construct,
}
