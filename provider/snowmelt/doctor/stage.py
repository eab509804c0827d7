"""Where Snowflake writes: the stage, its storage integration, and the regions of bucket and account."""

from __future__ import annotations

import json
import re
from typing import Any

from snowmelt.doctor import remedies
from snowmelt.doctor.findings import Finding, Remedy, Status, found
from snowmelt.doctor.snowflake import read_role
from snowmelt.drivers.snowflake import Connection, read_named_rows, read_rows
from snowmelt.errors import SnowmeltError, SourceError
from snowmelt.rights.iam import Partition, Principal, StagedPlace
from snowmelt.sql.names import snowflake_identifier, snowflake_literal
from snowmelt.unload.chunk import read_location
from snowmelt.unload.location import Location

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

    A role may use a stage without seeing its integration; then the check `unload` alone tells.
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
        text = f"not visible to this role, which a stage does not need; the check `unload` tells whether it works ({error})"
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
