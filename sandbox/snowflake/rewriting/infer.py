"""The Snowflake type of each expression, where DuckDB's own type does not show it (VARIANT, TZ or LTZ, …).

`annotate` puts a type into the meta of every node below an expression whose columns are annotated already
(by `binder`). Unknown stays absent: the type that DuckDB returns counts then.
"""

from __future__ import annotations

from sqlglot import exp

from sandbox.snowflake.catalog import sftypes
from sandbox.snowflake.catalog.companions import NANOS, OFFSET, companions_of
from sandbox.snowflake.catalog.sftypes import (
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
from sandbox.snowflake.rewriting.companion_values import derive_nanos, derive_offset
from sandbox.snowflake.rewriting.expressions import TYPE, branches, type_of

_DERIVE = {OFFSET: derive_offset, NANOS: derive_nanos}
_FIRST_ARGUMENT = (
    exp.Paren, exp.Max, exp.Min, exp.AnyValue, exp.First, exp.Last, exp.FirstValue, exp.LastValue, exp.Lag, exp.Lead,
    exp.NthValue, exp.Window, exp.Filter, exp.Alias, exp.Greatest, exp.Least, exp.Nullif, exp.Ordered,
    exp.IgnoreNulls, exp.RespectNulls, exp.ArgMax, exp.ArgMin, exp.Mode, exp.StripNullValue,
)  # fmt: skip
_TEXTS = (
    exp.Upper, exp.Lower, exp.Substring, exp.Trim, exp.Concat, exp.ConcatWs, exp.DPipe, exp.Left, exp.Right, exp.Replace,
    exp.GroupConcat, exp.MD5, exp.SHA, exp.SHA2, exp.Hex, exp.Base64Encode, exp.JSONFormat, exp.ToChar, exp.Chr, exp.Repeat,
    exp.RegexpReplace, exp.RegexpExtract, exp.SplitPart, exp.Uuid, exp.Initcap, exp.Reverse, exp.Translate, exp.Pad,
    exp.CurrentRole, exp.CurrentWarehouse, exp.CurrentUser, exp.CurrentAccount, exp.CurrentDatabase, exp.CurrentSchema,
    exp.CurrentVersion, exp.Monthname, exp.Dayname, exp.Typeof, exp.Randstr,
)  # fmt: skip
_SHIFTING = (exp.DateAdd, exp.DateSub, exp.TimestampAdd, exp.TimeAdd, exp.TimestampTrunc, exp.DateTrunc)
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


def annotate(node: exp.Expression) -> None:
    """Types and companions for a node and everything below it, nested queries left out (the binder has done them)."""
    for child in node.iter_expressions():
        if not isinstance(child, exp.Query):
            annotate(child)
    if TYPE not in node.meta and (found := _infer(node)) is not None:
        node.meta[TYPE] = found
    if isinstance(node, exp.If) and isinstance(node.parent, exp.Case):
        return  # a WHEN: its CASE looks at the value
    for companion in companions_of(type_of(node)):
        if companion.key not in node.meta and (expression := _DERIVE[companion](node)) is not None:
            node.meta[companion.key] = expression


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
    if isinstance(node, (exp.If, exp.Case, exp.Coalesce, exp.DecodeCase, exp.Nvl2)):
        return _common(branches(node))
    if isinstance(node, _SHIFTING):
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
    if isinstance(node, exp.Distinct):
        return type_of(node.expressions[0]) if len(node.expressions) == 1 else None
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


def _common(nodes: list[exp.Expression]) -> SfType | None:
    types = [t for n in nodes if not isinstance(n, exp.Null) and (t := type_of(n)) is not None]
    same = types and all(t.name == types[0].name for t in types)
    return max(types, key=lambda t: t.digits) if same else None


def _arithmetic(node: exp.Expression) -> SfType | None:
    """FLOAT where a side is; NUMBER where all sides are, and DuckDB gives precision and scale.

    A time stays of its type when an interval is added to it.
    """
    if isinstance(node, (exp.Add, exp.Sub)) and isinstance(node.expression, exp.Interval):
        kind = type_of(node.this)
        return kind if kind is not None and kind.digits else None
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
