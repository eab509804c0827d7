"""A migration request: what one run does, complete, as a value that the ledger keeps and every retry reads again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from snowmelt.core.columns.names import TableName, match_name, near_misses
from snowmelt.core.columns.plan import ColumnRules
from snowmelt.core.quoting import snowflake_identifier
from snowmelt.core.settings.config_sections import Compression, Connections, FileFormat
from snowmelt.core.settings.faults import Fault, show_value
from snowmelt.core.settings.fields import BYTES_PER_MB
from snowmelt.core.settings.readings import Section
from snowmelt.core.settings.table_config import LoadMethod, Mode, Policies, Publish
from snowmelt.errors import ConfigurationError

#: Parts of a request that can change without another result, or another set of files.
_NOT_DEFINING = frozenset(
    {"cleanup_after_load", "staging.warehouse", "staging.warehouse_size", "staging.statement_timeout_s"}
)


class Staging(Section):
    """Where a run's files stand, and by what Snowflake writes them."""

    bucket: str
    #: The table's folder; ends in a slash. The run's own folder follows.
    prefix: str
    #: Names as Snowflake stores them; None: not used.
    storage_integration: str | None
    stage_database: str | None
    stage_schema: str | None
    stage_name: str | None
    warehouse: str | None
    warehouse_size: str | None
    statement_timeout_s: int | None = None

    @property
    def stage(self) -> str:
        """The stage's full name, quoted; empty without a stage."""
        if not (self.stage_database and self.stage_schema and self.stage_name):
            return ""
        return snowflake_identifier(self.stage_database, self.stage_schema, self.stage_name)


class MigrationRequest(Section):
    """What one run does. Plain values; `to_json` and `from_json` keep all of it."""

    #: As Snowflake stores them.
    source_database: str
    source_schema: str
    source_table: str
    #: As PostgreSQL stores them.
    target_schema: str
    target_table: str
    mode: Mode
    #: One predicate of Snowflake, checked.
    source_filter: str | None
    #: Columns as they were typed; `match_columns` says which they are.
    chunking_column: str | None
    #: Rows aimed at in a chunk; without a chunking_column there is one chunk.
    chunk_rows: int
    uniqueness_columns: tuple[str, ...]
    watermark_column: str | None
    #: None: the mode does not publish by it (catch_up merges; unload and test leave the target alone).
    publish: Publish | None
    #: Rows to copy, in mode test; else None.
    row_limit: int | None
    file_format: FileFormat
    compression: Compression
    load_method: LoadMethod
    #: In MB of 1,048,576 bytes.
    max_file_size_mb: int
    cleanup_after_load: bool
    #: Whether whole numbers of a new table get the smallest type that takes their values.
    narrow_numbers: bool
    #: An earlier run, whose files mode load takes; else None.
    run_id: str | None
    columns: ColumnRules
    policies: Policies
    staging: Staging
    connections: Connections

    @property
    def source(self) -> TableName:
        """The table in Snowflake."""
        return TableName(self.source_database, self.source_schema, self.source_table)

    @property
    def max_file_bytes(self) -> int:
        """The upper bound of a file, in bytes."""
        return self.max_file_size_mb * BYTES_PER_MB

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, as they stand in the ledger."""
        return self.model_dump(mode="json")

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> MigrationRequest:
        """The request that `to_json` wrote."""
        return cls.model_validate(dict(values))

    def fingerprint(self) -> str:
        """SHA-256, in hexadecimal digits, of all that defines the result; stable over processes and versions of Python."""
        text = json.dumps(dict(self._defining()), sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def differences(self, other: MigrationRequest) -> tuple[str, ...]:
        """What defines the result and is not the same: `chunk_rows: 50000 → 60000` (this one's first)."""
        mine, theirs = dict(self._defining()), dict(other._defining())
        return tuple(
            f"{name}: {_show(mine.get(name))} → {_show(theirs.get(name))}"
            for name in dict.fromkeys((*mine, *theirs))
            if mine.get(name) != theirs.get(name)
        )

    def _defining(self) -> Iterator[tuple[str, Any]]:
        for name, value in _flatten(self.to_json()):
            if name not in _NOT_DEFINING:
                yield name, value


def _flatten(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict) and not above:
            yield from _flatten(value, f"{name}.")
        else:
            yield f"{above}{name}", value


def _show(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def match_columns(request: MigrationRequest, names: Collection[str]) -> MigrationRequest:
    """The request with every column to the letter, as the source has it.

    :param names: the source's columns.
    :raises ConfigurationError: with every column that the source does not have.
    """
    faults: list[Fault] = []

    def match(typed: str, parameter: str) -> str:
        found = match_name(typed, names)
        if found is None:
            advice = near_misses(typed, names).strip() or "Look for its name in Snowflake."
            faults.append(Fault((parameter,), show_value(typed), f"a column of {request.source}", advice))
        return found or typed

    update = {
        "uniqueness_columns": tuple(
            match(typed, "uniqueness_columns") for typed in request.uniqueness_columns
        )
    } | {
        parameter: match(typed, parameter)
        for parameter in ("chunking_column", "watermark_column")
        if (typed := getattr(request, parameter)) is not None
    }
    if faults:
        raise ConfigurationError(f"{request.source} does not have these columns:", tuple(map(str, faults)))
    return request.model_copy(update=update)
