"""An unload, from its submission to its files, over a Snowflake session that is passed in."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from snowmelt.drivers.snowflake import (
    MAX_NO_DATA,
    Connection,
    naming_grants,
    naming_recreation,
    read_columns,
    read_named_rows,
    read_result,
    read_rows,
    read_status,
    submit_query,
)
from snowmelt.errors import ConfigurationError, SourceError, SourceUnavailable, Topic
from snowmelt.json_values import to_json
from snowmelt.rights.snowflake import integration_grants, stage_grants
from snowmelt.sql.names import parse_identifiers, snowflake_identifier
from snowmelt.sql.predicate import parse_source_filter
from snowmelt.types.column_plan import plan_columns
from snowmelt.types.columns import Column, ColumnRules
from snowmelt.types.nanoseconds import DIVISION_BY_ZERO, build_count, build_refusal
from snowmelt.unload.manifest import StagedChunk
from snowmelt.unload.statements import (
    Location,
    UnloadRequest,
    build_select,
    build_source,
    build_unload,
    build_where,
    parse_unloaded,
)
from snowmelt.vocabulary import FileFormat

#: Database, schema and name; fewer where the session's own are meant.
_STAGE_PARTS = 3


def submit_unload(session: Connection, request: UnloadRequest) -> dict[str, Any]:
    """Submit the statement; returns what a later try needs to find it: query_id, path, bucket, base, submitted_at."""
    location = read_location(
        session, bucket=request.bucket, stage=stage_sql(request.stage), integration=request.integration
    )
    if request.base is not None and location.base != request.base:
        raise ConfigurationError(
            f"The stage {location.stage} now writes below {location.key('')!r} of the bucket {location.bucket}, and the run was planned "
            f"when it wrote below {request.base!r}. Put its URL back to finish this run, or start a new one."
        )
    planned = () if request.columns is not None else _plan_all(session, request)
    columns = request.columns or tuple((column.source, column.select) for column in planned)
    sql = build_statement(request, location, columns)
    query_id = submit_query(session, sql, f"Unloading {request.title}")
    return {
        "query_id": query_id,
        "path": request.path,
        "bucket": location.bucket,
        "base": location.base,
        "submitted_at": time.time(),
        "title": request.title,
        "rows": request.chunk.rows,
        "columns": [to_json(column) for column in planned],
    }


def build_statement(request: UnloadRequest, location: Location, columns: Sequence[tuple[str, str]]) -> str:
    """The COPY INTO of a request.

    :param columns: (name in the file, expression) each.
    """
    checked = parse_source_filter(request.where, subqueries=request.subqueries).sql if request.where else ""
    where = build_where(checked, request.chunk.predicate)
    select = build_select(
        columns, build_source(request.source.sql, request.snapshot, request.since), where, request.row_limit
    )
    return build_unload(
        location,
        request.path,
        select,
        file_format=request.file_format,
        compression=request.compression,
        max_file_bytes=request.max_file_bytes,
    )


def recall_submitted(request: UnloadRequest, query_id: str, submitted_at: float) -> dict[str, Any]:
    """What `submit_unload` returned for a chunk of a planned run, made again from the request and what the ledger keeps."""
    return {
        "query_id": query_id,
        "path": request.path,
        "bucket": request.bucket,
        "base": request.base or "",
        "submitted_at": submitted_at,
        "title": request.title,
        "rows": request.chunk.rows,
        "columns": [],
    }


def _plan_all(session: Connection, request: UnloadRequest) -> tuple[Column, ...]:
    """Every column of the source in its exact staged form."""
    source_columns = read_columns(session, request.source)
    return plan_columns(source_columns, None, ColumnRules(), FileFormat(request.file_format)).columns


def describe_unload(request: UnloadRequest, submitted: Mapping[str, Any]) -> dict[str, Any]:
    """What a load needs to know beside the files, when no plan says it: nothing where the columns were given."""
    if not submitted.get("columns"):
        return {}
    return {
        "unload": {
            "source": str(request.source),
            "snapshot": request.snapshot,
            "file_format": request.file_format,
            "compression": request.compression,
            "path": Location(submitted["bucket"], submitted["base"], "", "").key(request.path),
            "columns": submitted["columns"],
        }
    }


def find_submitted(session: Connection, submitted: object, request: UnloadRequest) -> dict[str, Any] | None:
    """The query that an earlier try submitted, when it still runs or has succeeded; None: submit it again.

    One that Snowflake has no data about is submitted again once it had time to appear; files of both are told apart by the query.
    """
    if not isinstance(submitted, Mapping) or submitted.get("path") != request.path:
        return None
    status = read_status(
        session, str(submitted["query_id"]), f"Looking for the earlier unload of {request.title}"
    )
    if not status.known and time.time() - float(submitted["submitted_at"]) > MAX_NO_DATA:
        return None
    return dict(submitted) if status.running or status.succeeded else None


def await_unload(
    session: Connection, request: UnloadRequest, submitted: Mapping[str, Any], poll_interval: float
) -> StagedChunk:
    """Wait until the query has ended and read what it wrote.

    :param submitted: as `submit_unload` gave it; with `ended_at` from the triggerer, which saw it end before Airflow had room for
        this task again, or with `unknown_since`, since when Snowflake has had no data about it.
    :raises SourceError: the unload failed; the message carries Snowflake's own.
    """
    query_id = str(submitted["query_id"])
    doing = f"Unloading {request.title}"
    unknown_since = submitted.get("unknown_since")
    while (status := read_status(session, query_id, doing)).running:
        unknown_since = status.unknown_since(unknown_since)
        if unknown_since is not None and time.time() - unknown_since >= MAX_NO_DATA:
            raise SourceUnavailable(
                f"{doing}: Snowflake has had no data about query {query_id} for {time.time() - unknown_since:.0f} s (status NO_DATA). "
                "The next try unloads it again. If that comes again, look for the query in Snowflake's query history: it is shown to the user "
                "and role that submitted it, so check that the connection was not changed meanwhile.",
                topic=Topic.QUERY_ENDED,
                query_id=query_id,
            )
        time.sleep(poll_interval)
    with naming_recreation(session, request.source, request.snapshot), _naming_nanoseconds(session, request):
        rows = read_result(session, query_id, doing)
    if not status.succeeded:
        raise SourceUnavailable(
            f"{doing}: query {query_id} ended as {status.name} without an error. It is retried."
        )
    location = Location(bucket=submitted["bucket"], base=submitted["base"], stage="", integration="")
    files = parse_unloaded(rows, location, request.path, request.chunk.index)
    started_at = float(submitted["submitted_at"])
    ended_at = float(submitted.get("ended_at") or time.time())
    return StagedChunk(
        chunk=request.chunk.index,
        bucket=location.bucket,
        query_id=query_id,
        seconds=ended_at - started_at,
        files=files,
        started_at=started_at,
    )


@contextmanager
def _naming_nanoseconds(session: Connection, request: UnloadRequest) -> Iterator[None]:
    """A division by zero as what it stands for.

    :raises ValueRefused: columns hold digits beyond the microsecond; they are counted.
    """
    try:
        yield
    except SourceError as error:
        if error.code != DIVISION_BY_ZERO or not request.guarded:
            raise
        sql = build_count(
            build_source(request.source.sql, request.snapshot),
            build_where(request.where, request.chunk.predicate),
            request.guarded,
        )
        [row] = read_rows(session, sql, f"Counting digits beyond the microsecond in {request.title}")
        counts = {name: int(count) for name, count in zip(request.guarded, row, strict=True) if count}
        if not counts:
            raise  # a mask or the filter divides by zero
        raise build_refusal(str(request.source), counts) from error


def stage_sql(stage: str) -> str:
    """A stage's name as the user writes it, every part quoted."""
    return snowflake_identifier(*parse_identifiers(stage)) if stage else ""


