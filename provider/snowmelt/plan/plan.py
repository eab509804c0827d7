"""A plan: everything that the later tasks of a run need to know, decided once, stored in the ledger, never changed.

The plan is the run: what a task does follows from the stored plan alone. The form and the configuration of a later try
change nothing of it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from snowmelt.config.request import MigrationRequest
from snowmelt.errors import PlanChanged
from snowmelt.json_values import from_json, to_json
from snowmelt.plan.comparison import Comparison
from snowmelt.publish.request import DeletedMark
from snowmelt.sql.names import TableName, join_predicates
from snowmelt.sql.owned_rows import OwnedRows, parse_owned_rows
from snowmelt.state import Scope
from snowmelt.types.columns import Column
from snowmelt.types.nanoseconds import find_predicates
from snowmelt.unload.chunks import Chunk
from snowmelt.unload.statements import Location, UnloadRequest, build_source, build_where
from snowmelt.vocabulary import (
    BadRows,
    Compression,
    Deletes,
    Duplicates,
    FileFormat,
    LoadMethod,
    Mode,
    PublishMethod,
    Verify,
    WholeTargetRule,
)

#: In the ledger, beside the plan's fields: a provider that cannot read a plan says so instead of guessing.
PLAN_VERSION = 2

#: Ends the run id of the keys of a run.
KEYS_SUFFIX = "_keys"

#: The highest value of the setting fingerprint_rows: fingerprints are compared whatever the table's size.
_ANY_ROWS = 10**15


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one run does."""

    run_id: str
    mode: Mode
    source: TableName
    target_schema: str
    target_table: str
    #: The table that the files are loaded into, beside the target.
    staging_table: str
    location: Location
    #: The run's folder below the location; ends in a slash.
    path: str
    file_format: FileFormat
    compression: Compression
    #: The upper bound of a staged file.
    max_file_bytes: int
    #: Snowflake's warehouse, the size it has during the unload, and the seconds after which Snowflake cancels a statement.
    #: None: the connection's warehouse, its own size, the account's limit.
    warehouse: str | None
    warehouse_size: str | None
    statement_timeout_s: int | None
    #: copy (streamed by a worker) or aws_s3 (by the server).
    load_method: LoadMethod
    columns: tuple[Column, ...]
    #: Target columns to be added by the publish (schema_drift = add_columns).
    added_columns: tuple[str, ...]
    #: Target columns that take a wider type by the publish (schema_drift = widen_columns).
    widened_columns: tuple[str, ...] = ()
    #: The run's filter as one Snowflake predicate, or empty.
    where: str
    #: Whether `where` may ask other objects.
    filter_subqueries: bool = False
    #: Rows to copy at most (mode test); 0: all.
    row_limit: int
    #: The instant that all chunks read, or None and why not.
    snapshot: str | None
    snapshot_note: str | None
    #: What Snowflake's policies on the source make of the copy; None: nothing, for certain.
    source_policies: str | None = None
    #: Rows that the filter selects at the snapshot; of a test, at most row_limit.
    source_rows: int
    chunks: tuple[Chunk, ...]
    #: How the rows become the target's; None: the mode says it (incremental merges, unload and test leave the target alone).
    publish: PublishMethod | None
    #: Source names of the key that an incremental run merges by.
    uniqueness_columns: tuple[str, ...]
    #: Source name of the watermark column; the watermark that this run moves to, and the one it starts from.
    watermark_column: str | None
    watermark: str | None
    watermark_before: str | None
    bad_rows: BadRows
    quarantine_limit: int
    #: Incremental: what happens to a key in several rows of the delta; whether rows that exist stay as they are.
    duplicates: Duplicates = Duplicates.LAST
    inserts_only: bool = False
    #: Append and incremental: whether the target's plain indexes are dropped and built again.
    defer_indexes: bool = False
    verify: Verify = Verify.FINGERPRINT
    #: Fingerprints are compared up to this many rows; beyond, and with 0, counts alone.
    fingerprint_rows: int
    #: By what a later run knows that none of its values has digits beyond the microsecond; None: by nothing.
    nanoseconds_key: str | None = None
    #: Whether the unload, not the planning, looks for them.
    guarded: bool = False
    #: Incremental: what is compared of the whole target with the whole source.
    whole_target: WholeTargetRule = WholeTargetRule.KEYS
    #: Mode load: the run of this ledger that unloaded the files; None: it is not known here what they are the rows of.
    files_of: str | None = None
    #: Whether the staged files are removed once the run is published.
    cleanup_after_load: bool
    #: Percent of the target's rows that a run may remove.
    max_delete_percent: int = 100
    #: Percent of the target's rows by which a full run may shrink it.
    max_shrink_percent: int = 100
    #: The scope that the target's state will name; None: the run leaves no state (unload, test, load).
    scope: Scope | None = None
    #: The predicate for the rows of the target that are this copy's own; empty: all. All that is counted, compared, replaced and
    #: removed there is among them.
    owned_rows: str = ""
    #: Whether the target has columns that say by which run a row was written.
    audit_columns: bool = False
    #: Whether rows that other copies filled become this copy's (on_change = full).
    takes_over: bool = False
    #: Rows of the source in that scope at the snapshot: the whole target must have as many. None: they were not counted.
    scope_rows: int | None = None
    #: Mode changes: the snapshot of the last published run, since which changes are read; None: all rows are.
    changes_since: str | None = None
    #: The run whose state this one goes on from, and which no other may have followed: its rows would come twice. None: any may.
    follows: str | None = None
    #: Incremental or changes: all rows are copied, and those that the source does not have are deleted (on_change = full).
    reload: bool = False
    #: Incremental: a backfill of a window, which leaves the watermark where it is.
    backfill: bool = False
    #: Compare and repair: what the planning found. The chunks are those that differ, to be copied again; a comparison has none.
    comparison: Comparison | None = None
    #: What a merge does with rows that the source no longer has.
    deletes: Deletes = Deletes.IGNORE
    #: A run that goes on: the chunks of the whole table, which is compared with its source after the publish; empty: it is not.
    compared_chunks: tuple[Chunk, ...] = ()
    #: A run that removes rows: the plan of the keys alone, by which it finds them.
    keys: Plan | None = None
    #: Rows that the source no longer has are marked there; None: they are deleted, or stay.
    mark: DeletedMark | None = None

    @property
    def manifest_path(self) -> str:
        """Where the run's manifest is, below the location."""
        return f"{self.path}manifest.json"

    @property
    def report_path(self) -> str:
        """Where the run's report is, below the location: beside the manifest that it is about.

        A load of an earlier run's files leaves that run's own report as it is.
        """
        own = self.mode is not Mode.LOAD
        return f"{self.path}report.json" if own else f"{self.path}report_{self.run_id}.json"

    @property
    def target(self) -> str:
        """The target as a person reads it."""
        return f"{self.target_schema}.{self.target_table}"

    @property
    def copies(self) -> bool:
        """Whether rows are unloaded, loaded and published; False: the run compares, and there is nothing to copy."""
        return self.comparison is None or bool(self.chunks)

    @property
    def rows_where(self) -> str:
        """The Snowflake predicate of the run's rows, or empty: its filter and, of a repair, its chunks."""
        predicates = [chunk.predicate for chunk in self.chunks]
        if self.comparison is None or not all(predicates):
            return self.where
        return build_where(self.where, " OR ".join(f"({predicate})" for predicate in predicates))

    @property
    def added(self) -> tuple[Column, ...]:
        """The columns that an existing target gets by the publish."""
        return tuple(column for column in self.columns if column.target in self.added_columns)

    @property
    def widened(self) -> tuple[Column, ...]:
        """The columns whose type an existing target changes by the publish."""
        return tuple(column for column in self.columns if column.target in self.widened_columns)

    @property
    def counted(self) -> str:
        """The predicate for the rows of the target that have to be those of the source: its own ones that are not marked as deleted."""
        return join_predicates(self.owned_rows, self.mark.live if self.mark else "")

    @property
    def own(self) -> OwnedRows | None:
        """The rows of the target that are this copy's own; None: all."""
        return parse_owned_rows(self.owned_rows) if self.owned_rows else None

    @property
    def key_columns(self) -> tuple[Column, ...]:
        """The columns of the unique key."""
        return tuple(column for column in self.columns if column.source in self.uniqueness_columns)

    @property
    def row_key(self) -> tuple[Column, ...]:
        """The columns that identify a row: the unique key, else the source's primary key; empty without either."""
        primary = sorted((column.primary_key, column.source) for column in self.columns if column.primary_key)
        return self.key_columns or tuple(
            column for _, name in primary for column in self.columns if column.source == name
        )

    @property
    def takes_again(self) -> bool:
        """Whether the run copies rows again that earlier runs have set aside."""
        merges = self.mode is Mode.INCREMENTAL and self.publish is None
        return merges and self.watermark_before is not None and not self.backfill

    @property
    def copies_everything(self) -> bool:
        """Whether all rows of the source under its filter are copied, whatever the target has."""
        part = self.watermark_before is not None or self.changes_since is not None or self.backfill
        return not (self.mode.continues and part)

    @property
    def hides_differences(self) -> bool:
        """Whether the whole target may have as many rows as the source, and not the same: only a part of it is written."""
        partly = self.backfill or self.watermark_before is not None
        merges = self.mode is Mode.INCREMENTAL and self.publish is None
        return merges and partly and self.keys is None and self.scope is not None

    @property
    def parts(self) -> tuple[Plan, ...]:
        """The plan itself and, where there is one, that of the keys: what is unloaded, loaded and verified alike."""
        return (self,) if self.keys is None else (self, self.keys)

    @property
    def source_sql(self) -> str:
        """What is behind FROM in Snowflake: the rows at the snapshot, or what has changed up to it."""
        return build_source(self.source.sql, self.snapshot, self.changes_since)

    def chunk_path(self, chunk: Chunk) -> str:
        """The folder of a chunk below the location; a test writes into the run's folder itself."""
        return self.path if self.mode is Mode.TEST else f"{self.path}{chunk.folder}/"

    def to_json(self) -> dict[str, Any]:
        """The plan as it is stored in the ledger."""
        return {"plan_version": PLAN_VERSION, **to_json(self)}


