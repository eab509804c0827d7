"""Planning a run: what Snowflake and PostgreSQL say about the table becomes a Plan, stored in the ledger once."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any

import psycopg

from snowmelt.core.columns.names import parse_table_name
from snowmelt.core.columns.narrow import plan_narrow
from snowmelt.core.columns.plan import ColumnPlan, SourceColumn, plan_columns
from snowmelt.core.columns.types import FileFormat, parse_snowflake_type
from snowmelt.core.load.method import choose_load_method
from snowmelt.core.load.rejects import RejectPolicy
from snowmelt.core.publish.staging import staging_name
from snowmelt.core.publish.target_catalog import TargetTable
from snowmelt.core.settings.migration_request import MigrationRequest, match_columns
from snowmelt.core.unload.census import refuse_nanoseconds
from snowmelt.core.unload.chunks import whole_table
from snowmelt.core.unload.manifest import Manifest
from snowmelt.core.unload.plan import Plan, max_file_bytes
from snowmelt.core.unload.statements import Location, build_source, build_where
from snowmelt.errors import ConfigurationError, PlanChanged, SchemaError
from snowmelt.io.ledger import read_run, write_ledger, write_run
from snowmelt.io.load.aws_s3 import aws_s3_reason
from snowmelt.io.load.file_load import check_load
from snowmelt.io.publish.target import obstacles_to_swap, read_target
from snowmelt.io.snowflake import Connection, read_columns, read_location
from snowmelt.io.unload.survey import (
    check_counted,
    find_numbers,
    read_chunks,
    read_since,
    refuse_outgrown,
    take_snapshot,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PlanningSessions:
    """The sessions that planning needs."""

    snowflake: Connection
    postgres: psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """Whose run it is."""

    run_id: str
    dag_id: str
    dag_run_id: str


def plan_run(
    sessions: PlanningSessions, request: MigrationRequest, identity: RunIdentity, manifest: Manifest | None
) -> Plan:
    """The run's plan: the stored one where there is one, else a new one, stored before it is returned.

    :param manifest: of the earlier unload that a run in mode `load` takes up.
    :raises PlanChanged: the run was planned under another configuration; both values are named.
    :raises ConfigurationError, SchemaError, SourceError: with everything that stands in the way.
    """
    write_ledger(sessions.postgres)
    stored = read_run(sessions.postgres, identity.run_id)
    if stored is None:
        plan = _make_plan(sessions, request, identity, manifest)
        stored = write_run(
            sessions.postgres,
            {
                "run_id": identity.run_id,
                "dag_id": identity.dag_id,
                "dag_run_id": identity.dag_run_id,
                "mode": request.mode,
                "source": str(plan.source),
                "target": plan.target,
                "snapshot": plan.snapshot,
                "snapshot_note": plan.snapshot_note,
                "request": request.to_json(),
                "fingerprint": request.fingerprint(),
                "plan": plan.to_json(),
                "source_rows": plan.source_rows,
            },
        )
    if stored["fingerprint"] != request.fingerprint():
        before = MigrationRequest.from_json(stored["request"])
        changes = "; ".join(before.differences(request))
        raise PlanChanged(
            f"Run {identity.run_id} was planned under another configuration, and a plan is kept: {changes}. "
            "Put the old values back to finish this run, or start a new one."
        )
    return Plan.from_json(stored["plan"])


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


def _make_plan(
    sessions: PlanningSessions, request: MigrationRequest, identity: RunIdentity, manifest: Manifest | None
) -> Plan:
    target = read_target(sessions.postgres, request.target_schema, request.target_table)
    _refuse_obstacles(sessions.postgres, request, target)
    if manifest is not None:
        return _plan_load(sessions, request, identity, manifest, target)
    source = request.source
    location = read_location(
        sessions.snowflake,
        bucket=request.staging.bucket,
        stage=request.staging.stage,
        integration=request.staging.storage_integration or "",
    )
    source_columns = read_columns(sessions.snowflake, source)
    request = match_columns(request, [column.name for column in source_columns])
    columns = _plan_columns(request, source_columns, target)
    since = read_since(sessions.postgres, request, source_columns, columns, target)
    where = build_where(request.source_filter or "", since.predicate)
    measured = find_numbers(request, source_columns, columns) if request.narrow_numbers else {}
    snapshot, note, census = take_snapshot(
        sessions.snowflake, request, columns, where, since.highest, measured
    )
    if target is None and measured:
        rules = replace(request.columns, type={**request.columns.type, **plan_narrow(census.ranges)})
        columns = _plan_columns(request.model_copy(update={"columns": rules}), source_columns, None)
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
    return Plan(
        **_common(sessions, request, identity, columns, target, (request.file_format, request.compression)),
        source=source,
        location=location,
        path=_path(request, identity),
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


def _plan_load(
    sessions: PlanningSessions,
    request: MigrationRequest,
    identity: RunIdentity,
    manifest: Manifest,
    target: TargetTable | None,
) -> Plan:
    """The plan of a run that loads the files of an earlier unload, from its manifest alone."""
    source_columns = tuple(
        SourceColumn(
            name=column.source,
            type=parse_snowflake_type(column.source_type),
            nullable=column.nullable,
            primary_key=column.primary_key,
            comment=column.comment,
        )
        for column in manifest.columns
    )
    columns = _plan_columns(request, source_columns, target, file_format=manifest.file_format)
    changed = {column.source: column.form for column in manifest.columns}
    columns = replace(
        columns, columns=tuple(replace(column, form=changed[column.source]) for column in columns.columns)
    )
    return Plan(
        **_common(sessions, request, identity, columns, target, (manifest.file_format, manifest.compression)),
        source=parse_table_name(manifest.source),
        location=Location(bucket=manifest.bucket, base="", stage="", integration=""),
        path=manifest.path,
        file_format=manifest.file_format,
        compression=manifest.compression,
        where="",
        row_limit=0,
        snapshot=manifest.snapshot,
        snapshot_note=f"files of the unload {manifest.run_id}",
        source_rows=manifest.rows,
        chunks=(),
        watermark_column=None,
        watermark=None,
        watermark_before=None,
    )


def _common(
    sessions: PlanningSessions,
    request: MigrationRequest,
    identity: RunIdentity,
    columns: ColumnPlan,
    target: TargetTable | None,
    staged: tuple[str, str],
) -> dict[str, Any]:
    reason = aws_s3_reason(sessions.postgres) if staged[0] == "csv" else None
    method, why = choose_load_method(request.load_method, *staged, aws_s3_reason=reason)
    check_load(method, staged[0], RejectPolicy(request.policies.bad_rows, request.policies.quarantine_limit))
    log.info("load_method %s: %s", method, why)
    return {
        "run_id": identity.run_id,
        "mode": request.mode,
        "target_schema": request.target_schema,
        "target_table": request.target_table,
        "staging_table": staging_name(request.target_table, identity.run_id),
        "target_exists": target is not None,
        "max_file_bytes": max_file_bytes(request.max_file_size_mb),
        "load_method": method,
        "columns": columns.columns,
        "added_columns": tuple(column.target for column in columns.added_to_target),
        "publish": request.publish or "",
        "uniqueness_columns": request.uniqueness_columns,
        "bad_rows": request.policies.bad_rows,
        "quarantine_limit": request.policies.quarantine_limit,
    }


def _plan_columns(
    request: MigrationRequest,
    source_columns: tuple[SourceColumn, ...],
    target: TargetTable | None,
    file_format: str | None = None,
) -> ColumnPlan:
    try:
        return plan_columns(
            source_columns,
            target.columns if target is not None else None,
            request.columns,
            FileFormat(file_format or request.file_format),
            long_names=request.policies.long_names,
            schema_drift=request.policies.schema_drift,
        )
    except SchemaError as error:
        raise SchemaError(
            f"{request.source} → {request.target_schema}.{request.target_table}: these columns cannot be copied as they are:",
            error.faults,
        ) from error


def _path(request: MigrationRequest, identity: RunIdentity) -> str:
    """The run's folder below the stage: `<prefix>/run_<run_id>/`, or `<prefix>/test_<rows>_rows/`."""
    prefix = request.staging.prefix
    return (
        f"{prefix}test_{request.row_limit}_rows/"
        if request.mode == "test"
        else f"{prefix}run_{identity.run_id}/"
    )


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
