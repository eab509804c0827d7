"""postgres.sql and rds-aws_s3.sql: a role without superuser, and exactly the rights that each publish method needs.

The grants are those of `snowmelt.rights.postgres`.
"""

from __future__ import annotations

from snowmelt.config.table import TableConfig
from snowmelt.rights.postgres import (
    CREATE_AWS_S3,
    PostgresGrant,
    TargetRights,
    aws_s3_grants,
    grant_statements,
    ledger_grants,
    schema_grants,
    table_grants,
)
from snowmelt.setup.facts import SetupFacts, SetupScope, target_rights
from snowmelt.sql.names import LEDGER_SCHEMA, postgres_block, postgres_identifier, postgres_literal

_HEAD = """\
-- Snowmelt in PostgreSQL. Run it once in the target database, as its owner or administrator (no superuser is needed: on RDS the master
-- user will do, if it owns the schemas or may grant on them). It can be run again. The role gets no password here: set one in psql
-- by \\password, or let it log in by IAM."""

_RDS_HEAD = """\
-- For load_method aws_s3 alone, which takes CSV; Parquet is loaded without it. Run it in the target database as a member of rds_superuser
-- (only that one may create the extension); the role of Snowmelt needs no more than these grants."""

_OWNED = """\
-- Targets that are swapped (or get columns by schema_drift, or have their indexes dropped by defer_indexes) are changed in ways that only
-- their owner may. A target that Snowmelt makes is its own; give it one that is there already by removing the dashes, or set
-- "publish": "replace" in the configuration, which needs rights on its rows alone. Who gives a table away has to be a member of the role
-- that gets it.
-- GRANT {role} TO CURRENT_USER;"""


def build_postgres_sql(scope: SetupScope) -> str:
    """The whole file; every statement can be repeated, and a target that is not there yet is passed over."""
    name = scope.facts.postgres_role
    role = postgres_identifier(name)
    parts = [
        _HEAD,
        "-- The role.\n"
        + _do(
            f"BEGIN\n  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {postgres_literal(name)}) THEN\n"
            f"    CREATE ROLE {role} LOGIN NOCREATEDB NOCREATEROLE;\n  END IF;\n"
            f"  EXECUTE pg_catalog.format('GRANT CONNECT ON DATABASE %I TO %I', pg_catalog.current_database(), {postgres_literal(name)});\nEND"
        ),
        "-- The ledger: its tables are made there by the first run.\n"
        + _schema(LEDGER_SCHEMA, ledger_grants(exists=False), name),
    ]
    if scope.target_schemas:
        parts.append(
            "-- The targets' schemas: staging tables are made there, and targets that are not there yet.\n"
            + "\n".join(_schema(schema, schema_grants(schema), name) for schema in scope.target_schemas)
        )
    filled = [(table, TargetRights(table=rights.table)) for table, rights in _targets(scope) if rights.table]
    if filled:
        parts.append(
            "-- Targets that are filled row by row, where they are there already.\n"
            + "\n".join(_grant(table, rights, name) for table, rights in filled)
        )
    owned = [table for table, rights in _targets(scope) if rights.owner]
    if owned:
        lines = (f"-- {build_give_table(table, scope.facts)}" for table in owned)
        parts.append("\n".join([_OWNED.format(role=role), *lines]))
    return "\n\n".join(parts) + "\n"


def build_give_table(table: TableConfig, facts: SetupFacts) -> str:
    """The statement that makes an existing target Snowmelt's own; on one line, so that dashes make a comment of it."""
    (grant,) = _on_target(table, TargetRights(owner=True))
    if len(grant.on.splitlines()) > 1:
        return f"{table.path}: the target's name has a line end; give Snowmelt that table by hand."
    return f"{grant.to_sql(facts.postgres_role).replace('ALTER TABLE', 'ALTER TABLE IF EXISTS', 1)};"


def build_rds_sql(facts: SetupFacts) -> str:
    """The extension and the grants on it."""
    statements = (CREATE_AWS_S3, *grant_statements(aws_s3_grants(), facts.postgres_role))
    return f"{_RDS_HEAD}\n\n" + "".join(f"{statement};\n" for statement in statements)


def _targets(scope: SetupScope) -> list[tuple[TableConfig, TargetRights]]:
    found = ((table, target_rights(table)) for table in scope.tables)
    return [(table, rights) for table, rights in found if rights is not None]


def _on_target(table: TableConfig, rights: TargetRights) -> tuple[PostgresGrant, ...]:
    return table_grants(table.target_schema, table.target_table, rights)


def _schema(name: str, grants: tuple[PostgresGrant, ...], role: str) -> str:
    statements = (
        f"CREATE SCHEMA IF NOT EXISTS {postgres_identifier(name)}",
        *grant_statements(grants, role),
    )
    return "\n".join(f"{statement};" for statement in statements)


def _grant(table: TableConfig, rights: TargetRights, role: str) -> str:
    name = postgres_identifier(table.target_schema, table.target_table)
    statements = "".join(
        f"    {statement};\n" for statement in grant_statements(_on_target(table, rights), role)
    )
    return _do(
        f"BEGIN\n  IF pg_catalog.to_regclass({postgres_literal(name)}) IS NOT NULL THEN\n{statements}  END IF;\nEND"
    )


def _do(body: str) -> str:
    return f"DO {postgres_block(body)};"
