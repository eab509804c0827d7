"""A run's chunks as both databases compute them, so that a difference can be named with its chunk.

Snowflake has the chunks' own predicates. For PostgreSQL each bound is read back from them and written again; where one
cannot be written exactly there (a bound with nanoseconds, a masked or excluded chunking column), chunks are not compared.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from snowmelt.sql.names import postgres_identifier, postgres_literal
from snowmelt.types.columns import Column
from snowmelt.types.type_names import SnowflakeType, parse_snowflake_type
from snowmelt.unload.chunks import Chunk

_NAME = r'"(?:[^"]|"")+"'
_LITERAL = r"(?:-?\d+(?:\.\d+)?|'(?:[^'\\]|''|\\\\)*'(?:::[A-Z_]+(?:\(9\))?)?)"
_KEY = rf"(?:(?P<name>{_NAME})|CAST\((?P<cast>{_NAME}) AS VARCHAR\(\d+\)\))"
_TERM = re.compile(rf"{_KEY} (?P<operator>>=|<|IS NULL|IS NOT NULL)(?: (?P<literal>{_LITERAL}))?")
_TEXT = re.compile(r"'(?P<text>(?:[^'\\]|''|\\\\)*)'(?:::[A-Z_]+(?:\(9\))?)?")
_NANOSECONDS = re.compile(r"\.\d{6}(?P<beyond>\d{3})")

_POSTGRES_TYPES = {
    "DATE": "DATE",
    "TIME": "TIME",
    "TIMESTAMP_NTZ": "TIMESTAMP",
    "TIMESTAMP_LTZ": "TIMESTAMPTZ",
    "TIMESTAMP_TZ": "TIMESTAMPTZ",
}


@dataclass(frozen=True, slots=True)
class ChunkGroups:
    """One expression a database that gives the index of the chunk which a row belongs to."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class ChunksUnknown:
    """Why a difference cannot be named with its chunk."""

    reason: str


def group_chunks(chunks: Sequence[Chunk], columns: Sequence[Column]) -> ChunkGroups | ChunksUnknown:
    """The expressions that give each row's chunk, or the reason why PostgreSQL cannot."""
    if len(chunks) <= 1:
        return ChunksUnknown("the run has one chunk")
    written = [(chunk, translate_predicate(chunk.predicate, columns)) for chunk in chunks]
    for _, predicate in written:
        if isinstance(predicate, ChunksUnknown):
            return predicate
    source = " ".join(f"WHEN {chunk.predicate} THEN {chunk.index}" for chunk in chunks)
    target = " ".join(f"WHEN {predicate} THEN {chunk.index}" for chunk, predicate in written)
    return ChunkGroups(f"CASE {source} ELSE -1 END", f"CASE {target} ELSE -1 END")


def translate_predicate(predicate: str, columns: Sequence[Column]) -> str | ChunksUnknown:
    """A chunk's predicate as PostgreSQL writes it over the target's column, exactly."""
    terms: list[str] = []
    alternative = ""
    bare = predicate
    if bare.startswith("("):
        bare, _, alternative = bare.removeprefix("(").removesuffix(")").rpartition(" OR ")
    rest = bare
    while rest:
        match = _TERM.match(rest)
        if match is None:
            return ChunksUnknown(f"the chunk's predicate {predicate} is of a form that is not known")
        rest = rest[match.end() :]
        term = _term(match, columns)
        if isinstance(term, ChunksUnknown):
            return term
        terms.append(term)
        if rest and not rest.startswith(" AND "):
            return ChunksUnknown(f"the chunk's predicate {predicate} is of a form that is not known")
        rest = rest.removeprefix(" AND ")
    if not alternative:
        return " AND ".join(terms) if terms else ChunksUnknown("a chunk has no predicate")
    null = _TERM.fullmatch(alternative)
    term = ChunksUnknown("") if null is None else _term(null, columns)
    if isinstance(term, ChunksUnknown) or not terms:
        return ChunksUnknown(f"the chunk's predicate {predicate} is of a form that is not known")
    return f"({' AND '.join(terms)} OR {term})"


def _term(match: re.Match[str], columns: Sequence[Column]) -> str | ChunksUnknown:
    name = (match["name"] or match["cast"])[1:-1].replace('""', '"')
    column = next((column for column in columns if column.source == name), None)
    if column is None:
        return ChunksUnknown(f'the chunking column "{name}" is not copied')
    kind = parse_snowflake_type(column.source_type)
    if column.derived:
        return ChunksUnknown(f'the chunking column "{name}" is masked')
    target = postgres_identifier(column.target)
    if match["operator"].startswith("IS"):
        return f"{target} {match['operator']}"
    literal = _literal(match["literal"] or "", kind)
    if literal is None:
        return ChunksUnknown(f'a bound of the chunking column "{name}" has digits beyond the microsecond')
    collation = ' COLLATE "C"' if kind.name == "VARCHAR" else ""
    return f"{target}{collation} {match['operator']} {literal}"


def _literal(literal: str, kind: SnowflakeType) -> str | None:
    quoted = _TEXT.fullmatch(literal)
    if quoted is None:
        return literal
    text = quoted["text"].replace("''", "'").replace("\\\\", "\\")
    if kind.name == "VARCHAR":
        return postgres_literal(text)
    beyond = _NANOSECONDS.search(text)
    if beyond is not None:
        if beyond["beyond"] != "000":
            return None
        text = text[: beyond.start("beyond")] + text[beyond.end("beyond") :]
    return f"{_POSTGRES_TYPES[kind.name]} {postgres_literal(text)}"
