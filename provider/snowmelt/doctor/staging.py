"""The S3 side: what Python's connections may, and one small unload all the way to Python and away again."""

from __future__ import annotations

import json
from typing import Any

import botocore.exceptions

from snowmelt.doctor.findings import Finding, Remedy, Status, found, snowflake_sql
from snowmelt.doctor.remedies import policy
from snowmelt.drivers.s3_errors import s3_failures
from snowmelt.drivers.snowflake import Connection, read_result, read_rows, submit_query
from snowmelt.errors import ConfigurationError, SnowmeltError
from snowmelt.rights.iam import Principal, StagedPlace
from snowmelt.unload.location import Location
from snowmelt.unload.manifest import StagedFile
from snowmelt.unload.staged import check_staged
from snowmelt.unload.statements import build_remove, build_unload, build_write_document, parse_unloaded

_MISSING = {"404", "NoSuchKey"}
_ONE_ROW = 'SELECT 1 AS "ONE", \'Übung, "quoted"\' AS "TEXT"'
_FILE_BYTES = 16 * 1024 * 1024


def check_s3(client: Any, conn_id: str, place: StagedPlace) -> list[Finding]:
    """Region, list and get; nothing is written."""
    bucket, prefix = place.bucket, place.prefix
    remedy = policy(Principal.AIRFLOW, place)
    where = f"{conn_id} on s3://{bucket}/{prefix}"
    try:
        with s3_failures(f"Listing s3://{bucket}/{prefix}"):
            answer = client.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)
    except ConfigurationError as error:
        advice = Remedy("Airflow", ("Correct s3_staging.bucket, or region_name in the connection's extra.",))
        return [found("S3 list", where, Status.WRONG, error, advice)]
    except SnowmeltError as error:
        return [found("S3 list", where, Status.WRONG, error, remedy)]
    return [
        _check_region(client, conn_id, bucket, answer),
        found("S3 list", where, Status.OK, "may list"),
        _check_get(client, where, place, remedy),
    ]


def read_region(client: Any, place: StagedPlace) -> str:
    """The region that the bucket itself names in its answers; the connection's where it names none."""
    with s3_failures(f"Listing s3://{place.bucket}/{place.prefix}"):
        answer = client.list_objects_v2(Bucket=place.bucket, Prefix=place.prefix, MaxKeys=1)
    return _region_of(answer) or str(client.meta.region_name)


def _region_of(answer: dict[str, Any]) -> str | None:
    region = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("x-amz-bucket-region")
    return str(region) if region else None


def _check_region(client: Any, conn_id: str, bucket: str, answer: dict[str, Any]) -> Finding:
    region, mine = _region_of(answer), client.meta.region_name
    if region and region != mine:
        text = f"the bucket {bucket} is in {region}, the connection says {mine}"
        advice = Remedy("Airflow", (f"Set region_name to {region} in the extra of {conn_id}.",))
        return found("S3 region", conn_id, Status.WRONG, text, advice)
    return found("S3 region", conn_id, Status.OK, f"{bucket} answers in {region or mine}")


def _check_get(client: Any, where: str, place: StagedPlace, remedy: Remedy) -> Finding:
    """An object that is not there is "missing" to those who may read it, and "forbidden" to all others."""
    try:
        client.get_object(Bucket=place.bucket, Key=f"{place.prefix}doctor_absent")
    except botocore.exceptions.ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _MISSING:
            return found("S3 get", where, Status.OK, "may read")
        text = f"reading answers {code} where 404 was expected: s3:GetObject (or kms:Decrypt) is missing"
        return found("S3 get", where, Status.WRONG, text, remedy)
    return found("S3 get", where, Status.OK, "may read")


def check_cleanup(client: Any, conn_id: str, place: StagedPlace) -> Finding:
    """Whether the clean-up connection may delete: it is asked to delete an object that is not there."""
    bucket, key = place.bucket, f"{place.prefix}doctor_absent"
    where = f"{conn_id} on s3://{bucket}/{place.prefix}"
    remedy = policy(Principal.CLEANUP, place)
    try:
        with s3_failures(f"Deleting s3://{bucket}/{key}, which is not there"):
            answer = client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key}], "Quiet": True})
    except SnowmeltError as error:
        return found("S3 clean-up", where, Status.WRONG, error, remedy)
    errors = answer.get("Errors") or []
    if errors:
        text = f"deleting answers {errors[0].get('Code')}: {errors[0].get('Message')}"
        return found("S3 clean-up", where, Status.WRONG, text, remedy)
    return found("S3 clean-up", where, Status.OK, "may delete")


