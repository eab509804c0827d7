"""The `sources[]` of the file → tables that can be used and tables that cannot, each on its own.

What a table leaves to its source, to the sections or to a rule is resolved here; so is the id of its DAG.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from snowmelt.config.conflicts import find_table_conflicts
from snowmelt.config.faults import Fault, Place, show_place, show_value
from snowmelt.config.file_sections import FileSections
from snowmelt.config.policies import Policies
from snowmelt.config.reading import Reading, Show, read_model
from snowmelt.config.sections import COMPRESSIONS, FileSettings, render_prefix
from snowmelt.config.settings import Section, override
from snowmelt.config.table import OF_SOURCE, SourceEntry, TableConfig, TableEntry
from snowmelt.sql.names import TableName, fold_name, shorten_name
from snowmelt.vocabulary import LoadMethod, LongNames, Mode

#: Airflow's longest key.
_MAX_CHARACTERS = 250
_HASH_DIGITS = 8
_OTHER = re.compile(r"[^A-Za-z0-9_.-]|(?<=\.)\.")


#: Begins the id of every DAG that has one configured table.
TABLE_DAG = "migrate__"


def build_dag_id(source_name: str, target: str) -> str:
    """`migrate__<source_name>__<target>`, in the characters that Airflow takes.

    Every other character, and a dot that follows a dot, becomes `_`. When that changed anything, or the id is longer than 250, it ends in `_` and
    8 hexadecimal digits of the SHA-256 of both names, so that `Visit Id` and `Visit_Id` stay two DAGs.
    """
    plain = f"{TABLE_DAG}{source_name}__{target}"
    dag_id = _OTHER.sub("_", plain)
    if dag_id == plain and len(plain) <= _MAX_CHARACTERS:
        return plain
    digest = hashlib.sha256(f"{source_name}\x00{target}".encode()).hexdigest()[:_HASH_DIGITS]
    return f"{dag_id[: _MAX_CHARACTERS - _HASH_DIGITS - 1].rstrip('.')}_{digest}"


def resolve_table(
    source: Mapping[str, Any], entry: Mapping[str, Any], given: Collection[str], sections: FileSections
) -> dict[str, Any]:
    """Every field of a TableConfig (but path and dag_id) that is known, and what the rules across settings read.

    A table's own value holds over its source's, that over the section's, and that over the default. A field that rests on a
    faulty one is left out.

    :param source: right fields of the source.
    :param entry: right fields of the table.
    :param given: the keys that the table itself has.
    """
    values = dict(entry) | {"publish_given": "publish" in given}
    values.update(_resolve_files(values, sections.staging.good))
    values.update({key: source[key] for key in ("source_name", *OF_SOURCE) if key in source})
    if "enabled" in values:
        values["enabled"] = values["enabled"] and source.get("enabled", True)
    if "schedule" not in given:
        values.pop("schedule", None)
        values.update({key: source[key] for key in ("schedule",) if key in source})
    if "source" in values:
        values["source_table"] = values["source"]
    values.update(_resolve_rules(values))
    for key, section in (("connections", sections.connections), ("execution", sections.execution)):
        overrides = values.pop(key, None)
        if overrides is not None and section.value is not None:
            values[key] = override(section.value, overrides)
    if "connections" in values:
        values["aws_cleanup"] = values["connections"].aws_cleanup
    if "stage_name" in sections.unload.good:
        values["stage_name"] = sections.unload.good["stage_name"]
    return values


def _resolve_rules(values: dict[str, Any]) -> dict[str, Any]:
    """What is decided by rules: the mode by the watermark, the target's name by the source's."""
    resolved: dict[str, Any] = {}
    if "mode" in values and values["mode"] is None:
        del values["mode"]
        if "watermark_column" in values:
            resolved["mode"] = Mode.INCREMENTAL if values["watermark_column"] else Mode.FULL
    if values.get("target") is not None:
        resolved["target_table"] = values["target"]
    elif {"source", "target", "long_names"} <= values.keys():
        name = fold_name(values["source"])
        shorten = values["long_names"] == LongNames.SHORTEN
        resolved["target_table"] = shorten_name(name, ()) if shorten else name
    if values.keys() >= Policies.model_fields.keys():
        resolved["policies"] = Policies(**{key: values[key] for key in Policies.model_fields})
    return resolved


def _resolve_files(values: dict[str, Any], staging: Mapping[str, Any]) -> dict[str, Any]:
    resolved: dict[str, Any] = {}
    for key in FileSettings.model_fields:
        if key in values and values[key] is None:
            del values[key]
            if key in staging:
                resolved[key] = staging[key]
    file_format = resolved.get("file_format", values.get("file_format"))
    if "compression" in resolved and (
        (file_format is not None and resolved["compression"] not in COMPRESSIONS[file_format])
        or values.get("load_method") == LoadMethod.AWS_S3
    ):
        resolved["compression"] = None  # the section's is for files of the section's own format
    return resolved


@dataclass(frozen=True, slots=True)
class BrokenTable:
    """A table, or a whole source, that the file does not describe well enough to copy it."""

    #: Where it is in the file: `sources[0].tables[2]`.
    path: str
    #: What a person calls it: the id its DAG would have where that is known, else the path.
    name: str
    #: Each with its path.
    faults: tuple[str, ...]
    #: Database, schema and table in Snowflake, each where the file says it. A whole source has its tables beside it.
    names: tuple[str | None, ...] | None = None

    def may_copy(self, source: TableName) -> bool:
        """Whether it copies a table of Snowflake, as far as can be told."""
        parts = (source.database, source.schema, source.table)
        return self.names is not None and all(
            name in {None, part} for name, part in zip(self.names, parts, strict=True)
        )


@dataclass(frozen=True, slots=True)
class Share:
    """Which rows of a target one table fills, and from where."""

    source: TableName
    source_filter: str | None
    #: The predicate for the rows that are its own; empty: all.
    owned_rows: str

    @classmethod
    def of(cls, table: TableConfig) -> Share:
        """The share of a configured table."""
        return cls(table.source, table.source_filter, table.owned_rows)

    def overlaps(self, other: Share) -> bool:
        """Whether both would fill the same rows from two sources."""
        same = (self.source, self.source_filter) == (other.source, other.source_filter)
        apart = self.owned_rows and other.owned_rows and self.owned_rows != other.owned_rows
        return not same and not apart


@dataclass(slots=True)
class _Taken:
    """What the tables before have taken; value: their path."""

    dag_ids: dict[str, str] = field(default_factory=dict)
    prefixes: dict[str, tuple[TableName, str]] = field(default_factory=dict)
    #: (connection, schema, table) → of each table that fills it: whose copy it is, and its path.
    targets: dict[tuple[str, str, str], list[tuple[Share, str]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Context:
    """What every table is read with."""

    sections: FileSections
    known: Sequence[Fault]
    show: Show
    taken: _Taken = field(default_factory=_Taken)
    warnings: list[str] = field(default_factory=list)


def read_tables(
    sources: list[Any], sections: FileSections, *, known_faults: Sequence[Fault], show: Show
) -> tuple[tuple[TableConfig, ...], tuple[BrokenTable, ...], tuple[str, ...]]:
    """Read every table by itself; a faulty source breaks its own tables alone.

    :param known_faults: what was found before below `sources`: it breaks the table, or the source, that it is in.
    :returns: the tables that are right, those that are not, and the old words in any of them.
    """
    tables: list[TableConfig] = []
    broken: list[BrokenTable] = []
    context = _Context(sections, known_faults, show)
    for position, raw in enumerate(sources):
        for result in _read_source(raw, ("sources", position), context):
            if isinstance(result, TableConfig):
                tables.append(result)
            else:
                broken.append(result)
    return tuple(tables), tuple(broken), tuple(context.warnings)


def _read_source(raw: Any, place: Place, context: _Context) -> list[TableConfig | BrokenTable]:
    known = [
        fault for fault in context.known if fault.place[: len(place)] == place and not _in_table(fault, place)
    ]
    source = read_model(
        SourceEntry, raw, place, known_faults=[fault.place for fault in known], show=context.show
    )
    faults = (*known, *source.faults)
    entries = raw.get("tables") if isinstance(raw, dict) else None
    results = [
        _read_table(source, entry, (*place, "tables", at), context)
        for at, entry in enumerate(entries if isinstance(entries, list) else ())
    ]
    if not faults:
        return results
    inner = [fault for result in results if isinstance(result, BrokenTable) for fault in result.faults]
    name = source.good.get("source_name", show_place(place))
    unknown = None if isinstance(entries, list) else (*map(source.good.get, OF_SOURCE[:2]), None)
    whole = BrokenTable(show_place(place), name, (*map(str, faults), *inner), unknown)
    # Each table of a broken source is named, so that the form cannot copy it without its rules.
    return [whole, *(_broken_with(result, whole) for result in results)]


def _broken_with(result: TableConfig | BrokenTable, source: BrokenTable) -> BrokenTable:
    reason = f"{source.path}: its source is broken, see there."
    if isinstance(result, TableConfig):
        names = (result.source_database, result.source_schema, result.source_table)
        return BrokenTable(result.path, result.dag_id, (reason,), names)
    return BrokenTable(result.path, result.name, (*result.faults, reason), result.names)


def _in_table(fault: Fault, place: Place) -> bool:
    below = fault.place[len(place) :]
    return len(below) > 1 and below[0] == "tables"


def _read_table(
    source: Reading[Section], raw: Any, place: Place, context: _Context
) -> TableConfig | BrokenTable:
    known = [fault for fault in context.known if fault.place[: len(place)] == place]
    entry = read_model(
        TableEntry, raw, place, known_faults=[fault.place for fault in known], show=context.show
    )
    given = frozenset(raw) if isinstance(raw, dict) else frozenset()
    values = resolve_table(source.good, entry.good, given, context.sections)
    context.warnings.extend(entry.warnings)
    faults = [*known, *entry.faults, *find_table_conflicts(values, place)]
    name = show_place(place)
    if {"source_name", "target_table"} <= values.keys():
        name = build_dag_id(values["source_name"], values["target_table"])
        faults.extend(_take_dag_id(name, place, context.taken))
    names = tuple(values.get(part) for part in ("source_database", "source_schema", "source_table"))
    if {"source_database", "source_schema", "source_table"} <= values.keys():
        table_name = TableName(values["source_database"], values["source_schema"], values["source_table"])
        faults.extend(_take_prefix(table_name, values, place, context))
    if entry.value is None or faults:
        return BrokenTable(show_place(place), name, tuple(map(str, faults)), names)
    if not set(TableConfig.model_fields) - {"path", "dag_id"} <= values.keys():
        return BrokenTable(
            show_place(place), name, (), names
        )  # what it rests on is broken, and says so itself
    resolved = {key: values[key] for key in TableConfig.model_fields if key in values}
    table = TableConfig.model_construct(**(resolved | {"path": show_place(place), "dag_id": name}))
    shared = _share_target(table, place, context.taken)
    if shared:
        return BrokenTable(show_place(place), name, tuple(map(str, shared)), names)
    return table


def _share_target(table: TableConfig, place: Place, taken: _Taken) -> list[Fault]:
    """Each row of a target has one owner."""
    if table.mode in {Mode.UNLOAD, Mode.TEST}:
        return []
    target = (table.connections.postgres, table.target_schema, table.target_table)
    share = Share.of(table)
    others = taken.targets.setdefault(target, [])
    faults = [
        Fault(
            (*place, "target"),
            f"{table.target_schema}.{table.target_table}, which {first} fills from {other.source}",
            "one owner for each row",
            "Give one of the two another target, or both their own rows, by owned_rows or columns.source_tag.",
        )
        for other, first in others
        if share.overlaps(other)
    ]
    others.append((share, show_place(place)))
    return faults


def _take_dag_id(dag_id: str, place: Place, taken: _Taken) -> list[Fault]:
    first = taken.dag_ids.setdefault(dag_id, show_place(place))
    if first == show_place(place):
        return []
    return [
        Fault(
            (*place, "target"),
            f"the DAG id {dag_id}, which {first} has already",
            "one DAG for each table",
            "Give one of the two another target, or put it under another source_name.",
        )
    ]


def _take_prefix(table: TableName, values: dict[str, Any], place: Place, context: _Context) -> list[Fault]:
    pattern = context.sections.staging.good.get("prefix_pattern")
    if pattern is None or not {"target_schema", "target_table"} <= values.keys():
        return []
    prefix = render_prefix(pattern, table, values["target_schema"], values["target_table"])
    other, first = context.taken.prefixes.setdefault(prefix, (table, show_place(place)))
    if other == table:  # two copies of one table: each run has its own folder below
        return []
    return [
        Fault(
            (*place, "source"),
            f"the prefix {show_value(prefix)}, which {first} ({other}) has already",
            "a folder of its own for each table",
            "Put more placeholders into s3_staging.prefix_pattern.",
        )
    ]
