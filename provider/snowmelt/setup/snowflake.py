"""snowflake.sql: role, warehouse, storage integration, stage, grants on exactly the configured sources, user.

Sources: Snowflake "Configuring a storage integration to access Amazon S3", "CREATE STORAGE INTEGRATION", "CREATE STAGE", "CREATE USER";
the grants are those of `snowmelt.rights.snowflake`.
"""

from __future__ import annotations

from snowmelt.rights.snowflake import (
    SnowflakeGrant,
    build_tracking,
    future_grants,
    grant_statements,
    integration_grants,
    source_grants,
    stage_grants,
    warehouse_grants,
)
from snowmelt.setup.facts import RSA_PUBLIC_KEY, SetupScope
from snowmelt.sql.names import snowflake_identifier, snowflake_literal
from snowmelt.vocabulary import Mode

_HEAD = """\
-- Snowmelt in Snowflake. Run it once, as a role that may create integrations (ACCOUNTADMIN, or one with CREATE INTEGRATION,
-- CREATE ROLE, CREATE USER, CREATE WAREHOUSE, and the right to grant on the sources). It can be run again.
-- The last statement shows STORAGE_AWS_IAM_USER_ARN and STORAGE_AWS_EXTERNAL_ID: iam-trust-policy.json needs both."""

_KINDS = """\
-- Each kind of source is granted by its own words. Give what is not a table to setup-sql, by
-- --source-kind DATABASE.SCHEMA.NAME=view (materialized_view, dynamic_table, external_table, iceberg_table), and a database from a share
-- or the Marketplace by --source-kind DATABASE=imported."""

_TRACKED = """\
-- What mode changes reads: Snowflake records the changes of these sources from now on. Their owner runs it. A view needs it beside the
-- tables that it reads."""

_REPLACED = """\
-- A source that is replaced (CREATE OR REPLACE, dbt) loses its grants, unless it is made with COPY GRANTS (in dbt: copy_grants). Where
-- it is not, remove the dashes, or give --future-grants: SELECT then holds for every object of that kind that is made there."""


def build_snowflake_sql(scope: SetupScope) -> str:
    """The whole file; every statement ends in a semicolon and can be repeated."""
    role = scope.facts.snowflake_role
    sections = (
        (
            "-- The role that unloads, and the warehouse that it does it with.",
            [*_create_role(scope), *grant_statements(_warehouse(scope), role)],
        ),
        (
            "-- Where it writes: Snowflake assumes an IAM role of yours, so that no key is needed.",
            [*_create_place(scope), *grant_statements(_place(scope), role)],
        ),
        (f"-- What it reads.\n{_KINDS}", list(grant_statements(_sources(scope), role))),
        (_TRACKED, _tracking(scope)),
        ("-- Who it is: a key pair, no password.", _user(scope)),
        ("-- What AWS has to know.", [f"DESC INTEGRATION {snowflake_identifier(scope.integration)}"]),
    )
    parts = [
        f"{title}\n" + "\n".join(f"{sql};" for sql in statements)
        for title, statements in sections
        if statements
    ]
    if scope.sources and not scope.facts.future_grants:
        future = grant_statements(future_grants(scope.sources), role)
        dashed = "\n".join(f"-- {line}" for sql in future for line in f"{sql};".splitlines())
        if dashed:
            parts.insert(3, f"{_REPLACED}\n{dashed}")
    return "\n\n".join([_HEAD, *parts]) + "\n"


def _warehouse(scope: SetupScope) -> tuple[SnowflakeGrant, ...]:
    return warehouse_grants(scope.warehouse, resized=scope.resizes_warehouse)


def _place(scope: SetupScope) -> tuple[SnowflakeGrant, ...]:
    return stage_grants(*scope.stage) if scope.stage else integration_grants(scope.integration)


def _sources(scope: SetupScope) -> tuple[SnowflakeGrant, ...]:
    grants = [grant for source, kind in scope.sources for grant in source_grants(source, kind)]
    # Databases first, then schemas, then the sources themselves.
    grants.sort(key=lambda grant: (not grant.on.startswith("DATABASE "), not grant.on.startswith("SCHEMA ")))
    return (*grants, *(future_grants(scope.sources) if scope.facts.future_grants else ()))


def _tracking(scope: SetupScope) -> list[str]:
    """For the tables of mode `changes`."""
    tracked = {table.source for table in scope.tables if Mode(table.mode) is Mode.CHANGES}
    statements = (build_tracking(source, kind) for source, kind in scope.sources if source in tracked)
    return [sql for sql in statements if sql is not None]


def _create_role(scope: SetupScope) -> list[str]:
    return [
        f"CREATE ROLE IF NOT EXISTS {snowflake_identifier(scope.facts.snowflake_role)}",
        (
            f"CREATE WAREHOUSE IF NOT EXISTS {snowflake_identifier(scope.warehouse)} WAREHOUSE_SIZE = 'XSMALL' AUTO_SUSPEND = 60 "
            "AUTO_RESUME = TRUE INITIALLY_SUSPENDED = TRUE"
        ),
    ]


def _create_place(scope: SetupScope) -> list[str]:
    place, integration = scope.place, snowflake_identifier(scope.integration)
    url = snowflake_literal(place.url)
    acl = "STORAGE_AWS_OBJECT_ACL = 'bucket-owner-full-control' " if place.foreign else ""
    arn = snowflake_literal(scope.facts.role_arn(scope.facts.iam_role))
    made = [
        (
            f"CREATE STORAGE INTEGRATION IF NOT EXISTS {integration} TYPE = EXTERNAL_STAGE "
            f"STORAGE_PROVIDER = {snowflake_literal(place.partition.provider)} ENABLED = TRUE STORAGE_AWS_ROLE_ARN = {arn} {acl}"
            f"STORAGE_ALLOWED_LOCATIONS = ({url})"
        )
    ]
    if scope.stage is None:
        return made
    database, schema, _ = scope.stage
    return [
        *made,
        f"CREATE DATABASE IF NOT EXISTS {snowflake_identifier(database)}",
        f"CREATE SCHEMA IF NOT EXISTS {snowflake_identifier(database, schema)}",
        f"CREATE STAGE IF NOT EXISTS {snowflake_identifier(*scope.stage)} URL = {url} STORAGE_INTEGRATION = {integration}",
    ]


def _user(scope: SetupScope) -> list[str]:
    facts = scope.facts
    user, role = snowflake_identifier(facts.snowflake_user), snowflake_identifier(facts.snowflake_role)
    key = snowflake_literal(facts.rsa_public_key or RSA_PUBLIC_KEY)
    return [
        (
            f"CREATE USER IF NOT EXISTS {user} TYPE = SERVICE DEFAULT_ROLE = {role} "
            f"DEFAULT_WAREHOUSE = {snowflake_identifier(scope.warehouse)}"
        ),
        f"ALTER USER {user} SET RSA_PUBLIC_KEY = {key}",
        f"GRANT ROLE {role} TO USER {user}",
    ]
