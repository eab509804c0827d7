"""Errors of psycopg. Source: PostgreSQL, "Error codes"."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from snowmelt.errors import (
    AccessError,
    ConfigurationError,
    SnowmeltError,
    TargetError,
    TargetUnavailable,
    ValueRefused,
)
from snowmelt.io.failures import Known, one_line

#: PostgreSQL's SQLSTATE, or its class (two letters) → family, and what to do. The whole code is looked up first.
_POSTGRES: dict[str, Known] = {
    "08": (TargetUnavailable, "The connection to PostgreSQL broke."),
    "57P01": (TargetUnavailable, "PostgreSQL was shut down."),
    "57P02": (TargetUnavailable, "PostgreSQL crashed."),
    "57P03": (TargetUnavailable, "PostgreSQL is starting up or shutting down."),
    "57P05": (TargetUnavailable, "PostgreSQL ended an idle session."),
    "57014": (
        TargetUnavailable,
        "The statement was cancelled or ran into statement_timeout; raise it for the connection's role.",
    ),
    "53300": (
        TargetUnavailable,
        "PostgreSQL has no connection left: lower the pool or max_active_tis_per_dag of the load, or raise max_connections.",
    ),
    "53200": (TargetUnavailable, "PostgreSQL is out of memory."),
    "53100": (TargetError, "PostgreSQL's disk is full: free or add space, then clear the failed task."),
    "55P03": (TargetUnavailable, "Another session holds a lock on the table for longer than lock_timeout."),
    "40": (TargetUnavailable, "The transaction collided with another one."),
    "28": (AccessError, "PostgreSQL refused the login: correct user, password or pg_hba.conf."),
    "3D000": (
        ConfigurationError,
        "The database of the connection does not exist: correct `schema` (the database's name) in the Airflow connection.",
    ),
    "3F000": (ConfigurationError, "The schema does not exist: create it, or correct target_schema."),
    "42501": (AccessError, "Grant the connection's role what the statement needs."),
    "42P01": (TargetError, "The table is not there (dropped in mid-run?): start a new run."),
    "22": (ValueRefused, "A value does not fit its column."),
    "23": (ValueRefused, "A row breaks a constraint of the table."),
}


@contextmanager
def postgres_failures(doing: str) -> Iterator[None]:
    """Turn psycopg's errors into Snowmelt's. `doing` says what was under way: table, file."""
    try:
        yield
    except psycopg.Error as error:
        raise postgres_failure(error, doing) from error


def postgres_failure(error: psycopg.Error, doing: str) -> SnowmeltError:
    """The error of Snowmelt for one of psycopg's."""
    state = error.sqlstate or ""
    diagnosis = error.diag
    parts = [one_line(diagnosis.message_primary or error)]
    parts += [one_line(part) for part in (diagnosis.message_detail, diagnosis.context) if part]
    text = "; ".join(parts)
    known = _POSTGRES.get(state) or _POSTGRES.get(state[:2])
    if known is not None:
        family, advice = known
        again = " It is tried again." if family is TargetUnavailable else ""
        return family(f"{doing}: PostgreSQL answered {state}: {text}. {advice}{again}")
    if isinstance(error, psycopg.OperationalError):
        lowered = text.lower()
        if "password authentication failed" in lowered or "no pg_hba.conf entry" in lowered:
            return AccessError(f"{doing}: {text}. {_POSTGRES['28'][1]}")
        if "does not exist" in lowered and "database" in lowered:
            return ConfigurationError(f"{doing}: {text}. {_POSTGRES['3D000'][1]}")
        return TargetUnavailable(
            f"{doing}: PostgreSQL could not be reached: {text}. Is it running, and its address in the Airflow connection right? It is tried again."
        )
    return TargetError(f"{doing}: PostgreSQL answered {state or type(error).__name__}: {text}.")
