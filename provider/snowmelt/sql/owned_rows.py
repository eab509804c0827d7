"""`owned_rows`: which rows of a shared target belong to one source, as a PostgreSQL predicate over the target's columns.

A small language of its own, so that the rows are the same whenever and by whatever session they are looked at: comparisons of a
column with literals, IN, BETWEEN, IS NULL, AND, OR, NOT and parentheses. No function, no other column's value, no query. What is
executed is not the text as it was written: every name and literal is quoted again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from snowmelt.errors import ConfigurationError
from snowmelt.sql.names import postgres_identifier, postgres_literal

EXAMPLE = "clinic = 'north' AND year >= 2024"

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<quoted>"(?:[^"]|"")+")
      | (?P<escaped>E'(?:[^'\\]|''|\\\\)*')
      | (?P<text>'(?:[^']|'')*')
      | (?P<number>\d+(?:\.\d+)?)
      | (?P<word>[A-Za-z_][A-Za-z0-9_$]*)
      | (?P<sign><>|!=|<=|>=|[=<>(),-])
    )""",
    re.VERBOSE,
)
_COMPARISONS = frozenset({"=", "<>", "!=", "<", "<=", ">", ">="})
_RESERVED = frozenset({"AND", "OR", "NOT", "IN", "IS", "NULL", "BETWEEN", "TRUE", "FALSE"})


class _Token(NamedTuple):
    kind: str
    text: str
    #: From 1.
    place: int


@dataclass(frozen=True, slots=True)
class OwnedRows:
    """The rows that are a source's own."""

    #: SQL, and names of columns in their places: (`sql`, text) or (`column`, name).
    parts: tuple[tuple[str, str], ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The target's columns that it names, to the letter."""
        return tuple(dict.fromkeys(text for kind, text in self.parts if kind == "column"))

    @property
    def text(self) -> str:
        """The predicate as it is stored and compared."""
        return self.sql()

    def sql(self, alias: str = "") -> str:
        """The predicate for a WHERE.

        :param alias: of the table in the statement.
        """
        before = f"{alias}." if alias else ""
        return "".join(
            f"{before}{postgres_identifier(text)}" if kind == "column" else text for kind, text in self.parts
        )


def own_by_tag(column: str, value: str) -> OwnedRows:
    """The rows that carry a tag.

    :param column: of the target, to the letter.
    """
    return OwnedRows((("column", column), ("sql", f" = {postgres_literal(value)}")))


def parse_owned_rows(text: str) -> OwnedRows:
    """Read a predicate.

    :raises ConfigurationError: it is none of this language; the message says what was found, and at which character.
    """
    reader = _Reader(list(_tokens(text)))
    try:
        parts = tuple(reader.read_any())
    except RecursionError:
        raise ConfigurationError("it is nested too deeply to be read") from None
    reader.expect_end()
    return OwnedRows(parts)


def _tokens(text: str) -> Iterator[_Token]:
    place = 0
    while text[place:].strip():
        match = _TOKEN.match(text, place)
        if match is None or match.lastgroup is None:
            left = text[place:].lstrip()
            at = len(text) - len(left) + 1
            raise ConfigurationError(f"{left[:20].rstrip()} at character {at} is not known here")
        yield _Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup) + 1)
        place = match.end()


class _Reader:
    """Reads the tokens from left to right; each `read_…` gives the parts of what it has read."""

    def __init__(self, tokens: list[_Token]) -> None:
        self.tokens = tokens
        self.at = 0

    def read_any(self) -> Iterator[tuple[str, str]]:
        """Predicates joined by OR."""
        yield from self._read_joined("OR", self._read_all)

    def expect_end(self) -> None:
        """Refuse what is left."""
        if self.at < len(self.tokens):
            raise _unexpected(self.tokens[self.at], "AND, OR or the end")

    def _read_all(self) -> Iterator[tuple[str, str]]:
        yield from self._read_joined("AND", self._read_one)

    def _read_joined(
        self, word: str, read_part: Callable[[], Iterator[tuple[str, str]]]
    ) -> Iterator[tuple[str, str]]:
        parts = list(read_part())
        joined = False
        while self._take_word(word):
            joined = True
            parts += [("sql", f" {word} "), *read_part()]
        yield from (("sql", "("), *parts, ("sql", ")")) if joined else parts

    def _read_one(self) -> Iterator[tuple[str, str]]:
        if self._take_word("NOT"):
            yield "sql", "NOT ("
            yield from self._read_one()
            yield "sql", ")"
        elif self._take_sign("("):
            yield from self.read_any()
            self._need_sign(")")
        else:
            yield from self._read_comparison()

    def _read_comparison(self) -> Iterator[tuple[str, str]]:
        yield "column", self._read_column()
        sign = self._peek()
        if sign is not None and sign.text in _COMPARISONS:
            self.at += 1
            yield "sql", f" {sign.text} {self._read_literal()}"
            return
        if self._take_word("IS"):
            no = "NOT " if self._take_word("NOT") else ""
            self._need_word("NULL")
            yield "sql", f" IS {no}NULL"
            return
        no = " NOT" if self._take_word("NOT") else ""
        if self._take_word("BETWEEN"):
            low = self._read_literal()
            self._need_word("AND")
            yield "sql", f"{no} BETWEEN {low} AND {self._read_literal()}"
            return
        self._need_word("IN")
        self._need_sign("(")
        values = [self._read_literal()]
        while self._take_sign(","):
            values.append(self._read_literal())
        self._need_sign(")")
        yield "sql", f"{no} IN ({', '.join(values)})"

    def _read_column(self) -> str:
        token = self._next("a column of the target")
        if token.kind == "quoted":
            return token.text[1:-1].replace('""', '"')
        if token.kind == "word" and token.text.upper() not in _RESERVED:
            return token.text.lower()
        raise _unexpected(token, "a column of the target")

    def _read_literal(self) -> str:
        minus = "-" if self._take_sign("-") else ""
        token = self._next("a number or a text in single quotes")
        if token.kind == "number":
            return f"{minus}{token.text}"
        if token.kind == "text" and not minus:
            return postgres_literal(token.text[1:-1].replace("''", "'"))
        if token.kind == "escaped" and not minus:  # as postgres_literal writes a text with a backslash
            return postgres_literal(token.text[2:-1].replace("''", "'").replace("\\\\", "\\"))
        if token.kind == "word" and token.text.upper() in {"TRUE", "FALSE"} and not minus:
            return token.text.upper()
        raise _unexpected(token, "a number or a text in single quotes")

    def _peek(self) -> _Token | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def _next(self, expected: str) -> _Token:
        token = self._peek()
        if token is None:
            raise ConfigurationError(f"it ends where {expected} is expected")
        self.at += 1
        return token

    def _take(self, kind: str, text: str) -> bool:
        token = self._peek()
        found = token is not None and token.kind == kind and token.text.upper() == text
        self.at += found
        return found

    def _take_word(self, word: str) -> bool:
        return self._take("word", word)

    def _take_sign(self, sign: str) -> bool:
        return self._take("sign", sign)

    def _need_word(self, word: str) -> None:
        if not self._take_word(word):
            raise _unexpected(self._next(word), word)

    def _need_sign(self, sign: str) -> None:
        if not self._take_sign(sign):
            raise _unexpected(self._next(f'"{sign}"'), f'"{sign}"')


def _unexpected(token: _Token, expected: str) -> ConfigurationError:
    return ConfigurationError(f"{token.text} at character {token.place} is not {expected}")
