"""Date and time functions."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from sandbox.snowflake import errors
from sandbox.snowflake.catalog import sftypes
from sandbox.snowflake.rewriting.casts import convert, wall_clock
from sandbox.snowflake.rewriting.companion_values import nanos_as, offset_of
from sandbox.snowflake.rewriting.datetime_formats import Formats, build_strptime, fraction
from sandbox.snowflake.rewriting.expressions import call, duck_cast, number, type_of, unit_of

_EPOCH = {
    "EPOCH": 1_000_000, "EPOCH_SECOND": 1_000_000, "EPOCH_SECONDS": 1_000_000, "EPOCH_MILLISECOND": 1000,
    "EPOCH_MILLISECONDS": 1000, "EPOCH_MICROSECOND": 1, "EPOCH_MICROSECONDS": 1, "EPOCH_NANOSECOND": 0,
    "EPOCH_NANOSECONDS": 0,
}  # fmt: skip
_PARTS = {
    "NANOSECOND": "NS", "NSEC": "NS", "NANOSEC": "NS", "NSECOND": "NS", "NANOSECONDS": "NS", "NANOSECS": "NS",
    "DAYOFWEEKISO": "isodow", "DAYOFWEEK_ISO": "isodow", "DOW": "dow", "DAYOFWEEK": "dow", "DOY": "doy",
    "DAYOFYEAR": "doy", "YEAROFWEEK": "isoyear", "YEAROFWEEKISO": "isoyear", "WEEKISO": "week", "WEEKOFYEAR": "week",
}  # fmt: skip


def _at_wall(formats: Formats, value: exp.Expression) -> exp.Expression:
    """What date parts are taken from."""
    kind = type_of(value)
    name = kind.name if kind is not None else ""
    if name == "TEXT":
        return convert(formats, value, sftypes.NTZ)
    if name == "TIMESTAMP_TZ":
        return wall_clock(value)
    return duck_cast(value, "TIMESTAMP") if name == "TIMESTAMP_LTZ" else value


def extract(formats: Formats, node: exp.Expression) -> exp.Expression:
    part, value = node.this.name.upper(), node.expression
    kind = type_of(value)
    name = kind.name if kind is not None else ""
    nanos = nanos_as(value, sftypes.NTZ)
    if part in _EPOCH:
        if name == "TEXT":
            value = convert(formats, value, sftypes.NTZ)
        if _EPOCH[part] == 0:
            return call("SF_KEY", value, nanos if nanos is not None else number(0))
        return (
            call("epoch_us", value)
            if _EPOCH[part] == 1
            else call("SF_EPOCH_PART", value, number(_EPOCH[part]))
        )
    if part in {"TZH", "TIMEZONE_HOUR", "TZM", "TIMEZONE_MINUTE"}:
        if name == "TIMESTAMP_LTZ":
            offset: exp.Expression = call("SF_SESSION_OFFSET", value)
        else:
            found = offset_of(value)
            offset = found.copy() if found is not None else number(0)
        hours = part in {"TZH", "TIMEZONE_HOUR"}
        whole = duck_cast(exp.Div(this=offset, expression=duck_cast(number(60), "DOUBLE")), "DOUBLE")
        if hours:
            return duck_cast(call("trunc", whole), "INTEGER")
        return duck_cast(exp.Mod(this=exp.paren(offset, copy=True), expression=number(60)), "INTEGER")
    value = _at_wall(formats, value)
    known = _PARTS.get(part, part.lower())
    if known == "NS":
        return fraction(value, nanos)
    return call("date_part", exp.Literal.string(known), value)


#: YEAR(x) is DATE_PART(YEAR, x): at the value's own wall clock.
PART_FUNCTIONS = (exp.Year, exp.Quarter, exp.Month, exp.Day, exp.Hour, exp.Minute, exp.Second, exp.DayOfYear)


def part_function(formats: Formats, node: exp.Expression) -> exp.Expression:
    named = exp.Extract(this=exp.Var(this=type(node).__name__), expression=node.this)
    return extract(formats, named)


def convert_timezone(formats: Formats, node: exp.Expression) -> exp.Expression:
    value, target = node.args["timestamp"], node.args["target_tz"]
    source = node.args.get("source_tz")
    if source is not None:
        wall = convert(formats, value, sftypes.NTZ)
        return call("timezone", target, call("timezone", source, wall))
    kind = type_of(value)
    if kind is not None and kind.name == "TEXT":
        return call("SF_TEXT_TZ", value)
    return duck_cast(value, "TIMESTAMPTZ")


def current_timestamp(formats: Formats, node: exp.Expression) -> exp.Expression:
    instant = call("make_timestamptz", number(round((formats.now or 0) * 1_000_000)))
    return call("timezone", exp.Literal.string("UTC"), instant) if node.args.get("sysdate") else instant


def current_date(formats: Formats, node: exp.Expression) -> exp.Expression:
    return duck_cast(current_timestamp(formats, exp.CurrentTimestamp()), "DATE")


def date_add(formats: Formats, node: exp.Expression) -> exp.Expression:
    unit, amount, value = unit_of(node), node.expression, node.this
    kind = type_of(value)
    name = kind.name if kind is not None else ""
    if name == "TEXT" or (not name and isinstance(value, exp.Literal)):
        value, name = convert(formats, value, sftypes.NTZ), "TIMESTAMP_NTZ"
    whole = duck_cast(amount, "BIGINT")
    if unit in {"YEAR", "QUARTER", "MONTH"}:
        months = exp.Mul(this=whole, expression=number({"YEAR": 12, "QUARTER": 3, "MONTH": 1}[unit]))
        interval = call("to_months", duck_cast(exp.paren(months, copy=False), "INTEGER"))
    elif unit in {"WEEK", "DAY"}:
        days = exp.Mul(this=whole, expression=number(7 if unit == "WEEK" else 1))
        interval = call("to_days", duck_cast(exp.paren(days, copy=False), "INTEGER"))
    elif unit in {"HOUR", "MINUTE", "SECOND", "MILLISECOND", "MICROSECOND"}:
        interval = call(f"to_{unit.lower()}s", whole)
    elif unit == "NANOSECOND":
        nanos = nanos_as(node.this, sftypes.NTZ)
        total = exp.Add(this=nanos if nanos is not None else number(0), expression=whole)
        interval = call("to_microseconds", call("SF_FLOOR_DIV", exp.paren(total, copy=False), number(1000)))
    else:
        raise errors.NotImplementedHere(f"DATEADD({unit})")
    added = exp.paren(exp.Add(this=value, expression=interval), copy=False)
    return (
        duck_cast(added, "DATE")
        if name == "DATE" and unit in {"YEAR", "QUARTER", "MONTH", "WEEK", "DAY"}
        else added
    )


def date_diff(formats: Formats, node: exp.Expression) -> exp.Expression:
    """Boundaries crossed, as Snowflake counts them; sides of different kinds become timestamps."""
    unit = unit_of(node)
    sides = []
    nanos = [nanos_as(side, sftypes.NTZ) for side in (node.this, node.expression)]
    kinds = {k.name if (k := type_of(s)) is not None else "" for s in (node.this, node.expression)}
    for side in (node.this, node.expression):
        kind = type_of(side)
        name = kind.name if kind is not None else ""
        if name == "TEXT":
            side = convert(formats, side, sftypes.NTZ)
        elif name == "DATE" and kinds != {"DATE"}:
            side = duck_cast(side, "TIMESTAMP")
        elif name in {"TIMESTAMP_LTZ", "TIMESTAMP_TZ"}:
            side = (
                call("timezone", exp.Literal.string("UTC"), side)
                if kinds <= {"TIMESTAMP_LTZ", "TIMESTAMP_TZ"}
                else _at_wall(formats, side)
            )
        elif name == "TIME":
            side = exp.paren(
                exp.Add(this=duck_cast(exp.Literal.string("1970-01-01"), "DATE"), expression=side), copy=False
            )
        sides.append(side)
    if unit == "NANOSECOND":
        last, first = (call("SF_KEY", side, n or number(0)) for side, n in zip(sides, nanos, strict=True))
        return exp.paren(exp.Sub(this=last, expression=first), copy=False)
    return call("date_diff", exp.Literal.string(unit.lower()), sides[1], sides[0])


def date_trunc(formats: Formats, node: exp.Expression) -> exp.Expression:
    unit = unit_of(node)
    kind = type_of(node.this)
    name = kind.name if kind is not None else ""
    value = convert(formats, node.this, sftypes.NTZ) if name == "TEXT" else node.this
    if unit == "NANOSECOND":
        return value
    if name == "TIME":
        day = duck_cast(exp.Literal.string("1970-01-01"), "DATE")
        moment = exp.paren(exp.Add(this=day, expression=value), copy=False)
        return duck_cast(call("date_trunc", exp.Literal.string(unit.lower()), moment), "TIME")
    if name == "TIMESTAMP_TZ":  # cut at the value's own wall clock, then back to the instant
        offset = offset_of(node.this)
        minutes = offset.copy() if offset is not None else number(0)
        cut = call("date_trunc", exp.Literal.string(unit.lower()), wall_clock(node.this))
        back = exp.Sub(this=cut, expression=call("to_minutes", duck_cast(minutes, "INTEGER")))
        return call("timezone", exp.Literal.string("UTC"), exp.paren(back, copy=False))
    return call("date_trunc", exp.Literal.string(unit.lower()), value)


def _model(node: exp.Expression) -> str | None:
    """The format of TO_DATE(text, format) and its like; None for AUTO."""
    model = node.expressions[1] if len(node.expressions) > 1 else None
    if model is None or (isinstance(model, exp.Literal) and model.name.upper() in {"AUTO", ""}):
        return None
    if not isinstance(model, exp.Literal):
        raise errors.NotImplementedHere("a date format that is not a constant")
    return str(model.name)


def _parsed(value: exp.Expression, model: str, *, safe: bool) -> exp.Expression:
    """A text by its model, down to the microsecond: DuckDB's own nanoseconds end in the year 2262."""
    if ".%f" in (form := build_strptime(model)):
        value = call("SF_SIX_DIGITS", value)
    return call("try_strptime" if safe else "strptime", value, exp.Literal.string(form))


