"""Where Snowflake writes: the stage, its storage integration, the regions of bucket and account; and the S3 side.

The S3 side: what Python's connections may, and one small unload all the way to Python and away again.
"""

from __future__ import annotations

import json
import re
from typing import Any

import botocore.exceptions

from snowmelt.doctor import findings as remedies
from snowmelt.doctor.findings import Finding, Remedy, Status, found, policy, snowflake_sql
from snowmelt.doctor.snowflake import read_role
from snowmelt.drivers.s3_errors import s3_failures
from snowmelt.drivers.snowflake import Connection, read_named_rows, read_result, read_rows, submit_query
from snowmelt.errors import ConfigurationError, SnowmeltError, SourceError
from snowmelt.rights.iam import Partition, Principal, StagedPlace
from snowmelt.sql.names import snowflake_identifier, snowflake_literal
from snowmelt.unload.chunk import read_location
from snowmelt.unload.manifest import StagedFile
from snowmelt.unload.staged import check_staged
from snowmelt.unload.statements import (
    Location,
    build_remove,
    build_unload,
    build_write_document,
    parse_unloaded,
)

_INLINE = "PREVENT_UNLOAD_TO_INLINE_URL"
#: CURRENT_REGION(): AWS_US_EAST_1, PUBLIC.AWS_EU_WEST_1 in an organization with region groups, AWS_US_GOV_WEST_1_FHPLUS.
_AWS_REGION = re.compile(r"(?:.*\.)?AWS_(?P<region>(?:[A-Z]+_)+\d+)(?:_[A-Z]+)*")


def check_stage(
    session: Connection, stage: tuple[str, str, str] | None, place: StagedPlace, integration: str | None
) -> tuple[list[Finding], Location | None]:
    """Where the stage points to.

    :returns: the findings, and the location when there is one to write to.
    """
    check = "Stage"
    quoted = snowflake_identifier(*stage) if stage else ""
    try:
        location = read_location(session, bucket=place.bucket, stage=quoted, integration=integration or "")
    except SourceError as error:
        role = read_role(session)
        remedy = (
            remedies.create_stage(stage, place, integration, role)
            if stage
            else remedies.grant_integration(integration, role)
            if integration
            else remedies.use_stage()
        )
        return [found(check, quoted or "none", Status.WRONG, error, remedy)], None
    except SnowmeltError as error:
        remedy = remedies.move_stage(stage, place) if stage else remedies.use_stage()
        return [found(check, quoted or "none", Status.WRONG, error, remedy)], None
    if not stage:
        return [_check_inline(session)], location
    return [found(check, quoted, Status.OK, f"s3://{location.bucket}/{location.base}")], location


def _check_inline(session: Connection) -> Finding:
    """The form without a stage: what an account may forbid, and what Snowflake then cannot do."""
    text = (
        "none is configured: files are written by the integration, and Snowflake cannot remove them. Such an unload is refused where "
        f"{_INLINE} is set for the account or the user, and over private connectivity to S3"
    )
    try:
        sql = f"SHOW PARAMETERS LIKE '{_INLINE}' IN ACCOUNT"
        rows = read_named_rows(session, sql, f"Reading {_INLINE}")
    except SnowmeltError:
        rows = []
    if any(str(row["value"]).lower() == "true" for row in rows):
        return found(
            "Stage", "none", Status.WRONG, f"{text}; it is set for this account", remedies.use_stage()
        )
    return found("Stage", "none", Status.ATTENTION, text, remedies.use_stage())


def read_integration(
    session: Connection, stage: tuple[str, str, str] | None, named: str | None
) -> str | None:
    """The stage's own storage integration, else the configured one."""
    if stage:
        rows = read_named_rows(session, f"DESC STAGE {snowflake_identifier(*stage)}", "Reading the stage")
        own = next((r["property_value"] for r in rows if r["property"] == "STORAGE_INTEGRATION"), None)
        return str(own or named) if own or named else None
    return named


