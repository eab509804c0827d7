"""The Snowflake type of each expression, where DuckDB's own type would not tell it (VARIANT, TZ or LTZ, …).

`annotate` puts a type into `node.meta["sf"]` of every node below an expression whose columns are annotated already
(by `binder`). Unknown stays absent: the type that DuckDB returns counts then.
"""

from __future__ import annotations

from sqlglot import exp

from sandbox.snowflake import sftypes
from sandbox.snowflake.sftypes import (
    BINARY,
    BOOLEAN,
    DATE,
    FLOAT,
    LTZ,
    NTZ,
    TEXT,
    TIME,
    TZ,
    VARIANT,
    SfType,
    number,
)

TYPE = "sf"
#: meta key of an expression that gives a TIMESTAMP_TZ's offset in minutes
OFFSET = "offset"

_FIRST_ARGUMENT = (
    exp.Paren, exp.Max, exp.Min, exp.AnyValue, exp.First, exp.Last, exp.FirstValue, exp.LastValue, exp.Lag, exp.Lead,
    exp.NthValue, exp.Window, exp.Filter, exp.Alias, exp.Greatest, exp.Least, exp.Nullif, exp.Distinct, exp.Ordered,
    exp.IgnoreNulls, exp.RespectNulls, exp.ArgMax, exp.ArgMin, exp.Mode, exp.StripNullValue,
)  # fmt: skip
_TEXTS = (
    exp.Upper, exp.Lower, exp.Substring, exp.Trim, exp.Concat, exp.ConcatWs, exp.DPipe, exp.Left, exp.Right, exp.Replace,
    exp.GroupConcat, exp.MD5, exp.SHA, exp.SHA2, exp.Hex, exp.Base64Encode, exp.JSONFormat, exp.ToChar, exp.Chr, exp.Repeat,
    exp.RegexpReplace, exp.RegexpExtract, exp.SplitPart, exp.Uuid, exp.Initcap, exp.Reverse, exp.Translate, exp.Pad,
    exp.CurrentRole, exp.CurrentWarehouse, exp.CurrentUser, exp.CurrentAccount, exp.CurrentDatabase, exp.CurrentSchema,
    exp.CurrentVersion, exp.Monthname, exp.Dayname, exp.Typeof, exp.Randstr,
)  # fmt: skip
_NUMBERS = (
    exp.Count, exp.CountIf, exp.Length, exp.ByteLength, exp.RowNumber, exp.Rank, exp.DenseRank, exp.Ntile, exp.DateDiff,
    exp.Extract, exp.Year, exp.Month, exp.Day, exp.Hour, exp.Minute, exp.Second, exp.StrPosition, exp.ArraySize, exp.HashAgg,
    exp.ApproxDistinct, exp.WidthBucket, exp.Levenshtein, exp.MD5NumberLower64, exp.MD5NumberUpper64, exp.Sign,
    exp.BitwiseXorAgg, exp.BitwiseAndAgg, exp.BitwiseOrAgg, exp.BitwiseXor, exp.BitwiseAnd, exp.BitwiseOr,
)  # fmt: skip
_BOOLEANS = (exp.Predicate, exp.Connector, exp.Not, exp.Boolean, exp.LogicalAnd, exp.LogicalOr, exp.Exists,
             exp.StartsWith, exp.EndsWith, exp.Contains, exp.RegexpLike, exp.IsNullValue)  # fmt: skip
_VARIANTS = (exp.ParseJSON, exp.JSONExtract, exp.ToVariant, exp.GetExtract, exp.Bracket)
_OBJECTS = (exp.Struct, exp.JSONObject, exp.StarMap, exp.ObjectAgg)
_ARRAYS = (exp.Array, exp.ArrayAgg, exp.ArrayConcat, exp.ArrayConstructCompact, exp.Split, exp.ArrayUniqueAgg)

