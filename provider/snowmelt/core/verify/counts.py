"""Verification by counts: the same rows in Snowflake, in the files, in the ledger and in the table, chunk by chunk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snowmelt.core.unload.plan import Plan


@dataclass(frozen=True, slots=True)
class Counts:
    """What the ledger and the staging table say, for one run."""

    #: A row for each chunk that has files: chunk, files, staged, loaded_files, loaded, rejected.
    chunks: Sequence[Mapping[str, Any]]
    #: Keys that were loaded without standing in the manifest.
    strangers: Sequence[str]
    #: Rows in the staging table, counted.
    table_rows: int


def find_differences(plan: Plan, counts: Counts) -> list[str]:
    """Every place where two counts disagree, in words; empty when all agree."""
    differences = [f"{key} was loaded and does not stand in the manifest" for key in counts.strangers]
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
    """The counts as they stand in the ledger and in the task's XCom."""
    return {
        "source_rows": plan.source_rows,
        "snapshot": plan.snapshot,
        "files": sum(row["files"] for row in counts.chunks),
        "staged_rows": int(sum(row["staged"] for row in counts.chunks)),
        "loaded_rows": int(sum(row["loaded"] for row in counts.chunks)),
        "rejected_rows": int(sum(row["rejected"] for row in counts.chunks)),
        "table_rows": counts.table_rows,
    }
