"""Rules across fields: what each value allows alone, and what not together. The same for a configured table and a form.

A rule looks only at fields that are right by themselves; where one of them is faulty, it says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from snowmelt.config.faults import Fault, Place, show_value
from snowmelt.config.sections import COMPRESSIONS

Values = Mapping[str, Any]
#: (the field that is to be changed, found, expected, advice).
Conflict = tuple[str, str, str, str]


def find_conflicts(values: Values, place: Place = ()) -> list[Fault]:
    """Every rule that the values break.

    :param values: field → value of those that are right. Known are mode, uniqueness_columns, watermark_column,
        file_format, load_method, compression (None: no wish), bad_rows, run_id, row_limit, cleanup_after_load,
        stage_name and aws_cleanup.
    :param place: where these fields stand.
    """
    faults: list[Fault] = []
    for needed, rule in _RULES:
        if needed <= values.keys():
            faults.extend(
                Fault((*place, field), found, expected, advice)
                for field, found, expected, advice in rule(values)
            )
    return faults


def _catch_up_keys(values: Values) -> Iterator[Conflict]:
    if values["mode"] == "catch_up" and not values["uniqueness_columns"]:
        yield (
            "uniqueness_columns",
            "none",
            "the columns that tell one row from another, since mode catch_up merges by them",
            'Name them, or choose mode "full".',
        )


def _catch_up_watermark(values: Values) -> Iterator[Conflict]:
    if values["mode"] == "catch_up" and not values["watermark_column"]:
        yield (
            "watermark_column",
            "none",
            "a column that grows with every change, since mode catch_up copies what is new by it",
            'Name it, or choose mode "full".',
        )


def _aws_s3_format(values: Values) -> Iterator[Conflict]:
    if values["load_method"] == "aws_s3" and values["file_format"] == "parquet":
        yield (
            "load_method",
            '"aws_s3" with file_format "parquet"',
            "auto or copy for Parquet: aws_s3 takes what COPY takes, and Parquet is not among that",
            'Choose file_format "csv", or load_method "auto".',
        )


def _compression(values: Values) -> Iterator[Conflict]:
    wished, file_format = values["compression"], values["file_format"]
    if wished is not None and wished not in COMPRESSIONS[file_format]:
        yield (
            "compression",
            f'"{wished}" with file_format "{file_format}"',
            f"one of {', '.join(COMPRESSIONS[file_format])} for {file_format}",
            "Leave it out to get the best one.",
        )


def _aws_s3_compression(values: Values) -> Iterator[Conflict]:
    if (
        values["load_method"] == "aws_s3"
        and values["file_format"] == "csv"
        and values["compression"] == "gzip"
    ):
        yield (
            "compression",
            '"gzip" with load_method "aws_s3"',
            "none: aws_s3 reads gzip only with a Content-Encoding that Snowflake does not set",
            "Leave it out.",
        )


def _run_id(values: Values) -> Iterator[Conflict]:
    mode, run_id = values["mode"], values["run_id"]
    if mode == "load" and not run_id:
        yield (
            "run_id",
            "none",
            "the id of an earlier run, since mode load takes the files of that run",
            "The runs page lists them.",
        )
    if mode != "load" and run_id:
        yield (
            "run_id",
            f"{show_value(run_id)} with mode {show_value(mode)}",
            "none: only mode load takes an earlier run's files",
            'Choose mode "load", or clear run_id.',
        )


def _row_limit(values: Values) -> Iterator[Conflict]:
    mode, row_limit = values["mode"], values["row_limit"]
    if mode == "test" and not row_limit:
        yield (
            "row_limit",
            "none",
            "a number of rows, since mode test copies so many",
            "1000 is a good start.",
        )
    if mode != "test" and row_limit:
        yield (
            "row_limit",
            f"{row_limit} with mode {show_value(mode)}",
            "none: only mode test copies a part of the rows",
            'Choose mode "test", or clear row_limit; a part of a table is chosen by source_filter.',
        )


def _cleanup(values: Values) -> Iterator[Conflict]:
    if values["cleanup_after_load"] and not values["stage_name"] and not values["aws_cleanup"]:
        yield (
            "cleanup_after_load",
            "true, with neither a stage nor connections.aws_cleanup",
            "somebody who may remove the files",
            "Name snowflake_unload.stage_name (Snowflake removes them), or connections.aws_cleanup.",
        )


_RULES: tuple[tuple[frozenset[str], Callable[[Values], Iterator[Conflict]]], ...] = (
    (frozenset({"mode", "uniqueness_columns"}), _catch_up_keys),
    (frozenset({"mode", "watermark_column"}), _catch_up_watermark),
    (frozenset({"load_method", "file_format"}), _aws_s3_format),
    (frozenset({"compression", "file_format"}), _compression),
    (frozenset({"compression", "file_format", "load_method"}), _aws_s3_compression),
    (frozenset({"mode", "run_id"}), _run_id),
    (frozenset({"mode", "row_limit"}), _row_limit),
    (frozenset({"cleanup_after_load", "stage_name", "aws_cleanup"}), _cleanup),
)
