"""Running one statement: which kind it is, on which connection, and what becomes of its errors."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa
from sqlglot import exp

from sandbox.snowflake import dialect, errors
from sandbox.snowflake.companions import hidden
from sandbox.snowflake.objects import Objects
from sandbox.snowflake.queries import Queries, Query
from sandbox.snowflake.reading import Reader
from sandbox.snowflake.results import SELECT, Result, ResultColumn
from sandbox.snowflake.scanner import Scanner, split_statements
from sandbox.snowflake.scopes import Output, fold, result_type
from sandbox.snowflake.session import Session
from sandbox.snowflake.store import Store


@dataclass
class Statement:
    """All that a handler needs. `connection` is the statement's own, or its session's open transaction's."""

    store: Store
    session: Session
    query: Query
    queries: Queries
    objects: Objects
    connection: duckdb.DuckDBPyConnection
    text: str
    describe_only: bool = False

    def reader(self) -> Reader:
        return Reader(self.store, self.session, self.query, self.queries, self.connection)

    def scanner(self) -> Scanner:
        return Scanner(self.text)

    def parse(self, text: str | None = None) -> exp.Expression:
        """The statement's tree, identifiers folded."""
        tree = dialect.parse_one(text or self.text)
        fold(tree)
        return tree


Handler = Callable[[Statement], Result]


def run(statement: Statement) -> Result:
    """Run it to its end; raises SnowflakeError and nothing else."""
    try:
        count = len(split_statements(statement.text))
        if count != 1:
            if count == 0:
                raise errors.SnowflakeError(900, "42601", "SQL compilation error:\nEmpty SQL statement.")
            text = f"Actual statement count {count} did not match the desired statement count 1."
            raise errors.SnowflakeError(8, "0A000", text)
        statement.text = split_statements(statement.text)[0]
        handler = find_handler(statement)
        statement.query.check()
        result = handler(statement)
        statement.query.check()
        return result
    except Exception as error:
        reason = statement.query.stop_reason
        translated = errors.from_driver(error)
        if reason is not None and (translated.errno == 604 or statement.query.stop.is_set()):
            raise reason from None
        raise translated from error


def find_handler(statement: Statement) -> Handler:
    from sandbox.snowflake.handlers import HANDLERS

    words = [t.text.upper() for t in statement.scanner().tokens[:6]]
    if not words:
        raise errors.syntax(1, 0, "<EOF>")
    for pattern, handler in HANDLERS:
        if _matches(pattern, words):
            return handler
    first = statement.scanner().peek()
    raise errors.syntax(1, 0, first.text)


def _matches(pattern: str, words: list[str]) -> bool:
    """A pattern is words; (A|B) is a choice, ? behind a word makes it optional."""
    return re.match(pattern, " ".join(words) + " ") is not None


def run_query(statement: Statement, tree: exp.Expression | None = None) -> Result:
    """A SELECT: translated, run, its rows as Arrow."""
    tree = tree if tree is not None else statement.parse()
    _wait(statement, tree)
    _cancel_calls(statement, tree)
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


def _cancel_calls(statement: Statement, tree: exp.Expression) -> None:
    """SYSTEM$ functions that act."""
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
        elif name == "SYSTEM$VALIDATE_STORAGE_INTEGRATION":
            from sandbox.snowflake.integrations import validate

            call.replace(exp.Literal.string(validate(statement, *arguments)))