def to_date(formats: Formats, node: exp.Expression) -> exp.Expression:
    safe = node.name.upper().startswith("TRY_")
    model = _model(node)
    if model is not None:
        return duck_cast(_parsed(node.expressions[0], model, safe=safe), "DATE")
    return convert(formats, node.expressions[0], sftypes.DATE, safe=safe)


def to_time(formats: Formats, node: exp.Expression) -> exp.Expression:
    safe = node.name.upper().startswith("TRY_")
    model = _model(node)
    if model is not None:
        return duck_cast(_parsed(node.expressions[0], model, safe=safe), "TIME")
    return convert(formats, node.expressions[0], sftypes.TIME, safe=safe)


def unix_to_time(formats: Formats, node: exp.Expression) -> exp.Expression:
    scale = node.args.get("scale")
    if scale is None or not isinstance(scale, exp.Literal):
        return call("SF_NUMBER_NTZ", node.this)
    factor = 10 ** (6 - int(scale.name)) if int(scale.name) <= 6 else 0
    value = duck_cast(node.this, "HUGEINT")
    us = (
        exp.Mul(this=value, expression=number(factor))
        if factor
        else call("SF_FLOOR_DIV", value, number(10 ** (int(scale.name) - 6)))
    )
    return call("make_timestamp", duck_cast(exp.paren(us, copy=False), "BIGINT"))


