"""Rules across settings: what each value allows alone, and what not together. The same for a configured table and a form.

A rule looks only at settings that are right by themselves; where one of them is faulty, it says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from inspect import signature
from typing import Any

from snowmelt.config.faults import Fault, Place, show_value
from snowmelt.config.sections import COMPRESSIONS
from snowmelt.sql.names import LEDGER_SCHEMA, POSTGRES_IDENTIFIER_BYTES, fits_postgres
from snowmelt.sql.text import find_text_faults
from snowmelt.vocabulary import (
    Compression,
    Deletes,
    FileFormat,
    LoadMethod,
    Mode,
    PublishMethod,
    SnapshotRule,
)

#: Beside all that begin with pg_.
_SYSTEM_SCHEMAS = frozenset({"information_schema", LEDGER_SCHEMA})

Values = Mapping[str, Any]
#: (the setting that is to be changed, found, expected, advice).
Conflict = tuple[str, str, str, str]
#: Its parameters are the settings that it reads.
Rule = Callable[..., Iterator[Conflict]]


def find_conflicts(values: Values, place: Place = ()) -> list[Fault]:
    """Every rule that the values break.

    :param values: setting → value of those that are right; a value of None was not given. Beside a run's settings the rules
        look at stage_name, aws_cleanup, deleted_column and inserts_only.
    :param place: where these settings are.
    """
    return _apply(_RULES, values, place)


def find_table_conflicts(values: Values, place: Place) -> list[Fault]:
    """Every rule that a table of the file breaks, those for the file alone included.

    :param values: as of `find_conflicts`, and `publish_given`: whether the table gives one itself.
    """
    return _apply((*_RULES, *_FILE_RULES), values, place)


def _apply(rules: Iterable[Rule], values: Values, place: Place) -> list[Fault]:
    return [
        Fault((*place, name), found, expected, advice)
        for rule in rules
        if values.keys() >= set(names := _settings_of(rule))
        for name, found, expected, advice in rule(*(values[name] for name in names))
    ]


@cache
def _settings_of(rule: Rule) -> tuple[str, ...]:
    return tuple(signature(rule).parameters)


def _unique_key(
    mode: Mode, uniqueness_columns: tuple[str, ...], publish: PublishMethod
) -> Iterator[Conflict]:
    if not mode.continues or uniqueness_columns:
        return
    if mode == Mode.INCREMENTAL and publish != PublishMethod.APPEND:
        yield (
            "uniqueness_columns",
            "none",
            "the columns of the unique key, since mode incremental merges by it",
            'Name them, choose mode "full", or "publish": "append" for a table that only grows.',
        )
    if mode == Mode.CHANGES:
        yield (
            "uniqueness_columns",
            "none",
            "the columns of the unique key, since mode changes merges by it",
            'Name them, or choose mode "full".',
        )


def _deleted_column(deletes: Deletes, deleted_column: str | None) -> Iterator[Conflict]:
    if deletes == Deletes.SOFT and not deleted_column:
        yield (
            "deleted_column",
            "none",
            "the column of the target that marks deleted rows, since deletes is soft",
            'Name a boolean or a timestamp, or choose "hard".',
        )


def _append_deletes(mode: Mode, publish: PublishMethod, deletes: Deletes) -> Iterator[Conflict]:
    appends = mode == Mode.INCREMENTAL and publish == PublishMethod.APPEND
    if appends and deletes in {Deletes.HARD, Deletes.SOFT}:
        yield (
            "deletes",
            show_value(deletes),
            '"ignore" with mode incremental and publish append, which only adds rows',
            'Choose "ignore", or leave publish out and name the unique key.',
        )


def _soft_inserts(inserts_only: bool, deletes: Deletes) -> Iterator[Conflict]:
    if inserts_only and deletes == Deletes.SOFT:
        yield (
            "inserts_only",
            "true, with deletes soft",
            "false: a row that the source has again must lose its mark, which is an update",
            'Leave it out, or choose deletes "hard" or "ignore".',
        )


def _snapshot(mode: Mode, snapshot: SnapshotRule) -> Iterator[Conflict]:
    if mode == Mode.CHANGES and snapshot == SnapshotRule.OFF:
        yield (
            "snapshot",
            '"off" with mode "changes"',
            "auto or required: changes are read between two snapshots",
            'Leave it out, or choose mode "full".',
        )


def _watermark(mode: Mode, watermark_column: str | None) -> Iterator[Conflict]:
    if mode == Mode.INCREMENTAL and not watermark_column:
        yield (
            "watermark_column",
            "none",
            "a column that grows with every change, since mode incremental copies what is beyond its last value",
            'Name it, or choose mode "full".',
        )


def _target_schema(target_schema: str) -> Iterator[Conflict]:
    if target_schema in _SYSTEM_SCHEMAS or target_schema.startswith("pg_"):
        yield (
            "target_schema",
            show_value(target_schema),
            "a schema of your own: the server's and the ledger's are never a target",
            "Create a schema for the copies, and name it.",
        )


def _aws_s3_format(load_method: LoadMethod, file_format: FileFormat) -> Iterator[Conflict]:
    if load_method == LoadMethod.AWS_S3 and file_format == FileFormat.PARQUET:
        yield (
            "load_method",
            '"aws_s3" with file_format "parquet"',
            "auto or copy for Parquet: aws_s3 loads what COPY loads, which does not include Parquet",
            'Choose file_format "csv", or load_method "auto".',
        )


def _compression(compression: Compression | None, file_format: FileFormat) -> Iterator[Conflict]:
    if compression is not None and compression not in COMPRESSIONS[file_format]:
        yield (
            "compression",
            f'"{compression}" with file_format "{file_format}"',
            f"one of {', '.join(COMPRESSIONS[file_format])} for {file_format}",
            "Leave it out to get the best one.",
        )


def _aws_s3_compression(
    compression: Compression | None, file_format: FileFormat, load_method: LoadMethod
) -> Iterator[Conflict]:
    wanted = (LoadMethod.AWS_S3, FileFormat.CSV, Compression.GZIP)
    if (load_method, file_format, compression) == wanted:
        yield (
            "compression",
            '"gzip" with load_method "aws_s3"',
            "none: aws_s3 reads gzip only with a Content-Encoding that Snowflake does not set",
            "Leave it out.",
        )


def _run_id(mode: Mode, run_id: str | None) -> Iterator[Conflict]:
    if mode == Mode.LOAD and not run_id:
        yield (
            "run_id",
            "none",
            "the id of an earlier run, since mode load takes the files of that run",
            "The runs page lists them.",
        )
    if mode != Mode.LOAD and run_id:
        yield (
            "run_id",
            f"{show_value(run_id)} with mode {show_value(mode)}",
            "none: only mode load takes an earlier run's files",
            'Choose mode "load", or clear run_id.',
        )


def _row_limit(mode: Mode, row_limit: int | None) -> Iterator[Conflict]:
    if mode == Mode.TEST and not row_limit:
        yield "row_limit", "none", "the number of rows that mode test copies", "1000 is a good start."
    if mode != Mode.TEST and row_limit:
        yield (
            "row_limit",
            f"{row_limit} with mode {show_value(mode)}",
            "none: only mode test copies a part of the rows",
            'Choose mode "test", or clear row_limit; a part of a table is chosen by source_filter.',
        )


def _cleanup(cleanup_after_load: bool, stage_name: str | None, aws_cleanup: str | None) -> Iterator[Conflict]:
    if cleanup_after_load and not stage_name and not aws_cleanup:
        yield (
            "cleanup_after_load",
            "true, with neither a stage nor connections.aws_cleanup",
            "a stage or connection that may remove the files",
            "Name snowflake_unload.stage_name (Snowflake removes them), or connections.aws_cleanup.",
        )


def _publish(mode: Mode, publish: str, publish_given: bool) -> Iterator[Conflict]:
    appends = mode == Mode.INCREMENTAL and publish == PublishMethod.APPEND
    if publish_given and not appends and mode not in {Mode.FULL, Mode.LOAD}:
        yield (
            "publish",
            f"{show_value(publish)} with mode {show_value(mode)}",
            "publish with mode full (or load), or append with mode incremental",
            "Leave publish out: incremental and changes merge by uniqueness_columns, repair replaces what differs, the others leave the target alone.",
        )


def _scheduled_load(mode: Mode, schedule: str | None) -> Iterator[Conflict]:
    if mode == Mode.LOAD and schedule is not None:
        yield (
            "mode",
            '"load" with a schedule',
            "a mode that needs no run_id",
            'Mode load takes an earlier run from the trigger form. Give "schedule": null, or choose mode "full".',
        )


def _subqueries(source_filter: str | None, filter_subqueries: bool) -> Iterator[Conflict]:
    if source_filter and not filter_subqueries and (faults := find_text_faults(source_filter)):
        yield (
            "source_filter",
            show_value(source_filter),
            "one Snowflake predicate, as you would write it after WHERE",
            f'It holds {faults[0]}. A subquery needs "filter_subqueries": true.',
        )


def _owned_rows(owned_rows: str | None, columns: Any) -> Iterator[Conflict]:
    if owned_rows and columns.source_tag is not None:
        yield (
            "owned_rows",
            f"{show_value(owned_rows)} beside columns.source_tag",
            "one way to say which rows are the table's own",
            "Leave one of them out.",
        )


def _owned_swap(mode: Mode, publish: str, owned_rows: str | None, columns: Any) -> Iterator[Conflict]:
    if (
        mode in {Mode.FULL, Mode.LOAD}
        and publish == PublishMethod.SWAP
        and (owned_rows or columns.source_tag)
    ):
        yield (
            "publish",
            '"swap" with owned_rows or columns.source_tag',
            "replace or append: a swap would replace the rows of the others, too",
            'Give publish "replace".',
        )


def _long_name(target_table: str) -> Iterator[Conflict]:
    if not fits_postgres(target_table):
        yield (
            "target",
            f"a name of {len(target_table.encode())} bytes, from the source's",
            f"at most {POSTGRES_IDENTIFIER_BYTES} bytes",
            'Give a target, or "long_names": "shorten".',
        )


_RULES: tuple[Rule, ...] = (
    _target_schema,
    _unique_key,
    _watermark,
    _deleted_column,
    _append_deletes,
    _soft_inserts,
    _aws_s3_format,
    _compression,
    _aws_s3_compression,
    _run_id,
    _row_limit,
    _cleanup,
    _owned_rows,
    _owned_swap,
)
#: Those that hold for the file alone.
_FILE_RULES: tuple[Rule, ...] = (_publish, _scheduled_load, _subqueries, _long_name, _snapshot)
