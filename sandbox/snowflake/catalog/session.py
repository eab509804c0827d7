"""Sessions: who is connected, with what role, warehouse, database, schema and parameters."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import duckdb

from sandbox.snowflake.catalog.catalog import Table
from sandbox.snowflake.catalog.names import ObjectName
from sandbox.snowflake.catalog.parameters import Parameters
from sandbox.snowflake.catalog.store import Store


@dataclass
class Transaction:
    """An open BEGIN … COMMIT: what its own statements see, to be published at COMMIT."""

    connection: duckdb.DuckDBPyConnection
    #: tables changed here: what they are inside (storage, ragged), what they were before
    changed: dict[ObjectName, Table] = field(default_factory=dict)
    #: what each had before the transaction's first change
    old: dict[ObjectName, Any] = field(default_factory=dict)
    locks: list[threading.Lock] = field(default_factory=list)
    query_id: str = ""


@dataclass
class Session:
    number: int
    token: str
    master_token: str
    user: str
    role: str
    account: str
    client: str = ""
    warehouse: str | None = None
    database: str | None = None
    schema: str | None = None
    parameters: Parameters = field(default_factory=Parameters)
    #: of a user that CREATE USER had made when it logged in; any other is an administrator's
    limited: bool = False
    #: USE SECONDARY ROLES: ALL of the user's, as users have it by default (…/sql-reference/sql/create-user), or NONE
    secondary_roles: bool = True
    expired: bool = False
    closed: bool = False
    #: when the client was last heard of, in seconds since 1970
    seen: float = field(default_factory=time.time)
    last_query_ids: list[str] = field(default_factory=list)
    transaction: Transaction | None = None
    #: synchronous statements of one session run one after the other
    turn: threading.RLock = field(default_factory=threading.RLock)


class Sessions:
    """All open sessions by token; tokens are renewed with the master token."""

    def __init__(self) -> None:
        self._by_token: dict[str, Session] = {}
        self._by_master: dict[str, Session] = {}
        self._lock = threading.Lock()
        self._count = int(time.time() * 1000)

    def open(self, *, user: str, role: str, account: str, client: str, limited: bool) -> Session:
        with self._lock:
            self._count += 1
            session = Session(
                number=self._count,
                token=secrets.token_urlsafe(32),
                master_token=secrets.token_urlsafe(32),
                user=user,
                role=role,
                account=account,
                client=client,
                limited=limited,
            )
            self._by_token[session.token] = session
            self._by_master[session.master_token] = session
        return session

    def find(self, token: str) -> Session | None:
        session = self._by_token.get(token)
        if session is not None:
            session.seen = time.time()
        return session

    def renew(self, master_token: str) -> Session | None:
        with self._lock:
            session = self._by_master.get(master_token)
            if session is None:
                return None
            self._by_token.pop(session.token, None)
            session.token = secrets.token_urlsafe(32)
            session.expired = False
            self._by_token[session.token] = session
        return session

    def expire_all(self) -> int:
        with self._lock:
            for session in self._by_token.values():
                session.expired = True
            return len(self._by_token)

    def close(self, session: Session, store: Store) -> None:
        """Forget a session; its open transaction is rolled back, its temporary tables go."""
        with self._lock:
            self._by_token.pop(session.token, None)
            self._by_master.pop(session.master_token, None)
        session.closed = True
        if session.transaction is not None:
            transaction, session.transaction = session.transaction, None
            transaction.connection.close()
            for lock in transaction.locks:
                lock.release()
        with store.catalog.lock:
            for database in store.catalog.databases.values():
                for schema in database.schemas.values():
                    mine = [t for t in schema.tables.values() if t.temporary_of == session.number]
                    for table in mine:
                        del schema.tables[table.name]
                        store.discard({table.storage, *(v.storage for v in table.versions)})
