"""Snowflake's SQL as sqlglot parses it, with conversions left as they were written.

sqlglot turns TO_VARCHAR(t, model) and its like into other dialects' functions while it parses, and loses the model.
Here they stay what they are; `rewrite` knows the types and makes DuckDB expressions of them.
"""

from __future__ import annotations

from typing import Any

from sqlglot import exp
from sqlglot.dialects.snowflake import Snowflake
from sqlglot.errors import SqlglotError

from sandbox.snowflake import errors


def _to_char(arguments: list[exp.Expression]) -> exp.Expression:
    return exp.ToChar(this=arguments[0], format=arguments[1] if len(arguments) > 1 else None)


def _anonymous(name: str) -> Any:
    return lambda arguments: exp.Anonymous(this=name, expressions=arguments)


_KEPT = (
    "TO_TIMESTAMP", "TO_TIMESTAMP_NTZ", "TO_TIMESTAMP_LTZ", "TO_TIMESTAMP_TZ", "TRY_TO_TIMESTAMP",
    "TRY_TO_TIMESTAMP_NTZ", "TRY_TO_TIMESTAMP_LTZ", "TRY_TO_TIMESTAMP_TZ", "TO_DATE", "TRY_TO_DATE", "TO_TIME",
    "TRY_TO_TIME",
)  # fmt: skip


class SandboxParser(Snowflake.Parser):  # type: ignore[name-defined, misc]
    FUNCTIONS = {
        **Snowflake.Parser.FUNCTIONS,
        "HEX_ENCODE": _anonymous("HEX_ENCODE"),
        "TO_CHAR": _to_char,
        "TO_VARCHAR": _to_char,
        **{name: _anonymous(name) for name in _KEPT},
    }


class Sandbox(Snowflake):
    Parser = SandboxParser


def parse(text: str) -> list[exp.Expression]:
    """The statements of a text; raises Snowflake's syntax error."""
    try:
        return [tree for tree in Sandbox().parse(text) if tree is not None]
    except SqlglotError as error:
        raise errors.from_parser(error) from None


def parse_one(text: str) -> exp.Expression:
    trees = parse(text)
    if len(trees) != 1:
        raise errors.syntax(1, 0, "<EOF>")
    return trees[0]
