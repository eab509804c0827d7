"""Planning a run: what Snowflake and PostgreSQL say about the table becomes a Plan, stored in the ledger once."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import psycopg

from snowmelt.config.request import MigrationRequest, match_columns
from snowmelt.drivers.snowflake import Connection, read_columns
from snowmelt.errors import ConfigurationError, PlanChanged
from snowmelt.ledger.runs import read_run, write_ledger, write_run
from snowmelt.plan.plan import KEYS_SUFFIX, Plan, plan_keys
from snowmelt.plan.statistics import refuse_nanoseconds
from snowmelt.publish.staging_table import staging_name
from snowmelt.publish.target import TargetTable, obstacles_to_swap, read_target
from snowmelt.steps.earlier import find_unfinished, plan_load
from snowmelt.steps.plan_parts import (
    PlanningSessions,
    RunIdentity,
    settle_columns,
    settle_common,
    settle_path,
)
from snowmelt.steps.survey import (
    check_counted,
    count_keys,
    find_numbers,
    read_chunks,
    read_since,
    refuse_outgrown,
    take_snapshot,
)
from snowmelt.types.narrow import plan_narrow
from snowmelt.unload.chunk import read_location
from snowmelt.unload.chunks import whole_table
from snowmelt.unload.statements import build_source, build_where
from snowmelt.vocabulary import Mode

__all__ = ["PlanningSessions", "RunIdentity", "plan_run", "read_plan"]

log = logging.getLogger(__name__)


def plan_run(sessions: PlanningSessions, request: MigrationRequest, identity: RunIdentity) -> Plan:
    """The run's plan: the stored one where there is one, else a new one, stored before it is returned.

    A run in mode `load` that names an unfinished run of this ledger gets that run's own plan, and goes on with it.

    :raises PlanChanged: the run was planned under another configuration; both values are named.
    :raises ConfigurationError, SchemaError, SourceError: with everything that stands in the way.
    """
    write_ledger(sessions.postgres)
    known = read_run(sessions.postgres, identity.run_id)
    stored: dict[str, Any] = known or {}
    if known is None:
        unfinished = find_unfinished(sessions.postgres, request, identity)
        if unfinished is not None:
            return unfinished
        plan = _make_plan(sessions, request, identity)
        for part in reversed(plan.parts):  # the run itself last: what is found stored is stored whole
            stored = write_run(sessions.postgres, _ledger_row(part, request, identity))
    changes = MigrationRequest.from_json(stored["request"]).differences(request)
    if changes:
        raise PlanChanged(
            f"Run {identity.run_id} was planned under another configuration, and a plan is kept: {'; '.join(changes)}. "
            "Put the old values back to finish this run, or start a new one."
        )
    return Plan.from_json(stored["plan"])


def _ledger_row(plan: Plan, request: MigrationRequest, identity: RunIdentity) -> dict[str, Any]:
    return {
        "run_id": plan.run_id,
        "dag_id": identity.dag_id,
        "dag_run_id": identity.dag_run_id,
        "mode": plan.mode,
        "source": str(plan.source),
        "target": plan.target,
        "snapshot": plan.snapshot,
        "snapshot_note": plan.snapshot_note,
        "request": request.to_json(),
        "fingerprint": request.fingerprint(),
        "plan": plan.to_json(),
        "source_rows": plan.source_rows,
    }


def read_plan(postgres: psycopg.Connection[Any], run_id: str) -> Plan:
    """The stored plan of a run.

    :raises ConfigurationError: the ledger does not know the run.
    """
    stored = read_run(postgres, run_id)
    if stored is None:
        raise ConfigurationError(
            f"The ledger of database {postgres.info.dbname!r} has no run {run_id!r}. Clear the task `plan` of this DAG run, "
            "or check that all tasks use the same PostgreSQL connection."
        )
    return Plan.from_json(stored["plan"])


def _make_plan(sessions: PlanningSessions, request: MigrationRequest, identity: RunIdentity) -> Plan:
    target = read_target(sessions.postgres, request.target_schema, request.target_table)
    _refuse_obstacles(sessions.postgres, request, target)
    if request.mode == "load":
        return plan_load(sessions, request, identity, target)
    source = request.source
    location = read_location(
        sessions.snowflake,
        bucket=request.staging.bucket,
        stage=request.staging.stage,
        integration=request.staging.storage_integration or "",
    )
    source_columns = read_columns(sessions.snowflake, source)
    request = match_columns(request, [column.name for column in source_columns])
    columns = settle_columns(request, source_columns, target)
    since = read_since(sessions.postgres, request, source_columns, columns, target, identity.window)
    where = build_where(request.source_filter or "", since.predicate)
    measured = find_numbers(request, source_columns, columns) if request.narrow_numbers else {}
    snapshot, note, census = take_snapshot(
        sessions.snowflake, request, columns, where, since.highest, measured
    )
    if target is None and measured:
        rules = replace(request.columns, type={**request.columns.type, **plan_narrow(census.ranges)})
        columns = settle_columns(request.model_copy(update={"columns": rules}), source_columns, None)
    elif target is not None:
        refuse_outgrown(request, columns, target, census.ranges)
    reported = refuse_nanoseconds(census, request.policies.nanoseconds, str(source))
    if reported:
        log.warning(reported)
    rows = min(census.rows, request.row_limit or 0) if request.mode == "test" else census.rows
    chunks = (
        read_chunks(
            sessions.snowflake, request, source_columns, build_source(source.sql, snapshot), where, rows
        )
        if request.mode != "test"
        else whole_table(rows)
    )
    check_counted(chunks, rows, str(source))
    plan = Plan(
        **settle_common(
            sessions, request, identity, columns, target, (request.file_format, request.compression)
        ),
        source=source,
        location=location,
        path=settle_path(request, identity),
        file_format=request.file_format,
        compression=request.compression,
        where=where,
        row_limit=(request.row_limit or 0) if request.mode == "test" else 0,
        snapshot=snapshot,
        snapshot_note="; ".join(part for part in (note, reported) if part) or None,
        source_rows=rows,
        chunks=chunks,
        watermark_column=request.watermark_column,
        watermark=census.watermark or since.before,
        watermark_before=since.before,
    )
    if request.mode != Mode.INCREMENTAL or not request.policies.reconcile_deletes or target is None:
        return plan
    return _with_keys(sessions.snowflake, request, plan)


def _refuse_obstacles(
    postgres: psycopg.Connection[Any], request: MigrationRequest, target: TargetTable | None
) -> None:
    """A swap that cannot be is refused before anything is unloaded; the publish looks again."""
    if target is None or request.publish != "swap":
        return
    obstacles = obstacles_to_swap(postgres, request.target_schema, request.target_table)
    if obstacles:
        raise ConfigurationError(
            f'{request.target_schema}.{request.target_table} cannot be swapped; choose publish "truncate", or remove what stands in the way:',
            tuple(obstacles),
        )


def _with_keys(snowflake: Connection, request: MigrationRequest, plan: Plan) -> Plan:
    missing = set(plan.uniqueness_columns) - {column.source for column in plan.columns}
    if missing:
        raise ConfigurationError(
            f"reconcile_deletes compares keys, and {', '.join(sorted(missing))} of uniqueness_columns is not copied. "
            "Copy it, or set reconcile_deletes to false."
        )
    staging = staging_name(request.target_table, f"{plan.run_id}{KEYS_SUFFIX}")
    rows = count_keys(snowflake, request, plan.snapshot)
    keys = plan_keys(plan, rows=rows, where=build_where(request.source_filter or ""), staging_table=staging)
    return replace(plan, keys=keys)
