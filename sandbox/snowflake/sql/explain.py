"""EXPLAIN and SYSTEM$CLUSTERING_INFORMATION: what is known of a table's micro-partitions before anything is read.

docs.snowflake.com/en/sql-reference/sql/explain, …/sql-reference/functions/system_clustering_information.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

import sqlglot
from sqlglot import exp

from sandbox.snowflake import errors
from sandbox.snowflake.catalog.catalog import Table
from sandbox.snowflake.catalog.names import ObjectName, show, split_parts
from sandbox.snowflake.catalog.results import Result, rows_result
from sandbox.snowflake.sql.listing import NUMBER, texts
from sandbox.snowflake.sql.partitions import Pruned, Pruning, prune, read_ranges
from sandbox.snowflake.sql.statement import Statement

_ROWID = re.compile(r"rowid < (\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Scan:
    name: ObjectName
    columns: int
    pruned: Pruned

    @property
    def bytes(self) -> int:
        return self.pruned.rows * self.columns * 8  # roughly, as INFORMATION_SCHEMA has it


def explain(statement: Statement) -> Result:
    """The plan of a query, as far as partitions go. It is compiled and not run, and needs no warehouse."""
    scanner = statement.scanner()
    scanner.expect("EXPLAIN")
    form = scanner.next().text.upper() if scanner.accept("USING") else "TABULAR"
    if form not in {"JSON", "TABULAR"}:
        raise errors.NotImplementedHere(f"EXPLAIN USING {form}")
    tree = statement.parse(scanner.rest())
    if not isinstance(tree, exp.Query):
        raise errors.NotImplementedHere("EXPLAIN of a statement that is not a query")
    scans = _scans(statement, tree)
    total = {
        "partitionsTotal": sum(s.pruned.total for s in scans),
        "partitionsAssigned": sum(s.pruned.assigned for s in scans),
        "bytesAssigned": sum(s.bytes for s in scans),
    }
    operations = [_operation(i, s) for i, s in enumerate(scans, start=1)]
    if form == "JSON":
        result = [{"id": 0, "operation": "Result"}, *operations]
        text = json.dumps({"GlobalStats": total, "Operations": [result]})
        return rows_result(texts("content"), [(text,)])
    columns = [("step", NUMBER), ("id", NUMBER), *texts("parentOperators", "operation", "objects", "alias", "expressions"),
               ("partitionsTotal", NUMBER), ("partitionsAssigned", NUMBER), ("bytesAssigned", NUMBER)]  # fmt: skip
    rows: list[tuple[Any, ...]] = [(None, None, None, "GlobalStats", None, None, None, *total.values())]
    rows.append((1, 0, None, "Result", None, None, None, None, None, None))
    rows += [
        (1, o["id"], "[0]", "TableScan", o["objects"][0], None, None, *(o[k] for k in total))
        for o in operations
    ]
    return rows_result(columns, rows)


def _operation(number: int, scan: _Scan) -> dict[str, Any]:
    return {
        "id": number,
        "parentOperators": [0],
        "operation": "TableScan",
        "objects": [str(scan.name)],
        "partitionsTotal": scan.pruned.total,
        "partitionsAssigned": scan.pruned.assigned,
        "bytesAssigned": scan.bytes,
    }


def _scans(statement: Statement, tree: exp.Expression) -> list[_Scan]:
    reader = statement.reader()
    reader.runs = False
    translation = reader.translate(tree)
    found = []
    for node in sqlglot.parse_one(translation.sql, read="duckdb").find_all(exp.Table):
        if node.name in reader.scanned:
            name, table = reader.scanned[node.name]
            found.append(_Scan(name, len(table.columns), _pruned(statement, node, table)))
    return found


def _pruned(statement: Statement, node: exp.Table, table: Table) -> Pruned:
    """What the conditions on a table leave of it: those beside it, and those around a query that hands its columns on."""
    names = {c.name: c.name for c in table.columns if not c.expression}
    conditions: list[str] = []
    pruning = Pruning(lambda column: _resolved(column, alias, names))
    first_rows: int | None = None
    source: exp.Expression = node
    alias = source.alias_or_name
    while (select := source.parent_select) is not None and isinstance(select, exp.Select):
        where = select.args.get("where")
        if where is not None:
            bound = _ROWID.search(where.sql("duckdb"))
            first_rows = int(bound[1]) if bound and select.is_star else first_rows
            conditions.append(pruning.condition(where.this))
        if not isinstance(select.parent, exp.Subquery) or _changes_rows(select):
            break
        names = _handed_on(select, alias, names)
        source = select.parent
        alias = source.alias_or_name
    return prune(
        statement.connection, node.name, pruning, " AND ".join(conditions) or "TRUE", first_rows
    )  # fmt: skip


def _resolved(column: exp.Column, alias: str, names: dict[str, str]) -> str | None:
    """The table's column; None for one of another source."""
    return names.get(column.name) if column.table in {"", alias} else None


