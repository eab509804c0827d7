"""Loading the files of one task, one after another, each in a transaction of its own."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg

from snowmelt.drivers.postgres_errors import postgres_failures
from snowmelt.drivers.s3_errors import s3_failures
from snowmelt.errors import StagingError
from snowmelt.ledger.files import claim_file, finish_file, read_rejected
from snowmelt.load.claim import claim_patiently
from snowmelt.load.copy_stream import Progress
from snowmelt.load.file import LoadResult, load_file
from snowmelt.load.rejects import RejectPolicy
from snowmelt.load.target import LoadColumn, LoadTarget
from snowmelt.plan.plan import Plan
from snowmelt.progress.pace import Pace
from snowmelt.unload.manifest import StagedFile
from snowmelt.vocabulary import FileFormat, LoadMethod

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LoadJob:
    """What all files of a task have in common."""

    run_id: str
    bucket: str
    target: LoadTarget
    method: LoadMethod
    file_format: FileFormat
    compression: str
    region: str
    policy: RejectPolicy


def build_load_job(plan: Plan, region: str) -> LoadJob:
    """The job of a run's load tasks: into its staging table."""
    columns = tuple(LoadColumn.of(column) for column in plan.columns)
    return LoadJob(
        run_id=plan.run_id,
        bucket=plan.location.bucket,
        target=LoadTarget(plan.target_schema, plan.staging_table, columns),
        method=plan.load_method,
        file_format=plan.file_format,
        compression=plan.compression,
        region=region,
        policy=RejectPolicy(plan.bad_rows, plan.quarantine_limit),
    )


def load_files(
    connection: psycopg.Connection[Any], s3: Any, files: Sequence[StagedFile], job: LoadJob
) -> list[LoadResult]:
    """Load each file that is not loaded yet; the others are skipped. Stops at the first that fails: those before it stay.

    :raises StagingError, ValueRefused, SchemaError: naming file, row and column; that file's transaction is rolled back.
    """
    return [
        _load_one(connection, s3, file, job, f"file {number} of {len(files)}")
        for number, file in enumerate(files, start=1)
    ]


def _load_one(
    connection: psycopg.Connection[Any], s3: Any, file: StagedFile, job: LoadJob, which: str
) -> LoadResult:
    if file.etag is None:
        raise StagingError(
            f"{file.key} has no ETag in the ledger: it was never seen in S3. Clear the task `manifest`."
        )
    etag = file.etag
    address = f"s3://{job.bucket}/{file.key}"
    doing = f"Loading {address} into {job.target.name}"
    facts = {"file": address, "run_id": job.run_id}

    def claim(cursor: psycopg.Cursor[Any]) -> bool:
        return claim_file(cursor, job.run_id, file, etag=etag, method=job.method)

    pace = Pace(file.rows)

    def report(progress: Progress) -> None:
        pace.mark(seconds=progress.seconds, rows=progress.rows, size=progress.bytes)
        log.info("%s: %s", file.name, pace.line())

    with postgres_failures(doing, **facts), s3_failures(doing, **facts), connection.transaction():
        policy = job.policy
        if policy.quarantines:
            policy = replace(policy, before=read_rejected(connection, job.run_id, but=file.key))
        result = load_file(
            connection,
            s3,
            file,
            job.target,
            bucket=job.bucket,
            run_id=job.run_id,
            claim=lambda cursor: claim_patiently(cursor, claim, run_id=job.run_id, key=file.key),
            method=job.method,
            file_format=job.file_format,
            compression=job.compression,
            region=job.region,
            policy=policy,
            progress=report,
        )
        if not result.skipped:
            with connection.cursor() as cursor:
                finish_file(
                    cursor,
                    job.run_id,
                    file.key,
                    seconds=result.seconds,
                    rejected=result.rejected,
                    method=result.method,
                )
    if result.skipped:
        log.info("%s (%s) is loaded already: skipped", file.name, which)
    else:
        rate = result.rows / result.seconds if result.seconds else 0.0
        log.info(
            "%s (%s): %s rows, %.1f MB in %.1f s (%.0f rows/s)",
            file.name,
            which,
            f"{result.rows:,}",
            result.bytes / 1e6,
            result.seconds,
            rate,
        )
        if result.rejected:
            log.warning(
                "%s rows of %s were set aside: see snowmelt.rejected_row of run %s",
                f"{result.rejected:,}",
                file.name,
                job.run_id,
            )
    return result
