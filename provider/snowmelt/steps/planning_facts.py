"""What planning reads before it decides: of the ledger, the source, the target and the staged files, each once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import psycopg

from snowmelt.config.request import MigrationRequest, match_columns
from snowmelt.drivers.postgres_errors import postgres_failures
from snowmelt.drivers.snowflake import Connection, read_columns, read_object, read_rows
from snowmelt.drivers.snowflake_policies import read_policies
from snowmelt.errors import ConfigurationError, SourceError
from snowmelt.ledger.runs import (
    find_answered,
    read_last_compared,
    read_watermark,
)
from snowmelt.ledger.state import read_identity, read_owners, read_set_aside, read_state
from snowmelt.load.aws_s3 import aws_s3_reason
from snowmelt.plan import questions
from snowmelt.plan.append import ask_growth, plan_growth
from snowmelt.plan.chunking import ask_bounds, ask_pruning, limit_buckets
from snowmelt.plan.deletes import ask_deleted, plan_mark
from snowmelt.plan.facts import (
    Facts,
    RunIdentity,
    Snapshot,
    Start,
    StatisticsQuestion,
    TableFacts,
    TargetFacts,
)
from snowmelt.plan.set_aside import MAX_KEYS
from snowmelt.plan.watermark import ask_target_watermark, compares_after, find_start, resolve_changes
from snowmelt.publish.obstacles import plan_intent
from snowmelt.publish.row_statements import build_count
from snowmelt.publish.target import read_target, refuse_obstacles
from snowmelt.rights.snowflake import build_tracking
from snowmelt.sql.names import join_predicates
from snowmelt.state import (
    Change,
    TargetIdentity,
    TargetNow,
    TargetState,
    find_other_owners,
    refuse_other_owners,
)
from snowmelt.steps.source import find_untracked, read_past, take_snapshot
from snowmelt.types.columns import ColumnPlan
from snowmelt.unload.chunk import read_location
from snowmelt.unload.chunks import Bucket
from snowmelt.unload.statements import Location, build_where
from snowmelt.vocabulary import FileFormat, Mode, OnChange

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PlanningSessions:
    """The sessions that planning needs."""

    snowflake: Connection
    postgres: psycopg.Connection[Any]
    #: Gives a boto3 client; called in mode `load` alone.
    s3: Callable[[], Any]


def read_tables(sessions: PlanningSessions, request: MigrationRequest) -> tuple[MigrationRequest, TableFacts]:
    """What the source and the target are; the request with the names of its columns as the source has them."""
    source_columns = read_columns(sessions.snowflake, request.source)
    request = match_columns(request, [column.name for column in source_columns])
    source = read_object(sessions.snowflake, request.source)
    return request, TableFacts(
        source_columns,
        read_target_facts(sessions.postgres, request, FileFormat(request.file_format)),
        read_stage_location(sessions.snowflake, request),
        None if source is None else source.created_on,
        read_policies(sessions.snowflake, request.source, source, source_columns),
    )


def read_facts(
    sessions: PlanningSessions, request: MigrationRequest, identity: RunIdentity, tables: TableFacts, at: str
) -> tuple[MigrationRequest, Facts]:
    """What else the plan depends on; each question is decided from the answers before it. The request becomes a repair where that is due.

    :param at: Snowflake's time when the planning began.
    :raises SchemaError, ConfigurationError, ValueRefused: with the first thing that stops the run.
    """
    columns = questions.plan_table_columns(request, tables)
    _log_policies(request, tables, questions.report_policies(request, tables, columns))
    refuse_owned_rows(request, tables.target, str(request.source))
    refuse_obstacles(sessions.postgres, plan_intent(request, columns))
    start = _find_start(sessions, request, identity, tables, columns, at)
    if start.repair:
        log.warning(
            "The run is a repair of the whole table, since these changed: %s", "; ".join(start.reasons)
        )
        repair = request.model_copy(update={"mode": Mode.REPAIR, "publish": None})
        return read_facts(sessions, repair, identity, tables, at)
    _log_start(request, identity, start)
    key = questions.find_nanoseconds_key(request, tables, columns)
    # A comparison reads what it does not unload, and changes are not counted again.
    unloads = not Mode(request.mode).compares and start.changes_since is None
    guarded = unloads and key is not None and find_answered(sessions.postgres, str(request.source), key)
    question = questions.ask_statistics(request, tables, columns, start, identity.window, guarded=guarded)
    snapshot = take_snapshot(sessions.snowflake, request, question, at, start.changes_since)
    snapshot = _limit_watermark(sessions.snowflake, request, tables, question, snapshot, snapshot.at or at)
    questions.plan_fitting_columns(request, tables, snapshot.statistics)
    reported = questions.report_nanoseconds(request, snapshot.statistics)
    if reported:
        log.warning(reported)
    scope_rows = _count(
        sessions.snowflake,
        questions.ask_scope(request, snapshot.at),
        f"Counting the rows of {request.source} that the whole target must have",
    )
    compares = snapshot.at is not None and compares_after(request, tables.target.compared, identity.window)
    whole = StatisticsQuestion(build_where(request.source_filter or ""))
    buckets = _read_buckets(sessions.snowflake, request, tables, question, snapshot, start)
    buckets, note = _limit_buckets(sessions.snowflake, request, tables, question, snapshot, buckets)
    facts = Facts(
        tables,
        start,
        snapshot,
        buckets=buckets,
        buckets_note=note,
        guarded=guarded,
        scope_rows=scope_rows,
        deleted_rows=_count(
            sessions.snowflake,
            ask_deleted(request, start, snapshot.at),
            f"Counting the rows that were deleted from {request.source}",
        ),
        compares_after=compares,
        whole_buckets=_read_buckets(
            sessions.snowflake, request, tables, whole, snapshot, Start(), compared=scope_rows
        )
        if compares
        else None,
    )
    return request, facts


def _find_start(
    sessions: PlanningSessions,
    request: MigrationRequest,
    identity: RunIdentity,
    tables: TableFacts,
    columns: ColumnPlan,
    at: str,
) -> Start:
    """Where a run starts, once both databases were asked what that depends on."""
    start = find_start(request, tables, columns, identity.window)
    if Mode(request.mode) is Mode.CHANGES and not start.repair:
        start = _check_tracked(sessions.snowflake, request, start, at)
    if start.repair:
        return start
    highest = ask_target_watermark(request, tables, columns, start)
    if highest is not None:
        row = sessions.postgres.execute(highest).fetchone()
        start = replace(start, watermark=None if row is None or row[0] is None else str(row[0]))
    growth = ask_growth(request, tables, start, at)
    if growth is None:
        return start
    row = read_past(sessions.snowflake, request, growth, f"Counting the rows of {request.source}")[0]
    return plan_growth(request, tables, start, row)


def _check_tracked(session: Connection, request: MigrationRequest, start: Start, at: str) -> Start:
    """Where a run of mode changes starts, once Snowflake was asked whether it can tell what has changed since then.

    :raises ConfigurationError: it tracks no changes of the source; or not since the last run, and on_change is fail.
    """
    table = request.source
    reason = find_untracked(session, table, at)
    if reason is not None:
        raise ConfigurationError(
            f"Snowflake cannot tell what has changed in {table}. Nothing was unloaded. {reason} For a table run as its owner: "
            f"{build_tracking(table)}. A view needs it beside the tables that it reads. External tables, materialized views and the objects "
            "of a share cannot be tracked: choose mode incremental or full."
        )
    if start.changes_since is None or start.follows is None:
        return start
    lost = find_untracked(session, table, at, start.changes_since)
    if lost is None:
        return start
    change = Change("changes since the last run", f"since {start.changes_since}", f"not available: {lost}")
    return resolve_changes(request, (change,), start.follows)


def refuse_owned_rows(request: MigrationRequest, target: TargetFacts, source: str) -> None:
    """Each row of a target has one owner. An incremental run names a change of its own source with all else that changed.

    :raises ConfigurationError: rows of other copies would become this one's, and on_change is fail.
    """
    mode = Mode(request.mode)
    takes_over = OnChange(request.policies.on_change) is not OnChange.FAIL
    if takes_over or mode in {Mode.UNLOAD, Mode.TEST, Mode.COMPARE}:
        return
    rows = request.owned_rows
    others = find_other_owners(target.owners, rows, source)
    if mode.continues:
        others = tuple(owner for owner in others if owner.rows != rows)
    refuse_other_owners(others, f"{request.target_schema}.{request.target_table}", rows, source)


def read_target_facts(
    postgres: psycopg.Connection[Any], request: MigrationRequest, file_format: FileFormat
) -> TargetFacts:
    """The target, and what the ledger knows of it."""
    schema, name = request.target_schema, request.target_table
    table = read_target(postgres, schema, name)
    watermark, now, state = None, None, None
    set_aside: tuple[dict[str, str], ...] = ()
    identity = read_identity(postgres, schema, name)
    if Mode(request.mode).continues:
        state = read_state(postgres, f"{schema}.{name}", request.owned_rows)
        mark = plan_mark(request, None if table is None else table.columns)
        counted = join_predicates(request.owned_rows, "" if mark is None else mark.live)
        now = None if identity is None else _read_now(postgres, request, identity, state, counted)
        set_aside = read_set_aside(postgres, f"{schema}.{name}", request.owned_rows, MAX_KEYS)
        if request.watermark_column is not None:
            watermark = read_watermark(
                postgres,
                source=str(request.source),
                target=f"{schema}.{name}",
                column=request.watermark_column,
            )
    return TargetFacts(
        columns=None if table is None else table.columns,
        aws_s3_reason=aws_s3_reason(postgres) if file_format is FileFormat.CSV else None,
        published_watermark=watermark,
        now=now,
        state=state,
        set_aside=set_aside,
        compared=None
        if identity is None
        else read_last_compared(postgres, f"{schema}.{name}", request.owned_rows),
        owners=() if identity is None else read_owners(postgres, f"{schema}.{name}", identity.oid),
    )


def _read_now(
    postgres: psycopg.Connection[Any],
    request: MigrationRequest,
    identity: TargetIdentity,
    state: TargetState | None,
    counted: str,
) -> TargetNow:
    """The target as it is; its rows are counted only where something else than a publish has touched the whole of it.

    :param counted: the condition of those that count; empty: all.
    """
    if state is not None and state.target == identity:
        return TargetNow(identity=identity, rows=None)
    schema, name = request.target_schema, request.target_table
    with postgres_failures(f"Counting {schema}.{name}"):
        row = postgres.execute(build_count(schema, name, counted)).fetchone()
    return TargetNow(identity=identity, rows=row[0] if row else 0)


def read_stage_location(snowflake: Connection, request: MigrationRequest) -> Location:
    """Where Snowflake writes the run's files."""
    return read_location(
        snowflake,
        bucket=request.staging.bucket,
        stage=request.staging.stage,
        integration=request.staging.storage_integration or "",
    )


