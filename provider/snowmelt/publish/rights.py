"""The rights that a publish needs, by what is configured, and those that the connection's role lacks."""

from __future__ import annotations

from typing import Any, Protocol

import psycopg

from snowmelt.config.table import Policies
from snowmelt.errors import AccessError, Topic, see
from snowmelt.publish.strategies import STRATEGIES
from snowmelt.rights.postgres import READ_HELD, HeldRights, MissingRight, TargetRights, find_missing
from snowmelt.vocabulary import Mode, PublishMethod, SchemaDrift


class Publishing(Protocol):
    """What a configured table and a run's request have in common."""

    @property
    def mode(self) -> str:
        """A word of Mode."""

    @property
    def publish(self) -> str | None:
        """A word of PublishMethod."""

    @property
    def policies(self) -> Policies:
        """What happens to what does not fit by itself."""


def publish_method(publishing: Publishing) -> PublishMethod | None:
    """How rows are published; None where the mode leaves the target as it is."""
    mode = Mode(publishing.mode)
    if mode in {Mode.UNLOAD, Mode.TEST}:
        return None
    if mode is Mode.INCREMENTAL:
        return PublishMethod.MERGE
    return PublishMethod(publishing.publish or PublishMethod.APPEND)


def publish_rights(publishing: Publishing) -> TargetRights | None:
    """What a publish needs on an existing target; None where nothing is made in the target's schema."""
    method = publish_method(publishing)
    if method is None:
        return None if Mode(publishing.mode) is Mode.UNLOAD else TargetRights()
    return STRATEGIES[method].rights(deletes=publishing.policies.reconcile_deletes)


def alters_target(publishing: Publishing) -> bool:
    """Whether a run may add columns to the target, or drop its indexes for a while: only its owner may."""
    policies = publishing.policies
    drifts = SchemaDrift(policies.schema_drift) is SchemaDrift.ADD_COLUMNS
    return publish_method(publishing) is not None and (drifts or policies.defer_indexes)


def read_missing(
    connection: psycopg.Connection[Any], rights: TargetRights, schema: str, table: str
) -> tuple[MissingRight, ...]:
    """Everything that the role lacks, each with the statement that gives it."""
    row = connection.execute(READ_HELD, {"schema": schema, "table": table}).fetchone()
    held = HeldRights.from_row(row)  # type: ignore[arg-type]
    return find_missing(held, rights, schema, table, connection.info.user)


def refuse_missing(
    connection: psycopg.Connection[Any], publishing: Publishing, schema: str, table: str
) -> None:
    """Stop a run before anything is unloaded.

    :raises AccessError: it names all missing rights and their statements.
    """
    rights = publish_rights(publishing)
    missing = read_missing(connection, rights, schema, table) if rights else ()
    if missing:
        listed = "\n".join(f"  - {one}" for one in missing)
        raise AccessError(
            f"{schema}.{table} cannot be published into with the rights of the connection's role. Run in PostgreSQL, as the owner of what "
            f"they name:\n{listed}\n{see(Topic.POSTGRES_GRANT)}"
        )
