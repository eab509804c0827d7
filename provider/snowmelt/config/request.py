"""A migration request: what one run does, complete, as a value that the ledger keeps and every retry reads again.

From the parameters of a run and the configuration to the request: checked across all fields, all faults at once.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from snowmelt.config.conflicts import find_conflicts
from snowmelt.config.faults import Fault, show_value
from snowmelt.config.file import Config
from snowmelt.config.form import POLICIES, EarlierRun, RequestParameters, default_parameters, fill_parameters
from snowmelt.config.form_limits import find_limit_faults, is_own_filter
from snowmelt.config.policies import Policies
from snowmelt.config.reading import read_model, replace_old_settings
from snowmelt.config.sections import (
    BYTES_PER_MB,
    Connections,
    FileSettings,
    SnowflakeUnload,
    choose_compression,
    render_prefix,
)
from snowmelt.config.table import ColumnsConfig, CopySettings, Names, TableConfig
from snowmelt.config.tables import Share
from snowmelt.errors import ConfigurationError
from snowmelt.sql.names import (
    POSTGRES_IDENTIFIER_BYTES,
    TableName,
    fits_postgres,
    fold_name,
    match_name,
    near_misses,
    shorten_name,
    snowflake_identifier,
)
from snowmelt.sql.owned_rows import own_by_tag
from snowmelt.types.columns import ColumnRules
from snowmelt.vocabulary import Compression, Deletes, LongNames, Mode, PublishMethod

log = logging.getLogger(__name__)

#: Parts of a request that can change without another result, or another set of files.
_NOT_DEFINING = frozenset(
    {"cleanup_after_load", "staging.warehouse", "staging.warehouse_size", "staging.statement_timeout_s"}
)


class Staging(SnowflakeUnload):
    """Where a run's files are, and by what Snowflake writes them."""

    bucket: str
    #: The table's folder; ends in a slash. The run's own folder follows.
    prefix: str

    @property
    def stage(self) -> str:
        """The stage's full name, quoted; empty without a stage."""
        if not (self.stage_database and self.stage_schema and self.stage_name):
            return ""
        return snowflake_identifier(self.stage_database, self.stage_schema, self.stage_name)


