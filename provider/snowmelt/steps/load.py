"""Loading the files of one task, one after another, each in a transaction of its own; with a plan, or from a manifest without one."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg

from snowmelt.drivers.postgres_errors import postgres_failures
from snowmelt.drivers.s3_errors import s3_failures
from snowmelt.errors import ConfigurationError, StagingError, StagingUnavailable
from snowmelt.json_values import from_json, to_json
from snowmelt.ledger.files import claim_file, finish_file, read_rejected
from snowmelt.ledger.runs import write_ledger, write_run
from snowmelt.load.aws_s3 import aws_s3_reason
from snowmelt.load.copy_stream import Progress
from snowmelt.load.file import LoadResult, claim_patiently, load_file
from snowmelt.load.rejects import RejectPolicy
from snowmelt.load.target import LoadColumn, LoadTarget, choose_load_method
from snowmelt.plan.plan import Plan
from snowmelt.progress.pace import Pace
from snowmelt.publish.audit import SET_RUN
from snowmelt.publish.target import read_target
from snowmelt.types.columns import Column
from snowmelt.types.staged_hash import find_hashed
from snowmelt.types.target_columns import plan_staged_columns
from snowmelt.unload.manifest import Manifest, StagedChunk, StagedFile
from snowmelt.unload.staged import look_for_chunks, parse_s3_url, read_manifest
from snowmelt.vocabulary import Compression, FileFormat, LoadMethod, Mode

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
    hashed = tuple(LoadColumn.of(column) for column in find_hashed(plan.columns, plan.uniqueness_columns))
    return LoadJob(
        run_id=plan.run_id,
        bucket=plan.location.bucket,
        target=LoadTarget(plan.target_schema, plan.staging_table, columns, hashed),
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


def summarise_loads(results: Sequence[LoadResult]) -> dict[str, Any]:
    """The numbers of a load task, for its XCom: files, skipped, rows, rejected, bytes, seconds."""
    return {
        "files": sum(not result.skipped for result in results),
        "skipped": sum(result.skipped for result in results),
        "rows": sum(result.rows for result in results),
        "rejected": sum(result.rejected for result in results),
        "bytes": sum(result.bytes for result in results if not result.skipped),
        "seconds": round(sum(result.seconds for result in results), 3),
    }


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
        claimed = claim_file(cursor, job.run_id, file, etag=etag, method=job.method)
        if claimed:
            cursor.execute(SET_RUN, (job.run_id,))
        return claimed

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
                    staged_hash=result.staged_hash,
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


ManifestLike = str | Mapping[str, Any] | Sequence[Mapping[str, Any]]


def prepare_manifest(
    connection: psycopg.Connection[Any], s3: Any, given: ManifestLike, table: str, load_method: str
) -> tuple[LoadJob, tuple[StagedFile, ...]]:
    """What to load and how, from a manifest and an existing table; the load is entered into the ledger as a run.

    The same manifest into the same table is the same run, however often: its files are loaded once.

    :param given: the s3:// address of a manifest.json, or what the unload or the sensor returned, of one chunk or several.
    :param table: `schema.table`, to the letter; the table has to be there.
    :raises ConfigurationError: the manifest does not say its columns, or the table is not there.
    :raises SchemaError: columns without a safe way, all named.
    """
    manifest = read_manifest_of(s3, given)
    schema, _, name = table.rpartition(".")
    if not schema:
        raise ConfigurationError(f"table is {table!r}; it needs its schema: public.{table}.")
    target = read_target(connection, schema, name)
    if target is None:
        raise ConfigurationError(
            f"The table {table} is not there. Create it, or use the DAG migrate_table, which does."
        )
    look = look_for_chunks(s3, manifest.chunks)
    if not look.complete:
        raise StagingUnavailable(
            f"{len(look.missing)} staged files are not in S3, for example {look.missing[0]}. It is retried."
        )
    staged_format = FileFormat(manifest.file_format)
    planned = plan_staged_columns(manifest.columns, target.columns, None, staged_format)
    method = choose_load_method(
        LoadMethod(load_method),
        staged_format,
        Compression(manifest.compression),
        aws_s3_reason=aws_s3_reason(connection) if staged_format is FileFormat.CSV else None,
    )
    run_id = _write_run(connection, manifest, table, method)
    job = LoadJob(
        run_id=run_id,
        bucket=manifest.bucket,
        target=LoadTarget(schema, name, tuple(LoadColumn.of(column) for column in planned.columns)),
        method=method,
        file_format=staged_format,
        compression=manifest.compression,
        region=s3.meta.region_name,
        policy=RejectPolicy(),
    )
    return job, tuple(file for chunk in look.chunks for file in chunk.files)


def read_manifest_of(s3: Any, given: ManifestLike) -> Manifest:
    """The manifest itself, read from its address or made of what the unloads returned.

    :raises ConfigurationError: it does not say its columns.
    """
    return read_manifest(s3, *parse_s3_url(given)) if isinstance(given, str) else _manifest_of(given)


def _manifest_of(given: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> Manifest:
    parts = [given] if isinstance(given, Mapping) else list(given)
    described = [part["unload"] for part in parts if "unload" in part]
    if not parts or len(described) != len(parts):
        raise ConfigurationError(
            "The manifest does not say its columns: it comes from an unload whose `columns` were given. "
            "Load the run's manifest.json by its s3:// address instead."
        )
    first = described[0]
    if any(one["columns"] != first["columns"] or one["source"] != first["source"] for one in described):
        raise ConfigurationError(
            "The chunks of the manifest are of different tables or columns. Load each by itself."
        )
    chunks = tuple(from_json(StagedChunk, part) for part in parts)
    return Manifest(
        run_id="-".join(chunk.query_id for chunk in chunks[:1]),
        source=first["source"],
        snapshot=first["snapshot"],
        file_format=first["file_format"],
        compression=first["compression"],
        bucket=chunks[0].bucket,
        path=first["path"],
        columns=tuple(from_json(Column, column) for column in first["columns"]),
        chunks=chunks,
    )


def _write_run(connection: psycopg.Connection[Any], manifest: Manifest, table: str, method: str) -> str:
    """Enter the load; its id is made of the manifest and the table, so that a repeated load is recognised."""
    digest = hashlib.sha256("\0".join((manifest.run_id, manifest.path, table)).encode()).hexdigest()
    run_id = f"{manifest.run_id[:60]}_into_{digest[:8]}"
    write_ledger(connection)
    write_run(
        connection,
        {
            "run_id": run_id,
            "dag_id": None,
            "dag_run_id": None,
            "mode": Mode.LOAD,
            "source": manifest.source,
            "target": table,
            "snapshot": manifest.snapshot,
            "snapshot_note": f"files of {manifest.path}, loaded by S3ToPostgresLoadOperator itself",
            "request": {"manifest": manifest.path, "table": table, "load_method": method},
            "fingerprint": digest,
            "plan": {"columns": [to_json(column) for column in manifest.columns]},
            "source_rows": manifest.rows,
        },
    )
    return run_id
