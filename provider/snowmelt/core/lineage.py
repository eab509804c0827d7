"""Lineage: the datasets that a task reads and writes, their columns, and what each column comes from.

Names follow OpenLineage's naming specification: `snowflake://<account>` with `DATABASE.SCHEMA.TABLE`, `s3://<bucket>` with a folder,
`postgres://<host>:<port>` with `database.schema.table`. A table's staged files are one dataset, its folder, whatever the
run and the chunk: lineage joins the runs of one table instead of showing each by itself.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from snowmelt.core.columns.names import TableName, match_name
from snowmelt.core.columns.plan import Column
from snowmelt.core.quoting import snowflake_identifier

#: What stands behind a table's folder in the key of a staged file.
_RUN_FOLDER = re.compile(r"(?P<table>|.*/)(run_[^/]+|test_[0-9]+_rows)(/.*)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class LineageField:
    """A column."""

    name: str
    #: As its database prints it; None where it is not known.
    type: str | None = None
    #: The columns of `LineageDataset.derived_from` that its value is made of.
    inputs: tuple[str, ...] = ()
    #: Whether a mask stands in the original value's place.
    masked: bool = False


@dataclass(frozen=True, slots=True)
class LineageDataset:
    """A table, or the staged files of one."""

    namespace: str
    name: str
    fields: tuple[LineageField, ...] = ()
    #: The dataset that the fields' inputs are columns of.
    derived_from: LineageDataset | None = None
    #: What this task read from it or wrote to it; None: not known.
    rows: int | None = None
    bytes: int | None = None
    files: int | None = None


def plan_source_dataset(account: str, source: TableName, columns: Iterable[str] = ()) -> LineageDataset:
    """The Snowflake table, each part to the letter."""
    return LineageDataset(
        f"snowflake://{account}",
        ".".join((source.database, source.schema, source.table)),
        tuple(LineageField(name) for name in columns),
    )


def plan_staged_dataset(
    bucket: str,
    path: str,
    fields: Sequence[LineageField] = (),
    *,
    derived_from: LineageDataset | None = None,
    rows: int | None = None,
    bytes: int | None = None,  # noqa: A002 - the field's name
    files: int | None = None,
) -> LineageDataset:
    """A table's staged files.

    :param path: a folder or key; the run's own folder and all below it is left out.
    """
    run = _RUN_FOLDER.fullmatch(path)
    name = (run["table"] if run else path).strip("/")
    return LineageDataset(
        f"s3://{bucket}", name or "/", tuple(fields), derived_from, rows=rows, bytes=bytes, files=files
    )


def plan_staged_fields(columns: Iterable[tuple[str, str]]) -> tuple[LineageField, ...]:
    """The staged columns, from the (name, Snowflake expression) pairs of an unload; an expression without the column has no input."""
    return tuple(
        LineageField(name, inputs=(name,) if snowflake_identifier(name) in expression else ())
        for name, expression in columns
    )


def plan_target_fields(columns: Sequence[Column], masked: Collection[str] = ()) -> tuple[LineageField, ...]:
    """The target's columns, each from the source's column that it was copied from.

    :param masked: columns that the configuration masks, as they were typed there.
    """
    sources = [column.source for column in columns]
    hidden = {match_name(typed, sources) for typed in masked}
    return tuple(
        LineageField(column.target, column.target_type, (column.source,), column.source in hidden)
        for column in columns
    )


def plan_target_dataset(
    server: str,
    database: str,
    schema: str,
    table: str,
    fields: Sequence[LineageField],
    *,
    derived_from: LineageDataset | None = None,
    rows: int | None = None,
) -> LineageDataset:
    """The table in PostgreSQL.

    :param server: `host:port`.
    """
    name = f"{database}.{schema}.{table}"
    return LineageDataset(f"postgres://{server}", name, tuple(fields), derived_from, rows=rows)