def _changes_rows(select: exp.Select) -> bool:
    """Whether a condition around the query is none on the rows that it reads."""
    return any(select.args.get(k) for k in ("group", "having", "limit", "offset", "distinct", "qualify"))


def _handed_on(select: exp.Select, alias: str, names: dict[str, str]) -> dict[str, str]:
    """The names by which a query gives the table's columns."""
    found: dict[str, str] = {}
    for projection in select.expressions:
        inner = projection.unalias()
        if projection.is_star:
            found |= names
        elif isinstance(inner, exp.Column) and (name := _resolved(inner, alias, names)) is not None:
            found[projection.alias_or_name] = name
    return found


# -- SYSTEM$CLUSTERING_INFORMATION


def answer_clustering(statement: Statement, tree: exp.Expression) -> None:
    """Put the answer in the place of each call of SYSTEM$CLUSTERING_INFORMATION."""
    for call in list(tree.find_all(exp.Anonymous)):
        if call.name.upper() == "SYSTEM$CLUSTERING_INFORMATION":
            call.replace(exp.Literal.string(_clustering(statement, *(a.name for a in call.expressions))))


def _clustering(statement: Statement, written: str, keys: str = "") -> str:
    reader = statement.reader()
    name = reader.place(split_parts(written), "SELECT")
    table = reader.find(name, written)
    clustered = table.clustering.removeprefix("LINEAR")
    if not (keys.startswith("(") or clustered) or table.kind == "VIEW":
        raise errors.SnowflakeError(
            5, "XX000", f"Invalid clustering keys or table {show(name.name)} is not clustered"
        )
    listed = keys if keys.startswith("(") else clustered
    query = statement.parse(f"SELECT {listed.strip()[1:-1]} FROM {name}")
    reader.runs = False
    translated = sqlglot.parse_one(reader.translate(query).sql, read="duckdb")
    assert isinstance(translated, exp.Select)
    unqualified = []
    for projection in translated.expressions:
        for column in projection.find_all(exp.Column):
            column.set("table", None)
        unqualified.append(projection.unalias().sql("duckdb"))
    ranges = read_ranges(statement.connection, table.storage, unqualified)
    return json.dumps({"cluster_by_keys": f"LINEAR{listed}", **_describe(ranges), "clustering_errors": []})


def _describe(ranges: list[tuple[tuple[Any, ...], tuple[Any, ...]]]) -> dict[str, Any]:
    """Overlaps: the other partitions whose range meets a partition's. Depth: of those, the most that share one value, and itself."""
    depth_at = {low: sum(a <= low <= b for a, b in ranges) for low, _ in ranges}
    overlaps = [sum(a <= high and low <= b for a, b in ranges) - 1 for low, high in ranges]
    depths = [max(d for at, d in depth_at.items() if low <= at <= high) for low, high in ranges]
    histogram = Counter(f"{depth:05d}" for depth in depths)
    count = max(len(ranges), 1)
    return {
        "total_partition_count": len(ranges),
        "total_constant_partition_count": sum(low == high for low, high in ranges),
        "average_overlaps": round(sum(overlaps) / count, 4),
        "average_depth": round(sum(depths) / count, 4),
        "partition_depth_histogram": dict(sorted(histogram.items())),
    }
