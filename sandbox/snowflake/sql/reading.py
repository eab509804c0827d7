"""What a statement reads: tables (now or in the past), views, INFORMATION_SCHEMA, results of other statements."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa
import sqlglot
from sqlglot import exp

from sandbox.snowflake import errors
from sandbox.snowflake.catalog import information_schema, sftypes, versions
from sandbox.snowflake.catalog.catalog import Table
from sandbox.snowflake.catalog.names import ObjectName, quote, show, split_parts
from sandbox.snowflake.catalog.queries import Queries, Query
from sandbox.snowflake.catalog.results import Result
from sandbox.snowflake.catalog.rights import Rights
from sandbox.snowflake.catalog.session import Session
from sandbox.snowflake.catalog.store import Store
from sandbox.snowflake.rewriting import dialect
from sandbox.snowflake.rewriting.binder import Binder
from sandbox.snowflake.rewriting.datetime_formats import Formats
from sandbox.snowflake.rewriting.expressions import type_of
from sandbox.snowflake.rewriting.functions import last_query_id, rewrite
from sandbox.snowflake.rewriting.infer import annotate
from sandbox.snowflake.rewriting.projections import ALL, NONE
from sandbox.snowflake.rewriting.scopes import Home, Output, Relation, fold, stored_outputs
from sandbox.snowflake.sql import change_rows, protection
from sandbox.snowflake.sql.constraints import Constraints
from sandbox.snowflake.sql.formats import build_formats
from sandbox.snowflake.sql.partitions import sampled

_FLATTEN = [
    Output("SEQ", sftypes.number()), Output("KEY", sftypes.TEXT), Output("PATH", sftypes.TEXT),
    Output("INDEX", sftypes.number()), Output("VALUE", sftypes.VARIANT), Output("THIS", sftypes.VARIANT),
]  # fmt: skip


#: Marks a table in a tree whose stored columns alone are meant.
_STORED = "stored_alone"
#: Marks a table in a tree whose policies are applied around it.
_BARE = "without_policies"


@dataclass(frozen=True, slots=True)
class Translation:
    """A query for DuckDB. `outputs` are its visible columns; hidden ones may follow them."""

    sql: str
    outputs: list[Output] | None


class Reader:
    """The names a statement sees. One per statement; `home` is the schema that bare names belong to."""

    def __init__(
        self,
        store: Store,
        session: Session,
        query: Query,
        queries: Queries,
        connection: duckdb.DuckDBPyConnection,
    ) -> None:
        self.store = store
        self.session = session
        self.query = query
        self.queries = queries
        self.connection = connection
        self.rights = Rights(store.catalog, session)
        self.home: tuple[str | None, str | None] = (session.database, session.schema)
        self._when: exp.Expression | None = None
        self.registered: dict[str, pa.Table] = {}
        self.read: list[ObjectName] = []
        #: storage → the table that it belongs to
        self.scanned: dict[str, tuple[ObjectName, Table]] = {}
        #: what projection and aggregation policies restrict here
        self.constraints = Constraints()
        #: EXPLAIN only compiles, without a warehouse
        self.runs = True

    # -- names

    def name_of(self, table: exp.Table, action: str = "SELECT") -> ObjectName:
        """The exact place of a table written in a statement."""
        parts = [p.name for p in table.parts]
        return self.place(parts, action)

    def place(self, parts: list[str], action: str = "SELECT") -> ObjectName:
        database, schema = self.home
        if len(parts) > 3:
            raise errors.syntax(1, 0, ".")
        if len(parts) < 3 and database is None:
            raise errors.no_database(action)
        if len(parts) < 2 and schema is None:
            raise errors.no_schema(action)
        full = [database, schema][: 3 - len(parts)] + parts
        self.rights.enter(str(full[0]), str(full[1]))
        return ObjectName(str(full[0]), str(full[1]), str(full[2]))

    def find(self, name: ObjectName, written: str | None = None, privilege: str = "") -> Table:
        """The table as its session sees it: its own open transaction first.

        :param privilege: what the session needs on it; empty: any.
        """
        found = self.store.catalog.table(name, written)
        self.rights.require_table(name, found, privilege, written)
        transaction = self.session.transaction
        if transaction is not None and name in transaction.changed:
            return transaction.changed[name]
        if found.temporary_of not in {None, self.session.number}:
            raise errors.missing_object(written or str(name))
        return found

    # -- Resolver

    def at_home(self, home: Home) -> Reader:
        other = Reader(self.store, self.session, self.query, self.queries, self.connection)
        other.home = (home.database, home.schema)
        other.rights = Rights(self.store.catalog, self.session, owners=True)
        other._when = home.when
        other.constraints = self.constraints
        other.registered, other.scanned, other.runs = self.registered, self.scanned, self.runs
        return other

    def relation(self, table: exp.Table) -> Relation:
        _identifier_function(table)
        parts = [p.name for p in table.parts]
        written = ".".join(show(p) for p in parts)
        in_schema = parts[-2] if len(parts) > 1 else self.home[1]
        if in_schema == "INFORMATION_SCHEMA":
            database = parts[0] if len(parts) == 3 else self.home[0]
            if database is None:
                raise errors.no_database("SELECT")
            self.rights.enter(database)
            rows = information_schema.view(self.store, self.rights, database, parts[-1])
            return self.arrow_relation(rows.table, [Output(c.name, c.type) for c in rows.columns])
        if parts == ["SNOWFLAKE", "ACCOUNT_USAGE", "QUERY_HISTORY"]:
            rows = information_schema.account_history(self.queries, self.rights)
            return self.arrow_relation(rows.table, [Output(c.name, c.type) for c in rows.columns])
        name = self.place(parts)
        when = table.args.get("when") or self._when
        self.read.append(name)
        with self.store.publishing:
            found = self.find(name, written, "SELECT")
            if self.runs:
                self.rights.require_warehouse()
            if not (table.args.get(_STORED) or table.args.get(_BARE)):
                self._note_constraints(found)
                if protection.is_protected(self.store.catalog, found):
                    return self._protected(name, table, found, written)
            if table.args.get("changes") is not None:
                return self._changes(name, table.args["changes"], found, written)
            if when is not None:
                self._check_time_travel(name, found, written)
            if found.kind == "VIEW":
                query = dialect.parse_one(found.query)
                fold(query)
                protection.answer_roles(query, self.rights.roles(), self.session.role)
                node = exp.Subquery(this=query)
                outputs = [Output(c.name, c.type) for c in found.columns]
                return Relation(node, outputs, view=query, home=Home(name.database, name.schema, when))
            source, described = self._at(found, when, written)
            source = sampled(source, table)
        self.scanned[described.storage] = (name, described)
        node = exp.Table(this=exp.to_identifier(described.storage, quoted=True))
        if source.startswith("("):
            node = exp.Subquery(this=sqlglot.parse_one(source[1:-1], read="duckdb"))
        if any(c.expression for c in described.columns) and not table.args.get(_STORED):
            return self._with_computed(name, table, described)
        return Relation(node, stored_outputs(described.columns))

    def _protected(self, name: ObjectName, table: exp.Table, found: Table, written: str) -> Relation:
        """A table under policies: a query over its rows, run with the rights of the policies' owner."""
        when = table.args.get("when") or self._when
        described = found
        if found.kind != "VIEW":
            _, described = self._at(found, when, written)
        query = protection.protected_query(self.store.catalog, described.columns, found)
        protection.answer_roles(query, self.rights.roles(), self.session.role)
        rows = _table_node(name)
        rows.set("alias", exp.TableAlias(this=exp.to_identifier(protection.ROWS, quoted=True)))
        for kept in ("when", "sample", "changes"):
            rows.set(kept, table.args.get(kept))
        table.set("sample", None)
        rows.set(_BARE, True)
        query.from_(rows, copy=False)
        outputs = [Output(c.name, c.type) for c in described.columns]
        if table.args.get("changes") is not None:
            outputs += change_rows.METADATA
            query.select(*(exp.column(o.name, quoted=True) for o in change_rows.METADATA), copy=False)
        home = Home(name.database, name.schema, self._when)
        return Relation(exp.Subquery(this=query), outputs, view=query, home=home)

    def _note_constraints(self, table: Table) -> None:
        for use in protection.policy_uses(self.store.catalog, table):
            if use.policy.kind in {"PROJECTION", "AGGREGATION"} and self._is_constrained(use):
                self.constraints.add(use)

    def _is_constrained(self, use: protection.PolicyUse) -> bool:
        """Whether the policy restricts the session, by its expression."""
        reader = Reader(self.store, self.session, self.query, self.queries, self.connection)
        reader.rights = Rights(self.store.catalog, self.session, owners=True)
        sql = reader.translate(protection.constraint_of(use)).sql
        [(answer,)] = self.connection.execute(sql).fetchall()
        return bool(answer)

    def _with_computed(self, name: ObjectName, table: exp.Table, described: Table) -> Relation:
        """A table with computed columns: a query over what is stored (…/sql-reference/sql/create-table, `AS (expr)`)."""
        columns = ", ".join(
            f"CAST(({c.expression}) AS {c.type}) AS {quote(c.name)}" if c.expression else quote(c.name)
            for c in described.columns
        )
        query = dialect.parse_one(f"SELECT {columns} FROM STORED")
        fold(query)
        stored = _table_node(name)
        stored.set("when", table.args.get("when"))
        stored.set(_STORED, True)
        query.find(exp.Table).replace(stored)
        outputs = [Output(c.name, c.type) for c in described.columns]
        home = Home(name.database, name.schema, self._when)
        return Relation(exp.Subquery(this=query), outputs, view=query, home=home)

    def function_relation(self, source: exp.Expression) -> Relation:
        inner = source.this
        if isinstance(inner, exp.Dot):
            path = [inner]
            while isinstance(path[-1].this, exp.Dot):
                path.append(path[-1].this)
            inner = inner.expression
        if isinstance(inner, exp.Generator):
            count = inner.args.get("rowcount")
            rows = int(count.name) if count is not None else 0
            node = exp.Table(this=exp.Anonymous(this="range", expressions=[exp.Literal.number(rows)]))
            return Relation(node, [Output("RANGE", sftypes.number())])
        if isinstance(inner, exp.Explode):
            value = inner.this.expression if isinstance(inner.this, exp.Kwarg) else inner.this
            node = exp.Table(this=exp.Anonymous(this="sf_flatten", expressions=[value]))
            return Relation(node, _FLATTEN)
        if isinstance(inner, exp.Anonymous):
            name = inner.name.upper()
            if name == "RESULT_SCAN":
                return self._result_scan(inner.expressions[0] if inner.expressions else None)
            if name == "POLICY_REFERENCES":
                rows = self._policy_references(inner)
                return self.arrow_relation(rows.table, [Output(c.name, c.type) for c in rows.columns])
            if name.startswith("QUERY_HISTORY"):
                rows = information_schema.query_history(self.queries, self.rights)
                return self.arrow_relation(rows.table, [Output(c.name, c.type) for c in rows.columns])
        raise errors.NotImplementedHere(f"table function {inner.sql(dialect='snowflake')}")

    def _policy_references(self, call: exp.Anonymous) -> Result:
        given = {a.this.name.upper(): a.expression.name for a in call.expressions if isinstance(a, exp.Kwarg)}
        if "POLICY_NAME" in given:
            return protection.references_of(self.rights, self.place(split_parts(given["POLICY_NAME"])))
        written = given.get("REF_ENTITY_NAME", "")
        if not written or given.get("REF_ENTITY_DOMAIN", "").upper() not in {"TABLE", "VIEW"}:
            raise errors.compilation(
                939, "22023", "too few or invalid arguments for function [POLICY_REFERENCES]"
            )
        name = self.place(split_parts(written))
        return protection.references_on(self.rights, name, self.find(name, written))

    def arrow_relation(self, table: pa.Table, outputs: list[Output]) -> Relation:
        """Rows that are no table of DuckDB's, visible to this statement's connection alone."""
        name = f"v_{self.query.id.replace('-', '')[:12]}_{len(self.registered)}"
        names = [o.name for o in outputs]
        extra = table.column_names[len(names) :]
        self.registered[name] = table.rename_columns([*names, *extra])
        self.connection.register(name, self.registered[name])
        return Relation(exp.Table(this=exp.to_identifier(name, quoted=True)), outputs)

    def _result_scan(self, argument: exp.Expression | None) -> Relation:
        query_id = argument.name if isinstance(argument, exp.Literal) else None
        if isinstance(argument, exp.Anonymous) and argument.name.upper() == "LAST_QUERY_ID":
            query_id = last_query_id(tuple(self.session.last_query_ids), argument)
        found = self.queries.find(query_id or "")
        if found is None:
            raise errors.SnowflakeError(709, "02000", f"Statement {query_id} not found")
        if found.error is not None:
            raise errors.SnowflakeError(
                710,
                "02000",
                f"SQL compilation error:\nThe result of query {query_id} is not available: it failed.",
            )
        if found.result is None:
            raise errors.SnowflakeError(710, "02000", f"Result for query {query_id} has expired.")
        outputs = [Output(c.name, c.type, c.hidden) for c in found.result.columns]
        return self.arrow_relation(found.result.table, outputs)

    # -- time travel

    def _changes(self, name: ObjectName, clause: exp.Changes, found: Table, written: str) -> Relation:
        self._check_time_travel(name, found, written)
        change_rows.check_kind(found, str(name))
        if clause.args["information"].name.upper() != "DEFAULT":
            raise errors.NotImplementedHere("CHANGES(INFORMATION => APPEND_ONLY)")
        start = clause.args["at_before"]
        if str(start.args["kind"]).upper() == "STATEMENT":
            raise errors.NotImplementedHere("CHANGES between statements")
        since = self._moment(str(start.args["kind"]).upper(), start.expression, time.time())
        before = self._at(found, start, written)
        change_rows.check_tracked(found, since, str(name))
        after = self._at(found, clause.args.get("end"), written)
        self.scanned[after[1].storage] = (name, after[1])
        query = sqlglot.parse_one(change_rows.changes_query(before, after), read="duckdb")
        return Relation(exp.Subquery(this=query), change_rows.changes_outputs(after[1]))

    def _check_time_travel(self, name: ObjectName, found: Table, written: str) -> None:
        """Imported databases, external tables and materialized views have none.

        docs.snowflake.com/en/user-guide/data-share-consumers, …/user-guide/views-materialized.
        """
        if self.store.catalog.database(name.database).imported:
            raise errors.unsupported_time_travel("an object of an imported database,", written)
        if found.external:
            raise errors.unsupported_time_travel("the external table", written)
        if found.materialized:
            raise errors.unsupported_time_travel("the materialized view", written)

    def _at(self, table: Table, when: exp.Expression | None, written: str) -> tuple[str, Table]:
        if when is None:
            return versions.current(table)
        source, found = self._past(table, when, written)
        if found is not table or table.ragged:
            return source, found
        # Rows that are appended from now on do not belong to that time.
        connection = self.store.cursor()
        try:
            [(rows,)] = connection.execute(f"SELECT count(*) FROM {source}").fetchall()
        finally:
            connection.close()
        return f"(SELECT * FROM {source} WHERE rowid < {rows})", table

    def _past(self, table: Table, when: exp.Expression, written: str) -> tuple[str, Table]:
        kind, now = str(when.args["kind"]).upper(), time.time()
        if kind == "STATEMENT":
            statement = self.queries.find(when.expression.name)
            if statement is None:
                text = (
                    f"Statement {when.expression.name} cannot be used to specify time for time travel query."
                )
                raise errors.SnowflakeError(709, "02000", text)
            if str(when.this).upper() == "BEFORE":
                return versions.table_before(table, statement.id, statement.started, written, now)
            return versions.table_at(table, statement.ended or now, written, now)
        moment = self._moment(kind, when.expression, now)
        return versions.table_at(table, moment, written, now)

    def _moment(self, kind: str, expression: exp.Expression, now: float) -> float:
        tree = expression.copy()
        annotate(tree)
        found = type_of(tree)
        holder = rewrite(exp.select(exp.alias_(tree, "moment")), self.formats()).expressions[0].this
        if kind == "OFFSET":
            value = f"CAST({holder.sql(dialect='duckdb')} AS DOUBLE)"
        elif found is not None and found.name in {"TIMESTAMP_LTZ", "TIMESTAMP_TZ"}:
            value = f"epoch_us({holder.sql(dialect='duckdb')})"
        else:  # without a zone it is read as UTC
            value = f"epoch_us(CAST({holder.sql(dialect='duckdb')} AS TIMESTAMP))"
        connection = self.store.cursor(self.session.parameters["TIMEZONE"])
        try:
            row = connection.execute(f"SELECT {value}").fetchone()
        finally:
            connection.close()
        if row is None or row[0] is None:
            raise errors.compilation(1015, "42601", "Invalid value for the time travel clause: NULL")
        return now + float(row[0]) if kind == "OFFSET" else row[0] / 1e6

    # -- translation

    def formats(self) -> Formats:
        return build_formats(self.session, self.query)

    def translate(self, query: exp.Expression, *, carry: bool = False, params: Any = None) -> Translation:
        """A folded query as DuckDB SQL. `carry`: keep the hidden columns."""
        protection.answer_roles(query, self.rights.roles(), self.session.role)
        holder = exp.Subquery(this=query)
        outputs = Binder(self).bind(query, carried=ALL if carry else NONE)
        self.constraints.check(query, outputs)
        rewritten = rewrite(holder, self.formats()).this
        return Translation(rewritten.sql(dialect="duckdb"), outputs)


def _table_node(name: ObjectName) -> exp.Table:
    return exp.Table(
        this=exp.to_identifier(name.name, quoted=True),
        db=exp.to_identifier(name.schema, quoted=True),
        catalog=exp.to_identifier(name.database, quoted=True),
    )


def _identifier_function(table: exp.Table) -> None:
    """IDENTIFIER('a.b') in place of a name."""
    inner = table.this
    text = None
    if isinstance(inner, exp.DynamicIdentifier):
        text = inner.this.name
    elif isinstance(inner, exp.Anonymous) and inner.name.upper() == "IDENTIFIER":
        text = inner.expressions[0].name
    if text is not None:
        named = sqlglot.parse_one(text, read="snowflake", into=exp.Table)
        fold(named)
        for key in ("this", "db", "catalog"):
            table.set(key, named.args.get(key))
