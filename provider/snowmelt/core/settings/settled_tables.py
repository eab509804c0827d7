"""A table of the file with everything settled that it leaves to its source, to the sections or to a rule."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from snowmelt.core.columns.names import fits_postgres, fold_name, shorten_name
from snowmelt.core.quoting import POSTGRES_IDENTIFIER_BYTES
from snowmelt.core.settings.config_sections import COMPRESSIONS
from snowmelt.core.settings.faults import Fault, Place, show_value
from snowmelt.core.settings.file_sections import FileSections
from snowmelt.core.settings.sql_text import find_text_faults
from snowmelt.core.settings.table_config import Policies

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
