"""Deciding what a run does: pure functions from a request and facts to the questions that are still open, and to the plan.

The order of a planning: `TableFacts` are read; `plan_table_columns` and `ask_…` say what else has to be asked; the answers
become `Facts`; `plan_migration` decides. A load of existing files goes straight from `StagedFacts` to `plan_load`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from snowmelt.config.request import MigrationRequest
from snowmelt.errors import ConfigurationError, StagingError
from snowmelt.load.target import choose_load_method
from snowmelt.plan.append import report_waiting
from snowmelt.plan.chunking import plan_run_chunks
from snowmelt.plan.deletes import plan_mark, with_keys, with_mark
from snowmelt.plan.facts import (
    Facts,
    RunIdentity,
    StagedFacts,
    TargetFacts,
)
from snowmelt.plan.plan import Plan
from snowmelt.plan.questions import (
    LEAVE_STATE,
    ask_statistics,
    find_nanoseconds_key,
    named_faults,
    plan_fitting_columns,
    report_nanoseconds,
    report_policies,
)
from snowmelt.plan.watermark import (
    advance,
    build_scope,
)
from snowmelt.publish.staging_table import staging_name
from snowmelt.sql.names import parse_table_name
from snowmelt.sql.owned_rows import parse_owned_rows
from snowmelt.state import Scope
from snowmelt.types.columns import ColumnPlan
from snowmelt.types.nanoseconds import guard_columns
from snowmelt.types.target_columns import plan_staged_columns
from snowmelt.unload.chunks import (
    Chunk,
)
from snowmelt.unload.manifest import Manifest
from snowmelt.vocabulary import (
    BadRows,
    Compression,
    Deletes,
    Duplicates,
    FileFormat,
    LoadMethod,
    Mode,
    OnChange,
    PublishMethod,
    Verify,
    WholeTargetRule,
)

#: Modes that read all rows of the source.
_COPY_ALL = frozenset({Mode.FULL, Mode.COMPARE, Mode.REPAIR})


def plan_migration(identity: RunIdentity, request: MigrationRequest, facts: Facts) -> Plan:
    """The plan of a run that reads its rows from Snowflake.

    :param request: with every column to the letter (`match_columns`).
    :raises ConfigurationError, SchemaError, ValueRefused, SourceError: with everything that stops it.
    """
    tables, snapshot = facts.tables, facts.snapshot
    columns = plan_fitting_columns(request, tables, snapshot.statistics)
    question = ask_statistics(request, tables, columns, facts.start, identity.window)
    reported = report_nanoseconds(request, snapshot.statistics)
    mode = Mode(request.mode)
    key = find_nanoseconds_key(request, tables, columns)
    rows, limit = snapshot.statistics.rows, 0
    if mode is Mode.TEST:
        limit = request.row_limit or 0
        rows = min(rows, limit)
    before = facts.start.watermark
    backfill = mode is Mode.INCREMENTAL and identity.window is not None
    plan = Plan(
        **_plan_common(identity, request, tables.target, columns, (request.file_format, request.compression)),
        source=request.source,
        location=tables.location,
        path=_plan_path(request, identity),
        where=question.where,
        row_limit=limit,
        snapshot=snapshot.at,
        snapshot_note="; ".join(
            part
            for part in (snapshot.note, facts.buckets_note, reported, report_waiting(request, facts, rows))
            if part
        )
        or None,
        source_policies=report_policies(request, tables, columns),
        source_rows=rows,
        nanoseconds_key=key,
        chunks=plan_run_chunks(request, tables, facts.buckets, rows),
        compared_chunks=_plan_compared_chunks(request, facts),
        watermark_column=None if mode is Mode.CHANGES else request.watermark_column,
        watermark=_plan_watermark(request, facts, before),
        watermark_before=before,
        scope=_plan_scope(request, facts, columns),
        scope_rows=_plan_scope_rows(request, facts, rows),
        reload=facts.start.reload,
        backfill=backfill,
        deletes=request.deletes,
        changes_since=facts.start.changes_since,
        follows=facts.start.follows,
    )
    if facts.guarded:
        plan = replace(plan, columns=guard_columns(plan.columns, plan.file_format), guarded=True)
    if facts.start.reload:
        publish = PublishMethod.REPLACE if request.appends else plan.publish
        plan = replace(plan, max_delete_percent=100, publish=publish)
    reconciles = request.merges and (request.deletes is not Deletes.IGNORE or facts.start.reload)
    key_rows = facts.scope_rows if plan.changes_since is None else facts.deleted_rows or None
    if not reconciles or tables.target.columns is None or key_rows is None:
        return plan
    return with_keys(request, plan, key_rows)


def _plan_scope(request: MigrationRequest, facts: Facts, columns: ColumnPlan) -> Scope | None:
    """What the target's state will name; None: the run leaves none."""
    mode = Mode(request.mode)
    if mode not in LEAVE_STATE:
        return None
    by_watermark = mode is Mode.INCREMENTAL and facts.start.watermark is not None
    return replace(build_scope(request, facts.tables, columns), by_watermark=by_watermark)


def _plan_scope_rows(request: MigrationRequest, facts: Facts, rows: int) -> int | None:
    """Rows that the whole target must have.

    :param rows: that the run copies.
    """
    if Mode(request.mode) in _COPY_ALL:
        return rows
    return facts.start.covered + rows if request.appends else facts.scope_rows


def _plan_compared_chunks(request: MigrationRequest, facts: Facts) -> tuple[Chunk, ...]:
    """The chunks of the whole table, where it is to be compared after the publish."""
    if not facts.compares_after or facts.scope_rows is None:
        return ()
    return plan_run_chunks(request, facts.tables, facts.whole_buckets, facts.scope_rows, compared=True)


