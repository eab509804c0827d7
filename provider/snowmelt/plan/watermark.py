"""The watermark: up to where a target is filled, as the text of a bound of the source's watermark column; and where a run starts.

An incremental run copies the rows at and above the last one less an overlap, so rows that share it, or that a slow transaction
committed late, are copied again rather than missed, and every row whose watermark is NULL, which has no place in the order; the
merge makes copying a row twice harmless. It starts at the published watermark, at everything, or not at all: a watermark is used only
where the target is as the last published run left it and the copy is still the same (`state.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from snowmelt.config.fields import COMPARE_DAYS, read_compare_runs
from snowmelt.config.request import MigrationRequest
from snowmelt.errors import ConfigurationError
from snowmelt.plan.facts import Start, TableFacts, Window
from snowmelt.sql.names import postgres_identifier, snowflake_identifier
from snowmelt.state import Change, LastCompared, Scope, TargetState, find_changes, refuse_changes
from snowmelt.types.columns import ColumnPlan
from snowmelt.types.type_names import SnowflakeType
from snowmelt.unload.chunks import build_bound_literal, build_bound_text, build_ordered
from snowmelt.vocabulary import Mode, OnChange

#: Snowflake type → PostgreSQL expression over {0} that writes the same text as the type's bound.
_TARGET_TEXT = {
    "NUMBER": "trim_scale({0}::numeric)::text",
    "DATE": "to_char({0}, 'YYYY-MM-DD')",
    "TIMESTAMP_NTZ": "to_char({0}, 'YYYY-MM-DD HH24:MI:SS.US') || '000'",
    "TIMESTAMP_LTZ": "to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '000'",
    "TIMESTAMP_TZ": "to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '000'",
}


#: Snowflake type → how far an incremental run reaches back by default, and the bound less that overlap: {0} the bound, {1} the number.
_OVERLAPS = {
    "NUMBER": (0, "{0} - {1:d}"),
    "DATE": (1, "DATEADD('day', -{1:d}, {0})"),
    "TIMESTAMP_NTZ": (3600, "DATEADD('second', -{1:d}, {0})"),
    "TIMESTAMP_LTZ": (3600, "DATEADD('second', -{1:d}, {0})"),
    "TIMESTAMP_TZ": (3600, "DATEADD('second', -{1:d}, {0})"),
}


#: Of a snapshot as Snowflake printed it, the characters that are a bound of a type.
_INSTANT_DIGITS = len("2026-01-01 00:00:00.000000000")
_SNAPSHOT_DIGITS = {"DATE": len("2026-01-01")}


def build_since(column: str, type_: SnowflakeType, watermark: str | None, overlap: int | None = None) -> str:
    """The predicate of an incremental run: everything at or above the watermark less the overlap, and NULLs; empty without a watermark.

    :param overlap: seconds, days of a DATE, units of a NUMBER; None: an hour, a day, nothing. A text or TIME has none.
    :raises ConfigurationError: an overlap is requested for a type that has none.
    """
    if watermark is None:
        return ""
    bound = build_bound_literal(type_, watermark)
    usual, less = _OVERLAPS.get(type_.name, (0, ""))
    reach = usual if overlap is None else overlap
    if reach and not less:
        raise ConfigurationError(
            f"watermark_overlap is {reach}, and the watermark_column {column!r} is of type {type_}, from which nothing can be "
            "subtracted. Set it to 0, or name a column of dates, times or numbers."
        )
    quoted = build_ordered(type_, snowflake_identifier(column))
    return f"{quoted} >= {less.format(bound, reach) if reach else bound} OR {quoted} IS NULL"


def build_interval(column: str, type_: SnowflakeType, after: str | None, until: str | None) -> str:
    """The predicate of a run that appends: watermarks beyond `after`, up to and with `until`. None of both overlaps with another run's.

    :param after: the last watermark; None: from the beginning.
    :param until: None: nothing.
    """
    if until is None:
        return "FALSE"
    quoted = build_ordered(type_, snowflake_identifier(column))
    upper = f"{quoted} <= {build_bound_literal(type_, until)}"
    return upper if after is None else f"{quoted} > {build_bound_literal(type_, after)} AND {upper}"


def build_growth(
    column: str, type_: SnowflakeType, after: str | None, snapshot: str, overlap: int | None
) -> str:
    """The columns (highest watermark as a bound's text, rows, rows without a watermark, rows up to `after`).

    :param snapshot: a date or time beyond it is not the highest.
    :param overlap: how far before the snapshot a date or time has to be, in the units of `build_since`; None: not at all.
    """
    value = build_ordered(type_, snowflake_identifier(column))
    highest = value
    if type_.name == "DATE" or type_.name.startswith("TIMESTAMP"):
        limit = build_bound_literal(type_, snapshot[: _SNAPSHOT_DIGITS.get(type_.name, _INSTANT_DIGITS)])
        _, less = _OVERLAPS[type_.name]
        limit = less.format(limit, overlap) if overlap else limit
        highest = f"IFF({value} <= {limit}, {value}, NULL)"
    covered = "0" if after is None else f"COUNT_IF({value} <= {build_bound_literal(type_, after)})"
    return f"{build_bound_text(type_, f'MAX({highest})')}, COUNT(*), COUNT_IF({value} IS NULL), {covered}"


def build_window(column: str, type_: SnowflakeType, start: datetime, end: datetime) -> str:
    """The predicate of a backfill: watermarks from `start` to before `end`; of a DATE, the days of both.

    :param start: with its time zone, as the next.
    :raises ConfigurationError: the column holds no dates or times of day.
    """
    quoted = snowflake_identifier(column)
    if type_.name == "DATE":
        low, high = (
            build_bound_literal(type_, moment.astimezone(UTC).strftime("%Y-%m-%d")) for moment in (start, end)
        )
        return f"{quoted} >= {low} AND {quoted} <= {high}"
    if not type_.name.startswith("TIMESTAMP"):
        raise ConfigurationError(
            f"A backfill takes the rows of a time window, and the watermark_column {column!r} is of type {type_}. "
            "Name a column of dates or timestamps, or run mode full."
        )
    low, high = (
        build_bound_literal(type_, moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f") + "000")
        for moment in (start, end)
    )
    return f"{quoted} >= {low} AND {quoted} < {high}"


def build_highest(column: str, type_: SnowflakeType, until: str | None = None) -> str:
    """The Snowflake expression for the highest watermark, as a bound's text; NULL when there is none.

    :param until: a snapshot, as Snowflake printed it: watermarks beyond it are ignored.
    """
    value = build_ordered(type_, snowflake_identifier(column))
    if until is not None:
        shown = "2026-01-01" if type_.name == "DATE" else "2026-01-01 00:00:00.000000000"
        value = f"IFF({value} <= {build_bound_literal(type_, until[: len(shown)])}, {value}, NULL)"
    return build_bound_text(type_, f"MAX({value})")


def build_target_highest(schema: str, table: str, column: str, type_: SnowflakeType) -> str | None:
    """The PostgreSQL query for the target's own highest watermark; None when the type has no such text there."""
    expression = _TARGET_TEXT.get(type_.name)
    if expression is None:
        return None
    return f"SELECT {expression.format(f'max({postgres_identifier(column)})')} FROM {postgres_identifier(schema, table)}"


def build_scope(request: MigrationRequest, tables: TableFacts, columns: ColumnPlan) -> Scope:
    """The scope that the target's state will name."""
    return Scope(
        source=str(request.source),
        created_on=tables.created_on,
        source_filter=request.source_filter or "",
        columns={column.target: column.value for column in columns.columns},
        unique_key=request.uniqueness_columns,
        watermark_column=request.watermark_column,
    )


_HALF_A_DAY = 0.5


def find_start(
    request: MigrationRequest, tables: TableFacts, columns: ColumnPlan, window: Window | None
) -> Start:
    """Where the run starts.

    :raises ConfigurationError: the target is not as the last published run left it, and on_change is fail.
    """
    target = tables.target
    mode = Mode(request.mode)
    if window is not None and request.appends:
        raise ConfigurationError(
            "A backfill copies rows of a time window again, which publish append would add a second time. Run mode full instead."
        )
    if not mode.continues or (window is not None and mode is Mode.INCREMENTAL) or target.now is None:
        return Start()
    if target.state is None:
        if not target.now.rows:
            return Start()
        run_id = "none"
        changes: tuple[Change, ...] = (
            Change(
                "rows of the target",
                "none by the ledger",
                f"{target.now.rows:,}, which something else filled",
            ),
        )
    else:
        run_id = target.state.run_id
        scope = build_scope(request, tables, columns)
        if mode is Mode.CHANGES:  # which reads no watermark
            scope = replace(scope, watermark_column=target.state.scope.watermark_column)
        changes = find_changes(target.state, scope, target.now)
        if mode is Mode.CHANGES:
            changes += tuple(_find_unfollowed(target.state))
    if not changes and mode is Mode.CHANGES and target.state is not None:
        return Start(changes_since=target.state.snapshot, follows=target.state.run_id)
    if not changes:
        follows = target.state.run_id if request.appends and target.state is not None else None
        return Start(watermark=target.published_watermark, follows=follows)
    added = _are_added(changes, columns)
    return resolve_changes(request, changes, run_id, added=added, adds=bool(columns.added_to_target))


def _find_unfollowed(state: TargetState) -> Iterator[Change]:
    """Why the changes since the last run are not all that the target lacks."""
    if state.snapshot is None:
        yield Change("snapshot of the last run", "none", "needed, since changes follow it")
    if state.scope.by_watermark:
        found = f"by {state.scope.watermark_column} alone, which may have missed some"
        yield Change(
            "rows that the last run copied",
            found,
            "mode changes follows one that copied or compared all rows",
        )


def resolve_changes(
    request: MigrationRequest,
    changes: tuple[Change, ...],
    run_id: str,
    *,
    added: bool = False,
    adds: bool = False,
) -> Start:
    """Repair, or copy all rows, since the run cannot go on from the last one.

    :param added: columns that schema_drift adds are all that changed.
    :param adds: there are such columns: the target cannot be compared without them.
    :raises ConfigurationError: on_change is fail.
    """
    reasons, action = tuple(map(str, changes)), OnChange(request.policies.on_change)
    if action is OnChange.REPAIR and not adds:
        return Start(repair=True, reasons=reasons)
    if added or action is not OnChange.FAIL:
        return Start(reload=True, reasons=reasons)
    refuse_changes(changes, f"{request.target_schema}.{request.target_table}", run_id)
    return Start()


def compares_after(request: MigrationRequest, last: LastCompared | None, window: Window | None) -> bool:
    """Whether the whole table is to be compared with its source after the publish.

    A rhythm of days is a rhythm of ticks: half a day is granted, for no run starts at the second of the last one.
    """
    rhythm = request.policies.compare
    if not request.merges or window is not None or rhythm == "never":
        return False
    if last is None:
        return True
    runs = read_compare_runs(rhythm)
    if runs is not None:
        return last.runs + 1 >= runs
    return last.days >= COMPARE_DAYS[rhythm] - _HALF_A_DAY


def _are_added(changes: tuple[Change, ...], columns: ColumnPlan) -> bool:
    """Whether the columns that schema_drift adds are all that changed: a reload fills them in the rows of earlier runs."""
    added = {f'column "{column.target}"' for column in columns.added_to_target}
    return bool(added) and {change.what for change in changes} <= added


def ask_target_watermark(
    request: MigrationRequest, tables: TableFacts, columns: ColumnPlan, start: Start
) -> str | None:
    """The PostgreSQL query for the highest watermark of a target that runs without a watermark filled; None: it is not needed."""
    name = request.watermark_column
    state = tables.target.state
    needed = (
        Mode(request.mode) is Mode.INCREMENTAL
        and name is not None
        and state is not None
        and not start.reload
        and tables.target.now is not None
        and start.watermark is None
    )
    target = {column.source: column.target for column in columns.columns}.get(name or "")
    if not needed or name is None or target is None:
        return None
    highest = build_target_highest(request.target_schema, request.target_table, target, tables.type_of(name))
    own = request.owned_rows
    return f"{highest} WHERE {own}" if highest and own else highest


def check_watermark_type(type_: SnowflakeType, column: str, *, text_allowed: bool) -> None:
    """Refuse a watermark whose order does not grow with time.

    :raises ConfigurationError: a TIME starts again each day; the order of texts is that of their bytes ('9' > '10').
    """
    if type_.name == "TIME":
        raise ConfigurationError(
            f"watermark_column is {column!r}, a column of type {type_}, which starts again each day: rows would be missed. "
            "Name a column of dates, timestamps or growing numbers, or run mode full."
        )
    if type_.name == "VARCHAR" and not text_allowed:
        raise ConfigurationError(
            f"watermark_column is {column!r}, a column of type {type_}. Texts are in the order of their bytes, where '9' is above '10': "
            "rows could be missed. Name a column of dates, timestamps or numbers; or set text_watermark to true where each new text is "
            "above all earlier ones, as ISO dates are."
        )


def is_beyond(type_: SnowflakeType, watermark: str | None, instant: str) -> bool:
    """Whether a watermark is later than an instant, so that starting at it would skip the rows that come until then.

    :param watermark: as a bound's text.
    :param instant: as Snowflake printed it, in UTC.
    """
    if watermark is None or not (type_.name == "DATE" or type_.name.startswith("TIMESTAMP")):
        return False
    shown = "2026-01-01" if type_.name == "DATE" else "2026-01-01 00:00:00.000000000"
    limit = instant[: len(shown)]
    return (len(watermark), watermark) > (len(limit), limit)


def advance(type_: SnowflakeType, before: str | None, highest: str | None) -> str | None:
    """The watermark that a run moves to: never back behind the one that it started from."""
    if before is None or highest is None:
        return highest or before
    if type_.name == "NUMBER":
        return max(before, highest, key=Decimal)
    if type_.name == "VARCHAR":
        return max(before, highest)
    return max(before, highest, key=lambda text: (len(text), text))
