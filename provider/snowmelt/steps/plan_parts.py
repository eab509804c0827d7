"""What every plan has, whether Snowflake is asked or an earlier unload's manifest: sessions, columns, target, method."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from snowmelt.config.request import MigrationRequest
from snowmelt.drivers.snowflake import Connection
from snowmelt.errors import SchemaError
from snowmelt.load.file import check_load
from snowmelt.load.method import aws_s3_reason, choose_load_method
from snowmelt.plan.plan import max_file_bytes
from snowmelt.publish.staging_table import staging_name
from snowmelt.publish.target import TargetTable
from snowmelt.steps.survey import Window
from snowmelt.types.column_plan import plan_columns
from snowmelt.types.columns import ColumnPlan, SourceColumn
from snowmelt.types.staged_columns import plan_staged_columns
from snowmelt.unload.manifest import Manifest
from snowmelt.vocabulary import FileFormat, LongNames, SchemaDrift

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PlanningSessions:
    """The sessions that planning needs."""

    snowflake: Connection
    postgres: psycopg.Connection[Any]
    #: Gives a boto3 client; called in mode `load` alone.
    s3: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """Whose run it is."""

    run_id: str
    dag_id: str
    dag_run_id: str
    #: Of a backfill: the data interval whose rows a catch-up takes.
    window: Window | None = None


def settle_common(
    sessions: PlanningSessions,
    request: MigrationRequest,
    identity: RunIdentity,
    columns: ColumnPlan,
    target: TargetTable | None,
    staged: tuple[str, str],
) -> dict[str, Any]:
    """The fields of a plan that do not depend on where its rows come from.

    :param staged: file format and compression of the staged files.
    :raises ConfigurationError: the way of loading cannot work.
    """
    reason = aws_s3_reason(sessions.postgres) if staged[0] == "csv" else None
    method, why = choose_load_method(request.load_method, *staged, aws_s3_reason=reason)
    check_load(method, staged[0])
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
        "duplicates": request.policies.duplicates,
        "inserts_only": request.policies.inserts_only,
        "defer_indexes": request.policies.defer_indexes,
        "verify": request.policies.verify,
        "filter_subqueries": request.policies.filter_subqueries,
        "max_delete_percent": request.policies.max_delete_percent,
    }


def settle_columns(
    request: MigrationRequest, source_columns: tuple[SourceColumn, ...], target: TargetTable | None
) -> ColumnPlan:
    """Each source column's place in the target.

    :raises SchemaError: naming the table and every column without a safe way.
    """
    with _named_faults(request):
        return plan_columns(
            source_columns,
            target.columns if target is not None else None,
            request.columns,
            FileFormat(request.file_format),
            long_names=LongNames(request.policies.long_names),
            schema_drift=SchemaDrift(request.policies.schema_drift),
        )


def settle_staged_columns(
    request: MigrationRequest, manifest: Manifest, target: TargetTable | None
) -> ColumnPlan:
    """The place in the target of each column of an earlier unload's files.

    :raises SchemaError: likewise, and where the rules for columns are not those that the files were written by.
    """
    with _named_faults(request):
        return plan_staged_columns(
            manifest.columns,
            target.columns if target is not None else None,
            request.columns,
            FileFormat(manifest.file_format),
            long_names=LongNames(request.policies.long_names),
            schema_drift=SchemaDrift(request.policies.schema_drift),
        )


@contextmanager
def _named_faults(request: MigrationRequest) -> Iterator[None]:
    try:
        yield
    except SchemaError as error:
        raise SchemaError(
            f"{request.source} → {request.target_schema}.{request.target_table}: these columns cannot be copied as they are:",
            error.faults,
        ) from error


def settle_path(request: MigrationRequest, identity: RunIdentity) -> str:
    """The run's folder below the stage: `<prefix>/run_<run_id>/`, or `<prefix>/test_<rows>_rows/`."""
    prefix = request.staging.prefix
    return (
        f"{prefix}test_{request.row_limit}_rows/"
        if request.mode == "test"
        else f"{prefix}run_{identity.run_id}/"
    )
