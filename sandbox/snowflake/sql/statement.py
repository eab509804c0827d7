"""One statement: its text, on whose session and connection it runs, and what reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import duckdb
from sqlglot import exp

from sandbox.snowflake.catalog.buckets import Objects
from sandbox.snowflake.catalog.queries import Queries, Query
from sandbox.snowflake.catalog.results import Result
from sandbox.snowflake.catalog.rights import Rights
from sandbox.snowflake.catalog.session import Session
from sandbox.snowflake.catalog.store import Store
from sandbox.snowflake.rewriting import dialect
from sandbox.snowflake.rewriting.scanner import Scanner
from sandbox.snowflake.rewriting.scopes import fold
from sandbox.snowflake.sql.reading import Reader


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

    @property
    def rights(self) -> Rights:
        return Rights(self.store.catalog, self.session)

    def scanner(self) -> Scanner:
        return Scanner(self.text, self.session.parameters["TIMESTAMP_TYPE_MAPPING"])

    def parse(self, text: str | None = None) -> exp.Expression:
        """The statement's tree, identifiers folded."""
        tree = dialect.parse_one(text or self.text)
        fold(tree)
        dialect.map_timestamp(tree, self.session.parameters["TIMESTAMP_TYPE_MAPPING"])
        return tree


Handler = Callable[[Statement], Result]
