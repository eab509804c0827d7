"""The grants that the connection's role needs in PostgreSQL: for the ledger, the staging tables and each publish method.

Sources: PostgreSQL "GRANT", "ALTER TABLE" and "DROP INDEX" (renaming, dropping, adding a column and dropping an index need
ownership), "LOCK"; Amazon RDS "Importing data from Amazon S3" (the extension's grants). No predefined role (pg_*) is needed: what is
read of other sessions is open to every role, and only sessions of the same role are ended.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from snowmelt.sql.names import LEDGER_SCHEMA, postgres_identifier

_AWS_S3_SCHEMAS = ("aws_s3", "aws_commons")


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRights:
    """What the connection's role needs on a target that exists already; each publish method has its own."""

    #: On the target's schema: the staging table is made there.
    schema: tuple[str, ...] = ("USAGE", "CREATE")
    #: On the table; an owner has them all.
    table: tuple[str, ...] = ()
    #: Whether the role must own the table, or be a member of its owner.
    owner: bool = False

    def owned(self) -> TargetRights:
        """The same for a run that alters the target: adds columns (`schema_drift`), or drops indexes (`defer_indexes`)."""
        return TargetRights(schema=self.schema, table=self.table, owner=True)


#: What keeping the ledger needs, on each of its tables.
LEDGER_RIGHTS = TargetRights(table=("SELECT", "INSERT", "UPDATE", "DELETE"))


@dataclass(frozen=True, slots=True)
class PostgresGrant:
    """One right of the role, and the statement that gives it."""

    #: Empty: ownership.
    privileges: tuple[str, ...]
    #: `SCHEMA "mart"`, `TABLE "mart"."t"`: kind and quoted name.
    on: str

    def to_sql(self, role: str) -> str:
        """The statement, without a semicolon.

        :param role: to the letter.
        """
        who = postgres_identifier(role)
        if not self.privileges:
            return f"ALTER {self.on} OWNER TO {who}"
        return f"GRANT {', '.join(self.privileges)} ON {self.on} TO {who}"


def ledger_grants(*, exists: bool) -> tuple[PostgresGrant, ...]:
    """To keep the ledger.

    :param exists: whether its tables are there and belong to another role.
    """
    schema = PostgresGrant(
        LEDGER_RIGHTS.schema,
        f"SCHEMA {postgres_identifier(LEDGER_SCHEMA)}",
    )
    if not exists:
        return (schema,)
    tables = PostgresGrant(
        (*LEDGER_RIGHTS.table, "REFERENCES"),
        f"ALL TABLES IN SCHEMA {postgres_identifier(LEDGER_SCHEMA)}",
    )
    return schema, tables


def schema_grants(
    schema: str, privileges: tuple[str, ...] = TargetRights().schema
) -> tuple[PostgresGrant, ...]:
    """To make staging tables, and targets that are not there yet."""
    return (PostgresGrant(privileges, f"SCHEMA {postgres_identifier(schema)}"),)


def table_grants(schema: str, table: str, rights: TargetRights) -> tuple[PostgresGrant, ...]:
    """To publish into an existing target. An owner has all privileges on its table."""
    on = f"TABLE {postgres_identifier(schema, table)}"
    if rights.owner:
        return (PostgresGrant((), on),)
    return (PostgresGrant(rights.table, on),) if rights.table else ()


def aws_s3_grants() -> tuple[PostgresGrant, ...]:
    """To let the server import from S3 by itself."""
    schemas = ", ".join(_AWS_S3_SCHEMAS)
    return (
        PostgresGrant(("USAGE",), f"SCHEMA {schemas}"),
        PostgresGrant(("EXECUTE",), f"ALL FUNCTIONS IN SCHEMA {schemas}"),
    )


CREATE_AWS_S3 = "CREATE EXTENSION IF NOT EXISTS aws_s3 CASCADE"


def create_schema(schema: str, role: str) -> str:
    """The statement that makes a schema the role's own."""
    name = LEDGER_SCHEMA if schema == LEDGER_SCHEMA else postgres_identifier(schema)
    return f"CREATE SCHEMA {name} AUTHORIZATION {postgres_identifier(role)}"


def grant_statements(grants: Iterable[PostgresGrant], role: str) -> tuple[str, ...]:
    """The statements, each once."""
    return tuple(dict.fromkeys(grant.to_sql(role) for grant in grants))


#: Which rights the session's role holds on a target and its schema. Parameters (named): schema, table. One row: whether the
#: schema exists; the privileges on it; whether the table exists; whether the role owns it or is a member of its owner; the
#: privileges on it. The catalogs answer without USAGE on the schema.
READ_HELD = """
SELECT n.oid IS NOT NULL,
       ARRAY(SELECT p FROM unnest(ARRAY['USAGE', 'CREATE']) AS p WHERE has_schema_privilege(n.oid, p)),
       c.oid IS NOT NULL,
       coalesce(pg_has_role(c.relowner, 'USAGE'), false),
       ARRAY(SELECT p FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS p WHERE has_table_privilege(c.oid, p))
FROM (SELECT 1) AS one LEFT JOIN pg_namespace AS n ON n.nspname = %(schema)s
  LEFT JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = %(table)s AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
"""


@dataclass(frozen=True, slots=True)
class HeldRights:
    """What READ_HELD answered."""

    schema_exists: bool
    schema: tuple[str, ...]
    table_exists: bool
    owner: bool
    table: tuple[str, ...]

    @classmethod
    def from_row(cls, row: tuple[bool, list[str], bool, bool, list[str]]) -> HeldRights:
        """The row as a value."""
        return cls(row[0], tuple(row[1]), row[2], row[3], tuple(row[4]))


@dataclass(frozen=True, slots=True)
class MissingRight:
    """What the role lacks, and the statements that give it."""

    text: str
    statements: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.text}: {'; '.join(self.statements)}"


def find_missing(
    held: HeldRights, rights: TargetRights, schema: str, table: str, role: str
) -> tuple[MissingRight, ...]:
    """Everything that a publish into the target would lack, all at once.

    :param rights: of the publish method; they count only where the target exists.
    """
    if not held.schema_exists:
        return (MissingRight(f"the schema {schema} does not exist", (create_schema(schema, role),)),)
    missing = []
    lacking = tuple(privilege for privilege in rights.schema if privilege not in held.schema)
    if lacking:
        grant = PostgresGrant(lacking, f"SCHEMA {postgres_identifier(schema)}")
        text = f"the role {role} has no {' and no '.join(lacking)} on the schema {schema}"
        missing.append(MissingRight(text, (grant.to_sql(role),)))
    where = f"{schema}.{table}"
    if held.table_exists and rights.owner and not held.owner:
        statements = grant_statements(table_grants(schema, table, rights), role)
        text = f"the role {role} neither owns {where} nor is a member of its owner"
        missing.append(MissingRight(text, statements))
    elif held.table_exists and not rights.owner:
        lacking = tuple(privilege for privilege in rights.table if privilege not in held.table)
        if lacking:
            statements = grant_statements(table_grants(schema, table, TargetRights(table=lacking)), role)
            text = f"the role {role} has no {' and no '.join(lacking)} on {where}"
            missing.append(MissingRight(text, statements))
    return tuple(missing)
