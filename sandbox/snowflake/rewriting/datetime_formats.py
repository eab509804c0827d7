"""A session's formats, and Snowflake's date and time format models ('YYYY-MM-DD HH24:MI:SS.FF3 TZH:TZM') as DuckDB expressions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sqlglot import exp

from sandbox.snowflake import errors
from sandbox.snowflake.catalog.companions import NANOS, OFFSET, Companion

_ELEMENT = re.compile(
    r'"([^"]*)"|YYYY|YY|MMMM|MON|MM|DD|DY|HH24|HH12|HH|AM|PM|MI|SS|FF\d?|TZH:TZM|TZHTZM|TZH|TZM|TZD',
    re.IGNORECASE,
)

_STRFTIME = {
    "YYYY": "%Y", "YY": "%y", "MM": "%m", "MON": "%b", "MMMM": "%B", "DD": "%d", "DY": "%a", "HH24": "%H", "HH": "%H",
    "HH12": "%I", "AM": "%p", "PM": "%p", "MI": "%M", "SS": "%S",
}  # fmt: skip


def _call(name: str, *arguments: exp.Expression) -> exp.Expression:
    return exp.Anonymous(this=name, expressions=list(arguments))


def _text(value: str) -> exp.Expression:
    return exp.Literal.string(value)


def _padded(value: exp.Expression, width: int) -> exp.Expression:
    return _call("printf", _text(f"%0{width}d"), exp.cast(value, "BIGINT"))


def build_format(
    wall: exp.Expression, model: str, beside: Mapping[Companion, exp.Expression]
) -> exp.Expression:
    """Text of a wall-clock TIMESTAMP (a DATE or TIME cast to one) and its companions."""
    pieces: list[exp.Expression] = []
    strftime = ""

    def flush() -> None:
        nonlocal strftime
        if strftime:
            pieces.append(_call("strftime", wall.copy(), _text(strftime)))
            strftime = ""

    at = 0
    for found in _ELEMENT.finditer(model):
        strftime += model[at : found.start()].replace("%", "%%")
        at = found.end()
        element = found[0].upper()
        if found[1] is not None:
            strftime += found[1].replace("%", "%%")
        elif element == "YYYY":  # strftime's %Y is not padded
            flush()
            pieces.append(_padded(_call("year", wall.copy()), 4))
        elif element in _STRFTIME:
            strftime += _STRFTIME[element]
        elif element.startswith("FF"):
            flush()
            pieces.append(_fraction(wall, beside.get(NANOS), int(element[2:] or 9)))
            if not int(element[2:] or 9) and model[: found.start()].endswith("."):
                raise errors.NotImplementedHere(f"format {model}")
        else:
            flush()
            pieces.extend(_zone(element, beside.get(OFFSET)))
    strftime += model[at:].replace("%", "%%")
    flush()
    if not pieces:
        return _text("")
    result = pieces[0]
    for piece in pieces[1:]:
        result = exp.DPipe(this=result, expression=piece, safe=True)
    return exp.paren(result, copy=False)


def fraction(wall: exp.Expression, nanos: exp.Expression | None) -> exp.Expression:
    """The nanoseconds of a second, 0 to 999999999."""
    whole: exp.Expression = exp.Mul(this=_call("SF_FRACTION_US", wall), expression=exp.Literal.number(1000))
    return exp.paren(whole if nanos is None else exp.Add(this=whole, expression=nanos.copy()), copy=False)


def _fraction(wall: exp.Expression, nanos: exp.Expression | None, digits: int) -> exp.Expression:
    known = nanos if digits > 6 else None
    return _call("left", _padded(fraction(wall.copy(), known), 9), exp.Literal.number(digits))


def _zone(element: str, offset: exp.Expression | None) -> list[exp.Expression]:
    minutes = offset.copy() if offset is not None else exp.Literal.number(0)
    west = exp.LT(this=minutes, expression=exp.Literal.number(0))
    absolute = exp.cast(_call("abs", minutes.copy()), "BIGINT")
    hours = _padded(exp.IntDiv(this=absolute, expression=exp.Literal.number(60)), 2)
    rest = _padded(exp.Mod(this=absolute.copy(), expression=exp.Literal.number(60)), 2)
    sign = exp.Case(ifs=[exp.If(this=west, true=_text("-"))], default=_text("+"))
    match element:
        case "TZH":
            return [sign, hours]
        case "TZM":
            return [rest]
        case "TZH:TZM":
            return [sign, hours, _text(":"), rest]
        case "TZHTZM":
            signed = exp.DPipe(this=sign, expression=hours, safe=True)
            offset_text = exp.DPipe(this=signed, expression=rest, safe=True)
            # Z for UTC: docs.snowflake.com/en/sql-reference/data-types-datetime (TIMESTAMP_NTZ), and tests run on an account
            utc = exp.EQ(this=minutes.copy(), expression=exp.Literal.number(0))
            return [exp.Case(ifs=[exp.If(this=utc, true=_text("Z"))], default=offset_text)]
    raise errors.NotImplementedHere(f"format element {element}")


def build_strptime(model: str) -> str:
    """The strptime format that reads a model; the fraction and the offset are optional to DuckDB only as %f, %z."""
    result, at = "", 0
    for found in _ELEMENT.finditer(model):
        result += model[at : found.start()]
        at = found.end()
        element = found[0].upper()
        if found[1] is not None:
            result += found[1]
        elif element.startswith("FF"):
            result += "%f" if result.endswith(".") or int(element[2:] or 9) <= 6 else "%n"
        elif element.startswith("TZ"):
            result += "%z"
        else:
            result += _STRFTIME[element]
    return result + model[at:]


@dataclass(frozen=True, slots=True)
class Formats:
    """The session's values that expressions depend on."""

    timezone: str
    ntz: str
    ltz: str
    tz: str
    date: str
    time: str
    constants: dict[str, str | None]  # CURRENT_ROLE, LAST_QUERY_ID, … of this statement
    now: float | None = None
    date_input: str = "AUTO"
    time_input: str = "AUTO"
    timestamp_input: str = "AUTO"
    strict_json: bool = False  # STRICT_JSON_OUTPUT
    query_ids: tuple[str, ...] = ()  # the session's statements before this one
