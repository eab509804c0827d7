"""Comparing whole tables in a run: while it is planned or after its publish, and what is recorded of it: where both agree, the target's state.

So a table that something else has filled is taken over: once a comparison agrees, incremental runs can go on from there.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import psycopg

from snowmelt.compare.whole import compare_whole
from snowmelt.drivers.postgres_errors import postgres_failures
from snowmelt.drivers.snowflake import Connection
from snowmelt.drivers.snowflake_errors import NO_TIME_TRAVEL
from snowmelt.errors import ConfigurationError, SourceError, TerminalError, VerificationError
from snowmelt.ledger.runs import (
    read_compared,
    read_overtaken,
    write_compared,
    write_compared_after,
    write_verification,
)
from snowmelt.ledger.state import read_identity, read_state, write_differs
from snowmelt.plan.chunking import plan_compared
from snowmelt.plan.comparison import Comparison
from snowmelt.plan.plan import Plan
from snowmelt.state import Scope
from snowmelt.steps.whole_target import WholeTarget, describe, move_watermark, record_state, refuse_overtaken
from snowmelt.unload.statements import build_where
from snowmelt.vocabulary import Mode, Outcome

log = logging.getLogger(__name__)


def compare_planned(snowflake: Connection, connection: psycopg.Connection[Any], plan: Plan) -> Plan:
    """The plan with what the comparison of the whole table found.

    :raises ConfigurationError: the target does not have all columns of the source.
    """
    if plan.added_columns:
        raise ConfigurationError(
            f"{plan.target} cannot be compared: it does not have the columns {', '.join(plan.added_columns)}. Run mode full or incremental, "
            "which adds them, or exclude them."
        )
    log.info(
        "Comparing %s with %s rows of %s, in up to %s chunks",
        plan.target,
        f"{plan.source_rows:,}",
        plan.source,
        len(plan.chunks),
    )
    comparison = compare_whole(snowflake, connection, plan)
    report_comparison(plan, comparison)
    return plan_compared(plan, comparison)


def summarise_comparison(comparison: Comparison) -> dict[str, Any]:
    """The comparison as the ledger, reports and XComs keep it."""
    rows = comparison.rows
    return {
        "text": comparison.describe(),
        "agrees": comparison.agrees,
        "chunks": comparison.chunks,
        "source_rows": comparison.source_rows,
        "target_rows": comparison.target_rows,
        "differences": [
            {"label": one.chunk.label, "source_rows": one.source_rows, "target_rows": one.target_rows}
            for one in comparison.differences
        ],
        "missing": rows.missing,
        "extra": rows.extra,
        "changed": rows.changed,
        "exact": rows.exact,
        "keys": {
            "missing": list(rows.missing_keys),
            "extra": list(rows.extra_keys),
            "changed": list(rows.changed_keys),
        },
        "columns": list(comparison.columns),
        "approximate": list(comparison.approximate),
        "seconds": round(comparison.seconds, 3),
    }


def record_comparison(connection: psycopg.Connection[Any], plan: Plan) -> dict[str, Any]:
    """Record what was compared as the verification of a run that copies nothing. Safe to repeat."""
    comparison = _comparison_of(plan)
    summary = {
        "source_rows": comparison.source_rows,
        "snapshot": plan.snapshot,
        "table_rows": comparison.target_rows,
        "comparison": summarise_comparison(comparison),
    }
    error = None if comparison.agrees else comparison.describe()
    with postgres_failures(f"Recording the comparison of {plan.target}"):
        write_verification(connection, plan.run_id, summary, error)
    return summary


def finish_comparison(connection: psycopg.Connection[Any], plan: Plan) -> dict[str, Any]:
    """End the run: where both tables agree, incremental runs may go on from its snapshot. Safe to repeat.

    :raises VerificationError: the target is another table than the one that was compared.
    """
    comparison = _comparison_of(plan)
    outcome = Outcome.AGREES if comparison.agrees else Outcome.DIFFERS
    with postgres_failures(f"Recording the comparison of {plan.target}"):
        done = read_compared(connection, plan.run_id)
        if done is not None:
            return done
        with connection.transaction(), connection.cursor() as cursor:
            whole = _judge(cursor, plan, comparison)
            if comparison.agrees:
                refuse_overtaken(cursor, plan)
                if read_identity(cursor, plan.target_schema, plan.target_table) != comparison.target:
                    raise VerificationError(
                        f"{plan.target} was created again, truncated or rewritten after it was compared. Start a new run."
                    )
                record_state(cursor, plan, whole)
                move_watermark(cursor, plan)
            result = {"method": plan.mode.value, "published": False, "whole_target": describe(whole)}
            write_compared(cursor, plan.run_id, result, outcome)
    report_comparison(plan, comparison)
    return result


def compare_published(
    connection: psycopg.Connection[Any], snowflake: Connection, plan: Plan, published: dict[str, Any]
) -> dict[str, Any]:
    """Compare the whole target with its source after the publish of an incremental run. Safe to repeat.

    What differs makes the run end as `differs`. Unless policies allow it, the target's state says so: the next run does what
    `on_change` says.

    :param published: what the publish did.
    :returns: the same, with what was found.
    """
    if published["whole_target"].get("compared") == "values":
        return published
    whole_plan = replace(
        plan,
        mode=Mode.COMPARE,
        chunks=plan.compared_chunks,
        where=build_where(plan.scope.source_filter if plan.scope else ""),
        source_rows=plan.scope_rows or 0,
        changes_since=None,
    )
    try:
        comparison = compare_whole(snowflake, connection, whole_plan)
    except SourceError as error:
        if error.code != NO_TIME_TRAVEL:
            raise
        log.warning("%s is published, and was not compared: %s", plan.target, error)
        return published
    with (
        postgres_failures(f"Recording the comparison of {plan.target}"),
        connection.transaction(),
        connection.cursor() as cursor,
    ):
        whole = describe(_judge(cursor, plan, comparison))
        outcome = Outcome.PUBLISHED if comparison.agrees else Outcome.DIFFERS
        write_compared_after(cursor, plan.run_id, whole, summarise_comparison(comparison), outcome)
    report_comparison(plan, comparison)
    return published | {"whole_target": whole}


def _judge(cursor: psycopg.Cursor[Any], plan: Plan, comparison: Comparison) -> WholeTarget:
    """The whole target as it was compared; the state of a target that may not differ so says what differs.

    Rows that are extra change nothing about the state: each run deletes or keeps them, as `reconcile_deletes` says.
    """
    whole = describe_comparison(comparison)
    state = read_state(cursor, plan.target, plan.owned_rows)
    of_this_copy = (
        state is not None
        and _same_copy(state.scope, plan.scope)
        and read_overtaken(cursor, plan.run_id) is None
    )
    if comparison.agrees or state is None or not of_this_copy:
        return whole
    rows = comparison.rows
    changed = rows.changed and not plan.inserts_only
    if changed or rows.missing > state.missing or not rows.exact:
        write_differs(cursor, plan.target, plan.owned_rows, comparison.describe())
    return whole


def _same_copy(one: Scope, other: Scope | None) -> bool:
    """Whether two runs copy the same rows and columns, however they find them."""
    return other is not None and replace(one, by_watermark=False) == replace(other, by_watermark=False)


def report_comparison(plan: Plan, comparison: Comparison) -> None:
    """Log what was found, with the keys of some rows that differ."""
    level = logging.INFO if comparison.agrees else logging.WARNING
    log.log(level, "%s and %s: %s", plan.source, plan.target, comparison.describe())
    if keys := comparison.rows.describe_keys():
        log.warning("Keys of rows that differ. %s", keys)


def describe_comparison(comparison: Comparison) -> WholeTarget:
    """The whole target beside the source, as it was compared."""
    rows = comparison.rows
    return WholeTarget(
        compared="values",
        source_rows=comparison.source_rows,
        target_rows=comparison.target_rows,
        missing=rows.missing,
        extra=rows.extra,
        changed=rows.changed,
        reason="" if comparison.agrees else comparison.describe(),
    )


def _comparison_of(plan: Plan) -> Comparison:
    if plan.comparison is None:
        raise TerminalError(f"The plan of run {plan.run_id} has no comparison. Start a new run.")
    return plan.comparison
