"""Registering a run's files: what the unloads returned becomes the manifest, in the ledger and in S3."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import psycopg

from snowmelt.drivers.snowflake import Connection, read_rows
from snowmelt.errors import StagingError, StagingUnavailable, VerificationError
from snowmelt.ledger.files import read_staged, read_staged_chunks, write_staged
from snowmelt.ledger.runs import write_outcome
from snowmelt.plan.plan import Plan
from snowmelt.steps.publish import make_staging
from snowmelt.unload.manifest import (
    MAX_BATCHES,
    Batch,
    Manifest,
    StagedChunk,
    StagedFile,
    plan_batches,
    split_document,
)
from snowmelt.unload.staged import look_for_chunks, manifest_exists, read_manifest
from snowmelt.unload.statements import build_write_document
from snowmelt.vocabulary import Mode, Outcome

#: Load tasks that the keys of a run may take, of those that a map may have.
MAX_KEY_BATCHES = 20


@dataclass(frozen=True, slots=True)
class RegisteredFiles:
    """The run's files."""

    batches: tuple[Batch, ...]
    #: Those of the keys, in a run that removes rows.
    key_batches: tuple[Batch, ...]
    files: int
    rows: int
    bytes: int
    bucket: str
    manifest_key: str

    def load_tasks(self) -> list[dict[str, Any]]:
        """{batch, label, keys} of each load task, as S3ToPostgresLoadOperator takes them."""
        return [
            {"batch": batch.index, "label": f"keys: {batch.label}" if keys else batch.label, "keys": keys}
            for batches, keys in ((self.batches, False), (self.key_batches, True))
            for batch in batches
        ]


def register_files(
    postgres: psycopg.Connection[Any],
    plan: Plan,
    staged: Sequence[StagedChunk],
    *,
    s3: Callable[[], Any],
    snowflake: Callable[[], AbstractContextManager[Connection]],
) -> RegisteredFiles:
    """Add the chunks up against the plan, record them, write the manifest where there is none yet.

    A run that only compares has none, and nothing is written.

    :param staged: what the unloads returned; empty in mode `load`, which reads the existing manifest, and when a run
        goes on whose files were registered before.
    :raises VerificationError: the chunks do not add up to the rows of the snapshot.
    """
    key = plan.location.key(plan.manifest_path)
    if not plan.copies:
        return RegisteredFiles((), (), 0, 0, 0, plan.location.bucket, key)
    client = s3()
    if plan.mode is Mode.LOAD:
        manifest = read_manifest(client, plan.location.bucket, key)
        chunks = _present(client, manifest.chunks, _read_recorded(postgres, plan, manifest))
    else:
        chunks = _complete(postgres, plan, client, staged)
        manifest = _manifest(plan, chunks)
    room = MAX_BATCHES - (MAX_KEY_BATCHES if plan.keys is not None else 0)
    batches = plan_batches([file for chunk in chunks for file in chunk.files], room)
    write_staged(postgres, plan.run_id, chunks, batches)
    key_batches = () if plan.keys is None else _register_keys(postgres, plan.keys, client, staged)
    if plan.mode is not Mode.LOAD:
        _write_manifest(plan, manifest, client, key, snowflake)
    if plan.mode is Mode.UNLOAD:
        write_outcome(postgres, plan.run_id, Outcome.UNLOADED)
        batches = ()
    else:
        make_staging(postgres, plan)
    files = sum(len(chunk.files) for chunk in chunks)
    return RegisteredFiles(
        batches, key_batches, files, manifest.rows, manifest.bytes, plan.location.bucket, key
    )


def _complete(
    postgres: psycopg.Connection[Any], plan: Plan, client: Any, staged: Sequence[StagedChunk]
) -> tuple[StagedChunk, ...]:
    """The plan's chunks as they were unloaded: now, or, when a run goes on that was registered before, as they were recorded."""
    mine = {chunk.index for chunk in plan.chunks}
    chunks = tuple(sorted((one for one in staged if one.chunk in mine), key=lambda chunk: chunk.chunk))
    if not chunks:
        recorded = read_staged_chunks(postgres, plan.run_id, plan.location.bucket)
        chunks = _present(client, recorded, [file for chunk in recorded for file in chunk.files])
    _check_complete(plan, chunks)
    return chunks


def _register_keys(
    postgres: psycopg.Connection[Any], keys: Plan, client: Any, staged: Sequence[StagedChunk]
) -> tuple[Batch, ...]:
    chunks = _complete(postgres, keys, client, staged)
    batches = plan_batches([file for chunk in chunks for file in chunk.files], MAX_KEY_BATCHES)
    write_staged(postgres, keys.run_id, chunks, batches)
    make_staging(postgres, keys)
    return batches


