"""Reading statements that are lists of words and options (COPY, CREATE STAGE, SHOW, ALTER SESSION, …)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sandbox.snowflake import errors
from sandbox.snowflake.catalog.names import split_parts

_TOKEN = re.compile(
    r"""(?P<space>(?:\s+|--[^\n]*|//[^\n]*|/\*.*?\*/)+)
      | (?P<string>'(?:[^'\\]|\\.|'')*')
      | (?P<dollar>\$\$.*?\$\$)
      | (?P<quoted>"(?:[^"]|"")*")
      | (?P<stage>@(?:"(?:[^"]|"")*"|[^\s();'"])*)
      | (?P<word>[A-Za-z_][\w$]*)
      | (?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
      | (?P<symbol>=>|::|<>|!=|<=|>=|\|\||.)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "b": "\b", "f": "\f", "a": "\a", "v": "\v"}
_ESCAPED = re.compile(r"\\(x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|[0-7]{3}|.)|''", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str
    start: int
    end: int


def unescape(inner: str) -> str:
    """The value between single quotes."""

    def one(found: re.Match[str]) -> str:
        code = found[1]
        if code is None:
            return "'"
        if code[0] in "xu" and len(code) > 1:
            return chr(int(code[1:], 16))
        if len(code) == 3:
            return chr(int(code, 8))
        return _ESCAPES.get(code, code)

    return _ESCAPED.sub(one, inner)


class Scanner:
    """A cursor over a statement's tokens; keywords are compared without regard to case."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = [
            Token(str(m.lastgroup), m[0], m.start(), m.end())
            for m in _TOKEN.finditer(text)
            if m.lastgroup != "space"
        ]
        self.at = 0

    @property
    def done(self) -> bool:
        return self.at >= len(self.tokens)

    def peek(self, ahead: int = 0) -> Token:
        index = self.at + ahead
        return (
            self.tokens[index]
            if index < len(self.tokens)
            else Token("end", "<EOF>", len(self.text), len(self.text))
        )

    def next(self) -> Token:
        token = self.peek()
        self.at += 1
        return token

    def unexpected(self) -> errors.SnowflakeError:
        token = self.peek()
        before = self.text[: token.start]
        return errors.syntax(before.count("\n") + 1, token.start - (before.rfind("\n") + 1), token.text)

    def looking_at(self, *words: str) -> bool:
        return all(
            self.peek(i).text.upper() == w and self.peek(i).kind != "string" for i, w in enumerate(words)
        )

    def accept(self, *words: str) -> bool:
        if self.looking_at(*words):
            self.at += len(words)
            return True
        return False

    def expect(self, *words: str) -> None:
        if not self.accept(*words):
            raise self.unexpected()

    def end(self) -> None:
        if not self.done:
            raise self.unexpected()

    def identifier(self) -> str:
        token = self.next()
        if token.kind == "quoted":
            return token.text[1:-1].replace('""', '"')
        if token.kind == "word":
            return token.text.upper()
        self.at -= 1
        raise self.unexpected()

    def name(self) -> list[str]:
        """A dotted name's exact parts."""
        if self.accept("IDENTIFIER", "("):
            parts = split_parts(self.string())
            self.expect(")")
            return parts
        parts = [self.identifier()]
        while self.accept("."):
            parts.append(self.identifier())
        return parts

    def string(self) -> str:
        token = self.next()
        if token.kind == "string":
            return unescape(token.text[1:-1])
        if token.kind == "dollar":
            return token.text[2:-2]
        self.at -= 1
        raise self.unexpected()

    def value(self) -> Any:
        """What follows an option's `=`: text, word (as written), number, or a list or map in parentheses."""
        token = self.peek()
        if token.kind in {"string", "dollar"}:
            return self.string()
        if self.accept("("):
            return self._group()
        if token.text in {"-", "+"}:
            self.at += 1
            return int(token.text + self.next().text)
        if token.kind == "number":
            self.at += 1
            return int(token.text) if token.text.isdigit() else float(token.text)
        if token.kind == "quoted":
            return ".".join(_requote(p) for p in self.name())
        if token.kind == "word":
            parts = [self.next().text]
            while self.peek().text == "." and self.peek(1).kind in {"word", "quoted"}:
                self.at += 1
                parts.append(self.next().text)
            return ".".join(parts)
        raise self.unexpected()

    def _group(self) -> Any:
        if self.accept(")"):
            return []
        if self.peek().kind == "word" and self.peek(1).text == "=":
            options = self.options(until=")")
            self.expect(")")
            return options
        values = [self.value()]
        while self.accept(","):
            values.append(self.value())
        self.expect(")")
        return values

    def options(self, until: str | None = None) -> dict[str, Any]:
        """KEY = value pairs, separated by blanks or commas; keys in upper case."""
        found: dict[str, Any] = {}
        while not self.done and self.peek().text != until:
            token = self.next()
            if token.kind != "word":
                self.at -= 1
                raise self.unexpected()
            key = token.text.upper()
            if self.accept("=") or self.accept("=>"):
                found[key] = self.value()
            elif key == "HEADER" or (until is None and key in {"FORCE", "OVERWRITE", "SINGLE"}):
                found[key] = "TRUE"
            else:
                raise self.unexpected()
            self.accept(",")
        return found

    def parenthesised(self) -> str:
        """The text between the parentheses that come now, which may nest."""
        opening = self.peek()
        self.expect("(")
        depth = 1
        while depth:
            if self.done:
                raise self.unexpected()
            token = self.next()
            depth += (token.text == "(") - (token.text == ")")
        return self.text[opening.end : self.tokens[self.at - 1].start]

    def rest(self) -> str:
        start = self.peek().start
        self.at = len(self.tokens)
        return self.text[start:]


def _requote(part: str) -> str:
    return '"' + part.replace('"', '""') + '"'


def as_flag(value: Any, option: str) -> bool:
    """TRUE or FALSE of an option."""
    text = str(value).upper()
    if text not in {"TRUE", "FALSE"}:
        raise errors.compilation(1008, "22023", f"invalid value [{value}] for parameter '{option}'")
    return text == "TRUE"


def split_statements(text: str) -> list[str]:
    """The statements of a text, without their semicolons; comments alone are not a statement."""
    scanner = Scanner(text)
    found, start, tokens = [], 0, 0
    for token in scanner.tokens:
        if token.text == ";" and token.kind == "symbol":
            if tokens:
                found.append(text[start : token.start].strip())
            start, tokens = token.end, 0
        else:
            tokens += 1
    if tokens:
        found.append(text[start:].strip())
    return found
