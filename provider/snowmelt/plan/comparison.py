"""A comparison of a whole table with its source: what was compared, and what differs. Pure.

It is a part of the plan of a run in mode `compare` or `repair`: the later tasks follow from it.
"""

from __future__ import annotations

from dataclasses import dataclass

from snowmelt.json_values import Rounded
from snowmelt.state import TargetIdentity
from snowmelt.unload.chunks import Chunk

#: Chunks that a text names; the report has all of them.
_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkDifference:
    """A chunk whose rows are not the same in both databases."""

    chunk: Chunk
    #: Its rows in the target as a PostgreSQL predicate; empty: all rows.
    target_predicate: str
    source_rows: int
    target_rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCounts:
    """Rows that differ, and keys of some of them."""

    #: Rows of the source that the target does not have, and the reverse.
    missing: int = 0
    extra: int = 0
    #: Rows of one key whose other values differ.
    changed: int = 0
    #: False: these are the least numbers that there can be, by the rows of the chunks alone.
    exact: bool = False
    #: Examples: the columns of the key with their values.
    missing_keys: tuple[str, ...] = ()
    extra_keys: tuple[str, ...] = ()
    changed_keys: tuple[str, ...] = ()

    def describe(self) -> str:
        """`2 rows are missing, 1 row has other values`; empty without any."""
        least = "" if self.exact else "at least "
        parts = (
            (self.missing, "rows are missing", "row is missing"),
            (self.extra, "rows are extra", "row is extra"),
            (self.changed, "rows have other values", "row has other values"),
        )
        return ", ".join(
            f"{least}{count:,} {one if count == 1 else many}" for count, many, one in parts if count
        )

    def describe_keys(self) -> str:
        """`Missing: ID 17; ID 18. Extra: ID 3`; empty where no key is known."""
        groups = (("Missing", self.missing_keys), ("Extra", self.extra_keys), ("Changed", self.changed_keys))
        return ". ".join(f"{name}: {'; '.join(keys)}" for name, keys in groups if keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The whole target beside the whole source, at the snapshot."""

    #: Chunks that were compared.
    chunks: int
    source_rows: int
    target_rows: int
    differences: tuple[ChunkDifference, ...]
    rows: RowCounts
    #: Source names of the columns that were seen to differ in rows that both databases have.
    columns: tuple[str, ...]
    #: Source names of the columns that were compared approximately.
    approximate: tuple[str, ...]
    #: Which table was compared, and what it held (`Contents.state`).
    target: TargetIdentity
    contents: str
    seconds: Rounded

    @property
    def agrees(self) -> bool:
        """Whether the target is the source."""
        return not self.differences

    @property
    def target_predicate(self) -> str:
        """The PostgreSQL predicate of the chunks that differ; empty: all rows."""
        predicates = [difference.target_predicate for difference in self.differences]
        return " OR ".join(f"({predicate})" for predicate in predicates) if all(predicates) else ""

    def describe(self) -> str:
        """The result in a sentence, without any value of the data."""
        if self.agrees:
            return f"all {self.source_rows:,} rows agree, in {_count(self.chunks)}"
        columns = f" (columns {', '.join(self.columns)})" if self.columns else ""
        named = ", ".join(difference.chunk.label for difference in self.differences[:_NAMED])
        more = len(self.differences) - _NAMED
        verb = "differs" if len(self.differences) == 1 else "differ"
        rest = f" and {more:,} more" if more > 0 else ""
        return f"{len(self.differences):,} of {_count(self.chunks)} {verb}: {self.rows.describe()}{columns}; {named}{rest}"


def _count(chunks: int) -> str:
    return "1 chunk" if chunks == 1 else f"{chunks:,} chunks"
