"""Verification over the target's connection."""

from __future__ import annotations

from typing import Any

import psycopg

from snowmelt.core.plan import Plan
from snowmelt.core.quoting import postgres_identifier
from snowmelt.core.verify import Counts, find_differences, summarise_counts
from snowmelt.errors import VerificationError
from snowmelt.io.failures.postgres import postgres_failures
from snowmelt.io.ledger import read_counts, read_report, read_strange_loaded, write_verification


def verify_counts(connection: psycopg.Connection[Any], plan: Plan) -> dict[str, Any]:
    """Count the staging table, compare with ledger, manifest and snapshot, record the outcome.

    A run that is published already was verified before: its counts are returned as they were recorded.

    :raises VerificationError: naming every difference; nothing is published then.
    """
    report = read_report(connection, plan.run_id)
    if report is not None and report["published_at"] is not None:
        return dict(report["verification"])
    table = postgres_identifier(plan.target_schema, plan.staging_table)
    with postgres_failures(f"Counting {plan.target_schema}.{plan.staging_table}"):
        row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        counts = Counts(
            chunks=read_counts(connection, plan.run_id),
            strangers=read_strange_loaded(connection, plan.run_id),
            table_rows=row[0] if row else 0,
        )
    summary = summarise_counts(plan, counts)
    differences = find_differences(plan, counts)
    error = "; ".join(differences) or None
    write_verification(connection, plan.run_id, summary | {"differences": differences}, error)
    if error:
        raise VerificationError(
            f"{plan.source} → {plan.target}, run {plan.run_id}: {error}. Nothing was published; the rows stand in "
            f"{plan.target_schema}.{plan.staging_table} for a look. Clear the task `load` to load what is missing, or start a new run."
        )
    return summary
