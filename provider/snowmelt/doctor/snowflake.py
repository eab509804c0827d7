"""The Snowflake side: session, stage, storage integration."""

from __future__ import annotations

import json
from typing import Any

from snowmelt.doctor import remedies
from snowmelt.doctor.findings import Finding, Remedy, Status, found, snowflake_sql
from snowmelt.doctor.remedies import write_policy
from snowmelt.drivers.snowflake import Connection, read_named_rows, read_rows
from snowmelt.errors import SnowmeltError, SourceError, Topic
from snowmelt.sql.names import snowflake_identifier, snowflake_literal
from snowmelt.unload.chunk import read_location
from snowmelt.unload.location import Location

_WHO = "SELECT CURRENT_USER(), CURRENT_ROLE(), CURRENT_WAREHOUSE(), CURRENT_REGION(), CURRENT_VERSION()"


def read_role(session: Connection) -> str:
    """The session's role; `<role>` where it has none, as it then stands in a remedy."""
    row = read_rows(session, "SELECT CURRENT_ROLE()", "Reading the session's role")[0]
    return str(row[0] or "<role>")


def check_session(session: Connection, conn_id: str) -> list[Finding]:
    """Who the session is, and what it lacks."""
    user, role, warehouse, region, version = read_rows(session, _WHO, "Asking Snowflake who is logged in")[0]
    check = "Snowflake session"
    lacks = [name for name, value in (("role", role), ("warehouse", warehouse)) if not value]
    if lacks:
        advice = "Set it in the connection's extra (or snowflake_unload.warehouse), or for the user."
        return [
            found(
                check,
                conn_id,
                Status.WRONG,
                f"logged in as {user} without {' and '.join(lacks)}. {advice}",
                remedies.set_defaults(str(user), lacks),
            )
        ]
    text = f"{user} with the role {role} and the warehouse {warehouse}, {region}, version {version}"
    return [found(check, conn_id, Status.OK, text)]


def check_stage(
    session: Connection, stage: tuple[str, str, str] | None, bucket: str, integration: str | None
) -> tuple[list[Finding], Location | None]:
    """Where the stage points to.

    :returns: the findings, and the location when there is one to write to.
    """
    check = "Stage"
    quoted = snowflake_identifier(*stage) if stage else ""
    try:
        location = read_location(session, bucket=bucket, stage=quoted, integration=integration or "")
    except SourceError as error:
        remedy = (
            remedies.create_stage(stage, bucket, integration, read_role(session))
            if stage
            else Remedy("the configuration file", ("Set snowflake_unload.stage_name.",))
        )
        return [found(check, quoted or "none", Status.WRONG, error, remedy)], None
    except SnowmeltError as error:
        remedy = (
            remedies.move_stage(stage, bucket)
            if stage and error.topic is Topic.BUCKET_MISSING
            else Remedy(
                "the configuration file",
                ("Name an external stage on S3: stage_database, stage_schema, stage_name.",),
            )
        )
        return [found(check, quoted or "none", Status.WRONG, error, remedy)], None
    if not stage:
        text = "none is configured: files are written by the integration, and Snowflake cannot remove them"
        advice = Remedy(
            "the configuration file",
            ("Set stage_database, stage_schema, stage_name, or connections.aws_cleanup.",),
        )
        return [found(check, "none", Status.ATTENTION, text, advice)], location
    return [found(check, quoted, Status.OK, f"s3://{location.bucket}/{location.base}")], location


def read_integration(
    session: Connection, stage: tuple[str, str, str] | None, named: str | None
) -> str | None:
    """The stage's own storage integration, else the configured one."""
    if stage:
        rows = read_named_rows(session, f"DESC STAGE {snowflake_identifier(*stage)}", "Reading the stage")
        own = next((r["property_value"] for r in rows if r["property"] == "STORAGE_INTEGRATION"), None)
        return str(own or named) if own or named else None
    return named


def check_integration(session: Connection, integration: str | None, location: Location) -> list[Finding]:
    """Enabled, allowed, and its IAM role let in by S3: as Snowflake itself tries it.

    A role may use a stage without seeing its integration; then the check `unload` alone tells.
    """
    check = "Integration"
    if integration is None:
        text = "the stage has none: it holds credentials of its own. A storage integration holds no key."
        return [found(check, "none", Status.ATTENTION, text)]
    wanted = f"s3://{location.bucket}/{location.base}"
    quoted = snowflake_identifier(integration)
    try:
        rows = read_named_rows(session, f"DESC INTEGRATION {quoted}", f"Reading the integration {quoted}")
    except SnowmeltError as error:
        if not location.stage:
            role = snowflake_identifier(read_role(session))
            grant = snowflake_sql(f"GRANT USAGE ON INTEGRATION {quoted} TO ROLE {role}")
            return [found(check, quoted, Status.WRONG, error, grant)]
        text = f"not visible to this role, which a stage does not need; the check `unload` tells whether it works ({error})"
        return [found(check, quoted, Status.ATTENTION, text)]
    values = {str(row["property"]): str(row["property_value"]) for row in rows}
    if values.get("ENABLED", "").lower() != "true":
        return [
            found(check, quoted, Status.WRONG, "it is disabled", remedies.enable_integration(integration))
        ]
    allowed = [
        part.strip() for part in values.get("STORAGE_ALLOWED_LOCATIONS", "").split(",") if part.strip()
    ]
    if not any(place == "*" or wanted.startswith(place) for place in allowed):
        text = f"it allows {', '.join(allowed) or 'nothing'}, and not {wanted}"
        return [
            found(check, quoted, Status.WRONG, text, remedies.allow_location(integration, allowed, wanted))
        ]
    return [_try_integration(session, integration, location, values)]


def _try_integration(
    session: Connection, integration: str, location: Location, values: dict[str, str]
) -> Finding:
    check, quoted = "Integration", snowflake_identifier(integration)
    url = f"s3://{location.bucket}/{location.base}"
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
        told = "; ".join(f"{name}: {message}" for name, message in failed.items()) or str(
            answer.get("message")
        )
        text = (
            f"S3 refuses the role {values.get('STORAGE_AWS_ROLE_ARN')} below {url}: {told}. Its policy needs what stands below; its trust "
            f"policy names {values.get('STORAGE_AWS_IAM_USER_ARN')} with the external id of DESC INTEGRATION."
        )
        return found(check, quoted, Status.WRONG, text, write_policy(location.bucket, location.base))
    return found(check, quoted, Status.OK, f"may read, write, list and delete below {url}")
