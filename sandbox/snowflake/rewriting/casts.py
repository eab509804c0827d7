"""Casts and conversions, by the type that Snowflake sees on either side."""

from __future__ import annotations

from sqlglot import exp

from sandbox.snowflake import errors
from sandbox.snowflake.catalog import sftypes
from sandbox.snowflake.catalog.companions import OFFSET
from sandbox.snowflake.catalog.sftypes import SEMI_STRUCTURED, SfType
from sandbox.snowflake.rewriting import variants
from sandbox.snowflake.rewriting.companion_values import offset_of
from sandbox.snowflake.rewriting.datetime_formats import Formats, build_format, build_strptime
from sandbox.snowflake.rewriting.expressions import (
    call,
    companions_in,
    duck_cast,
    is_built,
    number,
    type_name,
    type_of,
)

_SUBSECOND = {"TIME", "TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "TIMESTAMP_TZ"}


def cast(formats: Formats, node: exp.Expression) -> exp.Expression:
    if is_built(node):
        return node
    target = sftypes.from_ast(node.to)
    return convert(
        formats, node.this, target, safe=isinstance(node, exp.TryCast), explicit=bool(node.to.expressions)
    )


def convert(
    formats: Formats, value: exp.Expression, target: SfType, *, safe: bool = False, explicit: bool = False
) -> exp.Expression:
    """`value` as `target`. `safe`: NULL instead of an error. `explicit`: a length was written."""
    converted = _convert(formats, value, target, safe=safe, explicit=explicit)
    if target.name in _SUBSECOND and target.digits < 6:
        return call("SF_CUT", converted, number(10 ** (6 - target.digits)))
    return converted


def _convert(
    formats: Formats, value: exp.Expression, target: SfType, *, safe: bool, explicit: bool
) -> exp.Expression:
    source = type_of(value)
    name = source.name if source is not None else ""
    match target.name:
        case "TEXT":
            text = to_text(formats, value)
            return call("left", text, number(target.length)) if explicit and target.length else text
        case "TIMESTAMP_NTZ" | "TIMESTAMP_LTZ" | "TIMESTAMP_TZ":
            if name == "TEXT" and formats.timestamp_input.upper() != "AUTO":
                return duck_cast(
                    parse_text(value, formats.timestamp_input, safe=safe), target.duckdb, safe=safe
                )
            return _to_timestamp(value, name, target, safe=safe)
        case "DATE" | "TIME":
            if name == "TIMESTAMP_TZ":
                value = wall_clock(value)
            elif name in SEMI_STRUCTURED:
                value = scalar(value)
            elif name == "TEXT" and (model := _input_model(formats, target)) != "AUTO":
                value = parse_text(value, model, safe=safe)
            return duck_cast(value, target.duckdb, safe=safe)
        case "VARIANT" | "OBJECT" | "ARRAY":
            return to_variant(value) if name else duck_cast(value, "JSON", safe=safe)
        case "BINARY":
            return value if name == "BINARY" else call("unhex", value)
        case "GEOGRAPHY" | "GEOMETRY":
            return duck_cast(value, "VARCHAR")
        case "VECTOR":
            element = "INTEGER" if target.element == "INT" else "FLOAT"
            return duck_cast(duck_cast(value, f"{element}[]"), target.duckdb, safe=safe)
    if name in SEMI_STRUCTURED:
        value = scalar(value)
    return duck_cast(value, target.duckdb, safe=safe)


def _input_model(formats: Formats, target: SfType) -> str:
    """The session's format for texts of a type (docs.snowflake.com/en/sql-reference/parameters, *_INPUT_FORMAT)."""
    return (formats.date_input if target.name == "DATE" else formats.time_input).upper()


def parse_text(value: exp.Expression, model: str, *, safe: bool = False) -> exp.Expression:
    """A text by its model, down to the microsecond: DuckDB's own nanoseconds end in the year 2262."""
    if ".%f" in (form := build_strptime(model)):
        value = call("SF_SIX_DIGITS", value)
    return call("try_strptime" if safe else "strptime", value, exp.Literal.string(form))


def scalar(value: exp.Expression) -> exp.Expression:
    """The text of a JSON scalar, to the last digit."""
    return call("SF_VARIANT_EXACT", call("SF_VARIANT_TEXT", value))


def to_variant(value: exp.Expression) -> exp.Expression:
    """A value as VARIANT, OBJECT or ARRAY have it: JSON, which keeps the value's type."""
    kind = type_name(value)
    if kind in SEMI_STRUCTURED:
        return value
    if kind == "VECTOR":
        return call("SF_VECTOR_JSON", value)
    if kind in variants.LETTERS:
        text = duck_cast(value, "VARCHAR") if kind == "FLOAT" else to_text(variants.EXACT, value)
        return variants.keep(variants.LETTERS[kind], text)
    return call("to_json", value)


def wall_clock(value: exp.Expression) -> exp.Expression:
    """A TIMESTAMP_TZ's date and time of day at its own offset."""
    offset = offset_of(value)
    return call("SF_WALL", value, offset.copy() if offset is not None else number(0))


def _to_timestamp(value: exp.Expression, source: str, target: SfType, *, safe: bool) -> exp.Expression:
    prefix = "SF_TRY_TEXT_" if safe else "SF_TEXT_"
    if source == "NUMBER":
        value, source = call("SF_NUMBER_NTZ", value), "TIMESTAMP_NTZ"
        if target.name != "TIMESTAMP_NTZ":
            return call("timezone", exp.Literal.string("UTC"), value)
    if source in SEMI_STRUCTURED:
        value, source = scalar(value), "TEXT"
    if target.name == "TIMESTAMP_NTZ":
        if source == "TIMESTAMP_TZ":
            return wall_clock(value)
        if source == "TEXT":
            return call(f"{prefix}NTZ", value)
        return duck_cast(value, "TIMESTAMP", safe=safe)
    if source == "TEXT":
        return call(f"{prefix}TZ", value)
    return duck_cast(value, "TIMESTAMPTZ", safe=safe)


def to_text(formats: Formats, value: exp.Expression) -> exp.Expression:
    source = type_of(value)
    match source.name if source is not None else "":
        case "TEXT":
            return value if not isinstance(value, exp.Null) else duck_cast(value, "VARCHAR")
        case "FLOAT":
            return call("SF_FLOAT_TEXT", value)
        case "NUMBER" if source.precision == source.scale:  # DuckDB would print .9, Snowflake 0.9
            return duck_cast(duck_cast(value, f"DECIMAL(38,{source.scale})"), "VARCHAR")
        case "TIMESTAMP_NTZ":
            return build_format(value, formats.ntz, companions_in(value))
        case "TIMESTAMP_LTZ":
            return _local_text(value, formats.ltz)
        case "TIMESTAMP_TZ":
            return build_format(wall_clock(value), formats.tz, companions_in(value))
        case "DATE":
            return build_format(duck_cast(value, "TIMESTAMP"), formats.date, {})
        case "TIME":
            return _time_text(value, formats.time)
        case "BINARY":
            return call("hex", value)
        case "VARIANT" | "OBJECT" | "ARRAY":
            return variants.print_scalar(formats, value)
        case "VECTOR":
            return duck_cast(call("SF_VECTOR_JSON", value), "VARCHAR")
    return duck_cast(value, "VARCHAR")


def _time_text(value: exp.Expression, model: str) -> exp.Expression:
    day = duck_cast(exp.Literal.string("1970-01-01"), "DATE")
    return build_format(
        exp.paren(exp.Add(this=day, expression=value), copy=False), model, companions_in(value)
    )


def _local_text(value: exp.Expression, model: str) -> exp.Expression:
    beside = companions_in(value) | {OFFSET: call("SF_SESSION_OFFSET", value)}
    return build_format(duck_cast(value, "TIMESTAMP"), model, beside)


def to_char(formats: Formats, node: exp.Expression) -> exp.Expression:
    """TO_VARCHAR and TO_CHAR; of the number formats only TM9, TME and plain digit models are known."""
    model = node.args.get("format")
    value, source = node.this, type_of(node.this)
    if model is None:
        return to_text(formats, value)
    if not isinstance(model, exp.Literal):
        raise errors.NotImplementedHere("TO_VARCHAR with a format that is not a constant")
    kind, text = source.name if source is not None else "", model.name
    if kind == "TIME":
        return _time_text(value, text)
    if kind in {"DATE", "TIMESTAMP_NTZ"}:
        return build_format(duck_cast(value, "TIMESTAMP"), text, companions_in(value))
    if kind == "TIMESTAMP_LTZ":
        return _local_text(value, text)
    if kind == "TIMESTAMP_TZ":
        return build_format(wall_clock(value), text, companions_in(value))
    upper = text.upper()
    if kind == "BINARY":
        return {"HEX": call("hex", value), "BASE64": call("to_base64", value)}.get(upper) or call(
            "decode", value
        )
    if upper == "TME":
        return call("SF_FLOAT_TME", duck_cast(value, "DOUBLE"))
    if upper in {"TM", "TM9"}:
        return to_text(formats, value)
    raise errors.NotImplementedHere(f"number format '{text}'")


def to_number(formats: Formats, node: exp.Expression) -> exp.Expression:
    """TO_NUMBER, TO_DECIMAL and their TRY_ forms, without a format."""
    if node.args.get("format") is not None and node.args["format"].is_string:
        raise errors.NotImplementedHere("TO_NUMBER with a format")
    sizes = [node.args.get(k) for k in ("format", "precision", "scale")]
    digits = [int(s.name) for s in sizes if s is not None]
    target = sftypes.number(digits[0] if digits else 38, digits[1] if len(digits) > 1 else 0)
    return convert(formats, node.this, target, safe=bool(node.args.get("safe")))


def to_double(formats: Formats, node: exp.Expression) -> exp.Expression:
    return convert(formats, node.this, sftypes.FLOAT, safe=bool(node.args.get("safe")))


def to_binary(formats: Formats, node: exp.Expression) -> exp.Expression:
    model = node.args.get("format")
    kind = model.name.upper() if model is not None else "HEX"
    name = {"HEX": "unhex", "BASE64": "from_base64", "UTF-8": "encode", "UTF8": "encode"}.get(kind, "unhex")
    return call(name, node.this)


def hex_encode(formats: Formats, node: exp.Expression) -> exp.Expression:
    """HEX_ENCODE(b [, case]): 0 is lower case, 1 (and none) upper."""
    text = call("hex", node.expressions[0])
    lower = len(node.expressions) > 1 and node.expressions[1].name == "0"
    return call("lower", text) if lower else text


def hex_string(formats: Formats, node: exp.Expression) -> exp.Expression:
    return call("unhex", exp.Literal.string(node.this))
