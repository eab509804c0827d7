"""From a verified staging table to the published target, for a planned run.

The first publish of a merge renames its staging table, so that it must hold one row for each key already.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from snowmelt.config.sections import Execution
from snowmelt.drivers.postgres_errors import postgres_failures
from snowmelt.errors import SnowmeltError, VerificationError
from snowmelt.json_values import to_json
from snowmelt.ledger import runs as ledger
from snowmelt.ledger.reports import read_report
from snowmelt.ledger.state import read_identity, read_owners
from snowmelt.plan.plan import Plan
from snowmelt.publish.index_build import build_indexes, defer_indexes, restore_indexes
from snowmelt.publish.locks import build_lock
from snowmelt.publish.request import KeySet, LockPatience, PublishRequest, PublishResult
from snowmelt.publish.row_statements import build_add_mark, build_delete_surplus
from snowmelt.publish.rows import refuse_keys
from snowmelt.publish.staging import check_contents, create_staging, drop_staging, read_contents, read_mark
from snowmelt.publish.staging_table import LOCK_NAME, build_mark
from snowmelt.publish.strategies import STRATEGIES
from snowmelt.publish.target import read_details
from snowmelt.publish.transaction import publish
from snowmelt.sql.owned_rows import OwnedRows, parse_owned_rows
from snowmelt.steps.compared import compare_published, finish_comparison
from snowmelt.steps.whole_source import NotCompared, OpenSnowflake, SourceKeys, WholeSource
from snowmelt.steps.whole_target import (
    check_whole_target,
    describe,
    move_watermark,
    record_state,
    refuse_overtaken,
    take_over,
)
from snowmelt.vocabulary import Duplicates, Mode, Outcome, PublishMethod

log = logging.getLogger(__name__)


def resolve_keys(connection: psycopg.Connection[Any], request: PublishRequest) -> None:
    """Refuse keys that a merge would refuse, and remove the rows that are not the last of their key. Safe to repeat.

    How many went is kept in the staging table's mark, in the same transaction: the publish counts them with the others.
    Nothing is done for another method, and where the target is there.

    :raises ValueRefused: a key is NULL, or is in several rows of one watermark.
    """
    if request.method is not PublishMethod.MERGE:
        return
    where = f"The staging table {request.schema}.{request.staging} of run {request.run_id}"
    with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(LOCK_NAME, (f"{request.schema}.{request.staging}",))
        present = read_details(cursor, request.schema, request.staging)
        if present is None:  # the publish reports it
            return
        mark = read_mark(present, request.schema, request.staging, request.run_id, request.table)
        if mark.kind != "new" or mark.surplus:
            return
        cursor.execute(build_lock(request.schema, request.staging, "SHARE ROW EXCLUSIVE"))
        contents = read_contents(cursor, request.schema, request.staging)
        if contents.rows != request.expected_rows:
            return
        check_contents(contents, request.contents, where)
        refuse_keys(cursor, request)
        if request.duplicates is not Duplicates.LAST:
            return
        cursor.execute(build_delete_surplus(request))
        surplus = cursor.rowcount
        if surplus:
            left = read_contents(cursor, request.schema, request.staging)
            mark = replace(mark, surplus=surplus, contents=left.state)
            cursor.execute(build_mark(request.schema, request.staging, mark))
    if surplus:
        log.info(
            "%s rows were taken out of the new table: of a key in several rows the last one stays",
            f"{surplus:,}",
        )


def publish_method(plan: Plan) -> PublishMethod:
    """How a run's rows become the target's; a test's table is shaped like the target and then dropped."""
    if plan.mode is Mode.KEYS:  # its table has the columns of the key alone, as a merge's has its own
        return PublishMethod.MERGE
    return plan.publish or (PublishMethod.MERGE if plan.mode.continues else PublishMethod.SWAP)


def make_staging(connection: psycopg.Connection[Any], plan: Plan) -> None:
    """Create the run's staging table where it is not there yet."""
    with postgres_failures(f"Creating the staging table {plan.target_schema}.{plan.staging_table}"):
        made = create_staging(
            connection,
            schema=plan.target_schema,
            table=plan.target_table,
            staging=plan.staging_table,
            run_id=plan.run_id,
            method=publish_method(plan),
            columns=plan.columns,
            added=plan.added,
            widened=plan.widened,
            audit_columns=plan.audit_columns and plan.mode is not Mode.KEYS,
            unneeded=lambda cursor: ledger.lock_over(cursor, plan.run_id),
        )
    if made:
        log.info("Created the staging table %s.%s", plan.target_schema, plan.staging_table)