def _log_policies(request: MigrationRequest, tables: TableFacts, text: str | None) -> None:
    if text is not None:
        known = tables.policies is not None and tables.policies.uses
        log.log(
            logging.WARNING if known else logging.INFO,
            "%s is copied as the role sees it: %s",
            request.source,
            text,
        )


def _log_start(request: MigrationRequest, identity: RunIdentity, start: Start) -> None:
    mode = Mode(request.mode)
    if not mode.continues:
        return
    if identity.window is not None and mode is Mode.INCREMENTAL:
        log.info("Backfilling %s from %s to before %s", request.watermark_column, *identity.window)
    elif start.reload:
        log.warning(
            "All rows are copied and merged by key, since these changed: %s", "; ".join(start.reasons)
        )
    elif mode is Mode.CHANGES:
        log.info("Copying what has changed since %s", start.changes_since or "(the beginning: everything)")
    else:
        watermark = start.watermark or "(none: everything)"
        log.info("Copying from the watermark %s = %s", request.watermark_column, watermark)


def _read_buckets(
    session: Connection,
    request: MigrationRequest,
    tables: TableFacts,
    question: StatisticsQuestion,
    snapshot: Snapshot,
    start: Start,
    *,
    compared: int | None = None,
) -> tuple[Bucket, ...] | None:
    """The buckets of the run's chunks or, for as many rows that are to be compared, of the whole table's."""
    changes, whole = start.changes_since is not None, compared is not None
    rows = snapshot.statistics.rows if compared is None else compared
    sql = ask_bounds(request, tables, question, snapshot.at, rows, changes=changes, compared=whole)
    if sql is None:
        return None
    found = read_rows(session, sql, f"Cutting {request.source} into chunks")
    return tuple(Bucket(row[0], row[1], int(row[2])) for row in found)


