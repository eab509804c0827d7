"""postgres.sql and rds-aws_s3.sql: a role without superuser, and exactly the rights that each way of publishing needs.

Sources: PostgreSQL "GRANT", "ALTER TABLE" (renaming and dropping need ownership), `core/publish/target_obstacles.py`, which checks
the same rights before a publish; Amazon RDS "Importing data from Amazon S3" (the extension's grants).
"""

from __future__ import annotations

from snowmelt.config.table import TableConfig
from snowmelt.setup.facts import SetupFacts
from snowmelt.setup.scope import SetupScope
from snowmelt.sql.names import postgres_block, postgres_identifier, postgres_literal
from snowmelt.vocabulary import Mode

_LEDGER = "snowmelt"

_HEAD = """\
-- Snowmelt in PostgreSQL. Run it once in the target database, as its owner or administrator (no superuser is needed: on RDS the master
-- user will do, if it owns the schemas or may grant on them). It can be run again. The role gets no password here: set one in psql
-- by \\password, or let it log in by IAM."""

_RDS_HEAD = """\
-- For load_method aws_s3 alone, which takes CSV; Parquet is loaded without it. Run it in the target database as a member of rds_superuser
-- (only that one may create the extension); the role of Snowmelt needs no more than these grants."""

_SWAPPED = """\
-- Targets that are swapped are dropped and renamed, which only their owner may do. A target that Snowmelt makes is its own; give it
-- one that is there already by taking the dashes away, or set "publish": "truncate" in the configuration, which needs rights on its
-- rows alone. Who gives a table away has to be a member of the role that gets it.
-- GRANT {role} TO CURRENT_USER;"""

#: How a table is published → the rights that it needs on a target that is there already; the swap needs the table itself.
_ROW_RIGHTS = {
    "merge": ("SELECT", "INSERT", "UPDATE"),
    "merge and delete": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    "replace": ("SELECT", "INSERT", "DELETE"),
    "append": ("SELECT", "INSERT"),
}


def build_postgres_sql(scope: SetupScope, facts: SetupFacts) -> str:
    """The whole file; every statement can be repeated, and a target that is not there yet is passed over."""
    role = postgres_identifier(facts.postgres_role)
    parts = [
        _HEAD,
        "-- The role.\n"
        + _do(
            f"BEGIN\n  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {postgres_literal(facts.postgres_role)}) THEN\n"
            f"    CREATE ROLE {role} LOGIN NOCREATEDB NOCREATEROLE;\n  END IF;\n"
            f"  EXECUTE pg_catalog.format('GRANT CONNECT ON DATABASE %I TO %I', pg_catalog.current_database(), {postgres_literal(facts.postgres_role)});\nEND"
        ),
        "-- The ledger: its tables are made there by the first run.\n" + _schema(_LEDGER, role),
        "-- The targets' schemas: staging tables are made there, and targets that are not there yet.\n"
        + "\n".join(_schema(schema, role) for schema in scope.target_schemas),
    ]
    rows = [(table, _ROW_RIGHTS[_publish(table)]) for table in scope.tables if _publish(table) in _ROW_RIGHTS]
    if rows:
        parts.append(
            "-- Targets that are filled row by row (truncate, append, catch_up), where they are there already.\n"
            + "\n".join(_grant(table, rights, role) for table, rights in rows)
        )
    swapped = [table for table in scope.tables if _publish(table) == "swap"]
    if swapped:
        parts.append(
            "\n".join(
                [_SWAPPED.format(role=role), *(f"-- {build_give_table(table, facts)}" for table in swapped)]
            )
        )
    return "\n\n".join(parts) + "\n"


def build_give_table(table: TableConfig, facts: SetupFacts) -> str:
    """The statement that makes an existing target Snowmelt's own; on one line, so that dashes make a comment of it."""
    name = postgres_identifier(table.target_schema, table.target_table)
    if len(name.splitlines()) > 1:
        return f"{table.path}: the target's name has a line end; give Snowmelt that table by hand."
    return f"ALTER TABLE IF EXISTS {name} OWNER TO {postgres_identifier(facts.postgres_role)};"


def build_rds_sql(facts: SetupFacts) -> str:
    """The extension and the grants on it."""
    role = postgres_identifier(facts.postgres_role)
    return (
        f"{_RDS_HEAD}\n\n"
        "CREATE EXTENSION IF NOT EXISTS aws_s3 CASCADE;\n"
        f"GRANT USAGE ON SCHEMA aws_s3, aws_commons TO {role};\n"
        f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA aws_s3, aws_commons TO {role};\n"
    )


def _publish(table: TableConfig) -> str:
    """How the table's own DAG publishes it; a run from the trigger form may choose otherwise."""
    if table.mode == Mode.INCREMENTAL:
        return "merge and delete" if table.policies.reconcile_deletes else "merge"
    return "" if table.mode in {"unload", "test"} else table.publish


def _schema(name: str, role: str) -> str:
    schema = postgres_identifier(name)
    return f"CREATE SCHEMA IF NOT EXISTS {schema};\nGRANT USAGE, CREATE ON SCHEMA {schema} TO {role};"


def _grant(table: TableConfig, rights: tuple[str, ...], role: str) -> str:
    name = postgres_identifier(table.target_schema, table.target_table)
    return _do(
        f"BEGIN\n  IF pg_catalog.to_regclass({postgres_literal(name)}) IS NOT NULL THEN\n"
        f"    GRANT {', '.join(rights)} ON TABLE {name} TO {role};\n  END IF;\nEND"
    )


def _do(body: str) -> str:
    return f"DO {postgres_block(body)};"
