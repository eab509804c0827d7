"""A configured text between words of ours, as the parser reads it, and where it cannot."""

from __future__ import annotations

from sqlglot import exp, parse
from sqlglot.errors import ParseError, SqlglotError

from snowmelt.core.settings.sql_text import MOST_CHARACTERS, SHOWN


class UnreadableError(ValueError):
    """The text is no SQL expression; the message says from which of its characters on."""


def read_between(before: str, text: str, after: str) -> list[exp.Expr | None]:
    """The statements that `before`, the text and `after` make together.

    :param text: one that `find_text_faults` has nothing against.
    :raises UnreadableError: the parser cannot read it.
    """
    try:
        statements: list[exp.Expr | None] = parse(
            f"{before}{text}{after}", read="snowflake", error_message_context=2 * MOST_CHARACTERS
        )
    except ParseError as error:
        raise UnreadableError(_explain(error, before, text)) from error
    except SqlglotError as error:
        raise UnreadableError("it cannot be read as an expression") from error
    except RecursionError as error:
        raise UnreadableError("it is nested too deeply to be read") from error
    return statements


def _explain(error: ParseError, before: str, text: str) -> str:
    """The parser names its own classes; the place is what helps."""
    at = len(str(error.errors[0].get("start_context") or "")) - len(before) if error.errors else -1
    if at < 0:
        return "it cannot be read as an expression"
    if not text[at:].strip():
        return "it breaks off: something is missing at its end"
    return f"it cannot be read as an expression from character {at + 1} on: {text[at : at + SHOWN].rstrip()}"