def _limit_buckets(
    session: Connection,
    request: MigrationRequest,
    tables: TableFacts,
    question: StatisticsQuestion,
    snapshot: Snapshot,
    buckets: tuple[Bucket, ...] | None,
) -> tuple[tuple[Bucket, ...] | None, str | None]:
    """As many of them as their unloads are worth, and what is reported where some were put together."""
    sql = ask_pruning(request, tables, question, snapshot.at, buckets)
    if buckets is None or sql is None:
        return buckets, None
    try:
        [(answer,)] = read_rows(session, sql, f"Asking what a chunk of {request.source} would read")
    except SourceError as error:  # what it costs is not known, and nothing else depends on it
        log.warning("%s", error)
        return buckets, None
    limited, note = limit_buckets(request, tables, buckets, str(answer))
    if note:
        log.warning(note)
    return limited, note


def _count(session: Connection, sql: str | None, doing: str) -> int | None:
    return None if sql is None else int(read_rows(session, sql, doing)[0][0])


def _limit_watermark(
    session: Connection,
    request: MigrationRequest,
    tables: TableFacts,
    question: StatisticsQuestion,
    snapshot: Snapshot,
    limit: str,
) -> Snapshot:
    """The snapshot with the highest watermark that is not beyond the limit: one in the future would hide all that comes until then.

    :param limit: the snapshot; without one, Snowflake's time when the planning began.
    """
    sql = questions.ask_highest(request, tables, question, snapshot, limit)
    if sql is None:
        return snapshot
    found = read_rows(session, sql, f"Reading the highest watermark of {request.source} up to {limit}")[0][1]
    log.warning(
        "The highest watermark of %s, %s, is beyond the snapshot, or the beginning of the planning, %s: it does not become the watermark, and each run copies the rows beyond it again",
        request.source, snapshot.statistics.watermark, limit,
    )  # fmt: skip
    statistics = replace(snapshot.statistics, watermark=None if found is None else str(found))
    return replace(snapshot, statistics=statistics)
