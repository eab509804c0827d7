"""Every setting of a configured table as it is settled, and which part of the file, or which rule, settled it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from snowmelt.config.document import fill_environment, parse_json
from snowmelt.config.file import Config
from snowmelt.config.policies import Policies
from snowmelt.config.sections import FileSettings, S3Staging, SnowflakeUnload, render_prefix
from snowmelt.config.settings import setting_of
from snowmelt.config.table import CopySettings, TableConfig

_PLACE = re.compile(r"sources\[(\d+)\]\.tables\[(\d+)\]")
#: What the file gives each table beside its own settings.
_OF_TABLE = ("enabled", "schedule", "expect_fresh_within")


@dataclass(frozen=True, slots=True)
class Settled:
    """One setting."""

    #: With its section where it is one of a section: `connections.snowflake`.
    name: str
    #: A plain JSON value.
    value: Any
    #: table, source, the name of a section, default, or rule: derived from other settings.
    origin: str


def list_settled(
    config: Config, table: TableConfig, text: str, environment: Mapping[str, str]
) -> tuple[Settled, ...]:
    """All settings of a table, in the order of the documentation.

    :param text: the file that `config` was read from, and what its references are filled from.
    """
    document = fill_environment(parse_json(text).value, environment).value
    place = _PLACE.fullmatch(table.path)
    source = document["sources"][int(place[1])] if place else {}
    entry = source["tables"][int(place[2])] if place else {}
    levels = {"table": entry, "source": source}
    return tuple(_settle(config, table, document, levels))


def _settle(
    config: Config, table: TableConfig, document: Mapping[str, Any], levels: Mapping[str, Mapping[str, Any]]
) -> Iterator[Settled]:
    values = table.model_dump(mode="json")
    staging = {**levels, "s3_staging": document.get("s3_staging") or {}}
    yield Settled("source", str(table.source), "table")
    yield Settled(
        "target", f"{table.target_schema}.{table.target_table}", _find(levels, "target", CopySettings, "rule")
    )
    yield Settled("dag_id", table.dag_id, "rule")
    for name in _OF_TABLE:
        yield Settled(name, values[name], _find(levels, name, TableConfig, "default"))
    for name in CopySettings.model_fields:
        decided = "rule" if name == "mode" else "default"
        yield Settled(name, values[name], _find(levels, name, CopySettings, decided))
    for name in FileSettings.model_fields:
        yield Settled(name, values[name], _find(staging, name, FileSettings, "default"))
    for name in Policies.model_fields:
        yield Settled(name, values["policies"][name], _find(levels, name, Policies, "default"))
    for name, value in values["columns"].items():
        if value:
            yield Settled(f"columns.{name}", value, "table")
    for section in ("connections", "execution"):
        within = {level: raw.get(section) or {} for level, raw in levels.items()}
        within[section] = document.get(section) or {}
        model = type(getattr(config, section))
        for name in model.model_fields:
            yield Settled(f"{section}.{name}", values[section][name], _find(within, name, model, "default"))
    yield from _settle_staging(config, table, document)


def _settle_staging(config: Config, table: TableConfig, document: Mapping[str, Any]) -> Iterator[Settled]:
    prefix = render_prefix(
        config.s3_staging.prefix_pattern, table.source, table.target_schema, table.target_table
    )
    yield Settled("prefix", prefix, "rule")
    for section, model in (("s3_staging", S3Staging), ("snowflake_unload", SnowflakeUnload)):
        raw = {section: document.get(section) or {}}
        values = getattr(config, section).model_dump(mode="json")
        for name in model.model_fields:
            if name not in FileSettings.model_fields:
                yield Settled(f"{section}.{name}", values[name], _find(raw, name, model, "default"))


def _find(levels: Mapping[str, Mapping[str, Any]], name: str, model: type[BaseModel], otherwise: str) -> str:
    """The first level that gives the setting, by its name of today or of an earlier version."""
    field = model.model_fields.get(name)
    formerly = None if field is None or field.json_schema_extra is None else setting_of(field).formerly
    names = {name} | ({formerly.name} if formerly is not None else set())
    return next(
        (level for level, raw in levels.items() if any(raw.get(each) is not None for each in names)),
        otherwise,
    )