def _plan_watermark(request: MigrationRequest, facts: Facts, before: str | None) -> str | None:
    """The watermark that the run moves to: the highest one up to the snapshot, and never back."""
    highest = facts.start.until if request.appends else facts.snapshot.statistics.watermark
    if request.watermark_column is None or Mode(request.mode) is Mode.CHANGES:
        return None
    return advance(facts.tables.type_of(request.watermark_column), before, highest)


def plan_load(identity: RunIdentity, request: MigrationRequest, facts: StagedFacts) -> Plan:
    """The plan of a run that loads the files of an earlier unload, from its manifest alone.

    :raises SchemaError: columns without a safe way; the rules for columns are not those that the files were written by.
    """
    manifest, location = facts.manifest, facts.location
    columns = plan_manifest_columns(request, manifest, facts.target)
    unload = facts.unload
    compared = unload is not None and unload.whole and request.publish is not PublishMethod.APPEND
    known = (
        {} if unload is None else {"filter_subqueries": unload.filter_subqueries, "files_of": unload.run_id}
    )
    return Plan(
        **_plan_common(identity, request, facts.target, columns, (manifest.file_format, manifest.compression))
        | known,
        source=parse_table_name(manifest.source),
        location=location,
        path=manifest.path.removeprefix(
            location.base
        ),  # the manifest was checked to be in the folder that it names
        where="" if unload is None else unload.where,
        scope_rows=manifest.rows if compared else None,
        row_limit=0,
        snapshot=manifest.snapshot,
        snapshot_note=f"files of the unload {manifest.run_id}",
        source_rows=manifest.rows,
        chunks=(),
        watermark_column=None,
        watermark=None,
        watermark_before=None,
    )


def plan_manifest_columns(request: MigrationRequest, manifest: Manifest, target: TargetFacts) -> ColumnPlan:
    """The place in the target of each column of an earlier unload's files."""
    with named_faults(request):
        return plan_staged_columns(
            manifest.columns,
            target.columns,
            with_mark(request, request.columns, target.columns),
            FileFormat(manifest.file_format),
            long_names=request.policies.long_names,
            schema_drift=request.policies.schema_drift,
        )


def _plan_common(
    identity: RunIdentity,
    request: MigrationRequest,
    target: TargetFacts,
    columns: ColumnPlan,
    staged: tuple[str, str],
) -> dict[str, Any]:
    """The fields of a plan that do not depend on where its rows come from.

    :param staged: file format and compression of the staged files.
    """
    try:
        file_format, compression = FileFormat(staged[0]), Compression(staged[1])
    except ValueError as error:
        raise StagingError(f"The staged files are of a kind that cannot be loaded: {error}.") from error
    policies, unload = request.policies, request.staging
    return {
        "run_id": identity.run_id,
        "mode": Mode(request.mode),
        "target_schema": request.target_schema,
        "target_table": request.target_table,
        "staging_table": staging_name(request.target_table, identity.run_id),
        "file_format": file_format,
        "compression": compression,
        "max_file_bytes": request.max_file_bytes,
        "warehouse": unload.warehouse,
        "warehouse_size": unload.warehouse_size,
        "statement_timeout_s": unload.statement_timeout_s,
        "load_method": choose_load_method(
            LoadMethod(request.load_method), file_format, compression, aws_s3_reason=target.aws_s3_reason
        ),
        "columns": columns.columns,
        "added_columns": tuple(column.target for column in columns.added_to_target),
        "publish": PublishMethod(request.publish) if request.publish else None,
        "uniqueness_columns": request.uniqueness_columns,
        "bad_rows": BadRows(policies.bad_rows),
        "quarantine_limit": policies.quarantine_limit,
        "duplicates": Duplicates(policies.duplicates),
        "inserts_only": policies.inserts_only,
        "defer_indexes": policies.defer_indexes,
        "owned_rows": _plan_owned_rows(request, columns),
        "audit_columns": policies.audit_columns,
        "widened_columns": tuple(column.target for column in columns.widened),
        "takes_over": OnChange(policies.on_change) is not OnChange.FAIL,
        "verify": Verify(policies.verify),
        "fingerprint_rows": identity.fingerprint_rows,
        "whole_target": WholeTargetRule(policies.whole_target),
        "cleanup_after_load": request.cleanup_after_load,
        "filter_subqueries": policies.filter_subqueries,
        "max_delete_percent": policies.max_delete_percent,
        "max_shrink_percent": policies.max_shrink_percent,
        "mark": plan_mark(request, target.columns),
    }


def _plan_owned_rows(request: MigrationRequest, columns: ColumnPlan) -> str:
    """The rows of the target that are the copy's own: a predicate over columns that it fills."""
    text = request.owned_rows
    filled = {column.target for column in columns.columns}
    missing = [name for name in parse_owned_rows(text).columns if name not in filled] if text else []
    if missing:
        raise ConfigurationError(
            f"owned_rows is {text}, and no column of the source goes to {', '.join(missing)} of {request.target_schema}."
            f"{request.target_table}. Name columns of the target that the copy fills."
        )
    return text


def _plan_path(request: MigrationRequest, identity: RunIdentity) -> str:
    """The run's folder below the stage: `<prefix>/run_<run_id>/`, or `<prefix>/test_<rows>_rows/`."""
    test = Mode(request.mode) is Mode.TEST
    folder = f"test_{request.row_limit}_rows/" if test else f"run_{identity.run_id}/"
    return f"{request.staging.prefix}{folder}"