def build_unload_request(plan: Plan, index: int) -> UnloadRequest:
    """What the unload of one chunk is asked for; the one way from a stored plan to a COPY INTO.

    :param index: of a chunk of the plan or of its keys.
    :raises PlanChanged: the plan has no such chunk.
    """
    for part in plan.parts:
        for chunk in part.chunks:
            if chunk.index == index:
                return UnloadRequest(
                    source=part.source,
                    path=part.chunk_path(chunk),
                    stage=part.location.stage,
                    integration=part.location.integration,
                    bucket=part.location.bucket,
                    base=part.location.base,
                    columns=tuple((column.source, column.select) for column in part.columns),
                    where=part.where,
                    subqueries=part.filter_subqueries,
                    chunk=chunk,
                    snapshot=part.snapshot,
                    since=part.changes_since,
                    row_limit=part.row_limit,
                    file_format=part.file_format,
                    compression=part.compression,
                    max_file_bytes=part.max_file_bytes,
                    warehouse=part.warehouse,
                    statement_timeout_s=part.statement_timeout_s,
                    guarded=find_predicates(part.columns) if part.guarded else {},
                )
    raise PlanChanged(
        f"Run {plan.run_id} has no chunk {index}: its plan has {sum(len(part.chunks) for part in plan.parts)}. "
        "Clear the task `plan` of this DAG run, and all tasks after it."
    )


