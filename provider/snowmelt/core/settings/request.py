"""From the parameters of a run and the configuration to the request: checked across all fields, all faults at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from snowmelt.core.columns.names import TableName, fits_postgres, fold_name, shorten_name
from snowmelt.core.columns.plan import ColumnRules
from snowmelt.core.quoting import POSTGRES_IDENTIFIER_BYTES
from snowmelt.core.settings.config import Config
from snowmelt.core.settings.config_sections import Connections, choose_compression
from snowmelt.core.settings.conflicts import find_conflicts
from snowmelt.core.settings.faults import Fault, show_value
from snowmelt.core.settings.migration_request import MigrationRequest, Staging, match_columns
from snowmelt.core.settings.prefixes import render_prefix
from snowmelt.core.settings.readings import read_model
from snowmelt.core.settings.request_parameters import (
    POLICIES,
    RequestParameters,
    default_parameters,
    fill_parameters,
)
from snowmelt.core.settings.table_config import Policies, TableConfig
from snowmelt.errors import ConfigurationError

__all__ = ["MigrationRequest", "Staging", "match_columns", "parse_request"]


def parse_request(
    parameters: Mapping[str, Any], config: Config, table: TableConfig | None = None
) -> MigrationRequest:
    """Make the request of a run, or name everything that is wrong with its parameters.

    What the form does not ask (rules for columns, policies) comes from the table's configuration, found by the source: a
    column that is masked there is masked in every copy, whoever triggers it. The connections are the DAG's own, since its
    tasks are built with them.

    :param parameters: of the run; what is missing is at its default.
    :param table: the table of the DAG; None for `migrate_table`.
    :raises ConfigurationError: with all faults at once.
    """
    filled = fill_parameters(parameters, default_parameters(config, table))
    reading = read_model(RequestParameters, filled)
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
        "bad_rows": policies.bad_rows,
        "stage_name": config.snowflake_unload.stage_name,
        "aws_cleanup": connections.aws_cleanup,
    }
    faults.extend(find_conflicts(values | around))
    faults.extend(_find_filter_faults(values.get("source_filter"), policies))
    if faults:
        raise ConfigurationError("The parameters of this run do not go together:", tuple(map(str, faults)))
    return _build(values, config, configured, policies, connections)


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
                "Mend it there, or columns that should be masked or left out would be copied.",
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


def _rules_of(table: TableConfig) -> tuple[Any, ...]:
    return (table.columns, table.policies)


def _name_target(source_table: str, policies: Policies, faults: list[Fault]) -> str:
    name = fold_name(source_table)
    if fits_postgres(name):
        return name
    if policies.long_names == "shorten":
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


def _find_filter_faults(text: str | None, policies: Policies) -> Iterable[Fault]:
    if text is None:
        return ()
    from snowmelt.core.settings.source_filter import find_filter_faults

    return [
        Fault(("source_filter",), reason, "one Snowflake predicate, as it would stand behind WHERE")
        for reason in find_filter_faults(text, subqueries=policies.filter_subqueries)
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
    wished = configured.compression if configured else staging.compression
    columns = configured.columns.rules() if configured else ColumnRules()
    chosen = {name: values[name] for name in POLICIES}
    values = {name: value for name, value in values.items() if name not in POLICIES}
    return MigrationRequest(
        **{
            **values,
            "publish": values["publish"] if values["mode"] in {"full", "load"} else None,
            "row_limit": values["row_limit"] or None,
            "compression": choose_compression(values["file_format"], values["load_method"], wished),
        },
        columns=columns,
        policies=policies.model_copy(update=chosen),
        staging=Staging(
            bucket=staging.bucket,
            prefix=render_prefix(
                staging.prefix_pattern, source, values["target_schema"], values["target_table"]
            ),
            **config.snowflake_unload.model_dump(),
        ),
        connections=connections,
    )
