"""The `sources[]` of the file → tables that can be used and tables that cannot, each on its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from snowmelt.core.columns.names import TableName
from snowmelt.core.settings.conflicts import find_conflicts
from snowmelt.core.settings.dag_ids import build_dag_id
from snowmelt.core.settings.faults import Fault, Place, show_place, show_value
from snowmelt.core.settings.file_sections import FileSections
from snowmelt.core.settings.prefixes import render_prefix
from snowmelt.core.settings.readings import Reading, Show, read_model
from snowmelt.core.settings.settled_tables import find_table_conflicts, settle_table
from snowmelt.core.settings.table_config import SourceEntry, TableConfig, TableEntry


@dataclass(frozen=True, slots=True)
class BrokenTable:
    """A table, or a whole source, that the file does not describe well enough to copy it."""

    #: Where it stands: `sources[0].tables[2]`.
    path: str
    #: What a person calls it: the id its DAG would have where that is known, else the path.
    name: str
    #: Each with its path.
    faults: tuple[str, ...]
    #: The table in Snowflake, where the file says so much.
    source: TableName | None = None


@dataclass(slots=True)
class _Taken:
    """What the tables before have taken; value: their path."""

    dag_ids: dict[str, str] = field(default_factory=dict)
    prefixes: dict[str, tuple[TableName, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Context:
    sections: FileSections
    known: Sequence[Fault]
    show: Show
    taken: _Taken


def read_tables(
    sources: list[Any], sections: FileSections, *, known_faults: Sequence[Fault], show: Show
) -> tuple[tuple[TableConfig, ...], tuple[BrokenTable, ...]]:
    """Read every table by itself; a faulty source breaks its own tables alone.

    :param known_faults: what was found before below `sources`: it breaks the table, or the source, that it stands in.
    """
    tables: list[TableConfig] = []
    broken: list[BrokenTable] = []
    context = _Context(sections, known_faults, show, _Taken())
    for position, raw in enumerate(sources):
        for result in _read_source(raw, ("sources", position), context):
            if isinstance(result, TableConfig):
                tables.append(result)
            else:
                broken.append(result)
    return tuple(tables), tuple(broken)


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
    whole = BrokenTable(show_place(place), name, (*map(str, faults), *inner))
    # Each table of a broken source is named, so that nobody copies it by the form without its rules.
    return [whole, *(_broken_with(result, whole) for result in results)]


def _broken_with(result: TableConfig | BrokenTable, source: BrokenTable) -> BrokenTable:
    reason = f"{source.path}: its source is broken, see there."
    if isinstance(result, TableConfig):
        return BrokenTable(result.path, result.dag_id, (reason,), result.source)
    return BrokenTable(result.path, result.name, (*result.faults, reason), result.source)


def _in_table(fault: Fault, place: Place) -> bool:
    below = fault.place[len(place) :]
    return len(below) > 1 and below[0] == "tables"


def _read_table(
    source: Reading[SourceEntry], raw: Any, place: Place, context: _Context
) -> TableConfig | BrokenTable:
    known = [fault for fault in context.known if fault.place[: len(place)] == place]
    entry = read_model(
        TableEntry, raw, place, known_faults=[fault.place for fault in known], show=context.show
    )
    given = frozenset(raw) if isinstance(raw, dict) else frozenset()
    values = settle_table(source.good, entry.good, given, context.sections)
    faults = [
        *known,
        *entry.faults,
        *find_conflicts(values, place),
        *find_table_conflicts(values, given, place),
    ]
    name = show_place(place)
    if {"source_name", "target_table"} <= values.keys():
        name = build_dag_id(values["source_name"], values["target_table"])
        faults.extend(_take_dag_id(name, place, context.taken))
    table_name = None
    if {"source_database", "source_schema", "source_table"} <= values.keys():
        table_name = TableName(values["source_database"], values["source_schema"], values["source_table"])
        faults.extend(_take_prefix(table_name, values, place, context))
    if entry.value is None or faults:
        return BrokenTable(show_place(place), name, tuple(map(str, faults)), table_name)
    if not set(TableConfig.model_fields) - {"path", "dag_id"} <= values.keys():
        return BrokenTable(
            show_place(place), name, (), table_name
        )  # what it rests on is broken, and says so itself
    settled = {key: values[key] for key in TableConfig.model_fields if key in values}
    return TableConfig.model_construct(**(settled | {"path": show_place(place), "dag_id": name}))


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
