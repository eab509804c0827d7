"""Snowflake's lexical rules, as far as it takes to say that a text cannot reach out of the parentheses around it.

This is the cheap half of the checks: no parser, so a DAG file may run it. `predicate.py` adds the grammar.
Sources: Snowflake "String & binary data types" ('' and backslash inside '…', $$…$$), "Identifier requirements".

`read_between` is the other half: a configured text between words of ours, as the parser reads it, and where it cannot.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import exp
    from sqlglot.errors import ParseError


#: A filter longer than this is a program; Snowflake itself takes a statement of 1 MB.
MAX_CHARACTERS = 20_000
#: Deeper than this no person nests; the parser behind recurses.
MAX_NESTED = 50
#: A glimpse of this many characters is enough to find the place.
SHOWN = 24

_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\r\n]+)
    | (?P<string>'(?:[^'\\]|\\.|'')*+')
    | (?P<quoted>"(?:[^"]|"")*+")
    | (?P<number>[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?)
    | (?P<word>[A-Za-z_][A-Za-z0-9_$]*)
    | (?P<comment>--|//|/\*|\*/)
    | (?P<arrow>->)
    | (?P<operator>::|<=|>=|<>|!=|\|\||[-+*/%=<>(),.:\[\]])
    """,
    re.VERBOSE | re.DOTALL,
)

#: Words that no name takes without quotes (Snowflake "Reserved & limited keywords") and that begin a query, another
#: clause or another statement.
_STATEMENT_WORDS = frozenset(
    """
    ALTER CREATE DELETE DROP GRANT GROUP HAVING INSERT INTERSECT INTO JOIN LATERAL MINUS ORDER QUALIFY REVOKE SELECT TABLE UNION
    UPDATE VALUES WHERE WITH
    """.split()
)
#: Of these, what is allowed inside the brackets of a subquery.
_QUERY_WORDS = frozenset(
    {"GROUP", "HAVING", "INTERSECT", "JOIN", "MINUS", "ORDER", "QUALIFY", "SELECT", "UNION", "WHERE"}
)
_OPEN = {"(": ")", "[": "]"}


@dataclass(frozen=True, slots=True)
class TextFault:
    """What in an SQL text cannot stay."""

    #: Position of the first character, from 1.
    at: int
    #: The piece itself, cut.
    piece: str
    #: What it is.
    reason: str

    def __str__(self) -> str:
        return f"{self.reason} at character {self.at}: {self.piece}"


def find_text_faults(text: str, *, subqueries: bool = False) -> list[TextFault]:
    """Everything that keeps a text from standing inside `( … )`; nothing when it may.

    Refused are separators, comments, dollar quotes, stages (@), variables ($, &), placeholders (?), system functions,
    unbalanced quotes and brackets, words that begin a query or another clause, and characters that cannot be seen.

    :param subqueries: words of a query are allowed inside brackets.
    """
    if len(text) > MAX_CHARACTERS:
        return [TextFault(MAX_CHARACTERS + 1, "…", f"more than {MAX_CHARACTERS:,} characters")]
    faults: list[TextFault] = []
    open_brackets: list[tuple[str, int]] = []
    last = ""
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            faults.append(_unknown(text, at))
            return faults
        piece, kind = match[0], match.lastgroup
        if kind == "comment":
            faults.append(TextFault(at + 1, _cut(text[at:]), "a comment, which could swallow what follows"))
            return faults
        if kind == "arrow":
            faults.append(TextFault(at + 1, _cut(text[at:]), "an arrow"))
        allowed = _QUERY_WORDS if subqueries and open_brackets else frozenset()
        faults.extend(_piece_faults(kind, piece, at, last, allowed))
        if kind == "operator":
            fault = _bracket(piece, at, open_brackets)
            if fault is not None:
                faults.append(fault)
                return faults
        last = last if kind == "space" else piece
        at = match.end()
    faults.extend(
        TextFault(opened + 1, bracket, "a bracket that is never closed") for bracket, opened in open_brackets
    )
    return faults


def read_pieces(text: str) -> list[tuple[str, str]]:
    """The tokens of a text without faults, spaces left out: (space, string, quoted, number, word, operator …; the piece)."""
    return [(str(match.lastgroup), match[0]) for match in _TOKEN.finditer(text) if match.lastgroup != "space"]


def _piece_faults(
    kind: str | None, piece: str, at: int, last: str, allowed: frozenset[str]
) -> list[TextFault]:
    if kind == "word":
        word = piece.upper()
        if word in _STATEMENT_WORDS - allowed and last != ".":
            return [TextFault(at + 1, _cut(piece), f"the word {word}, which begins something else")]
        if word.startswith("SYSTEM$"):
            return [TextFault(at + 1, _cut(piece), "a system function")]
    if piece == "(" and last.upper() == "IDENTIFIER":
        return [TextFault(at + 1, "IDENTIFIER(", "a name that is made while the statement runs")]
    if kind in {"string", "quoted"}:
        hidden = [place for place, character in enumerate(piece) if _is_hidden(character)]
        return [
            TextFault(at + place + 1, ascii(piece[place]), "a character that cannot be seen")
            for place in hidden[:1]
        ]
    return []


def _bracket(piece: str, at: int, open_brackets: list[tuple[str, int]]) -> TextFault | None:
    if piece in _OPEN:
        open_brackets.append((piece, at))
        if len(open_brackets) > MAX_NESTED:
            return TextFault(at + 1, piece, f"brackets nested more than {MAX_NESTED} deep")
    elif piece in _OPEN.values():
        if not open_brackets or _OPEN[open_brackets[-1][0]] != piece:
            return TextFault(at + 1, piece, "a bracket that was never opened")
        open_brackets.pop()
    return None


def _unknown(text: str, at: int) -> TextFault:
    piece = _cut(text[at:])
    reasons = {
        ";": "a statement separator",
        "'": "a text that is never closed",
        '"': "a quoted name that is never closed",
        "$": "a variable or dollar-quoted text",
        "&": "a variable",
        "@": "a stage",
        "?": "a placeholder",
        "{": "a brace",
        "}": "a brace",
        "\\": "a backslash outside of a text",
    }
    if text.startswith("$$", at):
        return TextFault(at + 1, piece, "a dollar-quoted text")
    character = text[at]
    return TextFault(at + 1, piece, reasons.get(character, f"the character {character!a}"))


def _is_hidden(character: str) -> bool:
    """Control, format and other characters that show nothing; a space, tab or line end inside quotes is a value."""
    return (
        unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
        and character not in "\t\r\n"
    )


def _cut(text: str) -> str:
    cut = text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
    return "".join(ascii(character)[1:-1] if _is_hidden(character) else character for character in cut)


class UnreadableError(ValueError):
    """The text is not an SQL expression; the message names the character where the fault begins."""


def read_between(before: str, text: str, after: str) -> list[exp.Expr | None]:
    """The statements that `before`, the text and `after` make together.

    :param text: one that `find_text_faults` has nothing against.
    :raises UnreadableError: the parser cannot read it.
    """
    # Imported here: a DAG file reads the configuration at each parsing, which needs no parser of SQL.
    from sqlglot import parse
    from sqlglot.errors import ParseError, SqlglotError

    try:
        statements: list[exp.Expr | None] = parse(
            f"{before}{text}{after}", read="snowflake", error_message_context=2 * MAX_CHARACTERS
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
