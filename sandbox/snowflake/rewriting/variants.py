"""Typed values inside VARIANT, OBJECT and ARRAY.

DuckDB has JSON text for them, and JSON has no dates, times and doubles and no SQL NULL. Such a value is kept as a JSON
string: a mark, the letter of its type, and the value to the last digit. It is printed when it leaves a statement, as
Snowflake prints it then: dates and times by the session's *_OUTPUT_FORMAT (docs.snowflake.com/en/sql-reference/parameters),
a FLOAT with 16 digits (…/user-guide/data-types-semistructured), and SQL NULL as `undefined`, or as null where
STRICT_JSON_OUTPUT is set (…/user-guide/semistructured-considerations).
"""

from __future__ import annotations

from sqlglot import exp

from sandbox.snowflake.catalog.companions import NANOS, OFFSET
from sandbox.snowflake.catalog.macros import MARK, UNDEFINED
from sandbox.snowflake.catalog.names import literal
from sandbox.snowflake.rewriting.datetime_formats import Formats, build_format
from sandbox.snowflake.rewriting.expressions import call, duck_cast

#: The letter of each type that is kept so; macros.py reads the letters, too.
LETTERS = {
    "DATE": "D",
    "TIME": "T",
    "TIMESTAMP_NTZ": "N",
    "TIMESTAMP_LTZ": "L",
    "TIMESTAMP_TZ": "Z",
    "FLOAT": "F",
}
_NTZ = "YYYY-MM-DD HH24:MI:SS.FF9"
#: Formats that lose nothing.
EXACT = Formats(
    timezone="",
    ntz=_NTZ,
    ltz=f"{_NTZ}TZH:TZM",
    tz=f"{_NTZ}TZH:TZM",
    date="YYYY-MM-DD",
    time="HH24:MI:SS.FF9",
    constants={},
)


def keep(letter: str, text: exp.Expression) -> exp.Expression:
    """The JSON string that keeps a value, from its exact text."""
    return call("to_json", exp.DPipe(this=exp.Literal.string(MARK + letter), expression=text, safe=True))


def undefined() -> exp.Expression:
    return duck_cast(exp.Literal.string(UNDEFINED), "JSON")


def print_json(formats: Formats, json: exp.Expression) -> exp.Expression:
    """JSON text with its typed values printed."""
    return exp.Var(this=print_json_sql(formats, call("SF_TO_JSON", json).sql(dialect="duckdb")))


def print_scalar(formats: Formats, json: exp.Expression) -> exp.Expression:
    """The text of a JSON scalar, printed."""
    printed = _printed(formats, "substr(v, 2, 1)", "substr(v, 3)", scalar=True)
    value = call("SF_VARIANT_TEXT", json).sql(dialect="duckdb")
    return exp.Var(
        this=_once(value, "v", f"CASE WHEN starts_with(v, {literal(MARK)}) THEN {printed} ELSE v END")
    )


def print_json_sql(formats: Formats, sql: str) -> str:
    """As `print_json`, of a DuckDB expression's text."""
    printed = _printed(formats, "substr(p, 1, 1)", "substr(p, 2, strpos(p, '\"') - 2)", scalar=False)
    piece = f"CASE WHEN i = 1 THEN p ELSE {printed} || substr(p, strpos(p, '\"') + 1) END"
    pieces = f"list_transform(string_split(j, {literal(chr(34) + MARK)}), (p, i) -> {piece})"
    return _once(
        sql, "j", f"CASE WHEN contains(j, {literal(MARK)}) THEN array_to_string({pieces}, '') ELSE j END"
    )


def _once(sql: str, name: str, use: str) -> str:
    """An expression that uses another several times, and has its text once: texts within texts would grow without limit."""
    return f"list_extract(list_transform(list_value({sql}), {name} -> {use}), 1)"


def _printed(formats: Formats, letter: str, text: str, *, scalar: bool) -> str:
    def of(kind: str, wall: str, model: str, offset: str = "0") -> str:
        beside = {NANOS: exp.Var(this=f"SF_TEXT_NANOS({text})"), OFFSET: exp.Var(this=offset)}
        built = build_format(exp.Var(this=wall), model, beside).sql(dialect="duckdb")
        return f"WHEN '{LETTERS[kind]}' THEN {built if scalar else _quoted(built)}"

    # TRY_CAST: DuckDB may evaluate a branch for texts of other types and drop the result.
    instant = f"TRY_CAST({text} AS TIMESTAMPTZ)"
    own = f"SF_KEPT_OFFSET({text})"
    cases = [
        of("DATE", f"TRY_CAST({text} AS TIMESTAMP)", formats.date),
        of("TIME", f"(DATE '1970-01-01' + TRY_CAST({text} AS TIME))", formats.time),
        of("TIMESTAMP_NTZ", f"TRY_CAST({text} AS TIMESTAMP)", formats.ntz),
        of("TIMESTAMP_LTZ", f"CAST({instant} AS TIMESTAMP)", formats.ltz, f"SF_SESSION_OFFSET({instant})"),
        of("TIMESTAMP_TZ", f"SF_WALL({instant}, {own})", formats.tz, own),
    ]
    number = f"SF_FLOAT_JSON(TRY_CAST({text} AS DOUBLE))"
    cases.append(f"WHEN 'F' THEN {f'SF_FLOAT_TEXT(TRY_CAST({text} AS DOUBLE))' if scalar else number}")
    missing = "NULL" if scalar else "'null'" if formats.strict_json else "'undefined'"
    return f"CASE {letter} {' '.join(cases)} ELSE {missing} END"


def _quoted(text: str) -> str:
    return f"CAST(to_json({text}) AS VARCHAR)"
