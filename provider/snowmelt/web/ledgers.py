"""Which ledgers there are, and reading them: each by the Airflow connection of the DAGs that write it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from snowmelt.airflow.sessions import postgres_session
from snowmelt.drivers.postgres import PAGE
from snowmelt.ledger.page_rows import read_dag_ids, read_failures, read_run_rows, read_tables
from snowmelt.progress.board import RunRows
from snowmelt.progress.table_status import TableStatus
from snowmelt.web.airflow_state import (
    DEFAULT_CONNECTION,
    DagState,
    keep_readable,
    read_connections,
    read_dags,
)

if TYPE_CHECKING:
    import psycopg
    from sqlalchemy.orm import Session

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Overview:
    """All tables that a user may see."""

    tables: list[TableStatus]
    dags: dict[str, DagState]
    #: DAGs without a run in any ledger.
    never_run: list[str]
    #: Connections whose ledger could not be read.
    unreadable: list[str]


def read_overview(session: Session, user: Any) -> Overview:
    """The tables of every ledger, without those of DAGs whose runs the user may not read."""
    all_dags = read_dags(session)
    connections = read_connections(session, all_dags)
    readable = keep_readable(all_dags, user)
    tables: list[TableStatus] = []
    unreadable: list[str] = []
    for conn_id in _distinct(connections.values()):
        try:
            with _ledger(conn_id) as ledger:
                known = keep_readable(read_dag_ids(ledger), user)
                tables += read_tables(ledger, known)
        except Exception:
            log.exception("The ledger behind the connection %s cannot be read", conn_id)
            if any(connections.get(dag_id) == conn_id for dag_id in readable):
                unreadable.append(conn_id)
    dags = {dag_id: all_dags[dag_id] for dag_id in readable}
    ran = {table.dag_id for table in tables}
    never_run = sorted(dag_id for dag_id in readable - ran if dags[dag_id].next_run is not None)
    return Overview(tables, dags, never_run, unreadable)


@dataclass(frozen=True, slots=True)
class FoundRun:
    """What the ledgers hold of a DAG run."""

    rows: RunRows | None
    #: Of a run that never got a plan: why its tasks failed.
    failures: list[dict[str, Any]]
    #: False: no ledger could be read.
    readable: bool


def read_run(session: Session, dag_id: str, run_id: str) -> FoundRun:
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
                rows = read_run_rows(ledger, dag_id, run_id)
                failures = failures or read_failures(ledger, dag_id, run_id)
        except Exception:
            log.exception("The ledger behind the connection %s cannot be read", conn_id)
            continue
        readable = True
        if rows is not None:
            return FoundRun(rows, [], readable=True)
    return FoundRun(None, failures, readable)


@contextmanager
def _ledger(conn_id: str) -> Iterator[psycopg.Connection[Any]]:
    with postgres_session(conn_id, PAGE) as connection:
        yield connection


def _distinct(conn_ids: Iterable[str]) -> list[str]:
    return sorted(set(conn_ids)) or [DEFAULT_CONNECTION]
