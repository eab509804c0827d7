"""Running and past statements: their status by id, their results, cancelling, the history, the statement log."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox.snowflake import errors
from sandbox.snowflake.catalog.results import Result
from sandbox.snowflake.catalog.session import Session

#: Results are kept for RESULT_SCAN up to this many bytes and statements; the oldest go first.
KEPT_RESULT_BYTES = 128 * 1024 * 1024
KEPT_QUERIES = 10_000


@dataclass
class Query:
    id: str
    session: Session
    text: str
    tag: str
    role: str
    warehouse: str | None
    database: str | None
    schema: str | None
    started: float
    request_id: str = ""
    status: str = "RUNNING"  # RUNNING, SUCCESS, FAILED_WITH_ERROR, ABORTED
    ended: float | None = None
    error: errors.SnowflakeError | None = None
    result: Result | None = None
    rows: int = 0
    bytes_scanned: int = 0
    unloaded: int | None = None  # rows that a COPY INTO <location> wrote
    done: threading.Event = field(default_factory=threading.Event)
    stop: threading.Event = field(default_factory=threading.Event)
    stop_reason: errors.SnowflakeError | None = None
    _interrupts: list[Callable[[], None]] = field(default_factory=list)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def cancel(self, reason: errors.SnowflakeError) -> bool:
        """Stop it where it is; False when it has ended already."""
        with self._guard:
            if self.done.is_set() or self.stop.is_set():
                return not self.done.is_set()
            self.stop_reason = reason
            self.stop.set()
            for interrupt in self._interrupts:
                interrupt()
        return True

    def interruptible(self, interrupt: Callable[[], None]) -> None:
        """Call `interrupt` when cancelled (at once, if it is already)."""
        with self._guard:
            self._interrupts.append(interrupt)
            if self.stop.is_set():
                interrupt()

    def check(self) -> None:
        """Raise the reason when the statement has been cancelled."""
        if self.stop.is_set():
            raise self.stop_reason or errors.cancelled()


class StatementLog:
    """JSON lines: one when a statement starts (status RUNNING), one when it ends."""

    def __init__(self, path: Path | None) -> None:
        self._file = path.open("a", buffering=1) if path else None
        self._lock = threading.Lock()

    def write(self, query: Query) -> None:
        if self._file is None:
            return
        entry = {
            "time": datetime.now(UTC).isoformat(),
            "session_id": query.session.number,
            "user": query.session.user,
            "role": query.role,
            "warehouse": query.warehouse,
            "query_id": query.id,
            "query_tag": query.tag,
            "sql": query.text,
            "status": query.status,
            "error": None
            if query.error is None
            else f"{query.error.errno:06d} ({query.error.sqlstate}): {query.error.message}",
        }
        with self._lock:
            self._file.write(json.dumps(entry, ensure_ascii=False) + "\n")

    def close(self) -> None:
        if self._file:
            self._file.close()


class Queries:
    def __init__(self, log: StatementLog, history: Path | None = None) -> None:
        self._log = log
        self._history_path = history
        self._queries: OrderedDict[str, Query] = OrderedDict()
        self._by_request: dict[str, Query] = {}
        self._lock = threading.Lock()
        self._result_bytes = 0
        #: QUERY_HISTORY rows of before the last restart and of now
        self.history: list[dict[str, Any]] = []
        if history and history.exists():
            self.history = [json.loads(line) for line in history.read_text().splitlines()[-KEPT_QUERIES:]]

    def start(self, session: Session, text: str, request_id: str, tag: str) -> Query:
        query = Query(
            id=str(uuid.uuid4()),
            session=session,
            text=text,
            tag=tag,
            role=session.role,
            warehouse=session.warehouse,
            database=session.database,
            schema=session.schema,
            started=time.time(),
            request_id=request_id,
        )
        with self._lock:
            self._queries[query.id] = query
            if request_id:
                self._by_request[request_id] = query
            while len(self._queries) > KEPT_QUERIES:
                self._forget(next(iter(self._queries.values())))
        self._log.write(query)
        return query

    def _forget(self, query: Query) -> None:
        self._queries.pop(query.id, None)
        self._by_request.pop(query.request_id, None)
        if query.result is not None:
            self._result_bytes -= query.result.table.nbytes

    def finish(self, query: Query, result: Result | None, error: errors.SnowflakeError | None) -> None:
        query.ended = time.time()
        query.error = error
        query.result = result
        if error is None:
            query.status = "SUCCESS"
            query.rows = result.table.num_rows if result else 0
        else:
            query.status = "ABORTED" if error.errno in {604, 630} else "FAILED_WITH_ERROR"
        self._log.write(query)
        with self._lock:
            if result is not None:
                self._result_bytes += result.table.nbytes
                for old in list(self._queries.values()):
                    if self._result_bytes <= KEPT_RESULT_BYTES or old is query:
                        break
                    if old.result is not None:
                        self._result_bytes -= old.result.table.nbytes
                        old.result = None
            entry = history_row(query)
            self.history.append(entry)
            del self.history[:-KEPT_QUERIES]
            if self._history_path:
                with self._history_path.open("a") as file:
                    file.write(json.dumps(entry) + "\n")
        query.done.set()

    def find(self, query_id: str) -> Query | None:
        return self._queries.get(query_id)

    def by_request(self, request_id: str) -> Query | None:
        return self._by_request.get(request_id)

    def expire_results(self) -> int:
        """Forget the results of all statements that have ended, as Snowflake does after 24 hours; how many."""
        with self._lock:
            kept = [q for q in self._queries.values() if q.done.is_set() and q.result is not None]
            for query in kept:
                query.result = None
            self._result_bytes = 0
        return len(kept)

    def running(self) -> list[Query]:
        return [q for q in list(self._queries.values()) if not q.done.is_set()]

    def close(self) -> None:
        for query in self.running():
            query.cancel(errors.cancelled())
        self._log.close()


def history_row(query: Query) -> dict[str, Any]:
    """One row of QUERY_HISTORY; times are seconds since the epoch."""
    ended = query.ended
    status = {"SUCCESS": "SUCCESS", "RUNNING": "RUNNING"}.get(query.status, "FAILED_WITH_ERROR")
    return {
        "QUERY_ID": query.id,
        "QUERY_TEXT": query.text,
        "DATABASE_NAME": query.database,
        "SCHEMA_NAME": query.schema,
        "SESSION_ID": query.session.number,
        "USER_NAME": query.session.user,
        "ROLE_NAME": query.role,
        "WAREHOUSE_NAME": query.warehouse,
        "QUERY_TAG": query.tag,
        "EXECUTION_STATUS": status,
        "ERROR_CODE": f"{query.error.errno:06d}" if query.error else None,
        "ERROR_MESSAGE": query.error.message if query.error else None,
        "START_TIME": query.started,
        "END_TIME": ended,
        "TOTAL_ELAPSED_TIME": round(((ended or time.time()) - query.started) * 1000),
        "BYTES_SCANNED": query.bytes_scanned,
        "ROWS_PRODUCED": query.rows,
        "ROWS_UNLOADED": query.unloaded,
    }