def publish_run(
    connection: psycopg.Connection[Any],
    plan: Plan,
    execution: Execution | None = None,
    *,
    snowflake: OpenSnowflake | None = None,
) -> dict[str, Any]:
    """Build the staging table's indexes and publish it; a test is dropped instead. Safe to repeat, and to run twice at once.

    Where it is due, the whole table is compared with its source afterwards. A run that only compares publishes nothing: it ends, and where the tables agree, the target's state is recorded.

    Indexes that an earlier run dropped from the target, and died before it built them again, are built first.

    :param execution: how patient to be with locks, and what an index build may use.
    :param snowflake: opens a session; only called where the whole target is compared with the keys of the source.
    :raises VerificationError: the run was not verified, or a run of a later snapshot was published into the target meanwhile.
    """
    if not plan.copies:
        return finish_comparison(connection, plan)
    published = _publish_or_find(connection, plan, execution or Execution(), WholeSource(plan, snowflake))
    if not plan.compared_chunks or snowflake is None:
        return published
    with snowflake() as session:
        return compare_published(connection, session, plan, published)


def _publish_or_find(
    connection: psycopg.Connection[Any], plan: Plan, execution: Execution, source: WholeSource
) -> dict[str, Any]:
    try:
        return _publish_run(connection, plan, execution, source)
    except SnowmeltError:
        # Another try of the same task may have published meanwhile, and taken the staging table away.
        done = None if connection.broken else ledger.read_published(connection, plan.run_id)
        if done is None:
            raise
        log.info("Run %s was published by another session meanwhile", plan.run_id)
        return done


def _publish_run(
    connection: psycopg.Connection[Any], plan: Plan, execution: Execution, source: WholeSource
) -> dict[str, Any]:
    doing = f"Publishing run {plan.run_id} as {plan.target}"
    done = ledger.read_published(connection, plan.run_id)
    patience = LockPatience(
        lock_timeout=float(execution.lock_timeout_s), give_up_after=float(execution.lock_patience_s)
    )
    with postgres_failures(doing):
        restore_indexes(connection, plan.target_schema, plan.target_table, patience, execution)
    if done is not None:
        log.info("Run %s is published already", plan.run_id)
        return done
    report = read_report(connection, plan.run_id) or {}
    if report.get("verified_at") is None:
        raise VerificationError(f"{doing}: the run is not verified. Clear the task `verify`.")
    rejected = int((report.get("verification") or {}).get("rejected_rows") or 0)
    if plan.mode is Mode.TEST:
        return _finish_test(connection, plan, int(report["loaded_rows"]))
    with connection.cursor() as cursor:
        refuse_overtaken(cursor, plan)
    request = _request(connection, plan, report, patience, execution)
    with postgres_failures(doing):
        resolve_keys(connection, request)
        index_seconds = _build_indexes(connection, plan, patience, execution)
        keys = source.read_keys(connection)
        if plan.defer_indexes and STRATEGIES[request.method].defers_indexes:
            defer_indexes(connection, request)
        try:
            result = publish(
                connection,
                request,
                before_commit=lambda cursor, result: _record(
                    cursor, plan, replace(result, index_seconds=index_seconds), rejected, source, keys
                ),
                already_published=lambda cursor: ledger.is_published(cursor, plan.run_id),
            )
        except SnowmeltError:  # refused, not broken: what was dropped for it is built again at once
            if not connection.broken:
                restore_indexes(connection, plan.target_schema, plan.target_table, patience, execution)
            raise
        restore_indexes(connection, plan.target_schema, plan.target_table, patience, execution)
    return ledger.read_published(connection, plan.run_id) or to_json(result)


def _build_indexes(
    connection: psycopg.Connection[Any], plan: Plan, patience: LockPatience, execution: Execution
) -> float:
    """Build the staging table's indexes and keys; returns the seconds that it took."""
    started = time.monotonic()
    key = sorted((column.primary_key, column.target) for column in plan.columns if column.primary_key)
    built = build_indexes(
        connection,
        schema=plan.target_schema,
        table=plan.target_table,
        staging=plan.staging_table,
        run_id=plan.run_id,
        primary_key=[target for _, target in key],
        added=[column.target for column in (*plan.added, *plan.widened)],
        maintenance_work_mem_mb=execution.index_memory_mb,
        parallel_workers=execution.index_workers,
        patience=patience,
    )
    seconds = time.monotonic() - started
    if built:
        log.info("Built on the staging table in %.1f s: %s", seconds, ", ".join(built))
    return seconds


