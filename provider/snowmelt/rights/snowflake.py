"""The grants that the connection's role needs in Snowflake, by the kind of object.

Sources: Snowflake "GRANT <privileges> … TO ROLE", "Access control privileges" (an external stage needs USAGE; resizing a warehouse
needs MODIFY), "Data consumers" (a database from a share takes IMPORTED PRIVILEGES), "CREATE STORAGE INTEGRATION".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from snowmelt.sql.names import TableName, snowflake_identifier


class SourceKind(StrEnum):
    """What a source is in Snowflake: each kind is granted by its own words."""

    TABLE = "table"
    VIEW = "view"
    MATERIALIZED_VIEW = "materialized_view"
    DYNAMIC_TABLE = "dynamic_table"
    EXTERNAL_TABLE = "external_table"
    ICEBERG_TABLE = "iceberg_table"
    IMPORTED = "imported"  #: in a database from a share or the Marketplace, whose objects cannot be granted one by one

    @property
    def words(self) -> str:
        """`TABLE`, `EXTERNAL TABLE` …, as GRANT takes it."""
        return self.value.replace("_", " ").upper()


@dataclass(frozen=True, slots=True)
class SnowflakeGrant:
    """One GRANT to a role."""

    privileges: tuple[str, ...]
    #: `WAREHOUSE "W"`, `TABLE "D"."S"."T"`: kind and quoted name.
    on: str
    #: What a run does with it.
    reason: str

    def to_sql(self, role: str) -> str:
        """The statement, without a semicolon.

        :param role: to the letter.
        """
        return f"GRANT {', '.join(self.privileges)} ON {self.on} TO ROLE {snowflake_identifier(role)}"


def warehouse_grants(warehouse: str, *, resized: bool) -> tuple[SnowflakeGrant, ...]:
    """To run queries; and, where `warehouse_size` is configured, to read the size and change it."""
    on = f"WAREHOUSE {snowflake_identifier(warehouse)}"
    use = SnowflakeGrant(("USAGE",), on, "queries and unloads")
    if not resized:
        return (use,)
    return (use, SnowflakeGrant(("MODIFY", "MONITOR"), on, "`warehouse_size`: the size is read and changed"))


def stage_grants(database: str, schema: str, stage: str) -> tuple[SnowflakeGrant, ...]:
    """To write files and remove them through an external stage; its integration needs no grant."""
    return (
        *_place_grants(database, schema),
        SnowflakeGrant(
            ("USAGE",),
            f"STAGE {snowflake_identifier(database, schema, stage)}",
            "unloads, the manifest, REMOVE",
        ),
    )


def integration_grants(integration: str) -> tuple[SnowflakeGrant, ...]:
    """To write files without a stage."""
    on = f"INTEGRATION {snowflake_identifier(integration)}"
    return (SnowflakeGrant(("USAGE",), on, "unloads without a stage"),)


def source_grants(source: TableName, kind: SourceKind = SourceKind.TABLE) -> tuple[SnowflakeGrant, ...]:
    """To read one source."""
    if kind is SourceKind.IMPORTED:
        on = f"DATABASE {snowflake_identifier(source.database)}"
        return (SnowflakeGrant(("IMPORTED PRIVILEGES",), on, "reading a shared database"),)
    return (
        *_place_grants(source.database, source.schema),
        SnowflakeGrant(("SELECT",), f"{kind.words} {source.sql}", "reading the source"),
    )


def future_grants(
    sources: Iterable[tuple[TableName, SourceKind]],
) -> tuple[SnowflakeGrant, ...]:
    """For sources that are replaced (CREATE OR REPLACE, dbt): a new object does not keep the grants of the old one.

    Wider than the grants on the sources: each holds for every object of that kind that is made in the schema from then on.
    """
    places = dict.fromkeys(
        (kind.words, snowflake_identifier(source.database, source.schema))
        for source, kind in sources
        if kind is not SourceKind.IMPORTED
    )
    return tuple(
        SnowflakeGrant(("SELECT",), f"FUTURE {words}S IN SCHEMA {schema}", "sources that are replaced")
        for words, schema in places
    )


def build_tracking(source: TableName, kind: SourceKind = SourceKind.TABLE) -> str | None:
    """The statement by which Snowflake records what changes in a source, for mode `changes`; None: it cannot for this kind.

    Its owner runs it (docs.snowflake.com/en/sql-reference/constructs/changes, .../sql/alter-table). A view needs it beside the tables
    that it reads.
    """
    if kind in {SourceKind.IMPORTED, SourceKind.EXTERNAL_TABLE, SourceKind.MATERIALIZED_VIEW}:
        return None
    return f"ALTER {kind.words} {source.sql} SET CHANGE_TRACKING = TRUE"


def grant_statements(grants: Iterable[SnowflakeGrant], role: str) -> tuple[str, ...]:
    """The statements, each once."""
    return tuple(dict.fromkeys(grant.to_sql(role) for grant in grants))


def describe_missing(grants: Sequence[SnowflakeGrant], role: str) -> str:
    """The end of an error text: the statements that an administrator runs."""
    return f"If a grant is missing, run in Snowflake: {'; '.join(grant_statements(grants, role))}."


def _place_grants(database: str, schema: str) -> tuple[SnowflakeGrant, ...]:
    return (
        SnowflakeGrant(("USAGE",), f"DATABASE {snowflake_identifier(database)}", "finding the schema"),
        SnowflakeGrant(("USAGE",), f"SCHEMA {snowflake_identifier(database, schema)}", "finding the object"),
    )