def to_timestamp(kind: str, *, safe: bool = False) -> Callable[[Formats, exp.Expression], exp.Expression]:
    target = sftypes.SfType(kind, scale=9)

    def rule(formats: Formats, node: exp.Expression) -> exp.Expression:
        if len(node.expressions) == 1:
            return convert(formats, node.expressions[0], target, safe=safe)
        second = node.expressions[1]
        if isinstance(second, exp.Literal) and not second.is_string:
            ntz = unix_to_time(formats, exp.UnixToTime(this=node.expressions[0], scale=second))
            return ntz if kind == "TIMESTAMP_NTZ" else call("timezone", exp.Literal.string("UTC"), ntz)
        model = _model(node)
        if model is None:
            return convert(formats, node.expressions[0], target, safe=safe)
        parsed = _parsed(node.expressions[0], model, safe=safe)
        return parsed if kind == "TIMESTAMP_NTZ" else duck_cast(parsed, "TIMESTAMPTZ")

    return rule


def _from_parts(node: exp.Expression) -> exp.Expression:
    """Down to the microsecond."""
    whole = [duck_cast(node.args[k], "BIGINT") for k in ("year", "month", "day", "hour", "min")]
    moment = call("make_timestamp", *whole, duck_cast(node.args["sec"], "DOUBLE"))
    return exp.paren(exp.Add(this=moment, expression=_part_of_second(node)), copy=False)


def _part_of_second(node: exp.Expression) -> exp.Expression:
    nano = node.args.get("nano")
    micros = call("SF_FLOOR_DIV", duck_cast(nano if nano is not None else number(0), "BIGINT"), number(1000))
    return call("to_microseconds", micros)


def ntz_from_parts(formats: Formats, node: exp.Expression) -> exp.Expression:
    return node if node.args.get("year") is None else _from_parts(node)


def time_from_parts(formats: Formats, node: exp.Expression) -> exp.Expression:
    """Parts beyond their range go into the next larger one, as in Snowflake."""
    hours, minutes, seconds = (
        call(f"to_{unit}s", duck_cast(node.args[key], "BIGINT"))
        for key, unit in (("hour", "hour"), ("min", "minute"), ("sec", "second"))
    )
    moment: exp.Expression = duck_cast(exp.Literal.string("00:00:00"), "TIME")
    for part in (hours, minutes, seconds, _part_of_second(node)):
        moment = exp.Add(this=moment, expression=part)
    return exp.paren(moment, copy=False)


def tz_from_parts(formats: Formats, node: exp.Expression) -> exp.Expression:
    zone = node.args.get("zone")
    return call(
        "timezone", zone if zone is not None else exp.Literal.string(formats.timezone), _from_parts(node)
    )


def ltz_from_parts(formats: Formats, node: exp.Expression) -> exp.Expression:
    return duck_cast(_from_parts(node), "TIMESTAMPTZ")
