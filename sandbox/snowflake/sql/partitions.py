"""Micro-partitions, as a plausible model: a table's rows in the order of insertion, so many at a time, with MIN and MAX of each column.

docs.snowflake.com/en/user-guide/tables-clustering-micropartitions: Snowflake keeps the range of each column of each partition, and a
query scans those that may hold what it asks for.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

import duckdb
from sqlglot import exp

from sandbox.snowflake import errors
from sandbox.snowflake.catalog.names import quote

#: Snowflake's hold 50 to 500 MB each. So few rows let tables of a test have several.
PARTITION_ROWS = 10_000

#: Which end of a partition's range a comparison looks at, where the column is on its left.
_ENDS = {exp.GT: "hi", exp.GTE: "hi", exp.LT: "lo", exp.LTE: "lo"}
_MIRRORED = {exp.GT: exp.LT, exp.GTE: exp.LTE, exp.LT: exp.GT, exp.LTE: exp.GTE, exp.EQ: exp.EQ}


@dataclass(frozen=True, slots=True)
class Pruned:
    """Partitions of a table, those that are left for a query, and the rows in them."""

    total: int
    assigned: int
    rows: int


class Pruning:
    """Conditions of a DuckDB query, as far as the ranges of a table's columns can tell that no row meets them."""

    def __init__(self, resolve: Callable[[exp.Column], str | None]) -> None:
        self._resolve = resolve
        self.columns: list[str] = []  # whose ranges are asked for, by position

    def condition(self, node: exp.Expression) -> str:
        """Whether a partition may hold a row that meets the condition: SQL over `lo_0, hi_0, …`."""
        node = node.unnest()
        if isinstance(node, exp.And | exp.Or):
            word = "AND" if isinstance(node, exp.And) else "OR"
            return f"({self.condition(node.left)} {word} {self.condition(node.right)})"
        if not node.find(exp.Column, exp.Query):
            return f"({node.sql('duckdb')})"
        if isinstance(node, exp.Between):
            low = exp.GTE(this=node.this.copy(), expression=node.args["low"].copy())
            high = exp.LTE(this=node.this.copy(), expression=node.args["high"].copy())
            return f"({self._compared(low)} AND {self._compared(high)})"
        if isinstance(node, exp.In) and node.expressions:
            each = (exp.EQ(this=node.this.copy(), expression=e.copy()) for e in node.expressions)
            return "(" + " OR ".join(self._compared(one) for one in each) + ")"
        if type(node) in _MIRRORED:
            return self._compared(node)
        return "TRUE"

    def _compared(self, node: exp.Expression) -> str:
        kind, left, right = type(node), node.left, node.right
        if left.find(exp.Column) is None:
            kind, left, right = _MIRRORED[kind], right, left
        if right.find(exp.Column, exp.Query):
            return "TRUE"
        low, high = self._end(left, "lo"), self._end(left, "hi")
        if low is None or high is None:
            return "TRUE"
        value = right.sql("duckdb")
        if kind is exp.EQ:
            return f"({low} <= {value} AND {high} >= {value})"
        end = high if _ENDS[kind] == "hi" else low
        return f"({end} {_SIGNS[kind]} {value})"

    def _end(self, node: exp.Expression, end: str) -> str | None:
        """The end of the range of a column, or of a column that is cast; None for any other expression."""
        at = node.unnest()
        while isinstance(at, exp.Cast):
            at = at.this.unnest()
        name = self._resolve(at) if isinstance(at, exp.Column) else None
        if name is None:
            return None
        if name not in self.columns:
            self.columns.append(name)
        copy = node.copy()
        for column in list(copy.find_all(exp.Column)):
            new = exp.column(f"{end}_{self.columns.index(name)}")
            if column is copy:
                return new.sql("duckdb")
            column.replace(new)
        return copy.sql("duckdb")


_SIGNS = {exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<="}


def sampled(source: str, table: exp.Table) -> str:
    """SAMPLE SYSTEM takes whole partitions: one of a small table may be empty, or all of it.

    docs.snowflake.com/en/sql-reference/constructs/sample: each block of rows with a probability of p/100; no fixed size.

    :param source: what DuckDB reads for the table; its sample is taken off the tree.
    """
    sample = table.args.get("sample")
    if (
        sample is None
        or sample.args.get("method") is None
        or sample.args["method"].name.upper() not in _BLOCKS
    ):
        return source
    percent, seed = sample.args.get("percent"), sample.args.get("seed")
    if percent is None:
        raise errors.compilation(1038, "42601", "Sampling method SYSTEM does not support a fixed size.")
    table.set("sample", None)
    number = int(seed.name) if seed is not None else secrets.randbelow(1_000_000)
    taken = f"hash(rowid // {PARTITION_ROWS}, {number}) % 1000000 < {float(percent.name) * 10_000}"
    if source.startswith("("):
        return f"{source[:-1]} {'AND' if ' WHERE ' in source else 'WHERE'} {taken})"
    return f"(SELECT * FROM {source} WHERE {taken})"


_BLOCKS = {"SYSTEM", "BLOCK"}


def _ranges(storage: str, columns: list[str], first_rows: int | None) -> str:
    ends = "".join(f", min({quote(c)}) AS lo_{i}, max({quote(c)}) AS hi_{i}" for i, c in enumerate(columns))
    only = "" if first_rows is None else f" WHERE rowid < {first_rows}"
    return f"SELECT rowid // {PARTITION_ROWS} AS partition, count(*) AS n{ends} FROM {quote(storage)}{only} GROUP BY 1"


def prune(
    connection: duckdb.DuckDBPyConnection,
    storage: str,
    pruning: Pruning,
    condition: str,
    first_rows: int | None,
) -> Pruned:
    """:param first_rows: of the storage belong to the table, at the time that is asked for; None: all."""
    ranges = _ranges(storage, pruning.columns, first_rows)
    [row] = connection.execute(
        f"SELECT count(*), count(*) FILTER (WHERE {condition}), coalesce(sum(n) FILTER (WHERE {condition}), 0) FROM ({ranges})"
    ).fetchall()
    return Pruned(int(row[0]), int(row[1]), int(row[2]))


def read_ranges(
    connection: duckdb.DuckDBPyConnection, storage: str, expressions: list[str]
) -> list[tuple[tuple[object, ...], tuple[object, ...]]]:
    """The lowest and the highest key of each partition; `expressions` are DuckDB's, over the storage's columns."""
    row = f"row({', '.join(expressions)})"
    found = connection.execute(
        f"SELECT min(k), max(k) FROM (SELECT rowid // {PARTITION_ROWS} AS p, {row} AS k FROM {quote(storage)}) GROUP BY p ORDER BY p"
    ).fetchall()
    return [(_key(low), _key(high)) for low, high in found]


def _key(value: object) -> tuple[object, ...]:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else (value,)
    return tuple((part is None, part) for part in parts)
