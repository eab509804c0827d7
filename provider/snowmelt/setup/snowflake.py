"""snowflake.sql: role, warehouse, storage integration, stage, grants on exactly the configured tables, user.

Sources: Snowflake "Configuring a storage integration to access Amazon S3", "CREATE STORAGE INTEGRATION", "CREATE STAGE",
"Access control privileges" (an external stage needs USAGE; a warehouse with AUTO_RESUME needs USAGE alone), "CREATE USER".
"""

from __future__ import annotations

from snowmelt.setup.facts import RSA_PUBLIC_KEY, SetupFacts
from snowmelt.setup.scope import SetupScope
from snowmelt.sql.names import snowflake_identifier, snowflake_literal

_HEAD = """\
-- Snowmelt in Snowflake. Run it once, as a role that may create integrations (ACCOUNTADMIN, or one with CREATE INTEGRATION,
-- CREATE ROLE, CREATE USER, CREATE WAREHOUSE, and the right to grant on the source's tables). It can be run again.
-- The last statement shows STORAGE_AWS_IAM_USER_ARN and STORAGE_AWS_EXTERNAL_ID: iam-trust-policy.json needs both."""


def build_snowflake_sql(scope: SetupScope, facts: SetupFacts) -> str:
    """The whole file; every statement ends in a semicolon and can be repeated."""
    sections = (
        ("The role that unloads, and the warehouse that it does it with", _role(scope, facts)),
        ("Where it writes: Snowflake takes an IAM role of yours, so that no key is needed", _staging(scope, facts)),
        ("What it reads. A view needs SELECT ON VIEW instead of ON TABLE", _sources(scope, facts)),
        ("Who it is: a key pair, no password", _user(scope, facts)),
        ("What AWS has to be told", _describe(scope)),
    )  # fmt: skip
    body = "\n\n".join(
        f"-- {title}.\n" + "\n".join(f"{sql};" for sql in statements)
        for title, statements in sections
        if statements
    )
    return f"{_HEAD}\n\n{body}\n"


def _warehouse(scope: SetupScope, facts: SetupFacts) -> str:
    return snowflake_identifier(scope.config.snowflake_unload.warehouse or facts.warehouse)


def _role(scope: SetupScope, facts: SetupFacts) -> list[str]:
    role, warehouse = snowflake_identifier(facts.snowflake_role), _warehouse(scope, facts)
    size = scope.config.snowflake_unload.warehouse_size or "XSMALL"
    return [
        f"CREATE ROLE IF NOT EXISTS {role}",
        (
            f"CREATE WAREHOUSE IF NOT EXISTS {warehouse} WAREHOUSE_SIZE = {snowflake_literal(size)} AUTO_SUSPEND = 60 AUTO_RESUME = TRUE "
            "INITIALLY_SUSPENDED = TRUE"
        ),
        f"GRANT USAGE ON WAREHOUSE {warehouse} TO ROLE {role}",
    ]


def _staging(scope: SetupScope, facts: SetupFacts) -> list[str]:
    unload = scope.config.snowflake_unload
    role = snowflake_identifier(facts.snowflake_role)
    url = snowflake_literal(f"s3://{scope.bucket}/")
    integration = snowflake_identifier(unload.storage_integration or "SNOWMELT_S3")
    made = [
        (
            f"CREATE STORAGE INTEGRATION IF NOT EXISTS {integration} TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE "
            f"STORAGE_AWS_ROLE_ARN = {snowflake_literal(facts.role_arn(facts.iam_role))} STORAGE_ALLOWED_LOCATIONS = ({url})"
        )
    ]
    if not (unload.stage_name and unload.stage_database and unload.stage_schema):
        return [*made, f"GRANT USAGE ON INTEGRATION {integration} TO ROLE {role}"]
    database = snowflake_identifier(unload.stage_database)
    schema = snowflake_identifier(unload.stage_database, unload.stage_schema)
    stage = snowflake_identifier(unload.stage_database, unload.stage_schema, unload.stage_name)
    return [
        *made,
        f"CREATE DATABASE IF NOT EXISTS {database}",
        f"CREATE SCHEMA IF NOT EXISTS {schema}",
        f"CREATE STAGE IF NOT EXISTS {stage} URL = {url} STORAGE_INTEGRATION = {integration}",
        f"GRANT USAGE ON DATABASE {database} TO ROLE {role}",
        f"GRANT USAGE ON SCHEMA {schema} TO ROLE {role}",
        f"GRANT USAGE ON STAGE {stage} TO ROLE {role}",
    ]


def _sources(scope: SetupScope, facts: SetupFacts) -> list[str]:
    role = snowflake_identifier(facts.snowflake_role)
    names = [table.source for table in scope.tables]
    databases = dict.fromkeys(snowflake_identifier(name.database) for name in names)
    schemas = dict.fromkeys(snowflake_identifier(name.database, name.schema) for name in names)
    return [
        *(f"GRANT USAGE ON DATABASE {database} TO ROLE {role}" for database in databases),
        *(f"GRANT USAGE ON SCHEMA {schema} TO ROLE {role}" for schema in schemas),
        *(f"GRANT SELECT ON TABLE {table} TO ROLE {role}" for table in dict.fromkeys(n.sql for n in names)),
    ]


def _user(scope: SetupScope, facts: SetupFacts) -> list[str]:
    user, role = snowflake_identifier(facts.snowflake_user), snowflake_identifier(facts.snowflake_role)
    key = snowflake_literal(facts.rsa_public_key or RSA_PUBLIC_KEY)
    return [
        (
            f"CREATE USER IF NOT EXISTS {user} TYPE = SERVICE DEFAULT_ROLE = {role} "
            f"DEFAULT_WAREHOUSE = {_warehouse(scope, facts)}"
        ),
        f"ALTER USER {user} SET RSA_PUBLIC_KEY = {key}",
        f"GRANT ROLE {role} TO USER {user}",
    ]


def _describe(scope: SetupScope) -> list[str]:
    name = scope.config.snowflake_unload.storage_integration or "SNOWMELT_S3"
    return [f"DESC INTEGRATION {snowflake_identifier(name)}"]