_ANONYMOUS = {
    "TO_TIMESTAMP": NTZ, "TO_TIMESTAMP_NTZ": NTZ, "TO_TIMESTAMP_LTZ": LTZ, "TO_TIMESTAMP_TZ": TZ, "TRY_TO_TIMESTAMP": NTZ,
    "TRY_TO_TIMESTAMP_NTZ": NTZ, "TRY_TO_TIMESTAMP_TZ": TZ, "TRY_TO_TIMESTAMP_LTZ": LTZ,
    "TO_DATE": DATE, "TO_TIME": TIME, "TRY_TO_DATE": DATE, "TRY_TO_TIME": TIME, "ST_ASEWKT": TEXT, "ST_ASWKT": TEXT, "ST_ASTEXT": TEXT, "TO_OBJECT": sftypes.OBJECT,
    "TO_ARRAY": sftypes.ARRAY, "HASH": number(19, 0), "MD5_HEX": TEXT, "HEX_ENCODE": TEXT, "ST_MAKEPOINT": SfType("GEOGRAPHY"),
    "ST_POINT": SfType("GEOGRAPHY"), "ST_GEOGRAPHYFROMWKT": SfType("GEOGRAPHY"), "LAST_QUERY_ID": TEXT,
    "ST_GEOMETRYFROMWKT": SfType("GEOMETRY"), "TO_GEOGRAPHY": SfType("GEOGRAPHY"), "TO_GEOMETRY": SfType("GEOMETRY"),
    "SYSTEM$TYPEOF": TEXT, "CURRENT_SESSION": TEXT, "CURRENT_REGION": TEXT, "TO_VARIANT": VARIANT,
    "ARRAY_CONSTRUCT": sftypes.ARRAY, "GET_PATH": VARIANT, "TRY_PARSE_JSON": VARIANT,
}  # fmt: skip


def type_of(node: exp.Expression | None) -> SfType | None:
    return node.meta.get(TYPE) if node is not None else None


def offset_of(node: exp.Expression | None) -> exp.Expression | None:
    return node.meta.get(OFFSET) if node is not None else None


def annotate(node: exp.Expression) -> None:
    """Types for a node and everything below it, nested queries left out (the binder has done them)."""
    for child in node.iter_expressions():
        if not isinstance(child, exp.Query):
            annotate(child)
    if TYPE not in node.meta and (found := _infer(node)) is not None:
        node.meta[TYPE] = found
    if type_of(node) is not None and node.meta[TYPE].name == "TIMESTAMP_TZ" and OFFSET not in node.meta:
        offset = _offset(node)
        if offset is not None:
            node.meta[OFFSET] = offset


def _infer(node: exp.Expression) -> SfType | None:
    if isinstance(node, (exp.Cast, exp.TryCast)):
        return sftypes.from_ast(node.to)
    if isinstance(node, exp.Anonymous):
        return _ANONYMOUS.get(node.name.upper()) or _first_of(node, node.name.upper())
    if isinstance(node, exp.Literal):
        return TEXT if node.is_string else number()
    if isinstance(node, (exp.Neg, exp.Add, exp.Sub, exp.Mul, exp.Mod)):
        return _arithmetic(node)
    if isinstance(node, exp.ConvertTimezone):
        return NTZ if node.args.get("source_tz") else TZ
    if isinstance(node, exp.CurrentTimestamp):
        return NTZ if node.args.get("sysdate") else LTZ
    if isinstance(node, (exp.If, exp.Case, exp.Coalesce, exp.DecodeCase)):
        return _common(_branches(node))
    if isinstance(node, (exp.DateAdd, exp.DateSub, exp.TimestampAdd, exp.TimestampTrunc, exp.DateTrunc)):
        return _shifted(node)
    for classes, kind in (
        (_TEXTS, TEXT),
        (_NUMBERS, number()),
        (_VARIANTS, VARIANT),
        (_OBJECTS, sftypes.OBJECT),
        (_ARRAYS, sftypes.ARRAY),
        (_BOOLEANS, BOOLEAN),
    ):
        if isinstance(node, classes):
            return kind
    if isinstance(node, _FIRST_ARGUMENT):
        return type_of(node.this)
    if isinstance(node, exp.Subquery):
        outputs = node.meta.get("outputs")
        return outputs[0].type if outputs else None
    return _by_class(node)


def _by_class(node: exp.Expression) -> SfType | None:
    if isinstance(node, (exp.TsOrDsToDate, exp.CurrentDate, exp.LastDay, exp.DateFromParts)):
        return DATE
    if isinstance(node, exp.TimestampTzFromParts):
        return TZ
    if isinstance(node, exp.TimestampLtzFromParts):
        return LTZ
    if isinstance(node, (exp.UnixToTime, exp.TimestampFromParts)):
        return NTZ
    if isinstance(node, (exp.ToDouble, exp.Sqrt, exp.Ln, exp.Exp)):
        return FLOAT
    if isinstance(node, (exp.ToBinary, exp.MD5Digest, exp.SHA2Digest, exp.HexString, exp.Unhex)):
        return BINARY
    if isinstance(node, (exp.TimeFromParts, exp.Localtime, exp.CurrentTime)):
        return TIME
    if isinstance(node, exp.WithinGroup):
        order = node.expression
        return (
            type_of(order.expressions[0]) if isinstance(node.this, exp.PercentileDisc) else type_of(node.this)
        )
    return None


def _first_of(node: exp.Anonymous, name: str) -> SfType | None:
    same = {"ZEROIFNULL", "NVL", "IFNULL", "ROUND", "TRUNC", "TRUNCATE"}
    return type_of(node.expressions[0]) if name in same and node.expressions else None


