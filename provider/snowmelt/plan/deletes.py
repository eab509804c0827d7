"""Rows of the target that the source no longer has: how they are found, and what becomes of them. Pure.

A merge finds them by keys, which are unloaded, loaded and verified beside its rows: those of all rows of the source, or, where
Snowflake says what has changed, those of the rows that were deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from snowmelt.config.request import MigrationRequest
from snowmelt.errors import ConfigurationError
from snowmelt.plan.facts import Start, StatisticsQuestion
from snowmelt.plan.plan import KEYS_SUFFIX, Plan
from snowmelt.publish.request import DeletedMark
from snowmelt.publish.staging_table import staging_name
from snowmelt.sql.names import postgres_identifier
from snowmelt.types.columns import ColumnRules, TargetColumn
from snowmelt.unload.chunks import Chunk
from snowmelt.unload.statements import DELETED, build_source, build_where
from snowmelt.vocabulary import Deletes, Mode

#: What a column that marks deleted rows may be.
_MARK_TYPES = frozenset({"boolean", "timestamp with time zone", "timestamp without time zone"})


def with_mark(
    request: MigrationRequest, rules: ColumnRules, target_columns: Sequence[TargetColumn] | None
) -> ColumnRules:
    """The column that marks deleted rows is the target's own: no source column fills it.

    :param target_columns: of the existing target.
    """
    name = request.policies.deleted_column
    there = name is not None and name in {column.name for column in target_columns or ()}
    if name is None or not there or name in rules.target_only:
        return rules
    return replace(rules, target_only=(*rules.target_only, name))


def plan_mark(request: MigrationRequest, target_columns: Sequence[TargetColumn] | None) -> DeletedMark | None:
    """How rows that the source no longer has are marked; None: they are not.

    :param target_columns: of the existing target; None where it is to be created.
    :raises ConfigurationError: the target has no such column, or one of another type.
    """
    name = request.policies.deleted_column
    if not name or request.deletes is not Deletes.SOFT or Mode(request.mode) in {Mode.TEST, Mode.UNLOAD}:
        return None
    if target_columns is None:
        return DeletedMark(column=name, flag=False, added=True)
    column = next((column for column in target_columns if column.name == name), None)
    where = postgres_identifier(request.target_schema, request.target_table)
    if column is None:
        if not request.merges:
            return None
        raise ConfigurationError(
            f"deleted_column is {name!r}, and {request.target_schema}.{request.target_table} has no such column. "
            f"ALTER TABLE {where} ADD COLUMN {postgres_identifier(name)} timestamptz"
        )
    if column.type.name not in _MARK_TYPES:
        raise ConfigurationError(
            f"deleted_column is {name!r}, a column of type {column.type} in {request.target_schema}.{request.target_table}. "
            "Name a boolean or a timestamp."
        )
    return DeletedMark(column=name, flag=column.type.name == "boolean")


def ask_deleted(request: MigrationRequest, start: Start, snapshot: str | None) -> str | None:
    """The query that counts the rows which were deleted since the last run; None: they are not removed by that."""
    if start.changes_since is None or request.deletes is Deletes.IGNORE:
        return None
    source = build_source(request.source.sql, snapshot, start.changes_since)
    return StatisticsQuestion(build_where(request.source_filter or "", DELETED)).sql(source)


def with_keys(request: MigrationRequest, plan: Plan, rows: int) -> Plan:
    """The plan with that of the keys.

    :param rows: that have them.
    :raises ConfigurationError: a column of the key is not copied.
    """
    missing = set(plan.uniqueness_columns) - {column.source for column in plan.columns}
    if missing:
        raise ConfigurationError(
            f"deletes are found by keys, and {', '.join(sorted(missing))} of uniqueness_columns is not copied. "
            "Copy it, or set deletes to ignore."
        )
    staging = staging_name(request.target_table, f"{plan.run_id}{KEYS_SUFFIX}")
    deleted = "" if plan.changes_since is None else DELETED
    where = build_where(request.source_filter or "", deleted)
    keys = plan_keys(plan, rows=rows, where=where, staging_table=staging)
    return replace(plan, keys=keys)


def plan_keys(plan: Plan, *, rows: int, where: str, staging_table: str) -> Plan:
    """The plan that unloads, loads and verifies keys beside the run's delta: of all rows at its snapshot, or of deleted ones.

    A run of its own in the ledger, so that every count of the delta stays what it is. Its one chunk follows those of the run.

    :param rows: rows that have these keys.
    :param where: the predicate that selects them.
    """
    wanted = set(plan.uniqueness_columns)
    label = f"keys of all {rows:,} rows" if plan.changes_since is None else f"keys of {rows:,} deleted rows"
    chunk = Chunk(len(plan.chunks), "", rows, label)
    return replace(
        plan,
        run_id=f"{plan.run_id}{KEYS_SUFFIX}",
        mode=Mode.KEYS,
        staging_table=staging_table,
        columns=tuple(column for column in plan.columns if column.source in wanted),
        added_columns=(),
        where=where,
        source_rows=rows,
        chunks=(chunk,),
        watermark_column=None,
        watermark=None,
        watermark_before=None,
        keys=None,
    )
