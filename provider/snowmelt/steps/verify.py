"""Verification of a loaded run: counts always, fingerprints of all rows or of a sample of chunks; the outcome is in the ledger.

The counts: the same rows in Snowflake, in the files, in the ledger and in the table, chunk by chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import psycopg

from snowmelt.compare.measure import verify_fingerprint
from snowmelt.drivers.postgres_errors import postgres_failures
from snowmelt.drivers.snowflake import Connection
from snowmelt.errors import SnowmeltError, VerificationError
from snowmelt.ledger.files import read_counts, read_unexpected_loaded
from snowmelt.ledger.reports import read_report
from snowmelt.ledger.runs import write_verification
from snowmelt.plan.plan import Plan
from snowmelt.publish.staging import read_contents
from snowmelt.steps.compared import record_comparison, summarise_comparison
from snowmelt.vocabulary import Verify


@dataclass(frozen=True, slots=True)
class Counts:
    """What the ledger and the staging table say, for one run."""

    #: A row for each chunk that has files: chunk, files, staged, loaded_files, loaded, rejected.
    chunks: Sequence[Mapping[str, Any]]
    #: Keys that were loaded and are not in the manifest.
    unexpected: Sequence[str]
    #: Rows in the staging table, counted.
    table_rows: int
    #: What that table held when it was counted, for the publish to compare.
    contents: str = ""


def find_differences(plan: Plan, counts: Counts) -> list[str]:
    """Every place where two counts disagree, in words; empty when all agree."""
    differences = [f"{key} was loaded and is not in the manifest" for key in counts.unexpected]
    planned = {chunk.index: chunk for chunk in plan.chunks}
    for row in counts.chunks:
        label = planned[row["chunk"]].label if row["chunk"] in planned else f"chunk {row['chunk']:03d}"
        if row["files"] != row["loaded_files"]:
            differences.append(f"{label}: {row['files']} files staged, {row['loaded_files']} loaded")
        elif row["staged"] != row["loaded"]:
            differences.append(f"{label}: {row['staged']:,} rows staged, {row['loaded']:,} loaded")
    staged = sum(row["staged"] for row in counts.chunks)
    if plan.snapshot is not None and staged != plan.source_rows:
        differences.append(f"{plan.source_rows:,} rows in Snowflake at the snapshot, {staged:,} in the files")
    rejected = sum(row["rejected"] for row in counts.chunks)
    if rejected > plan.quarantine_limit:  # files that were loaded at the same time do not see each other's
        differences.append(
            f"{rejected:,} rows were set aside, and quarantine_limit is {plan.quarantine_limit:,}"
        )
    loaded = sum(row["loaded"] - row["rejected"] for row in counts.chunks)
    if loaded != counts.table_rows:
        differences.append(
            f"{loaded:,} rows by the ledger, {counts.table_rows:,} in {plan.target_schema}.{plan.staging_table}"
        )
    return differences


def summarise_counts(plan: Plan, counts: Counts) -> dict[str, Any]:
    """The counts as they are in the ledger and in the task's XCom."""
    return {
        "source_rows": plan.source_rows,
        "snapshot": plan.snapshot,
        "files": sum(row["files"] for row in counts.chunks),
        "staged_rows": int(sum(row["staged"] for row in counts.chunks)),
        "loaded_rows": int(sum(row["loaded"] for row in counts.chunks)),
        "rejected_rows": int(sum(row["rejected"] for row in counts.chunks)),
        "table_rows": counts.table_rows,
        "staging_contents": counts.contents,
    }


def verify_run(
    postgres: psycopg.Connection[Any],
    plan: Plan,
    *,
    snowflake: Callable[[], AbstractContextManager[Connection]],
) -> dict[str, Any]:
    """Count, compare, record; the run may be published only when this has returned.

    A run that is published already was verified before: what was recorded then is returned. A run that only compares was
    compared while it was planned: that is recorded.

    The keys of a run that removes rows are verified in the same way, and first.

    :param snowflake: opens a session; only called when fingerprints are compared.
    :raises VerificationError: naming every difference; nothing is published then, and the staging table stays.
    """
    if not plan.copies:
        return record_comparison(postgres, plan)
    try:
        return _read_published(postgres, plan) or _verify(postgres, plan, snowflake)
    except SnowmeltError:
        # Another try may have verified and published meanwhile, and taken the staging table away.
        done = None if postgres.broken else _read_published(postgres, plan)
        if done is None:
            raise
        return done


def _read_published(postgres: psycopg.Connection[Any], plan: Plan) -> dict[str, Any] | None:
    report = read_report(postgres, plan.run_id)
    if report is None or report["published_at"] is None:
        return None
    return dict(report["verification"])


def _verify(
    postgres: psycopg.Connection[Any],
    plan: Plan,
    snowflake: Callable[[], AbstractContextManager[Connection]],
) -> dict[str, Any]:
    keys = plan.keys and verify_run(postgres, plan.keys, snowflake=snowflake)
    counts = _read_counts(postgres, plan)
    summary = summarise_counts(plan, counts)
    differences = find_differences(plan, counts)
    if differences:
        _refuse(postgres, plan, summary, "; ".join(differences))
    if keys is not None:
        summary["keys"] = keys
    if plan.comparison is not None:
        summary["comparison"] = summarise_comparison(plan.comparison)
    if plan.verify is Verify.COUNTS:
        summary["fingerprint"] = {"compared": False, "reason": "verify is counts: only counts were compared"}
    else:
        try:
            with snowflake() as session:
                summary["fingerprint"] = verify_fingerprint(session, postgres, plan)
        except VerificationError as error:
            write_verification(postgres, plan.run_id, summary, str(error))
            raise
    write_verification(postgres, plan.run_id, summary, None)
    return summary


def _read_counts(postgres: psycopg.Connection[Any], plan: Plan) -> Counts:
    with postgres_failures(f"Counting {plan.target_schema}.{plan.staging_table}"):
        contents = read_contents(postgres, plan.target_schema, plan.staging_table)
        return Counts(
            chunks=read_counts(postgres, plan.run_id),
            unexpected=read_unexpected_loaded(postgres, plan.run_id),
            table_rows=contents.rows,
            contents=contents.state,
        )


def _refuse(postgres: psycopg.Connection[Any], plan: Plan, summary: dict[str, Any], error: str) -> None:
    write_verification(postgres, plan.run_id, summary, error)
    raise VerificationError(
        f"{plan.source} → {plan.target}, run {plan.run_id}: {error}. Nothing was published; the rows are in "
        f"{plan.target_schema}.{plan.staging_table}, where you can look at them. Clear the task `load` to load what is missing, or start a new run."
    )