def read_location(connection: Connection, *, bucket: str, stage: str = "", integration: str = "") -> Location:
    """Where Snowflake will write: the stage's own URL, checked against the bucket that Python reads from.

    :param stage: the stage's quoted name; empty to write by the integration straight into the bucket.
    :raises ConfigurationError: neither is given, or the stage is internal or points to another bucket.
    """
    if not stage:
        if not integration:
            raise ConfigurationError(
                "Neither snowflake_unload.stage_name nor snowflake_unload.storage_integration is set: "
                "Snowflake needs one of them to write into the bucket by its own role."
            )
        return Location(
            bucket=bucket,
            base="",
            stage="",
            integration=integration,
            scheme=_read_scheme(connection, integration),
        )
    parts = parse_identifiers(stage)
    with naming_grants(connection, stage_grants(*parts) if len(parts) == _STAGE_PARTS else ()):
        rows = read_named_rows(connection, f"DESC STAGE {stage}", f"Reading the stage {stage}")
    url = next((str(row["property_value"]) for row in rows if str(row["property"]).upper() == "URL"), "")
    urls = json.loads(url) if url.startswith("[") else [url]
    scheme, _, rest = (urls[0] if urls else "").partition("://")
    found, _, base = rest.partition("/")
    if not scheme.lower().startswith("s3") or not found:
        raise ConfigurationError(
            f"The stage {stage} is not an external stage on S3 (its URL is {url or 'empty'!r}). Name another snowflake_unload.stage_name."
        )
    if bucket and found != bucket:
        raise ConfigurationError(
            f"The stage {stage} writes to the bucket {found!r}, and s3_staging.bucket is {bucket!r}: "
            "nothing would be found there. Make both the same.",
            topic=Topic.BUCKET_MISSING,
        )
    return Location(
        bucket=found, base=base if not base or base.endswith("/") else f"{base}/", stage=stage, integration=""
    )


def _read_scheme(connection: Connection, integration: str) -> str:
    """s3, s3gov or s3china, by the integration's STORAGE_PROVIDER."""
    sql = f"DESC INTEGRATION {snowflake_identifier(integration)}"
    with naming_grants(connection, integration_grants(integration)):
        rows = read_named_rows(connection, sql, f"Reading the integration {integration}")
    found = (str(row["property_value"]) for row in rows if str(row["property"]).upper() == "STORAGE_PROVIDER")
    return next(found, "s3").lower()
