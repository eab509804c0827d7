"""Two fingerprints side by side: every difference in words, with its chunk.

Snowflake has the chunks' own predicates. For PostgreSQL each bound is read back from them and written again; where one
cannot be written exactly there (a bound with nanoseconds, a masked or excluded chunking column), chunks are not compared.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from snowmelt.compare.canonical import APPROXIMATE, Measure, comparison_of
from snowmelt.compare.fingerprint import ColumnFingerprint, Fingerprint, Value
from snowmelt.sql.names import postgres_identifier, postgres_literal
from snowmelt.types.columns import Column
from snowmelt.types.type_names import SnowflakeType, parse_snowflake_type
from snowmelt.types.type_table import Comparison
from snowmelt.unload.chunks import Chunk

_NAME = r'"(?:[^"]|"")+"'
_LITERAL = r"(?:-?\d+(?:\.\d+)?|'(?:[^'\\]|''|\\\\)*'(?:::[A-Z_]+(?:\(9\))?)?)"
_KEY = rf"(?:(?P<name>{_NAME})|CAST\((?P<cast>{_NAME}) AS VARCHAR\(\d+\)\))"
_TERM = re.compile(rf"{_KEY} (?P<operator>>=|<|IS NULL|IS NOT NULL)(?: (?P<literal>{_LITERAL}))?")
_TEXT = re.compile(r"'(?P<text>(?:[^'\\]|''|\\\\)*)'(?:::[A-Z_]+(?:\(9\))?)?")
_NANOSECONDS = re.compile(r"\.\d{6}(?P<beyond>\d{3})")

#: Chunks whose predicates are tried one after the other.
_BLOCK = 17

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
    written: list[str] = []
    for chunk in chunks:
        predicate = translate_predicate(chunk.predicate, columns)
        if isinstance(predicate, ChunksUnknown):
            return predicate
        written.append(predicate)
    blocks = [chunk.predicate for chunk in chunks[_BLOCK::_BLOCK]]
    lows = [match for predicate in blocks if (match := _TERM.match(predicate)) and match["operator"] == ">="]
    if len(lows) < len(blocks):
        lows = []
    indexes = [chunk.index for chunk in chunks]
    source = _build_case([chunk.predicate for chunk in chunks], indexes, [match.group() for match in lows])
    target = _build_case(written, indexes, [str(_term(match, columns)) for match in lows])
    return ChunkGroups(source, target)


def _build_case(predicates: Sequence[str], indexes: Sequence[int], lows: Sequence[str]) -> str:
    """The chunk of a row, looked for among those of its block alone: of 300 chunks a row would meet 150, and so meets 17.

    :param lows: what is true from the first chunk of each block on, but for the first block, where the NULLs are.
    """
    size = _BLOCK if lows else len(predicates)
    inner = [
        " ".join(
            f"WHEN {predicate} THEN {index}"
            for predicate, index in zip(predicates[at : at + size], indexes[at : at + size], strict=True)
        )
        for at in range(0, len(predicates), size)
    ]
    cases = [f"CASE {whens} ELSE -1 END" for whens in inner]
    if len(cases) == 1:
        return cases[0]
    blocks = zip(reversed(lows), reversed(cases[1:]), strict=True)
    return f"CASE {' '.join(f'WHEN {low} THEN {case}' for low, case in blocks)} ELSE {cases[0]} END"


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


#: Snowflake prints a float with 17 digits or fewer; the rows' hash compares floats to the last bit.
FLOAT_DIGITS = 1e-14

_LABELS = {
    Measure.COUNT: "values that are not NULL",
    Measure.LOW: "least value",
    Measure.HIGH: "greatest value",
    Measure.TOTAL: "sum",
    Measure.LARGE: "numbers too large to add up",
    Measure.NAN: "NaN",
    Measure.INFINITE: "Infinity",
    Measure.NEGATIVE_INFINITE: "-Infinity",
}
_OCTETS = {
    Measure.LOW: "fewest bytes in a value",
    Measure.HIGH: "most bytes in a value",
    Measure.TOTAL: "bytes of all values",
}
_LABELS_OF = {
    Comparison.TEXT: _OCTETS,
    Comparison.BYTES: _OCTETS,
    Comparison.BOOLEAN: {Measure.TOTAL: "true values"},
    Comparison.DATE: {Measure.TOTAL: "sum of days since 1970"},
    Comparison.TIME: {Measure.TOTAL: "sum of microseconds since midnight"},
    Comparison.INSTANT: {Measure.TOTAL: "sum of microseconds since 1970"},
    Comparison.JSON: {Measure.TOTAL: "quotes and commas in all values"},
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def find_fingerprint_differences(source: Fingerprint, target: Fingerprint) -> list[str]:
    """Every place where the fingerprints of Snowflake and PostgreSQL disagree, in words; empty when they agree.

    Both are of the same columns, in the same order. Columns are named where they were measured.
    """
    differences = []
    if source.rows != target.rows:
        differences.append(f"{source.rows:,} rows in Snowflake, {target.rows:,} in PostgreSQL")
    by_column = [
        found
        for left, right in zip(source.columns, target.columns, strict=True)
        if (found := _column_difference(left, right))
    ]
    differences.extend(by_column)
    if source.hash != target.hash and not differences:
        differences.append(_row_hash(source, target))
    return differences


def _row_hash(source: Fingerprint, target: Fingerprint) -> str:
    hashes = f"the hash of all rows is {source.hash:016x} in Snowflake, {target.hash:016x} in PostgreSQL"
    if source.columns:
        return f"{hashes}, while each column by itself holds the same values: they are in other rows"
    return hashes


def _column_difference(source: ColumnFingerprint, target: ColumnFingerprint) -> str:
    found = [
        f"{_LABELS_OF.get(source.kind, {}).get(measure, _LABELS[measure])} {show_value(source.kind, measure, left)} in Snowflake, "
        f"{show_value(source.kind, measure, right)} in PostgreSQL"
        for measure, left in source.measures.items()
        if not _same(left, right := target.measures[measure])
    ]
    if source.hash is not None and target.hash is not None and source.hash != target.hash and not found:
        found.append(f"hash {source.hash:016x} in Snowflake, {target.hash:016x} in PostgreSQL")
    return f'column "{source.name}": {"; ".join(found)}' if found else ""


def _same(left: Value, right: Value) -> bool:
    if isinstance(left, float) and isinstance(right, float):
        return math.isclose(left, right, rel_tol=FLOAT_DIGITS)
    return left == right


def show_value(kind: Comparison, measure: Measure, value: Value) -> str:
    """A measured value as a person reads it: a day as a day, an instant as a time in UTC."""
    if value is None:
        return "none"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, float):
        return repr(value)
    if measure in {Measure.LOW, Measure.HIGH}:
        return _SHOWN.get(kind, str)(value)
    return f"{value:,}"


def _day(days: int) -> str:
    try:
        return (_EPOCH.date() + timedelta(days=days)).isoformat()
    except OverflowError:
        return f"{days} days since 1970"


def _instant(microseconds: int) -> str:
    try:
        moment = _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return f"{microseconds} microseconds since 1970"
    return moment.replace(tzinfo=None).isoformat(sep=" ")


def _clock(microseconds: int) -> str:
    return _instant(microseconds).removeprefix("1970-01-01 ")


def _truth(value: int) -> str:
    return "true" if value else "false"


_SHOWN: dict[Comparison, Callable[[int], str]] = {
    Comparison.DATE: _day,
    Comparison.INSTANT: _instant,
    Comparison.TIME: _clock,
    Comparison.BOOLEAN: _truth,
}


def list_approximate(columns: Sequence[Column]) -> tuple[str, ...]:
    """The columns of which not every change shows: their values are not in the rows' hash to the letter."""
    return tuple(column.source for column in columns if comparison_of(column) in APPROXIMATE)