def _read_recorded(postgres: psycopg.Connection[Any], plan: Plan, manifest: Manifest) -> Sequence[StagedFile]:
    """The files of an earlier unload, as it registered them; none where this ledger does not know it.

    :raises StagingError: the manifest names others.
    """
    recorded = read_staged(postgres, plan.files_of) if plan.files_of else ()
    named = {(file.key, file.bytes, file.rows) for file in manifest.files}
    if recorded and named != {(file.key, file.bytes, file.rows) for file in recorded}:
        raise StagingError(
            f"The manifest of run {plan.files_of} does not name the {len(recorded)} files that the run registered: someone overwrote it. "
            "Unload again."
        )
    return recorded


def _present(
    client: Any, chunks: tuple[StagedChunk, ...], recorded: Sequence[StagedFile]
) -> tuple[StagedChunk, ...]:
    """The chunks with the ETags of their files.

    :param recorded: the same files as they were registered.
    :raises StagingError: a file is gone, or was replaced since.
    """
    look = look_for_chunks(client, chunks)
    if not look.complete:
        raise StagingError(
            f"{len(look.missing)} files of the manifest are gone from S3, for example {look.missing[0]}. "
            "They were cleaned up or have expired: unload again."
        )
    before = {file.key: file.etag for file in recorded}
    replaced = [
        file
        for chunk in look.chunks
        for file in chunk.files
        if before.get(file.key) is not None and before[file.key] != file.etag
    ]
    if replaced:
        raise StagingError(
            f"{len(replaced)} files were replaced after they were unloaded, for example {replaced[0].key}: its ETag was "
            f"{before[replaced[0].key]}, and is {replaced[0].etag}. Nothing was loaded. Unload again."
        )
    return look.chunks


def _check_complete(plan: Plan, chunks: tuple[StagedChunk, ...]) -> None:
    """Each chunk once, with the rows that were counted at the snapshot."""
    wanted = {chunk.index: chunk for chunk in plan.chunks}
    found = [chunk.chunk for chunk in chunks]
    if found != sorted(wanted):
        missing = sorted(set(wanted) - set(found))
        raise VerificationError(
            f"Run {plan.run_id} has {len(wanted)} chunks, and {len(found)} were unloaded; missing: {missing[:10]}. Clear the task `unload`."
        )
    if plan.snapshot is None or plan.mode is Mode.TEST:
        return
    for chunk in chunks:
        counted = wanted[chunk.chunk].rows
        if counted is not None and counted != chunk.rows:
            raise VerificationError(
                f"{plan.source}, {wanted[chunk.chunk].label}: {counted:,} rows at the snapshot {plan.snapshot}, "
                f"{chunk.rows:,} unloaded by query {chunk.query_id}. Nothing was published. Start a new run; if it happens again, report it."
            )
    rows = sum(chunk.rows for chunk in chunks)
    if rows != plan.source_rows:
        raise VerificationError(
            f"{plan.source}: {plan.source_rows:,} rows at the snapshot {plan.snapshot}, {rows:,} unloaded in {len(chunks)} chunks. "
            "Nothing was published. Start a new run; if it happens again, report it."
        )


def _manifest(plan: Plan, chunks: tuple[StagedChunk, ...]) -> Manifest:
    return Manifest(
        run_id=plan.run_id,
        source=str(plan.source),
        snapshot=plan.snapshot,
        file_format=plan.file_format,
        compression=plan.compression,
        bucket=plan.location.bucket,
        path=plan.location.key(plan.path),
        columns=plan.columns,
        chunks=chunks,
    )


def _write_manifest(
    plan: Plan,
    manifest: Manifest,
    client: Any,
    key: str,
    snowflake: Callable[[], AbstractContextManager[Connection]],
) -> None:
    """Have Snowflake write it, and read it back: an audit trail that cannot be read is not one."""
    document = manifest.to_document()
    if (
        manifest_exists(client, manifest.bucket, key)
        and read_manifest(client, manifest.bucket, key).to_document() == document
    ):
        return
    whole, parts = split_document(document)
    with snowflake() as session:
        for path, content in [
            *zip((f"{plan.path}{name}" for name in whole.get("parts", [])), parts, strict=True),
            (plan.manifest_path, whole),
        ]:
            sql = build_write_document(plan.location, path, content)
            read_rows(session, sql, f"Writing the manifest of run {plan.run_id}")
    written = read_manifest(client, manifest.bucket, key)
    if (written.rows, written.bytes, len(written.files)) != (
        manifest.rows,
        manifest.bytes,
        len(manifest.files),
    ):
        raise StagingUnavailable(
            f"s3://{manifest.bucket}/{key} does not hold what was just written to it. It is retried."
        )
