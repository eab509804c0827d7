"""The id of a configured table's DAG.

A table of the file with everything settled that it leaves to its source, to the sections or to a rule.

The `sources[]` of the file → tables that can be used and tables that cannot, each on its own.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from snowmelt.config.conflicts import find_conflicts
from snowmelt.config.faults import Fault, Place, show_place, show_value
from snowmelt.config.file_sections import FileSections
from snowmelt.config.prefixes import render_prefix
from snowmelt.config.reading import Reading, Show, read_model
from snowmelt.config.sections import COMPRESSIONS
from snowmelt.config.table import Policies, SourceEntry, TableConfig, TableEntry
from snowmelt.sql.names import POSTGRES_IDENTIFIER_BYTES, TableName, fits_postgres, fold_name, shorten_name
from snowmelt.sql.text import find_text_faults

#: Airflow's longest key.
MOST_CHARACTERS = 250
_HASH_DIGITS = 8
_OTHER = re.compile(r"[^A-Za-z0-9_.-]|(?<=\.)\.")


def build_dag_id(source_name: str, target: str) -> str:
    """`migrate__<source_name>__<target>`, in the characters that Airflow takes.

    Every other character, and a dot that follows a dot, becomes `_`. When that changed anything, or the id is longer than 250, it ends in `_` and
    8 hexadecimal digits of the SHA-256 of both names, so that `Visit Id` and `Visit_Id` stay two DAGs.
    """
    plain = f"migrate__{source_name}__{target}"
    dag_id = _OTHER.sub("_", plain)
    if dag_id == plain and len(plain) <= MOST_CHARACTERS:
        return plain
    digest = hashlib.sha256(f"{source_name}\x00{target}".encode()).hexdigest()[:_HASH_DIGITS]
    return f"{dag_id[: MOST_CHARACTERS - _HASH_DIGITS - 1].rstrip('.')}_{digest}"


#: Keys that a table leaves to `s3_staging`.
_FROM_STAGING = ("file_format", "compression", "max_file_size_mb", "cleanup_after_load")
_FROM_SOURCE = ("source_name", "source_database", "source_schema", "target_schema")


def settle_table(
    source: Mapping[str, Any], entry: Mapping[str, Any], given: Collection[str], sections: FileSections
) -> dict[str, Any]:
    """Every field of a TableConfig (but path and dag_id) that can be told, and what the rules across fields look at.

    A field that rests on a faulty one is left out.

    :param source: right fields of the source.
    :param entry: right fields of the table.
    :param given: the keys that the table itself has.
    """
    values = dict(entry)
    values.update(_settle_staging(values, sections.staging.good))
    values.update({key: source[key] for key in _FROM_SOURCE if key in source})
    if "enabled" in values:
        values["enabled"] = values["enabled"] and source.get("enabled", True)
    if "schedule" not in given and "schedule" in values:
        del values["schedule"]
        values.update({key: source[key] for key in ("schedule",) if key in source})
    if "mode" in values and values["mode"] is None:
        del values["mode"]
        if "watermark_column" in values:
            values["mode"] = "catch_up" if values["watermark_column"] else "full"
    if "source" in values:
        values["source_table"] = values["source"]
    target = _settle_target(values)
    if target is not None:
        values["target_table"] = target
    if values.keys() >= Policies.model_fields.keys():
        values["policies"] = Policies(**{key: values[key] for key in Policies.model_fields})
    _settle_overrides(values, sections)
    if "stage_name" in sections.unload.good:
        values["stage_name"] = sections.unload.good["stage_name"]
    return values


def _settle_overrides(values: dict[str, Any], sections: FileSections) -> None:
    connections, execution = values.pop("connections", None), values.pop("execution", None)
    if connections is not None and sections.connections.value is not None:
        values["connections"] = connections.over(sections.connections.value)
        values["aws_cleanup"] = values["connections"].aws_cleanup
    if execution is not None and sections.execution.value is not None:
        values["execution"] = execution.over(sections.execution.value)


def _settle_staging(values: dict[str, Any], staging: Mapping[str, Any]) -> dict[str, Any]:
    settled: dict[str, Any] = {}
    for key in _FROM_STAGING:
        if key in values and values[key] is None:
            del values[key]
            if key in staging:
                settled[key] = staging[key]
    file_format = settled.get("file_format", values.get("file_format"))
    if "compression" in settled and (
        (file_format is not None and settled["compression"] not in COMPRESSIONS[file_format])
        or values.get("load_method") == "aws_s3"
    ):
        settled["compression"] = None  # the section's wish is for the files of the section's own kind
    return settled


def _settle_target(values: Mapping[str, Any]) -> str | None:
    if values.get("target") is not None:
        return str(values["target"])
    if not {"source", "target", "long_names"} <= values.keys():
        return None
    name = fold_name(values["source"])
    return shorten_name(name, ()) if values["long_names"] == "shorten" else name


def find_table_conflicts(values: Mapping[str, Any], given: Collection[str], place: Place) -> list[Fault]:
    """The rules across fields that hold for the file alone, beside those of `conflicts.py`."""
    return [
        Fault((*place, key), found, expected, advice)
        for key, found, expected, advice in _rules(values, given)
    ]


def _rules(values: Mapping[str, Any], given: Collection[str]) -> Iterator[tuple[str, str, str, str]]:
    mode = values.get("mode")
    if "publish" in given and "publish" in values and mode in {"catch_up", "unload", "test"}:
        yield (
            "publish",
            f"{show_value(values['publish'])} with mode {show_value(mode)}",
            "publish with mode full (or load) only",
            "Leave publish out: catch_up merges by uniqueness_columns, unload and test leave the target alone.",
        )
    if mode == "load" and values.get("schedule") is not None:
        yield (
            "mode",
            '"load" with a schedule',
            "a mode that needs no run_id",
            'Mode load takes an earlier run from the trigger form. Give "schedule": null, or choose mode "full".',
        )
    text = values.get("source_filter")
    if text and not values.get("filter_subqueries") and (faults := find_text_faults(text)):
        yield (
            "source_filter",
            show_value(text),
            "one Snowflake predicate, as it would stand behind WHERE",
            f'It holds {faults[0]}. A subquery needs "filter_subqueries": true.',
        )
    target = values.get("target_table")
    if target is not None and not fits_postgres(target):
        yield (
            "target",
            f"a name of {len(target.encode())} bytes, from the source's",
            f"at most {POSTGRES_IDENTIFIER_BYTES} bytes",
            'Give a target, or "long_names": "shorten".',
        )


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