def _request(
    connection: psycopg.Connection[Any],
    plan: Plan,
    report: Mapping[str, Any],
    patience: LockPatience,
    execution: Execution,
) -> PublishRequest:
    targets = {column.source: column.target for column in plan.columns}
    return PublishRequest(
        run_id=plan.run_id,
        method=publish_method(plan),
        schema=plan.target_schema,
        table=plan.target_table,
        staging=plan.staging_table,
        columns=tuple(column.target for column in plan.columns),
        own=plan.own,
        foreign=_read_foreign(connection, plan),
        added_columns=plan.added,
        widened_columns=plan.widened,
        audit_columns=plan.audit_columns,
        expected_rows=int(report["loaded_rows"]),
        contents=_verified_contents(report),
        uniqueness_columns=tuple(targets.get(name, name) for name in plan.uniqueness_columns),
        inserts_only=plan.inserts_only,
        duplicates=Duplicates(plan.duplicates) if plan.watermark_column in targets else Duplicates.REFUSE,
        watermark_column=targets.get(plan.watermark_column or ""),
        count_target=plan.reload or publish_method(plan) is not PublishMethod.MERGE,
        keys=_keys(connection, plan),
        mark=plan.mark,
        chunks=plan.comparison.target_predicate if plan.comparison else "",
        compared=plan.comparison.contents if plan.comparison else None,
        patience=patience,
        snapshot_wait=float(execution.snapshot_wait_s) or None,
    )


def _read_foreign(connection: psycopg.Connection[Any], plan: Plan) -> tuple[OwnedRows, ...]:
    """The rows of the target that other copies own."""
    identity = read_identity(connection, plan.target_schema, plan.target_table)
    owners = read_owners(connection, plan.target, identity.oid) if identity and plan.own else ()
    return tuple(parse_owned_rows(owner.rows) for owner in owners if owner.rows not in {"", plan.owned_rows})


def _keys(connection: psycopg.Connection[Any], plan: Plan) -> KeySet | None:
    if plan.keys is None:
        return None
    report = read_report(connection, plan.keys.run_id) or {}
    if report.get("verified_at") is None:
        raise VerificationError(
            f"The keys of run {plan.run_id} are not verified: nothing is removed by them. Clear the task `verify`."
        )
    return KeySet(
        table=plan.keys.staging_table,
        gone=plan.changes_since is not None,
        expected_rows=int(report["loaded_rows"]),
        contents=_verified_contents(report),
        max_delete_percent=plan.max_delete_percent,
    )


def _verified_contents(report: Mapping[str, Any]) -> str | None:
    contents = (report["verification"] or {}).get("staging_contents")
    return None if contents is None else str(contents)


def _record(
    cursor: psycopg.Cursor[Any],
    plan: Plan,
    result: PublishResult,
    rejected: int,
    source: WholeSource,
    keys: SourceKeys | NotCompared | None,
) -> None:
    """The whole target is compared; the ledger's row, the target's state and the watermark: all in the publish transaction."""
    refuse_overtaken(cursor, plan)
    if plan.mark is not None and plan.mark.added:
        cursor.execute(build_add_mark(plan.target_schema, plan.target_table, plan.mark))
    whole = check_whole_target(cursor, plan, result, source, keys, rejected=rejected)
    ledger.write_published(
        cursor, plan.run_id, to_json(result) | {"whole_target": describe(whole)}, whole.outcome
    )
    take_over(cursor, plan)
    record_state(cursor, plan, whole)
    if plan.keys is not None:
        ledger.write_reconciled(cursor, plan.keys.run_id)
    move_watermark(cursor, plan)


def _finish_test(connection: psycopg.Connection[Any], plan: Plan, rows: int) -> dict[str, Any]:
    with postgres_failures(f"Dropping the table of test run {plan.run_id}"):
        drop_staging(connection, plan.target_schema, plan.staging_table)
    ledger.write_outcome(connection, plan.run_id, Outcome.TESTED)
    return {"method": "test", "published": False, "rows_after": rows}