def parse_plan(stored: Mapping[str, Any], request: Mapping[str, Any]) -> Plan:
    """The plan of a row of the ledger.

    A plan of form 1 left to each task's configuration what its request has as well: that is read from the request. It did
    not say up to how many rows fingerprints are compared: they are compared, whatever the size.

    :param stored: what `Plan.to_json` wrote.
    :param request: the request that was planned, as it is stored beside the plan.
    :raises PlanChanged: a plan of another form.
    """
    version = stored.get("plan_version")
    values = {name: value for name, value in stored.items() if name != "plan_version"}
    try:
        if version == 1:
            values = _upgrade(values, MigrationRequest.from_json(request))
        elif version != PLAN_VERSION:
            raise PlanChanged(
                f"Run {stored.get('run_id')} was planned in form {version}; this provider reads form {PLAN_VERSION}. "
                "Finish it with the provider that planned it, or start a new run."
            )
        if values.get("keys") is not None:
            values.setdefault("deletes", Deletes.HARD)  # of a version that only knew these
        return from_json(Plan, values)
    except (KeyError, TypeError, ValueError) as error:
        raise PlanChanged(
            f"The plan of run {stored.get('run_id')} in the ledger cannot be read: {error}. "
            "Finish it with the provider that planned it, or start a new run."
        ) from error


def _upgrade(values: Mapping[str, Any], request: MigrationRequest) -> dict[str, Any]:
    """A plan of form 1 in the current form."""
    keys = values.get("keys")
    return {
        **values,
        "source": dict(zip(("database", "schema", "table"), values["source"], strict=True)),
        "publish": values["publish"] or None,
        "warehouse": request.staging.warehouse,
        "warehouse_size": request.staging.warehouse_size,
        "statement_timeout_s": request.staging.statement_timeout_s,
        "cleanup_after_load": request.cleanup_after_load,
        "fingerprint_rows": _ANY_ROWS,
        "keys": None if keys is None else _upgrade(keys, request),
    }


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
