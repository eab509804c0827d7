"""Deciding what a run does: pure functions from a request and facts to the questions that are still open, and to the plan.

The order of a planning: `TableFacts` are read; `plan_table_columns` and `ask_…` say what else has to be asked; the answers
become `Facts`; `plan_migration` decides. A load of existing files goes straight from `StagedFacts` to `plan_load`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from snowmelt.config.request import MigrationRequest
from snowmelt.errors import ConfigurationError, SchemaError, StagingError
from snowmelt.load.target import choose_load_method
from snowmelt.plan.append import report_waiting
from snowmelt.plan.chunking import plan_run_chunks
from snowmelt.plan.deletes import plan_mark, with_keys, with_mark
from snowmelt.plan.facts import (
    Facts,
    RunIdentity,
    Snapshot,
    SourceStatistics,
    StagedFacts,
    Start,
    StatisticsQuestion,
    TableFacts,
    TargetFacts,
    Window,
    refuse_nanoseconds,
)
from snowmelt.plan.plan import Plan
from snowmelt.plan.set_aside import build_source_keys
from snowmelt.plan.watermark import (
    advance,
    build_highest,
    build_interval,
    build_scope,
    build_since,
    build_window,
    check_watermark_type,
    is_beyond,
)
from snowmelt.publish.staging_table import staging_name
from snowmelt.sql.names import match_name, parse_table_name
from snowmelt.sql.owned_rows import parse_owned_rows
from snowmelt.state import Scope
from snowmelt.types.column_plan import plan_columns
from snowmelt.types.columns import ColumnPlan, ColumnRules
from snowmelt.types.nanoseconds import build_key, find_predicates, guard_columns
from snowmelt.types.target_columns import plan_staged_columns
from snowmelt.types.target_types import find_measured, find_outgrown, plan_narrow
from snowmelt.unload.chunks import (
    Chunk,
    check_ordered,
)
from snowmelt.unload.manifest import Manifest
from snowmelt.unload.statements import INSERTED, build_source, build_where
from snowmelt.vocabulary import (
    BadRows,
    Compression,
    Deletes,
    Duplicates,
    FileFormat,
    LoadMethod,
    Mode,
    Nanoseconds,
    OnChange,
    PublishMethod,
    SchemaDrift,
    SourcePolicyRule,
    Verify,
    WholeTargetRule,
)

#: Modes whose runs record what the target is a copy of.
_LEAVE_STATE = frozenset({Mode.FULL, Mode.INCREMENTAL, Mode.CHANGES, Mode.COMPARE, Mode.REPAIR})
#: Modes that read all rows of the source.
_COPY_ALL = frozenset({Mode.FULL, Mode.COMPARE, Mode.REPAIR})


def plan_table_columns(
    request: MigrationRequest, tables: TableFacts, rules: ColumnRules | None = None
) -> ColumnPlan:
    """Each source column's place in the target.

    :param rules: instead of the request's.
    :raises SchemaError: naming the table and every column without a safe way.
    """
    with _named_faults(request):
        return plan_columns(
            tables.source_columns,
            tables.target.columns,
            with_mark(request, rules or request.columns, tables.target.columns),
            FileFormat(request.file_format),
            long_names=request.policies.long_names,
            schema_drift=_find_drift(request),
        )


def _find_drift(request: MigrationRequest) -> SchemaDrift:
    """What the run does about columns: one that compares changes no target."""
    drift = SchemaDrift(request.policies.schema_drift)
    if Mode(request.mode) not in {Mode.COMPARE, Mode.REPAIR} or not drift.widens:
        return drift
    return SchemaDrift.ADD_COLUMNS if drift.adds else SchemaDrift.FAIL


def ask_statistics(
    request: MigrationRequest,
    tables: TableFacts,
    columns: ColumnPlan,
    start: Start,
    window: Window | None,
    *,
    guarded: bool = False,
) -> StatisticsQuestion:
    """What is asked of the rows that the run copies.

    :param start: where an incremental run starts.
    :param guarded: the unload looks for digits beyond the microsecond.
    :raises ConfigurationError: the watermark column has no order, or no window.
    """
    name, mode = request.watermark_column, Mode(request.mode)
    since, highest = "", None
    if name is not None and mode in _LEAVE_STATE and mode is not Mode.CHANGES:
        type_ = tables.type_of(name)
        check_ordered(type_, name, "watermark_column")
        if mode is Mode.INCREMENTAL:
            check_watermark_type(type_, name, text_allowed=request.policies.text_watermark)
        highest = build_highest(name, type_)
        if mode is Mode.INCREMENTAL and window is not None:  # the watermark stays where it is
            since, highest = build_window(name, type_, *window), None
        elif request.appends:
            since, highest = build_interval(name, type_, start.watermark, start.until), None
        elif mode is Mode.INCREMENTAL:
            since = build_since(name, type_, start.watermark, request.policies.watermark_overlap)
            since = _with_set_aside(request, tables, columns, since)
    if start.changes_since is not None:
        since = INSERTED
    return StatisticsQuestion(
        where=build_where(request.source_filter or "", since),
        nanoseconds={} if guarded else columns.nanoseconds,
        highest=highest,
        measured=_find_numbers(request, tables, columns) if request.narrow_numbers else {},
    )


def _with_set_aside(request: MigrationRequest, tables: TableFacts, columns: ColumnPlan, since: str) -> str:
    """The predicate of an incremental run, with the rows that an earlier one has set aside."""
    key = [column for column in columns.columns if column.source in request.uniqueness_columns]
    names = {column.source for column in key}
    keys = [values for values in tables.target.set_aside if values.keys() == names]
    return f"{since} OR {build_source_keys(key, keys)}" if since and keys else since


def _find_numbers(request: MigrationRequest, tables: TableFacts, columns: ColumnPlan) -> dict[str, str]:
    """The whole numbers whose range is asked: all but those whose type the configuration says."""
    ruled = [name for typed in request.columns.type if (name := match_name(typed, tables.names)) is not None]
    return find_measured([column for column in columns.columns if column.source in tables.names], ruled)


def plan_fitting_columns(
    request: MigrationRequest, tables: TableFacts, statistics: SourceStatistics
) -> ColumnPlan:
    """The columns as the values need them: numbers of a new target in the smallest type that they fit.

    :raises SchemaError: numbers have outgrown the existing target, each with the ALTER that takes them.
    """
    existing = tables.target.columns
    if existing is None and statistics.ranges:
        rules = replace(request.columns, type={**request.columns.type, **plan_narrow(statistics.ranges)})
        return plan_table_columns(request, tables, rules)
    columns = plan_table_columns(request, tables)
    if existing is not None:
        where = (request.target_schema, request.target_table)
        kept = [column for column in columns.columns if column not in columns.widened]
        faults = find_outgrown(kept, existing, statistics.ranges, where)
        if faults:
            raise SchemaError(
                f"{request.source} has outgrown {'.'.join(where)}. Nothing was unloaded:", faults
            )
    return columns


def find_nanoseconds_key(request: MigrationRequest, tables: TableFacts, columns: ColumnPlan) -> str | None:
    """By what a later run knows that this one found no digits beyond the microsecond; None where it looks for none, or takes them."""
    if Nanoseconds(request.policies.nanoseconds) is not Nanoseconds.REFUSE:
        return None
    return build_key(tables.created_on, find_predicates(columns.columns))


def report_nanoseconds(request: MigrationRequest, statistics: SourceStatistics) -> str | None:
    """What the run reports of digits beyond the microsecond; None: there are none.

    :raises ValueRefused: the policy refuses them.
    """
    return refuse_nanoseconds(statistics, Nanoseconds(request.policies.nanoseconds), str(request.source))


def report_policies(request: MigrationRequest, tables: TableFacts, columns: ColumnPlan) -> str | None:
    """What the run reports of Snowflake's policies on the source; None: it has none.

    :raises ConfigurationError: the configuration refuses such a source.
    """
    if tables.policies is None:
        return None
    # The filter, and a mask of the configuration, may read columns that are not copied.
    reads_others = bool(request.source_filter or request.columns.mask)
    read = set(tables.names) if reads_others else {column.source for column in columns.columns}
    text = tables.policies.on(read).describe()
    if text is not None and SourcePolicyRule(request.policies.source_policies) is SourcePolicyRule.REFUSE:
        raise ConfigurationError(
            f"{request.source} may differ from what the connection's role sees, and the table's `source_policies` is refuse. Nothing was "
            f"unloaded. {text[0].upper()}{text[1:]}. Use a role that owns the table and that its policies let through, or set "
            "`source_policies` to report."
        )
    return text


def ask_scope(request: MigrationRequest, snapshot: str | None) -> str | None:
    """The query that counts the rows that the whole target must have after a merge; None for another run."""
    if not request.merges:
        return None
    return StatisticsQuestion(request.source_filter or "").sql(build_source(request.source.sql, snapshot))


def ask_highest(
    request: MigrationRequest,
    tables: TableFacts,
    question: StatisticsQuestion,
    snapshot: Snapshot,
    limit: str,
) -> str | None:
    """The query for the highest watermark up to the limit; None: none is beyond it.

    :param limit: the snapshot; without one, Snowflake's time when the planning began, which is before anything was read.
    """
    name = request.watermark_column
    if name is None or question.highest is None:
        return None
    type_ = tables.type_of(name)
    if not is_beyond(type_, snapshot.statistics.watermark, limit):
        return None
    highest = build_highest(name, type_, until=limit)
    source = build_source(request.source.sql, snapshot.at)
    return StatisticsQuestion(question.where, highest=highest).sql(source)


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
    if mode not in _LEAVE_STATE:
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
    with _named_faults(request):
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


@contextmanager
def _named_faults(request: MigrationRequest) -> Iterator[None]:
    try:
        yield
    except SchemaError as error:
        raise SchemaError(
            f"{request.source} → {request.target_schema}.{request.target_table}: these columns cannot be copied as they are:",
            error.faults,
        ) from error