def check_unload(
    session: Connection, client: Any, location: Location, path: str, place: StagedPlace
) -> list[Finding]:
    """One row and a manifest through S3, then removed.

    :param path: folder below the stage for this alone; ends in a slash.
    """
    where = f"s3://{location.bucket}/{location.key(path)}"
    try:
        files = unload_probe(session, location, path, _ONE_ROW, "parquet", "snappy")
        document = {"doctor": path, "files": [[file.key, file.bytes, file.rows] for file in files]}
        sql = build_write_document(location, f"{path}manifest.json", document)
        read_rows(session, sql, f"Writing {where}manifest.json")
    except SnowmeltError as error:
        # What a half-done unload left is removed; that a removal fails for the same reason need not be reported twice.
        removal = [one for one in remove_probe(session, client, location, path) if not one.fails]
        return [found("Unload", where, Status.WRONG, error), *removal]
    if len(files) != 1 or files[0].rows != 1:
        returned = [(file.key, file.rows) for file in files]
        findings = [found("Unload", where, Status.WRONG, f"one file of one row was expected, not {returned}")]
    else:
        text = f"1 row, {files[0].bytes} bytes, and its manifest"
        findings = [found("Unload", where, Status.OK, text)]
    findings.append(_read_back(client, location, path, files, document, policy(Principal.AIRFLOW, place)))
    return [*findings, *remove_probe(session, client, location, path)]


def unload_probe(
    session: Connection, location: Location, path: str, select: str, file_format: str, compression: str
) -> tuple[StagedFile, ...]:
    """An unload as a chunk is unloaded: submitted, then its result read by the query's id."""
    sql = build_unload(
        location, path, select, file_format=file_format, compression=compression, max_file_bytes=_FILE_BYTES
    )
    doing = f"Unloading a row into {path}"
    rows = read_result(session, submit_query(session, sql, doing), doing)
    return parse_unloaded(rows, location, path, 0)


def _read_back(
    client: Any,
    location: Location,
    path: str,
    files: tuple[StagedFile, ...],
    document: dict[str, Any],
    remedy: Remedy,
) -> Finding:
    where = f"s3://{location.bucket}/{location.key(path)}"
    try:
        staged = check_staged(client, location.bucket, files)
        if staged.missing:
            text = f"{staged.missing[0].key} is not there under the key that Snowflake returned"
            return found("Staged files", where, Status.WRONG, text, remedy)
        with s3_failures(f"Reading {where}"):
            manifest = client.get_object(Bucket=location.bucket, Key=location.key(f"{path}manifest.json"))
            read = json.loads(manifest["Body"].read())
            body = client.get_object(Bucket=location.bucket, Key=files[0].key)["Body"].read()
    except SnowmeltError as error:
        return found("Staged files", where, Status.WRONG, error, remedy)
    except ValueError as error:
        return found("Staged files", where, Status.WRONG, f"the manifest is not JSON: {error}")
    if read != document or len(body) != files[0].bytes:
        return found("Staged files", where, Status.WRONG, "what Python reads is not what Snowflake wrote")
    return found("Staged files", where, Status.OK, f"{len(body)} bytes read, as Snowflake returned")


def remove_probe(session: Connection, client: Any, location: Location, path: str) -> list[Finding]:
    """Remove the doctor's own folder by Snowflake, and check that it is gone."""
    where = f"s3://{location.bucket}/{location.key(path)}"
    if not location.stage:
        text = "without a stage Snowflake cannot remove the doctor's files; they stay"
        return [found("Removal", where, Status.ATTENTION, text)]
    sql = build_remove(location, path)
    try:
        removed = read_rows(session, sql, f"Removing {where}")
        with s3_failures(f"Listing {where}"):
            left = client.list_objects_v2(Bucket=location.bucket, Prefix=location.key(path)).get(
                "Contents", ()
            )
    except SnowmeltError as error:
        return [found("Removal", where, Status.WRONG, error, snowflake_sql(sql))]
    if left:
        keys = [entry["Key"] for entry in left]
        return [found("Removal", where, Status.WRONG, f"still there: {keys[:3]}", snowflake_sql(sql))]
    return [found("Removal", where, Status.OK, f"{len(removed)} objects removed")]
