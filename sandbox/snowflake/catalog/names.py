"""Identifiers: Snowflake folds unquoted names to upper case and keeps quoted ones to the letter."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sandbox.snowflake import errors

_PART = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([A-Za-z_][\w$]*))\s*')
_PLAIN = re.compile(r"[A-Z_][A-Z0-9_$]*")


@dataclass(frozen=True, slots=True)
class ObjectName:
    """Where an object lives; every part is the exact name."""

    database: str
    schema: str
    name: str

    def __str__(self) -> str:
        return ".".join(show(part) for part in (self.database, self.schema, self.name))


def full_name(text: str) -> ObjectName:
    """The name that `str(ObjectName)` wrote."""
    return ObjectName(*split_parts(text))


def show(name: str) -> str:
    """As Snowflake prints it in messages: quoted only where it has to be."""
    return name if _PLAIN.fullmatch(name) else quote(name)


def quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A DuckDB string literal."""
    return "'" + text.replace("'", "''") + "'"


def split_parts(text: str) -> list[str]:
    """The exact names in a dotted identifier such as `a."My B".c`; raises a syntax error for anything else."""
    parts: list[str] = []
    at = 0
    while True:
        found = _PART.match(text, at)
        if not found:
            raise errors.syntax(1, at, text[at : at + 20] or "<EOF>")
        parts.append(found[1].replace('""', '"') if found[1] is not None else found[2].upper())
        at = found.end()
        if at == len(text):
            return parts
        if text[at] != ".":
            raise errors.syntax(1, at, text[at : at + 20])
        at += 1
