"""`airflow snowmelt status`, `history` and `report`: what the pages show, for a terminal and for monitors."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from snowmelt.errors import SnowmeltError
from snowmelt.progress.history import build_history
from snowmelt.progress.pace import show_age, show_bytes, show_count, show_seconds, show_time
from snowmelt.progress.table_status import Standing, TableStatus

#: Exit codes, as monitors of the Nagios kind read them.
OK, WARNING, CRITICAL, UNKNOWN = 0, 1, 2, 3
_CODES = {Standing.FAILING: CRITICAL, Standing.LATE: WARNING, Standing.DIFFERS: WARNING}


def find_code(tables: Iterable[TableStatus], unreadable: Sequence[str]) -> int:
    """The worst of all tables; 3 where a ledger could not be read and nothing worse is known."""
    code = max((_CODES.get(table.standing, OK) for table in tables), default=OK)
    return CRITICAL if code == CRITICAL else UNKNOWN if unreadable else code


def run_status(arguments: argparse.Namespace) -> None:
    """Every table with its state, the worst first; exits with 0 good, 1 late or different, 2 failing, 3 unknown."""
    from snowmelt.web.ledgers import read_overview

    with _airflow_session() as session:
        overview = read_overview(session, set)
    tables = [
        table
        for table in overview.tables
        if not arguments.table or arguments.table in {table.target, table.source, table.dag_id}
    ]
    if arguments.table and not tables:
        known = ", ".join(table.target for table in overview.tables) or "none"
        sys.stderr.write(f"No table is called {arguments.table}. Tables: {known}\n")
        raise SystemExit(UNKNOWN)
    code = find_code(tables, overview.unreadable)
    if arguments.json:
        values = {
            "code": code,
            "tables": [asdict(table) for table in tables],
            "unreadable": overview.unreadable,
        }
        _write_json(values)
        raise SystemExit(code)
    for conn_id in overview.unreadable:
        sys.stderr.write(f"The ledger behind the connection {conn_id} cannot be read.\n")
    lines = [
        (
            str(table.standing),
            table.target,
            show_age(table.as_of or table.published_at, overview.now),
            show_count(table.rows),
            " ".join(
                part
                for part in (f"in {table.step}:" if table.step else "", table.error or table.reason)
                if part
            ),
        )
        for table in tables
    ]
    _write_table(("state", "target", "data as of", "rows", "why"), lines)
    raise SystemExit(code)


def run_history(arguments: argparse.Namespace) -> None:
    """The runs of a table, the latest first."""
    from snowmelt.web.ledgers import read_overview, read_table

    with _airflow_session() as session:
        tables = [
            one
            for one in read_overview(session, set).tables
            if arguments.table in {one.target, one.source, one.dag_id}
        ]
        if not tables:
            raise SystemExit(
                f"No ledger has a table {arguments.table}. Give its target (public.visits), its source or its DAG."
            )
        runs = [
            run
            for table in tables
            for run in build_history(
                read_table(session, table.source, table.target, set, limit=arguments.limit).runs
            )
        ]
    if arguments.json:
        _write_json([asdict(run) for run in runs])
        return
    lines = [
        (
            show_time(run.started_at), run.run_id, run.mode, f"{run.outcome}{f' in {run.step}' if run.step else ''}", show_seconds(run.seconds),
            show_count(run.rows), show_bytes(run.bytes), run.by or "-", ", ".join(run.changes) or "-", run.error,
        )
        for run in runs
    ]  # fmt: skip
    _write_table(
        ("started (UTC)", "run", "mode", "outcome", "took", "rows", "staged", "by", "changed", "error"), lines
    )


def run_report(arguments: argparse.Namespace) -> None:
    """The report of a run, as Markdown or JSON."""
    from snowmelt.airflow.sessions import postgres_session
    from snowmelt.steps.finish import load_report

    try:
        with postgres_session(arguments.postgres_conn_id) as postgres:
            report = load_report(postgres, arguments.run)
    except SnowmeltError as error:
        raise SystemExit(str(error)) from error
    if arguments.json:
        _write_json(report.to_json())
    else:
        sys.stdout.write(report.to_markdown())


@contextmanager
def _airflow_session() -> Iterator[Any]:
    from airflow.utils.session import create_session

    with create_session() as session:
        yield session


def _write_json(values: Any) -> None:
    sys.stdout.write(f"{json.dumps(values, default=str, indent=2)}\n")


def _write_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[place]) for row in (header, *rows)) for place in range(len(header))]
    for row in (header, *rows):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write(f"{line.rstrip()}\n")
