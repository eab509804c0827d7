"""Which ledgers there are, and reading them: each by the Airflow connection of the DAGs that write it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from snowmelt.airflow.sessions import postgres_session
from snowmelt.config.tables import TABLE_DAG
from snowmelt.drivers.postgres import PAGE, session_deadline
from snowmelt.errors import SnowmeltError, TransientError
from snowmelt.ledger.page_rows import read_failures, read_run_rows
from snowmelt.ledger.table_rows import read_dag_ids, read_history, read_tables
from snowmelt.progress.board import RunRows
from snowmelt.progress.plots import TaskState
from snowmelt.progress.table_status import Airflow, TableStatus, build_statuses
from snowmelt.web.airflow_state import (
    DEFAULT_CONNECTION,
    read_connections,
    read_dags,
    read_latest_runs,
    read_runs,
)

if TYPE_CHECKING:
    import psycopg
    from sqlalchemy.orm import Session

log = logging.getLogger(__name__)

#: Seconds that a page's questions to one ledger may take, once it is connected.
LEDGER_SECONDS = 3.0
#: Seconds for which a ledger that did not answer is not asked.
PAUSE = 10.0
_silent_until: dict[str, float] = {}


class _UnreadableError(Exception):
    """The page shows the other ledgers, and names this one's connection."""


@dataclass(frozen=True, slots=True)
class Overview:
    """All tables that a user may see, the worst first."""

    tables: list[TableStatus]
    #: Connections whose ledger could not be read.
    unreadable: list[str]
    #: When it was read.
    now: datetime


#: The DAG ids of those given that somebody may read.
Readable = Callable[[Iterable[str]], set[str]]


def read_overview(session: Session, readable: Readable) -> Overview:
    """The tables of every ledger, joined with what Airflow says; without those of DAGs whose runs may not be read."""
    all_dags = read_dags(session)
    connections = read_connections(session, all_dags)
    allowed = readable(all_dags)
    rows: list[dict[str, Any]] = []
    unreadable: list[str] = []
    for conn_id in _distinct(connections.values()):
        try:
            with _ledger(conn_id) as ledger:
                rows += read_tables(ledger, readable(read_dag_ids(ledger)))
        except _UnreadableError:
            if any(connections.get(dag_id) == conn_id for dag_id in allowed):
                unreadable.append(conn_id)
    airflow = Airflow(
        dags={dag_id: all_dags[dag_id] for dag_id in allowed},
        latest=read_latest_runs(session, allowed),
        runs=read_runs(session, {(row["dag_id"], row["dag_run_id"]) for row in rows}),
        configured=frozenset(dag_id for dag_id in allowed if dag_id.startswith(TABLE_DAG)),
    )
    now = datetime.now(UTC)
    return Overview(build_statuses(rows, airflow, now), unreadable, now)


@dataclass(frozen=True, slots=True)
class FoundTable:
    """One table and its history."""

    status: TableStatus | None
    #: The latest first; rows of READ_HISTORY.
    runs: list[dict[str, Any]]
    now: datetime


def read_table(session: Session, source: str, target: str, readable: Readable, *, limit: int) -> FoundTable:
    """The runs of a table that may be read, from the ledger that has them."""
    overview = read_overview(session, readable)
    status = next((one for one in overview.tables if (one.source, one.target) == (source, target)), None)
    runs: list[dict[str, Any]] = []
    for conn_id in _distinct(read_connections(session, read_dags(session)).values()):
        try:
            with _ledger(conn_id) as ledger:
                runs += read_history(ledger, source, target, readable(read_dag_ids(ledger)), limit=limit)
        except _UnreadableError:
            continue  # the page of all tables names it
    return FoundTable(status, runs, overview.now)


@dataclass(frozen=True, slots=True)
class FoundRun:
    """What the ledgers hold of a DAG run."""

    rows: RunRows | None
    #: Of a run that never got a plan: why its tasks failed.
    failures: list[dict[str, Any]]
    #: False: no ledger could be read.
    readable: bool


def read_run(
    session: Session, dag_id: str, run_id: str, tasks: Sequence[TaskState] = (), *, page: int = 0
) -> FoundRun:
    """A DAG run, from its DAG's ledger; where Airflow has forgotten the DAG, from any ledger that knows the run."""
    own = read_connections(session, [dag_id])
    candidates = (
        [own[dag_id]] if dag_id in own else _distinct(read_connections(session, read_dags(session)).values())
    )
    failures: list[dict[str, Any]] = []
    readable = False
    for conn_id in candidates:
        try:
            with _ledger(conn_id) as ledger:
                rows = read_run_rows(ledger, dag_id, run_id, tasks, page=page)
                failures = failures or read_failures(ledger, dag_id, run_id)
        except _UnreadableError:
            continue
        readable = True
        if rows is not None:
            return FoundRun(rows, [], readable=True)
    return FoundRun(None, failures, readable)


@contextmanager
def _ledger(conn_id: str) -> Iterator[psycopg.Connection[Any]]:
    """A session that only reads.

    :raises _UnreadableError: it cannot be read, or did not answer a moment ago: then it is not asked, and nothing is logged.
    """
    now = time.monotonic()
    if now < _silent_until.get(conn_id, 0.0):
        raise _UnreadableError(conn_id)
    if conn_id in _silent_until:  # one page asks again; the others go on without it
        _silent_until[conn_id] = now + PAUSE
    try:
        with (
            postgres_session(conn_id, PAGE) as connection,
            session_deadline(connection, LEDGER_SECONDS),
        ):
            yield connection
    except Exception as error:
        if isinstance(error, TransientError):
            _silent_until[conn_id] = time.monotonic() + PAUSE
        known = isinstance(error, SnowmeltError)
        log.warning(
            "The ledger behind the connection %s cannot be read: %s", conn_id, error, exc_info=not known
        )
        raise _UnreadableError(conn_id) from error
    _silent_until.pop(conn_id, None)


def _distinct(conn_ids: Iterable[str]) -> list[str]:
    return sorted(set(conn_ids)) or [DEFAULT_CONNECTION]
