"""The end of a run that compares: what its planning found is recorded, and where both tables agree, the target's state.

So a table that something else has filled is taken over: once a comparison agrees, incremental runs can go on from there.
"""

from __future__ import annotations

import logging
from typing import Any

import psycopg

from snowmelt.drivers.postgres_errors import postgres_failures
from snowmelt.errors import TerminalError, VerificationError
from snowmelt.ledger.runs import read_compared, write_compared, write_verification
from snowmelt.ledger.state import read_identity
from snowmelt.plan.comparison import Comparison
from snowmelt.plan.plan import Plan
from snowmelt.steps.whole_target import WholeTarget, describe, move_watermark, record_state, refuse_overtaken
from snowmelt.vocabulary import Outcome

log = logging.getLogger(__name__)


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
    whole = describe_comparison(comparison)
    outcome = Outcome.AGREES if comparison.agrees else Outcome.DIFFERS
    with postgres_failures(f"Recording the comparison of {plan.target}"):
        done = read_compared(connection, plan.run_id)
        if done is not None:
            return done
        with connection.transaction(), connection.cursor() as cursor:
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
    level = logging.INFO if comparison.agrees else logging.WARNING
    log.log(level, "%s: %s", plan.target, comparison.describe())
    return result


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
