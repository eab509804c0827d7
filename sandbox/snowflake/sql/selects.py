"""Running a SELECT: its rows as Arrow, and the functions in it that act."""

from __future__ import annotations

from typing import Any

import duckdb
import pyarrow as pa
from sqlglot import exp

from sandbox.snowflake import errors
from sandbox.snowflake.catalog.companions import hidden
from sandbox.snowflake.catalog.results import SELECT, Result, ResultColumn
from sandbox.snowflake.rewriting.scopes import Output, result_type
from sandbox.snowflake.sql.statement import Statement


def run_query(statement: Statement, tree: exp.Expression | None = None) -> Result:
    """A SELECT: translated, run, its rows as Arrow."""
    tree = tree if tree is not None else statement.parse()
    _wait(statement, tree)
    _answer_cancels(statement, tree)
    reader = statement.reader()
    translation = reader.translate(tree, carry=True)
    statement.query.interruptible(statement.connection.interrupt)
    relation = statement.connection.sql(translation.sql)
    columns = output_columns(translation.outputs, relation)
    if statement.describe_only:
        empty = pa.table([pa.array([], pa.string()) for _ in columns], names=[c.name for c in columns])
        return Result(columns, empty, SELECT)
    table = relation.to_arrow_table()
    statement.query.bytes_scanned = table.nbytes
    return Result(columns, table, SELECT)


def output_columns(outputs: list[Output] | None, relation: duckdb.DuckDBPyRelation) -> list[ResultColumn]:
    """Visible columns with their Snowflake types, by position."""
    named = [(n, str(t)) for n, t in zip(relation.columns, relation.types, strict=True) if not hidden(n)]
    known: list[Output | None] = (
        list(outputs) if outputs is not None and len(outputs) == len(named) else [None] * len(named)
    )
    return [
        ResultColumn(
            output.name if output else name,
            result_type(output, kind),
            hidden=output.hidden if output else {},
        )
        for (name, kind), output in zip(named, known, strict=True)
    ]


def _wait(statement: Statement, tree: exp.Expression) -> None:
    """SYSTEM$WAIT(n [, unit]) sleeps, and can be cancelled."""
    for call in list(tree.find_all(exp.Anonymous)):
        if call.name.upper() != "SYSTEM$WAIT":
            continue
        unit = call.expressions[1].name.upper() if len(call.expressions) > 1 else "SECONDS"
        factor = {"DAYS": 86400, "HOURS": 3600, "MINUTES": 60, "SECONDS": 1, "MILLISECONDS": 0.001}.get(
            unit, 1
        )
        amount = float(call.expressions[0].name)
        if not statement.describe_only:
            statement.query.stop.wait(amount * factor)
            statement.query.check()
        call.replace(exp.Literal.string(f"waited {call.expressions[0].name} {unit.lower()}"))


def _answer_cancels(statement: Statement, tree: exp.Expression) -> None:
    """SYSTEM$ functions that cancel queries."""
    for call in list(tree.find_all(exp.Anonymous)):
        name = call.name.upper()
        arguments: list[Any] = [a.name for a in call.expressions]
        if name == "SYSTEM$CANCEL_QUERY":
            found = statement.queries.find(arguments[0])
            if found is None:
                answer = "Invalid query id."
            elif found.cancel(errors.cancelled()):
                answer = f"query [{arguments[0]}] terminated."
            else:
                answer = "Identified SQL statement is not currently executing."
            call.replace(exp.Literal.string(answer))
        elif name in {"SYSTEM$CANCEL_ALL_QUERIES", "SYSTEM$ABORT_SESSION"}:
            for query in statement.queries.running():
                if str(query.session.number) == arguments[0] and query is not statement.query:
                    query.cancel(errors.cancelled())
            call.replace(exp.Literal.string("all queries terminated."))
