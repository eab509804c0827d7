"""Target columns for files that exist already: what their unload chose, masked and wrote is kept.

Rules about the target (rename, type) count as they are now. A rule about what is unloaded (include, exclude, mask,
keep_offset) can only be kept by another unload: where it says something else now, the load is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from snowmelt.errors import SchemaError
from snowmelt.sql.names import match_name
from snowmelt.types.columns import Column, ColumnPlan, ColumnRules, TargetColumn
from snowmelt.types.expressions import offset_expression
from snowmelt.types.masks import mask_expression
from snowmelt.types.selected_columns import SelectedColumn, parse_requested_type, resolve_names
from snowmelt.types.target_columns import map_columns
from snowmelt.types.type_names import parse_snowflake_type
from snowmelt.vocabulary import FileFormat, LongNames, SchemaDrift

_UNLOAD_AGAIN = "Unload the table again, or restore the rule."

T = TypeVar("T")


def plan_staged_columns(
    staged: Sequence[Column],
    target_columns: Sequence[TargetColumn] | None,
    rules: ColumnRules | None,
    file_format: FileFormat,
    *,
    long_names: LongNames = LongNames.REFUSE,
    schema_drift: SchemaDrift = SchemaDrift.FAIL,
) -> ColumnPlan:
    """Find the target column and a safe way for every column of the files.

    :param staged: the manifest's; each keeps its form and what was selected for it.
    :param target_columns: of the existing target; None when it is to be created.
    :param rules: of the table's configuration; None where there is none.
    :raises SchemaError: with all faults at once, each naming its column and what to do.
    """
    faults: list[str] = [] if rules is None else _find_rule_faults(staged, rules)
    rules = rules or ColumnRules()
    selected = resolve_names(_select(staged, rules, faults), long_names, faults)
    mapped, added = map_columns(
        selected, target_columns, rules.target_only, file_format, schema_drift, faults
    )
    by_source = {column.source: column for column in staged}
    if file_format == FileFormat.CSV:
        faults.extend(_find_marked_texts(mapped, by_source))
    if faults:
        raise SchemaError("These columns cannot be copied as they are:", tuple(faults))
    return ColumnPlan(
        tuple(_as_staged(column, by_source) for column in mapped),
        tuple(_as_staged(column, by_source) for column in added),
    )


def _as_staged(column: Column, by_source: Mapping[str, Column]) -> Column:
    staged = by_source[column.source]
    return replace(column, form=staged.form, select=staged.select)


def _select(staged: Sequence[Column], rules: ColumnRules, faults: list[str]) -> list[SelectedColumn]:
    names = [column.source for column in staged]
    renames, types = _matched(rules.rename, names), _matched(rules.type, names)
    offsets = _find_offsets(staged)
    selected = []
    for column in staged:
        here: list[str] = []
        requested = parse_requested_type(types.get(column.source), here)
        faults.extend(f'"{column.source}": {fault}' for fault in here)
        selected.append(
            SelectedColumn(
                column.source,
                parse_snowflake_type(column.source_type),
                column.value,
                renames.get(column.source, column.target),
                column.nullable,
                column.primary_key,
                column.comment,
                requested,
                masked=column.derived and column.source not in offsets,
                valid=not here,
            )
        )
    return selected


def _matched(rule: Mapping[str, T], names: Sequence[str]) -> dict[str, T]:
    """What a rule says about columns of the files; names of other columns were checked by the unload."""
    found = {match_name(written, names): value for written, value in rule.items()}
    return {name: value for name, value in found.items() if name is not None}


def _find_offsets(staged: Sequence[Column]) -> dict[str, str]:
    """Column of offsets → the column of instants that it belongs to."""
    parents = {offset_expression(column.value): column.source for column in staged}
    return {column.source: parents[column.value] for column in staged if column.value in parents}


def _find_rule_faults(staged: Sequence[Column], rules: ColumnRules) -> list[str]:
    names = [column.source for column in staged]
    offsets = _find_offsets(staged)
    faults = [
        f'columns.include names "{written}", which the files do not hold. {_UNLOAD_AGAIN}'
        for written in rules.include
        if match_name(written, names) is None
    ]
    included = {match_name(written, names) for written in rules.include}
    left_out = {match_name(written, names) for written in rules.exclude}
    left_out |= {name for name in names if included and name not in included and name not in offsets}
    faults += [
        f'"{name}" is in the files, and columns.include or columns.exclude leaves it out. {_UNLOAD_AGAIN}'
        for name in names
        if name in left_out
    ]
    masks = _matched(rules.mask, names)
    for column in staged:
        mask = masks.get(column.source)
        if mask is not None:
            kind = parse_snowflake_type(mask.type)
            if (column.value, column.source_type) != (mask_expression(mask, kind), str(kind)):
                faults.append(
                    f'"{column.source}" was unloaded as {column.value}, and columns.mask says {mask.expression}. {_UNLOAD_AGAIN}'
                )
        elif column.derived and column.source not in offsets:
            faults.append(
                f'"{column.source}" was unloaded as {column.value}, and no columns.mask says so now. {_UNLOAD_AGAIN}'
            )
    kept = set(offsets.values())
    faults += [
        f'columns.keep_offset names "{written}", whose offset the files do not hold. {_UNLOAD_AGAIN}'
        for written in rules.keep_offset
        if match_name(written, names) not in kept
    ]
    return faults


def _find_marked_texts(mapped: Sequence[Column], by_source: Mapping[str, Column]) -> list[str]:
    """Texts that were marked for a column of another length: the mark would be copied, or spaces cut off without an error."""
    faults = []
    for column in mapped:
        before = by_source[column.source].text_limit
        if before != column.text_limit:
            wanted = "any length" if before is None else f"character varying({before})"
            faults.append(
                f'"{column.source}" was unloaded to CSV for a column of {wanted}, and "{column.target}" is {column.target_type}: a '
                "longer text would not be noticed, or not be what it is. Unload the table again, or copy by Parquet."
            )
    return faults
