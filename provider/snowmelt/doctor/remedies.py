"""What fixes a finding: the grants and policies of `snowmelt.rights`, and the statements that are not grants.

Every name is quoted; an administrator reads a remedy before it is run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from snowmelt.doctor.findings import Remedy, postgres_sql, snowflake_sql
from snowmelt.rights import postgres as postgres_rights
from snowmelt.rights import snowflake as snowflake_rights
from snowmelt.rights.iam import Principal, StagedPlace, build_policy
from snowmelt.rights.snowflake import SourceKind
from snowmelt.sql.names import TableName, snowflake_identifier, snowflake_literal


def policy(principal: Principal, place: StagedPlace) -> Remedy:
    """The identity policy of a role that lacks a right on the bucket."""
    return Remedy("AWS IAM", (build_policy(principal, place).rstrip(),), "json")


def grant_login(user: str, role: str | None, warehouse: str | None) -> Remedy:
    """The role and the warehouse of a session that does not open, as far as its connection names them."""
    who = snowflake_identifier(user) if user else "<user>"
    statements = [f"GRANT ROLE {snowflake_identifier(role)} TO USER {who}"] if role else []
    if role and warehouse:
        grants = snowflake_rights.warehouse_grants(warehouse, resized=False)
        statements += snowflake_rights.grant_statements(grants, role)
    return snowflake_sql(*(statements or [f"DESC USER {who}"]))


def set_defaults(user: str, lacks: Iterable[str]) -> Remedy:
    """What a session begins with.

    :param lacks: role, warehouse or both.
    """
    who = snowflake_identifier(user)
    return snowflake_sql(*(f"ALTER USER {who} SET DEFAULT_{name.upper()} = <{name}>" for name in lacks))


def grant_warehouse(warehouse: str, role: str) -> Remedy:
    """To change the warehouse's size."""
    grants = snowflake_rights.warehouse_grants(warehouse, resized=True)
    return snowflake_sql(*snowflake_rights.grant_statements(grants, role))


def create_stage(
    stage: tuple[str, str, str], place: StagedPlace, integration: str | None, role: str
) -> Remedy:
    """A stage on the bucket, and the right to use it."""
    by = snowflake_identifier(integration) if integration else "<storage integration>"
    return snowflake_sql(
        f"CREATE STAGE IF NOT EXISTS {snowflake_identifier(*stage)} URL = {snowflake_literal(place.url)} "
        f"STORAGE_INTEGRATION = {by}",
        *snowflake_rights.grant_statements(snowflake_rights.stage_grants(*stage), role),
    )


def move_stage(stage: tuple[str, str, str], place: StagedPlace) -> Remedy:
    """The stage that points to another bucket."""
    url = snowflake_literal(place.url)
    return snowflake_sql(f"ALTER STAGE {snowflake_identifier(*stage)} SET URL = {url}")


def grant_integration(integration: str, role: str) -> Remedy:
    """To unload without a stage."""
    grants = snowflake_rights.integration_grants(integration)
    return snowflake_sql(*snowflake_rights.grant_statements(grants, role))


def allow_location(integration: str, allowed: Sequence[str], wanted: str) -> Remedy:
    """The integration's allowed locations with one more."""
    listed = ", ".join(snowflake_literal(location) for location in [*allowed, wanted])
    return snowflake_sql(
        f"ALTER STORAGE INTEGRATION {snowflake_identifier(integration)} SET STORAGE_ALLOWED_LOCATIONS = ({listed})"
    )


def enable_integration(integration: str) -> Remedy:
    """The integration that is switched off."""
    return snowflake_sql(f"ALTER STORAGE INTEGRATION {snowflake_identifier(integration)} SET ENABLED = TRUE")


def use_stage() -> Remedy:
    """The form with a stage, which account policies and private connectivity allow."""
    return Remedy(
        "the configuration file",
        ("Set stage_database, stage_schema and stage_name; airflow snowmelt setup-sql writes the stage.",),
    )


def grant_source(table: TableName, kind: SourceKind, role: str) -> Remedy:
    """To read a source."""
    grants = snowflake_rights.source_grants(table, kind)
    return snowflake_sql(*snowflake_rights.grant_statements(grants, role))


def set_retention(table: TableName) -> Remedy:
    """One day of time travel."""
    return snowflake_sql(f"ALTER TABLE {table.sql} SET DATA_RETENTION_TIME_IN_DAYS = 1")


def grant_ledger(role: str, *, exists: bool) -> Remedy:
    """The schema of the ledger, or the rights in one that another role owns."""
    if not exists:
        return postgres_sql(postgres_rights.create_schema(postgres_rights.LEDGER_SCHEMA, role))
    grants = postgres_rights.ledger_grants(exists=True)
    return postgres_sql(*postgres_rights.grant_statements(grants, role))


def grant_aws_s3(role: str, *, installed: bool) -> Remedy:
    """The extension, and the right to use it."""
    grants = postgres_rights.grant_statements(postgres_rights.aws_s3_grants(), role)
    return postgres_sql(*(() if installed else (postgres_rights.CREATE_AWS_S3,)), *grants)
