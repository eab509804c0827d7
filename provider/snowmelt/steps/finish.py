"""Finishing a run: its files are removed where the plan says so, its row in the ledger is closed, its report is made."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import psycopg

from snowmelt.drivers.postgres_errors import postgres_failures
from snowmelt.drivers.s3_errors import s3_failures
from snowmelt.drivers.snowflake import Connection, read_rows
from snowmelt.errors import ConfigurationError, SnowmeltError
from snowmelt.ledger.files import read_chunks, read_staged
from snowmelt.ledger.reports import list_latest_runs, read_report, write_report
from snowmelt.ledger.runs import write_finished
from snowmelt.plan.plan import Plan
from snowmelt.steps.report import Report, build_report
from snowmelt.unload.statements import build_remove, build_write_document
from snowmelt.vocabulary import Mode, Outcome

log = logging.getLogger(__name__)

#: S3 deletes at most this many objects by one request.
_DELETE_BATCH = 1000


def remove_staged(
    postgres: psycopg.Connection[Any],
    plan: Plan,
    *,
    snowflake: Callable[[], AbstractContextManager[Connection]],
    s3: Callable[[], Any] | None,
) -> int:
    """Remove the run's files; manifest and report stay. Only after the publish, and never those of another run.

    A test writes into its folder itself, so that all of it goes. Nothing is removed of a run in mode `load`: the files belong to the unload that made them.

    :param s3: gives a client that may delete; None: Snowflake removes through the stage.
    :returns: objects removed.
    """
    report = read_report(postgres, plan.run_id)
    published = report is not None and Outcome(report["outcome"]) in {
        Outcome.PUBLISHED,
        Outcome.NOT_COMPARED,
        Outcome.DIFFERS,
        Outcome.TESTED,
    }
    if not published or plan.mode is Mode.LOAD:
        return 0
    if s3 is not None:
        keys = [file.key for part in plan.parts for file in read_staged(postgres, part.run_id)]
        return _remove_by_python(s3(), plan, keys)
    with snowflake() as session:
        doing = f"Removing the staged files of run {plan.run_id}"
        folders = dict.fromkeys(part.chunk_path(chunk) for part in plan.parts for chunk in part.chunks)
        return sum(len(read_rows(session, build_remove(plan.location, path), doing)) for path in folders)


def _remove_by_python(client: Any, plan: Plan, keys: list[str]) -> int:
    bucket, prefix = plan.location.bucket, plan.location.key(plan.path)
    named = [key for key in keys if key.startswith(prefix)]
    for start in range(0, len(named), _DELETE_BATCH):
        part = named[start : start + _DELETE_BATCH]
        with s3_failures(f"Removing {len(part)} objects below s3://{bucket}/{prefix}"):
            client.delete_objects(
                Bucket=bucket, Delete={"Objects": [{"Key": key} for key in part], "Quiet": True}
            )
    return len(named)


def finish_run(
    postgres: psycopg.Connection[Any],
    plan: Plan,
    *,
    snowflake: Callable[[], AbstractContextManager[Connection]],
) -> Report:
    """Record the end, keep the run's report in the ledger, and have Snowflake write it beside the manifest.

    After the files were removed it is written all the same, and outlives them. The rows are published by then: a report that
    cannot be written to S3 is a warning, and is kept in the ledger.

    :param snowflake: opens a session.
    """
    write_finished(postgres, plan.run_id)
    report = load_report(postgres, plan.run_id)
    write_report(postgres, plan.run_id, report.to_json())
    if plan.location.writable:
        doing = f"Writing the report of run {plan.run_id}"
        try:
            with snowflake() as session:
                read_rows(
                    session, build_write_document(plan.location, plan.report_path, report.to_json()), doing
                )
        except SnowmeltError as error:
            log.warning("%s to S3 failed; it is kept in snowmelt.run.report. %s", doing, error)
    return report


def load_report(postgres: psycopg.Connection[Any], run_id: str) -> Report:
    """The report of a run as the ledger knows it now, whether it has ended or not.

    :raises ConfigurationError: the ledger does not know the run.
    """
    with postgres_failures(f"Reading the report of run {run_id}"):
        run = read_report(postgres, run_id)
        chunks = read_chunks(postgres, run_id)
    if run is None:
        latest = ", ".join(list_latest_runs(postgres, limit=10)) or "none"
        raise ConfigurationError(
            f"The ledger of the database {postgres.info.dbname!r} has no run {run_id!r}. Its latest runs: {latest}."
        )
    return build_report(run, chunks)
