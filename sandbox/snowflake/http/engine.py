"""Statements in threads: started for a session, awaited, cancelled, timed out."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from sandbox.snowflake import errors
from sandbox.snowflake.catalog.buckets import Objects
from sandbox.snowflake.catalog.names import show, split_parts
from sandbox.snowflake.catalog.parameters import Parameters
from sandbox.snowflake.catalog.queries import Queries, Query, StatementLog
from sandbox.snowflake.catalog.results import Result
from sandbox.snowflake.catalog.rights import Rights
from sandbox.snowflake.catalog.session import Session, Sessions
from sandbox.snowflake.catalog.store import Store
from sandbox.snowflake.http.handlers import run
from sandbox.snowflake.rewriting import bindings
from sandbox.snowflake.rewriting.scanner import upper_quoted
from sandbox.snowflake.sql.faults import before_statement
from sandbox.snowflake.sql.statement import Statement

#: An asynchronous query of a session that is gone ends after so many seconds where ABORT_DETACHED_QUERY is set
#: (docs.snowflake.com/en/sql-reference/parameters).
DETACHED_SECONDS = 300.0


class Engine:
    def __init__(
        self,
        folder: Path | None,
        s3_endpoint: str | None,
        log: Path | None,
        detached_seconds: float = DETACHED_SECONDS,
    ) -> None:
        self.detached_seconds = detached_seconds
        self.store = Store(folder)
        self.objects = Objects(s3_endpoint)
        self.sessions = Sessions()
        self.queries = Queries(StatementLog(log), folder / "history.jsonl" if folder else None)

    def login(
        self, user: str, account: str, client: str, wanted: dict[str, str | None], parameters: dict[str, Any]
    ) -> Session:
        """A new session, with any password; a database or a warehouse that it may not use is left unset, as in Snowflake."""
        catalog = self.store.catalog
        made = catalog.user_by_login(user)
        role = _folded(wanted.get("role")) or (made.default_role if made else "ACCOUNTADMIN") or "PUBLIC"
        session = self.sessions.open(
            user=made.name if made else user.upper(),
            role=role,
            account=account.upper(),
            client=client,
            limited=made is not None,
        )
        rights = Rights(catalog, session)
        if not rights.may_take(role):
            self.sessions.close(session, self.store)
            raise errors.role_at_login(show(role))
        catalog.know_role(role)
        warehouse = _folded(wanted.get("warehouse")) or (made.default_warehouse if made else None)
        session.warehouse = warehouse if rights.usable_warehouse(warehouse) else None
        session.parameters = Parameters(catalog.session_defaults(session.user), catalog.session_defaults())
        database, schema = _folded(wanted.get("database")), _folded(wanted.get("schema"))
        if database in catalog.databases and rights.sees(catalog.databases[database]):
            session.database = database
            schemas = catalog.databases[database].schemas
            session.schema = (
                schema if schema in schemas else "PUBLIC" if schema is None and "PUBLIC" in schemas else None
            )
        for name, value in parameters.items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            try:
                session.parameters.set(name.upper(), text)
            except errors.SnowflakeError:
                if name.upper() == "TIMEZONE":
                    raise
        return session

    def start(
        self, session: Session, text: str, *, request_id: str = "", asynchronous: bool = False, describe_only: bool = False,
        bound: dict[str, Any] | None = None, parameters: dict[str, Any] | None = None,
    ) -> Query:  # fmt: skip
        """Begin a statement in a thread of its own; a request sent twice finds the one already begun."""
        known = self.queries.by_request(request_id) if request_id else None
        if known is not None and known.session is session:
            return known
        tag = str((parameters or {}).get("QUERY_TAG") or session.parameters["QUERY_TAG"])
        query = self.queries.start(session, text, request_id, tag)
        timeout = int(
            (parameters or {}).get("STATEMENT_TIMEOUT_IN_SECONDS")
            or session.parameters["STATEMENT_TIMEOUT_IN_SECONDS"]
        )
        arguments = (query, bound or {}, asynchronous, describe_only, timeout)
        threading.Thread(target=self._run, args=arguments, daemon=True, name=f"query-{query.id}").start()
        return query

    def _run(
        self, query: Query, bound: dict[str, Any], asynchronous: bool, describe_only: bool, timeout: int
    ) -> None:
        timer = None
        if timeout > 0:
            timer = threading.Timer(timeout, query.cancel, [errors.timed_out(timeout)])
            timer.daemon = True
            timer.start()
        result: Result | None = None
        error: errors.SnowflakeError | None = None
        if asynchronous:
            threading.Thread(target=self._abort_detached, args=(query,), daemon=True).start()
        try:
            if asynchronous:
                result = self._execute(query, bound, asynchronous, describe_only)
            else:
                with query.session.turn:
                    result = self._execute(query, bound, asynchronous, describe_only)
        except errors.SnowflakeError as raised:
            error = raised
        except BaseException as raised:  # a fault of the stand-in is an error of the statement, never of HTTP
            error = errors.from_driver(raised)
        finally:
            if timer is not None:
                timer.cancel()
            if not asynchronous and not describe_only:
                query.session.last_query_ids.append(query.id)
                del query.session.last_query_ids[:-1000]
            self.queries.finish(query, result, error)
            running = self.queries.running()
            self.store.sweep(min((q.started for q in running), default=float("inf")))

    def _abort_detached(self, query: Query) -> None:
        """Cancel the query once its session has been silent for too long, if the session asks for that."""
        while not query.done.wait(min(1.0, self.detached_seconds / 4)):
            silent = time.time() - query.session.seen
            if silent > self.detached_seconds and query.session.parameters.flag("ABORT_DETACHED_QUERY"):
                query.cancel(errors.cancelled())
                return

    def _execute(
        self, query: Query, bound: dict[str, Any], asynchronous: bool, describe_only: bool
    ) -> Result:
        session = query.session
        transaction = session.transaction
        shared = not asynchronous and transaction is not None and bool(transaction.changed)
        connection = (
            transaction.connection
            if shared and transaction
            else self.store.cursor(session.parameters["TIMEZONE"])
        )
        try:
            before_statement(query)
            query.check()
            text = bindings.apply(query.text, bound)
            if session.parameters.flag("QUOTED_IDENTIFIERS_IGNORE_CASE"):
                text = upper_quoted(text)
            statement = Statement(
                self.store, session, query, self.queries, self.objects, connection, text, describe_only
            )
            return run(statement)
        finally:
            if not shared:
                connection.close()

    def close(self) -> None:
        self.queries.close()
        self.store.close()


def _folded(name: str | None) -> str | None:
    if not name:
        return None
    try:
        return split_parts(name)[0]
    except errors.SnowflakeError:
        return name
