"""IAM policies: what Python's connections and Snowflake's role need on the bucket, and no more.

Sources: Snowflake "Configuring a Snowflake storage integration to access Amazon S3"; Amazon S3 "Actions, resources, and
condition keys".

The SQL that mends what a check found. Every name is quoted; an administrator reads it before it is run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from snowmelt.doctor.findings import Remedy, postgres_sql, snowflake_sql
from snowmelt.sql.names import TableName, postgres_identifier, snowflake_identifier, snowflake_literal

_BUCKET = ("s3:ListBucket", "s3:GetBucketLocation")
READ = ("s3:GetObject",)
DELETE = ("s3:DeleteObject",)
WRITE = ("s3:PutObject", "s3:GetObject", "s3:GetObjectVersion", "s3:DeleteObject", "s3:DeleteObjectVersion")


def build_policy(bucket: str, prefix: str, actions: tuple[str, ...]) -> str:
    """An identity policy for the bucket and the objects below a prefix, as JSON.

    :param prefix: empty, or ends in a slash.
    """
    statements = [
        {"Effect": "Allow", "Action": list(_BUCKET), "Resource": f"arn:aws:s3:::{bucket}"},
        {"Effect": "Allow", "Action": list(actions), "Resource": f"arn:aws:s3:::{bucket}/{prefix}*"},
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2)


def read_policy(bucket: str, prefix: str = "") -> Remedy:
    """For the connection that Python reads by."""
    return Remedy("AWS IAM", (build_policy(bucket, prefix, READ),), "json")


def cleanup_policy(bucket: str, prefix: str = "") -> Remedy:
    """For the optional connection that Python removes files by."""
    return Remedy("AWS IAM", (build_policy(bucket, prefix, DELETE),), "json")


def write_policy(bucket: str, prefix: str = "") -> Remedy:
    """For the role behind Snowflake's storage integration."""
    return Remedy("AWS IAM", (build_policy(bucket, prefix, WRITE),), "json")


def grant_login(user: str, role: str | None, warehouse: str | None) -> Remedy:
    """The role and the warehouse of a session that does not open, as far as its connection names them."""
    who = snowflake_identifier(user) if user else "<user>"
    statements = [f"GRANT ROLE {snowflake_identifier(role)} TO USER {who}"] if role else []
    if role and warehouse:
        statements.append(
            f"GRANT USAGE ON WAREHOUSE {snowflake_identifier(warehouse)} TO ROLE {snowflake_identifier(role)}"
        )
    return snowflake_sql(*(statements or [f"DESC USER {who}"]))


def set_defaults(user: str, lacks: Iterable[str]) -> Remedy:
    """What a session begins with.

    :param lacks: role, warehouse or both.
    """
    who = snowflake_identifier(user)
    return snowflake_sql(*(f"ALTER USER {who} SET DEFAULT_{name.upper()} = <{name}>" for name in lacks))


def create_stage(stage: tuple[str, str, str], bucket: str, integration: str | None, role: str) -> Remedy:
    """A stage on the bucket, and the right to use it."""
    database, schema, _ = stage
    to = f"TO ROLE {snowflake_identifier(role)}"
    by = snowflake_identifier(integration) if integration else "<storage integration>"
    return snowflake_sql(
        f"CREATE STAGE IF NOT EXISTS {snowflake_identifier(*stage)} URL = {snowflake_literal(f's3://{bucket}/')} "
        f"STORAGE_INTEGRATION = {by}",
        f"GRANT USAGE ON DATABASE {snowflake_identifier(database)} {to}",
        f"GRANT USAGE ON SCHEMA {snowflake_identifier(database, schema)} {to}",
        f"GRANT USAGE ON STAGE {snowflake_identifier(*stage)} {to}",
    )


def move_stage(stage: tuple[str, str, str], bucket: str) -> Remedy:
    """The stage that points to another bucket."""
    url = snowflake_literal(f"s3://{bucket}/")
    return snowflake_sql(f"ALTER STAGE {snowflake_identifier(*stage)} SET URL = {url}")


def allow_location(integration: str, allowed: Sequence[str], wanted: str) -> Remedy:
    """The integration's allowed locations with one more."""
    listed = ", ".join(snowflake_literal(location) for location in [*allowed, wanted])
    return snowflake_sql(
        f"ALTER STORAGE INTEGRATION {snowflake_identifier(integration)} SET STORAGE_ALLOWED_LOCATIONS = ({listed})"
    )


def enable_integration(integration: str) -> Remedy:
    """The integration that is switched off."""
    return snowflake_sql(f"ALTER STORAGE INTEGRATION {snowflake_identifier(integration)} SET ENABLED = TRUE")


def grant_source(table: TableName, role: str) -> Remedy:
    """To read a table."""
    to = f"TO ROLE {snowflake_identifier(role)}"
    return snowflake_sql(
        f"GRANT USAGE ON DATABASE {snowflake_identifier(table.database)} {to}",
        f"GRANT USAGE ON SCHEMA {snowflake_identifier(table.database, table.schema)} {to}",
        f"GRANT SELECT ON TABLE {table.sql} {to}",
    )


def set_retention(table: TableName) -> Remedy:
    """One day of time travel."""
    return snowflake_sql(f"ALTER TABLE {table.sql} SET DATA_RETENTION_TIME_IN_DAYS = 1")


def grant_ledger(role: str, *, exists: bool) -> Remedy:
    """The schema of the ledger, or the rights in one that somebody else owns."""
    who = postgres_identifier(role)
    if not exists:
        return postgres_sql(f"CREATE SCHEMA snowmelt AUTHORIZATION {who}")
    return postgres_sql(
        f"GRANT USAGE, CREATE ON SCHEMA snowmelt TO {who}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE, REFERENCES ON ALL TABLES IN SCHEMA snowmelt TO {who}",
    )


def grant_aws_s3(role: str, *, installed: bool) -> Remedy:
    """The extension, and the right to use it."""
    who = postgres_identifier(role)
    statements = [] if installed else ["CREATE EXTENSION IF NOT EXISTS aws_s3 CASCADE"]
    return postgres_sql(
        *statements,
        f"GRANT USAGE ON SCHEMA aws_s3, aws_commons TO {who}",
        f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA aws_s3, aws_commons TO {who}",
    )


def create_schema(schema: str, role: str) -> Remedy:
    """A target schema that is not there."""
    return postgres_sql(
        f"CREATE SCHEMA {postgres_identifier(schema)} AUTHORIZATION {postgres_identifier(role)}"
    )


def grant_schema(schema: str, role: str) -> Remedy:
    """To make a staging table beside the target."""
    return postgres_sql(
        f"GRANT USAGE, CREATE ON SCHEMA {postgres_identifier(schema)} TO {postgres_identifier(role)}"
    )


def own_table(schema: str, table: str, role: str) -> Remedy:
    """A swap renames the target, which only its owner may."""
    return postgres_sql(
        f"ALTER TABLE {postgres_identifier(schema, table)} OWNER TO {postgres_identifier(role)}"
    )


def grant_table(schema: str, table: str, role: str, rights: Iterable[str]) -> Remedy:
    """To fill the target in place."""
    return postgres_sql(
        f"GRANT {', '.join(rights)} ON TABLE {postgres_identifier(schema, table)} TO {postgres_identifier(role)}"
    )
