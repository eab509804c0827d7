"""Incremental runs that append: tables that only grow, in intervals of the watermark that neither overlap nor leave a gap. Pure.

Such a table needs no unique key. What it needs is that no row comes or goes at or below the last watermark, which each run counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from snowmelt.config.request import MigrationRequest
from snowmelt.errors import ConfigurationError
from snowmelt.plan.facts import Facts, Start, TableFacts
from snowmelt.plan.watermark import build_growth, check_watermark_type, resolve_changes
from snowmelt.state import Change
from snowmelt.unload.chunks import check_ordered
from snowmelt.unload.statements import build_source, build_where


def ask_growth(request: MigrationRequest, tables: TableFacts, start: Start, at: str) -> str | None:
    """The query for up to where a run that appends can copy, and what there was up to the last watermark; None for another run.

    One row: the highest watermark up to the snapshot, less the overlap; rows; those whose watermark is NULL; those up to the last one.
    """
    name = request.watermark_column
    if not request.appends or name is None:
        return None
    type_ = tables.type_of(name)
    check_ordered(type_, name, "watermark_column")
    check_watermark_type(type_, name, text_allowed=request.policies.text_watermark)
    where = build_where(request.source_filter or "")
    columns = build_growth(name, type_, start.watermark, at, request.policies.watermark_overlap)
    condition = f" WHERE {where}" if where else ""
    return f"SELECT {columns} FROM {build_source(request.source.sql, at)}{condition}"


def plan_growth(request: MigrationRequest, tables: TableFacts, start: Start, row: Sequence[Any]) -> Start:
    """Where a run that appends starts and ends.

    :param row: the answer to `ask_growth`.
    :raises ConfigurationError: rows have no watermark; or rows up to the last one came or went, and on_change is fail.
    """
    until, rows, nulls, covered = (
        (None if row[0] is None else str(row[0])),
        *(int(count or 0) for count in row[1:]),
    )
    if nulls:
        raise ConfigurationError(
            f"{request.watermark_column} is NULL in {nulls:,} rows of {request.source}: publish append cannot tell whether they were copied. "
            "Leave these rows out by source_filter, or name uniqueness_columns, by which they are merged."
        )
    state = tables.target.state
    if state is not None and start.watermark is not None and not start.reload:
        before = state.rows + state.missing
        if covered != before:
            what = f"rows up to the watermark {start.watermark}"
            change = Change(what, f"{before:,}", f"{covered:,}: this table does not only grow")
            start = resolve_changes(request, (change,), state.run_id)
    covered = 0 if start.reload else covered
    return replace(start, until=until, covered=covered, total=rows)


def report_waiting(request: MigrationRequest, facts: Facts, rows: int) -> str | None:
    """What a run reports of rows that it leaves for a later one; None: there are none.

    :param rows: that it copies.
    """
    waiting = facts.start.total - facts.start.covered - rows
    if not request.appends or waiting <= 0:
        return None
    return f"{waiting:,} rows beyond the watermark {facts.start.until} wait for a later run"