def _branches(node: exp.Expression) -> list[exp.Expression]:
    if isinstance(node, exp.Coalesce):
        return [node.this, *node.expressions]
    if isinstance(node, exp.If):
        return [e for e in (node.args.get("true"), node.args.get("false")) if e is not None]
    if isinstance(node, exp.Case):
        found = [branch.args["true"] for branch in node.args["ifs"]]
        return found + ([node.args["default"]] if node.args.get("default") is not None else [])
    return node.expressions[2::2]


def _common(nodes: list[exp.Expression]) -> SfType | None:
    types = [t for n in nodes if not isinstance(n, exp.Null) and (t := type_of(n)) is not None]
    return types[0] if types and all(t.name == types[0].name for t in types) else None


def _arithmetic(node: exp.Expression) -> SfType | None:
    """FLOAT where a side is; NUMBER where all sides are, and DuckDB tells precision and scale."""
    sides = (
        [type_of(node.this)] if isinstance(node, exp.Neg) else [type_of(node.this), type_of(node.expression)]
    )
    if FLOAT in sides:
        return FLOAT
    return number() if all(s is not None and s.name == "NUMBER" for s in sides) else None


def _shifted(node: exp.Expression) -> SfType | None:
    found = type_of(node.this)
    unit = str(node.args.get("unit") or "").upper().strip("'")
    if found == DATE and not isinstance(node, (exp.TimestampTrunc, exp.DateTrunc)):
        return DATE if unit in {"DAY", "WEEK", "MONTH", "QUARTER", "YEAR"} else NTZ
    return NTZ if found is not None and found.name == "TEXT" else found


def _call(name: str, *arguments: exp.Expression) -> exp.Expression:
    return exp.Anonymous(this=name, expressions=[a.copy() for a in arguments])


def _offset(node: exp.Expression) -> exp.Expression | None:
    """The offset in minutes of a TIMESTAMP_TZ expression; None where it is lost (UTC then)."""
    if isinstance(
        node,
        (exp.Paren, exp.Alias, exp.DateAdd, exp.DateSub, exp.TimestampAdd, exp.TimestampTrunc, exp.DateTrunc),
    ):
        return offset_of(node.this)
    if isinstance(node, (exp.Cast, exp.TryCast)):
        return _cast_offset(node)
    if isinstance(node, exp.Anonymous) and node.name.upper() == "TO_TIMESTAMP_TZ":
        return _cast_offset(exp.Cast(this=node.expressions[0], to=exp.DataType.build("TIMESTAMPTZ")))
    if isinstance(node, (exp.Max, exp.Min)):
        offset = offset_of(node.this)
        return offset and _call("arg_max" if isinstance(node, exp.Max) else "arg_min", offset, node.this)
    if isinstance(node, exp.ConvertTimezone):
        return _call("SF_ZONE_OFFSET", node, node.args["target_tz"])
    if isinstance(node, exp.TimestampTzFromParts):
        zone = node.args.get("zone")
        return _call("SF_ZONE_OFFSET", node, zone) if zone is not None else _call("SF_SESSION_OFFSET", node)
    if isinstance(node, (exp.If, exp.Case, exp.Coalesce)):
        return _branch_offset(node)
    if isinstance(node, exp.Subquery):
        return None
    return None


def _cast_offset(node: exp.Expression) -> exp.Expression | None:
    source = type_of(node.this)
    if source is None or source.name == "TEXT":
        return _call("SF_TEXT_OFFSET", exp.cast(node.this.copy(), "VARCHAR"))
    if source.name == "TIMESTAMP_TZ":
        return offset_of(node.this)
    return _call("SF_SESSION_OFFSET", node)


def _branch_offset(node: exp.Expression) -> exp.Expression | None:
    def swap(branch: exp.Expression | None) -> exp.Expression:
        return offset.copy() if (offset := offset_of(branch)) is not None else exp.Literal.number(0)

    if isinstance(node, exp.If):
        return exp.If(this=node.this.copy(), true=swap(node.args["true"]), false=swap(node.args.get("false")))
    if isinstance(node, exp.Case):
        ifs = [exp.If(this=b.this.copy(), true=swap(b.args["true"])) for b in node.args["ifs"]]
        this = node.this.copy() if node.this is not None else None
        return exp.Case(this=this, ifs=ifs, default=swap(node.args.get("default")))
    branches = _branches(node)
    ifs = [
        exp.If(this=exp.Not(this=exp.Is(this=b.copy(), expression=exp.Null())), true=swap(b))
        for b in branches
    ]
    return exp.Case(ifs=ifs)
