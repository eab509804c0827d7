"""A plan: everything that the later tasks of a run need to know, decided once, stored in the ledger, never changed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from snowmelt.errors import PlanChanged
from snowmelt.json_values import from_json, to_json
from snowmelt.sql.names import TableName
from snowmelt.types.columns import Column
from snowmelt.unload.chunks import Chunk
from snowmelt.unload.location import Location

#: In the ledger, beside the plan's fields: a provider that cannot read a plan says so instead of guessing.
PLAN_VERSION = 1

#: Ends the run id of the keys of a run.
KEYS_SUFFIX = "_keys"

_MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run does."""

    run_id: str
    mode: str
    source: TableName
    target_schema: str
    target_table: str
    #: The table that the files are loaded into, beside the target.
    staging_table: str
    #: Whether the target is there already (False: it is created by the publish).
    target_exists: bool
    location: Location
    #: The run's folder below the location; ends in a slash.
    path: str
    file_format: str
    compression: str
    max_file_bytes: int
    #: copy (streamed by us) or aws_s3 (by the server).
    load_method: str
    columns: tuple[Column, ...]
    #: Target columns to be added by the publish (schema_drift = add_columns).
    added_columns: tuple[str, ...]
    #: The run's filter as one Snowflake predicate, or empty.
    where: str
    #: Rows to copy at most (mode test); 0: all.
    row_limit: int
    #: The instant that all chunks read, or None and why not.
    snapshot: str | None
    snapshot_note: str | None
    #: Rows that the filter selects at the snapshot; of a test, at most row_limit.
    source_rows: int
    chunks: tuple[Chunk, ...]
    publish: str
    #: Source names of the key that a catch-up merges by.
    uniqueness_columns: tuple[str, ...]
    #: Source name of the watermark column; the watermark that this run moves to, and the one it starts from.
    watermark_column: str | None
    watermark: str | None
    watermark_before: str | None
    bad_rows: Literal["reject", "quarantine"]
    quarantine_limit: int
    #: Catch-up: what happens to a key in several rows of the delta; whether rows that are there stay as they are.
    duplicates: Literal["last", "refuse"] = "last"
    inserts_only: bool = False
    #: Append and catch-up: whether the target's plain indexes are dropped and built again.
    defer_indexes: bool = False
    verify: Literal["fingerprint", "counts"] = "fingerprint"
    #: Whether `where` may ask other objects.
    filter_subqueries: bool = False
    #: Catch-up with reconcile_deletes: the plan of the keys alone, whose rows say what the source still has.
    keys: Plan | None = None
    #: Percent of the target's rows that a run may remove.
    max_delete_percent: int = 100

    @property
    def manifest_path(self) -> str:
        """Where the run's manifest stands, below the location."""
        return f"{self.path}manifest.json"

    @property
    def report_path(self) -> str:
        """Where the run's report stands, below the location: beside the manifest that it is about.

        A load of an earlier run's files leaves that run's own report as it is.
        """
        return f"{self.path}report_{self.run_id}.json" if self.mode == "load" else f"{self.path}report.json"

    @property
    def target(self) -> str:
        """The target as a person reads it."""
        return f"{self.target_schema}.{self.target_table}"

    @property
    def added(self) -> tuple[Column, ...]:
        """The columns that an existing target gets by the publish."""
        return tuple(column for column in self.columns if column.target in self.added_columns)

    @property
    def parts(self) -> tuple[Plan, ...]:
        """The plan itself and, where there is one, that of the keys: what is unloaded, loaded and verified alike."""
        return (self,) if self.keys is None else (self, self.keys)

    def chunk_path(self, chunk: Chunk) -> str:
        """The folder of a chunk below the location; a test writes into the run's folder itself."""
        return self.path if self.mode == "test" else f"{self.path}{chunk.folder}/"

    def to_json(self) -> dict[str, Any]:
        """A plain dict, as it stands in the ledger."""
        return {
            "plan_version": PLAN_VERSION,
            "run_id": self.run_id,
            "mode": self.mode,
            "source": [self.source.database, self.source.schema, self.source.table],
            "target_schema": self.target_schema,
            "target_table": self.target_table,
            "staging_table": self.staging_table,
            "target_exists": self.target_exists,
            "location": to_json(self.location),
            "path": self.path,
            "file_format": self.file_format,
            "compression": self.compression,
            "max_file_bytes": self.max_file_bytes,
            "load_method": self.load_method,
            "columns": [to_json(column) for column in self.columns],
            "added_columns": list(self.added_columns),
            "where": self.where,
            "row_limit": self.row_limit,
            "snapshot": self.snapshot,
            "snapshot_note": self.snapshot_note,
            "source_rows": self.source_rows,
            "chunks": [to_json(chunk) for chunk in self.chunks],
            "publish": self.publish,
            "uniqueness_columns": list(self.uniqueness_columns),
            "watermark_column": self.watermark_column,
            "watermark": self.watermark,
            "watermark_before": self.watermark_before,
            "bad_rows": self.bad_rows,
            "quarantine_limit": self.quarantine_limit,
            "duplicates": self.duplicates,
            "inserts_only": self.inserts_only,
            "defer_indexes": self.defer_indexes,
            "verify": self.verify,
            "filter_subqueries": self.filter_subqueries,
            "keys": None if self.keys is None else self.keys.to_json(),
            "max_delete_percent": self.max_delete_percent,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Plan:
        """The plan that `to_json` wrote.

        :raises PlanChanged: a plan of another version.
        """
        values = dict(data)
        version = values.pop("plan_version", None)
        if version != PLAN_VERSION:
            raise PlanChanged(
                f"Run {values.get('run_id')} was planned in form {version}; this provider reads form {PLAN_VERSION}. "
                "Finish it with the provider that planned it, or start a new run."
            )
        return cls(
            **values
            | {
                "source": TableName(*values["source"]),
                "location": from_json(Location, values["location"]),
                "columns": tuple(from_json(Column, column) for column in values["columns"]),
                "added_columns": tuple(values["added_columns"]),
                "chunks": tuple(from_json(Chunk, chunk) for chunk in values["chunks"]),
                "uniqueness_columns": tuple(values["uniqueness_columns"]),
                "keys": None if values["keys"] is None else cls.from_json(values["keys"]),
            }
        )


def plan_run_id(dag_id: str, dag_run_id: str) -> str:
    """The run's id in the ledger and in S3 keys: the DAG run's time, readable, and 8 hexadecimal digits that make it unique.

    Airflow's own run ids hold characters that S3 keys should not, and are unique within one DAG only. The same DAG run
    always has the same id, so every retry finds its plan.
    """
    time = re.search(r"(\d{4})-(\d{2})-(\d{2})T(\d{2}):?(\d{2}):?(\d{2})", dag_run_id)
    head = (
        "{}{}{}T{}{}{}".format(*time.groups())
        if time
        else re.sub(r"[^A-Za-z0-9]+", "-", dag_run_id).strip("-")[:40]
    )
    digest = hashlib.sha256("\0".join((dag_id, dag_run_id)).encode()).hexdigest()
    return f"{head or 'run'}_{digest[:8]}"


def plan_keys(plan: Plan, *, rows: int, where: str, staging_table: str) -> Plan:
    """The plan that unloads, loads and verifies the keys of all rows, at the run's own snapshot, beside its delta.

    A run of its own in the ledger, so that every count of the delta stays what it is. Its one chunk follows those of the run.

    :param rows: rows that the run's filter alone selects at the snapshot.
    :param where: the run's filter alone.
    """
    wanted = set(plan.uniqueness_columns)
    chunk = Chunk(len(plan.chunks), "", rows, f"keys of all {rows:,} rows")
    return replace(
        plan,
        run_id=f"{plan.run_id}{KEYS_SUFFIX}",
        mode="keys",
        staging_table=staging_table,
        columns=tuple(column for column in plan.columns if column.source in wanted),
        added_columns=(),
        where=where,
        source_rows=rows,
        chunks=(chunk,),
        watermark_column=None,
        watermark=None,
        watermark_before=None,
        keys=None,
    )


def max_file_bytes(megabytes: int) -> int:
    """max_file_size_mb in bytes; Snowflake takes at most 5 GB."""
    return min(megabytes * _MEGABYTE, 5_000_000_000)