def check_integration(
    session: Connection, integration: str | None, location: Location, place: StagedPlace
) -> list[Finding]:
    """Enabled, allowed, and its IAM role let in by S3: as Snowflake itself tries it.

    A role may use a stage without seeing its integration; then the check `unload` alone answers.
    """
    check = "Integration"
    if integration is None:
        text = "the stage has none: it holds credentials of its own. A storage integration holds no key."
        return [found(check, "none", Status.ATTENTION, text)]
    url = place.url
    quoted = snowflake_identifier(integration)
    try:
        rows = read_named_rows(session, f"DESC INTEGRATION {quoted}", f"Reading the integration {quoted}")
    except SnowmeltError as error:
        if not location.stage:
            remedy = remedies.grant_integration(integration, read_role(session))
            return [found(check, quoted, Status.WRONG, error, remedy)]
        text = f"not visible to this role, which a stage does not need; the check `unload` shows whether it works ({error})"
        return [found(check, quoted, Status.ATTENTION, text)]
    values = {str(row["property"]): str(row["property_value"]) for row in rows}
    if values.get("ENABLED", "").lower() != "true":
        return [
            found(check, quoted, Status.WRONG, "it is disabled", remedies.enable_integration(integration))
        ]
    listed = values.get("STORAGE_ALLOWED_LOCATIONS", "").split(",")
    allowed = [part.strip() for part in listed if part.strip()]
    if not any(one == "*" or url.startswith(one) for one in allowed):
        text = f"it allows {', '.join(allowed) or 'nothing'}, and not {url}"
        remedy = remedies.allow_location(integration, allowed, url)
        return [found(check, quoted, Status.WRONG, text, remedy)]
    return [_try_integration(session, integration, place, values)]


def _try_integration(
    session: Connection, integration: str, place: StagedPlace, values: dict[str, str]
) -> Finding:
    check, quoted, url = "Integration", snowflake_identifier(integration), place.url
    arguments = ", ".join(
        snowflake_literal(text) for text in (integration, url, "snowmelt_doctor.txt", "all")
    )
    try:
        rows = read_rows(
            session, f"SELECT SYSTEM$VALIDATE_STORAGE_INTEGRATION({arguments})", f"Trying {quoted}"
        )
        answer: dict[str, Any] = json.loads(rows[0][0])
    except (SnowmeltError, ValueError) as error:
        text = f"enabled and allowed; SYSTEM$VALIDATE_STORAGE_INTEGRATION could not be used: {error}"
        return found(check, quoted, Status.ATTENTION, text)
    failed = {
        name: str(action.get("message", ""))
        for name, action in dict(answer.get("actions", {})).items()
        if str(action.get("status")).lower() != "success"
    }
    if failed or str(answer.get("status")).lower() != "success":
        reported = "; ".join(f"{name}: {message}" for name, message in failed.items())
        text = (
            f"S3 refuses the role {values.get('STORAGE_AWS_ROLE_ARN')} below {url}: {reported or answer.get('message')}. Its policy needs "
            f"what follows; its trust policy names {values.get('STORAGE_AWS_IAM_USER_ARN')} with the external id of DESC INTEGRATION. A "
            "bucket of another account also needs a bucket policy and STORAGE_AWS_OBJECT_ACL (setup-sql --bucket-account)."
        )
        return found(check, quoted, Status.WRONG, text, remedies.policy(Principal.SNOWFLAKE, place))
    return found(check, quoted, Status.OK, f"may read, write, list and delete below {url}")


def check_regions(session: Connection, bucket: str, region: str) -> Finding:
    """Whether the account may reach the bucket at all, and without paying for each byte.

    Source: Snowflake "CREATE STORAGE INTEGRATION" (usage notes on government regions, China and transfer fees).

    :param region: of the bucket.
    """
    answer = str(
        read_rows(session, "SELECT CURRENT_REGION()", "Reading the account's region")[0][0] or ""
    ).upper()
    return compare_regions(answer, bucket, region)


def compare_regions(account: str, bucket: str, region: str) -> Finding:
    """The finding for an account's region, as CURRENT_REGION() prints it, and a bucket's."""
    check, subject = "Regions", f"{account} and {region}"
    text = f"the account is in {account}, the bucket {bucket} in {region}"
    match = _AWS_REGION.fullmatch(account)
    own = match["region"].lower().replace("_", "-") if match else None
    if own == region:
        return found(check, subject, Status.OK, text)
    here, there = Partition.of_region(own), Partition.of_region(region)
    if Partition.AWS not in {here, there} or here is not there:
        text += ": a storage integration reaches government regions and China only from an account in the same region"
        remedy = Remedy("AWS", (f"Use a bucket in {own or account}, or an account in {region}.",))
        return found(check, subject, Status.WRONG, text, remedy)
    text += (
        ": Snowflake charges for each byte that is unloaded to another region or cloud, and it takes longer"
    )
    cheaper = Remedy("AWS", (f"Use a bucket in {own}.",)) if own else None
    return found(check, subject, Status.ATTENTION, text, cheaper)


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
