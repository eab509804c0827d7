"""An unload that has succeeded and whose result cannot be read any more: its files are found again, and proven to be all of them.

Snowflake keeps a result for 24 hours, for the user who ran the query (docs.snowflake.com/en/user-guide/querying-persisted-results).
The names of an unload's files hold its query's id (INCLUDE_QUERY_ID), S3 says their sizes, and each file says its rows. What says
that no file is missing is a count from elsewhere: the planned one, which the snapshot makes exact, or ROWS_UNLOADED of the account's
query history (docs.snowflake.com/en/sql-reference/account-usage/query_history). QUERY_HISTORY of INFORMATION_SCHEMA has ROWS_PRODUCED
alone, which is documented not to be reliable. Without a proof nothing is accepted, and the chunk is unloaded again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from snowmelt.drivers.s3_errors import s3_failures
from snowmelt.drivers.snowflake import Connection, read_rows
from snowmelt.drivers.snowflake_errors import RESULT_GONE
from snowmelt.errors import SnowmeltError, SourceError, SourceUnavailable, Topic
from snowmelt.load.count import count_rows
from snowmelt.load.s3_object import S3Object
from snowmelt.sql.names import snowflake_literal
from snowmelt.unload.chunk import await_unload
from snowmelt.unload.manifest import StagedChunk, StagedFile
from snowmelt.unload.statements import Location, UnloadRequest

log = logging.getLogger(__name__)


class UnloadUnproven(SourceUnavailable):
    """The files of an unload whose result is lost cannot be proven to be all of it: the chunk has to be unloaded again."""


def finish_unload(
    session: Connection,
    request: UnloadRequest,
    submitted: Mapping[str, Any],
    poll_interval: float,
    s3: Callable[[], Any] | None,
) -> StagedChunk:
    """Wait until the query has ended; read what it wrote, from its result or, where that is lost, from its files.

    :param s3: gives a boto3 client that reads the bucket; None: there is no connection for it.
    :raises UnloadUnproven: the result is lost, and nothing proves that the files are complete.
    :raises SourceError: the unload failed; the message carries Snowflake's own.
    """
    try:
        return await_unload(session, request, submitted, poll_interval)
    except SourceError as error:
        if error.code not in RESULT_GONE:
            raise
        if s3 is None:
            raise _unproven(request, submitted, "this task has no connection to S3 (aws_conn_id)") from error
        log.warning("%s The files that it wrote are looked at.", error)
        return find_files(session, s3(), request, submitted)


def find_files(
    session: Connection, s3: Any, request: UnloadRequest, submitted: Mapping[str, Any]
) -> StagedChunk:
    """The files of a query that has succeeded, with their rows.

    :raises UnloadUnproven: nothing proves that they are all.
    """
    query_id = str(submitted["query_id"])
    location = Location(str(submitted["bucket"]), str(submitted["base"]), "", "")
    files = tuple(
        _read_file(s3, location.bucket, key, size, request)
        for key, size in _list_files(s3, location.bucket, location.key(request.path), query_id)
    )
    rows = sum(file.rows for file in files)
    proof = _find_proof(session, request, query_id)
    if proof is None:
        raise _unproven(
            request,
            submitted,
            "its rows were not counted exactly at a snapshot, and the role may not read SNOWFLAKE.ACCOUNT_USAGE.QUERY_HISTORY, or that does "
            "not list the query yet",
        )
    counted, by = proof
    if counted != rows:
        raise _unproven(
            request, submitted, f"its {len(files):,} files hold {rows:,} rows, and {by} is {counted:,}"
        )
    log.info(
        "%s: %s files of query %s hold %s rows, as %s", request.title, len(files), query_id, f"{rows:,}", by
    )
    started_at = float(submitted["submitted_at"])
    ended_at = float(submitted.get("ended_at") or started_at)
    return StagedChunk(
        chunk=request.chunk.index,
        bucket=location.bucket,
        query_id=query_id,
        seconds=ended_at - started_at,
        files=files,
        started_at=started_at,
    )


def _list_files(s3: Any, bucket: str, folder: str, query_id: str) -> list[tuple[str, int]]:
    """(key, bytes) of the files in the folder whose name holds the query's id."""
    with s3_failures(f"Listing s3://{bucket}/{folder}"):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder)
        entries = [
            (str(entry["Key"]), int(entry["Size"])) for page in pages for entry in page.get("Contents", ())
        ]
    return sorted(
        (key, size) for key, size in entries if query_id in key.removeprefix(folder).split("/", 1)[0]
    )


def _read_file(s3: Any, bucket: str, key: str, size: int, request: UnloadRequest) -> StagedFile:
    source = S3Object(s3, bucket, StagedFile(key, size, 0, request.chunk.index))
    return StagedFile(
        key, size, count_rows(source, request.file_format, request.compression), request.chunk.index
    )


def _find_proof(session: Connection, request: UnloadRequest, query_id: str) -> tuple[int, str] | None:
    """Rows that the files must hold, and who says so; None: nobody does."""
    if request.snapshot is not None and request.chunk.rows is not None:
        return request.chunk.rows, "the planned count at the snapshot"
    sql = (
        "SELECT ROWS_UNLOADED FROM SNOWFLAKE.ACCOUNT_USAGE.QUERY_HISTORY "
        f"WHERE QUERY_ID = {snowflake_literal(query_id)} AND EXECUTION_STATUS = 'SUCCESS'"
    )
    try:
        rows = read_rows(session, sql, f"Reading how many rows query {query_id} unloaded")
    except SnowmeltError as error:
        log.info("%s", error)
        return None
    return (
        (int(rows[0][0]), "ROWS_UNLOADED of Snowflake's query history")
        if rows and rows[0][0] is not None
        else None
    )


def _unproven(request: UnloadRequest, submitted: Mapping[str, Any], reason: str) -> UnloadUnproven:
    return UnloadUnproven(
        f"Unloading {request.title}: the result of query {submitted['query_id']} cannot be read any more (Snowflake keeps it for 24 hours, for the user "
        f"who ran it), and its files in s3://{submitted['bucket']} cannot be proven to be complete: {reason}. They are not loaded. The next try "
        "unloads the chunk again, at the run's own snapshot; where that is beyond the table's retention, start a new run.",
        topic=Topic.QUERY_ENDED,
        query_id=str(submitted["query_id"]),
    )
