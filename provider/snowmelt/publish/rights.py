"""The rights that a publish needs, by what is configured, and the statements for those that the role lacks. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from snowmelt.config.policies import Policies
from snowmelt.publish.obstacles import Obstacle, PublishIntent
from snowmelt.publish.strategies import STRATEGIES
from snowmelt.rights.postgres import (
    TargetRights,
    create_schema,
    grant_statements,
    schema_grants,
    table_grants,
)
from snowmelt.vocabulary import Mode, OnChange, PublishMethod, SchemaDrift


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
        """What happens to a row, name or change that does not fit."""


def publish_method(publishing: Publishing) -> PublishMethod | None:
    """How rows are published; None where the mode leaves the target as it is."""
    mode = Mode(publishing.mode)
    if mode in {Mode.UNLOAD, Mode.COMPARE, Mode.TEST}:
        return None
    if mode.continues:
        appends = mode is Mode.INCREMENTAL and publishing.publish == PublishMethod.APPEND
        return PublishMethod.APPEND if appends else PublishMethod.MERGE
    if mode is Mode.REPAIR:
        return PublishMethod.REPAIR
    return PublishMethod(publishing.publish or PublishMethod.APPEND)


def publish_rights(publishing: Publishing) -> TargetRights | None:
    """What a publish needs on an existing target; None where nothing is made in the target's schema."""
    method = publish_method(publishing)
    if Mode(publishing.mode) is Mode.COMPARE:
        return TargetRights(table=("SELECT",))
    if method is None:
        return None if Mode(publishing.mode) is Mode.UNLOAD else TargetRights()
    mode, policies = Mode(publishing.mode), publishing.policies
    rights = STRATEGIES[method].rights(deletes=policies.deletes_in(mode))
    if not mode.continues or OnChange(policies.on_change) is OnChange.FAIL:
        return rights
    # A run that may not go on from the last one repairs the whole target, or replaces its rows.
    table = dict.fromkeys((*rights.table, *STRATEGIES[PublishMethod.REPAIR].rights().table))
    return replace(rights, table=tuple(table))


def alters_target(publishing: Publishing) -> bool:
    """Whether a run may add columns to the target, widen some, or drop its indexes for a while: only its owner may."""
    policies = publishing.policies
    drifts = SchemaDrift(policies.schema_drift) is not SchemaDrift.FAIL
    alters = drifts or policies.audit_columns or policies.defer_indexes
    return publish_method(publishing) is not None and alters


def build_statements(obstacle: Obstacle, intent: PublishIntent, role: str) -> tuple[str, ...]:
    """The statements that give a missing right; none where the obstacle is something else."""
    schema, table = intent.schema, intent.table
    if obstacle.kind == "schema":
        return (create_schema(schema, role),)
    if obstacle.kind == "schema right":
        return grant_statements(schema_grants(schema, (obstacle.privilege,)), role)
    rights = {
        "owner": TargetRights(owner=True),
        "right": TargetRights(table=(obstacle.privilege,)),
    }.get(obstacle.kind)
    return grant_statements(table_grants(schema, table, rights), role) if rights else ()


def describe_obstacle(obstacle: Obstacle, intent: PublishIntent, role: str) -> str:
    """The obstacle as an error shows it: what it is, what to do, and the statements for it."""
    statements = build_statements(obstacle, intent, role)
    return f"{obstacle} Run in PostgreSQL: {'; '.join(statements)};" if statements else str(obstacle)