class MigrationRequest(EarlierRun, FileSettings, CopySettings, Names):
    """What one run does: every setting of the table, decided. Plain values; `to_json` and `from_json` keep all of it.

    Columns are as they were typed; `match_columns` says which they are.
    """

    #: None: the mode does not publish by it (incremental and changes merge; unload and test leave the target alone).
    publish: PublishMethod | None  # type: ignore[assignment]  # wider than what a person may choose
    compression: Compression
    columns: ColumnRules
    policies: Policies
    staging: Staging
    connections: Connections

    @property
    def owned_rows(self) -> str:
        """The predicate for the rows of the target that are this copy's own; empty: all."""
        tag = self.columns.source_tag
        return self.policies.owned_rows or (own_by_tag(tag.column, tag.value).text if tag else "")

    @property
    def max_file_bytes(self) -> int:
        """The upper bound of a file, in bytes."""
        return self.max_file_size_mb * BYTES_PER_MB

    @property
    def merges(self) -> bool:
        """Whether rows are merged into the target by the unique key."""
        return Mode(self.mode).continues and self.publish is None

    @property
    def appends(self) -> bool:
        """Whether the rows beyond the last watermark are added, of a table that only grows."""
        return Mode(self.mode) is Mode.INCREMENTAL and not self.merges

    @property
    def deletes(self) -> Deletes:
        """What a merge does with rows of the target that the source no longer has."""
        return self.policies.deletes_in(Mode(self.mode))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, as they are in the ledger."""
        return self.model_dump(mode="json")

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> MigrationRequest:
        """The request that `to_json` wrote, in this version or an earlier one."""
        policies, _ = replace_old_settings(Policies, values["policies"])
        return cls.model_validate({**values, "policies": policies})

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


def parse_request(
    parameters: Mapping[str, Any], config: Config, table: TableConfig | None = None
) -> MigrationRequest:
    """Make the request of a run, or name everything that is wrong with its parameters.

    What the form does not ask (rules for columns, policies) comes from the table's configuration, found by the source: a
    column that is masked there is masked in every copy, whoever triggers it. The connections are the DAG's own, since its
    tasks are built with them.

    Old words, in the parameters and in the table's configuration, are accepted and logged as warnings.

    :param parameters: of the run; what is missing is at its default.
    :param table: the table of the DAG; None for `migrate_table`.
    :raises ConfigurationError: with all faults at once.
    """
    given, old = replace_old_settings(RequestParameters, parameters)
    filled = fill_parameters(given, default_parameters(config, table))
    reading = read_model(RequestParameters, filled)
    for warning in (*_warnings_of(config, table), *old, *reading.warnings):
        log.warning("%s", warning)
    values = dict(reading.good)
    faults = list(reading.faults)
    configured = None
    if {"source_database", "source_schema", "source_table"} <= values.keys():
        source = TableName(values["source_database"], values["source_schema"], values["source_table"])
        configured = _find_configured(source, values.get("target_table"), config, table, faults)
    policies = configured.policies if configured else Policies()
    connections = table.connections if table is not None else config.connections
    if "target_table" in values and values["target_table"] is None and "source_table" in values:
        values["target_table"] = _name_target(values["source_table"], policies, faults)
    around = {
        "stage_name": config.snowflake_unload.stage_name,
        "aws_cleanup": connections.aws_cleanup,
        "owned_rows": policies.owned_rows,
        "columns": configured.columns if configured else ColumnsConfig(),
        "deleted_column": policies.deleted_column,
        "inserts_only": policies.inserts_only,
    }
    faults.extend(find_conflicts(values | around))
    subqueries = policies.filter_subqueries and is_own_filter(values, configured)
    faults.extend(_find_filter_faults(values.get("source_filter"), subqueries))
    faults.extend(find_limit_faults(values, config, table, configured))
    faults.extend(_find_other_owners(values, config, configured, connections))
    if faults:
        raise ConfigurationError("The parameters of this run do not go together:", tuple(map(str, faults)))
    return _build(values, config, configured, policies, connections)


def name_copy(config: Config, table: TableConfig | None, parameters: Mapping[str, Any]) -> dict[str, str]:
    """Mode, source and target of a run, as far as its parameters say them: for a run that failed before it had a request."""
    filled = fill_parameters(parameters, default_parameters(config, table))
    good = read_model(RequestParameters, filled).good
    parts = ("source_database", "source_schema", "source_table")
    if set(parts) <= good.keys():
        source = str(TableName(*(good[name] for name in parts)))
    else:
        source = ".".join(str(filled.get(name) or "?") for name in parts)
    target = good.get("target_table") or fold_name(good.get("source_table") or "?")
    schema = good.get("target_schema") or filled.get("target_schema") or "?"
    return {"mode": str(good.get("mode", Mode.FULL)), "source": source, "target": f"{schema}.{target}"}


def _warnings_of(config: Config, table: TableConfig | None) -> list[str]:
    return [text for text in config.warnings if table is not None and text.startswith(f"{table.path}.")]


def _find_configured(
    source: TableName,
    target_table: str | None,
    config: Config,
    table: TableConfig | None,
    faults: list[Fault],
) -> TableConfig | None:
    if table is not None and table.source == source:
        return table
    broken = config.broken_of(source)
    if broken:
        faults.append(
            Fault(
                ("source_table",),
                f"{source}, whose configuration is broken ({config.origin}, {broken[0].path})",
                "rules for its columns that can be read",
                "Correct it there, or columns that should be masked or left out would be copied.",
            )
        )
        return None
    tables = config.tables_of(source)
    named = [one for one in tables if one.target_table == target_table]
    if named or len(tables) == 1:
        return (named or list(tables))[0]
    if any(_rules_of(one) != _rules_of(tables[0]) for one in tables):
        faults.append(
            Fault(
                ("target_table",),
                show_value(target_table),
                f"one of {', '.join(one.target_table for one in tables)}: {source} is configured for each of these",
                "Each has its own rules for columns; the target says which hold.",
            )
        )
    return tables[0] if tables else None


def _find_other_owners(
    values: Mapping[str, Any], config: Config, configured: TableConfig | None, connections: Connections
) -> Iterable[Fault]:
    """The configured tables whose rows a run of the form would replace."""
    names = ("source_database", "source_schema", "source_table", "target_schema", "target_table")
    if not {*names, "mode"} <= values.keys() or values["mode"] in {Mode.UNLOAD, Mode.TEST}:
        return
    *source, schema, target = (values[name] for name in names)
    table = TableName(*source)
    # Another filter of the same source is a change of the target's state, and judged by that.
    share = Share(table, None, configured.owned_rows if configured else "")
    for other in config.tables:
        place = (other.connections.postgres, other.target_schema, other.target_table)
        here = place == (connections.postgres, schema, target) and other.source != table
        if here and share.overlaps(Share.of(other)):
            yield Fault(
                ("target_table",),
                f"{schema}.{target}, which {other.path} fills from {other.source}",
                "one owner for each row",
                "Name another target, or configure the rows that each owns (owned_rows).",
            )


def _rules_of(table: TableConfig) -> tuple[Any, ...]:
    return (table.columns, table.policies)


def _name_target(source_table: str, policies: Policies, faults: list[Fault]) -> str:
    name = fold_name(source_table)
    if fits_postgres(name):
        return name
    if policies.long_names == LongNames.SHORTEN:
        return shorten_name(name, ())
    faults.append(
        Fault(
            ("target_table",),
            f"none, and the source's name has {len(name.encode())} bytes",
            f"a name of at most {POSTGRES_IDENTIFIER_BYTES} bytes",
            "Give a target_table.",
        )
    )
    return name


def _find_filter_faults(text: str | None, subqueries: bool) -> Iterable[Fault]:
    if text is None:
        return ()
    from snowmelt.sql.predicate import find_filter_faults

    return [
        Fault(("source_filter",), reason, "one Snowflake predicate, as you would write it after WHERE")
        for reason in find_filter_faults(text, subqueries=subqueries)
    ]


def _build(
    values: Mapping[str, Any],
    config: Config,
    configured: TableConfig | None,
    policies: Policies,
    connections: Connections,
) -> MigrationRequest:
    source = TableName(values["source_database"], values["source_schema"], values["source_table"])
    staging = config.s3_staging
    requested = configured.compression if configured else staging.compression
    appends = values["mode"] == Mode.INCREMENTAL and values["publish"] == PublishMethod.APPEND
    publishes = values["mode"] in {Mode.FULL, Mode.LOAD} or appends
    decided = {
        "publish": values["publish"] if publishes else None,
        "row_limit": values["row_limit"] or None,
        "compression": choose_compression(values["file_format"], values["load_method"], requested),
    }
    prefix = render_prefix(staging.prefix_pattern, source, values["target_schema"], values["target_table"])
    return MigrationRequest(
        **{name: value for name, value in values.items() if name not in POLICIES} | decided,
        columns=configured.columns.rules() if configured else ColumnRules(),
        policies=policies.model_copy(update={name: values[name] for name in POLICIES}),
        staging=Staging(bucket=staging.bucket, prefix=prefix, **dict(config.snowflake_unload)),
        connections=connections,
    )
