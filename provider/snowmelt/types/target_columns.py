"""The target column of each column that is copied: in a table to be created, in one that exists, and for files that exist already.

For existing files, what their unload chose, masked and wrote is kept. Rules about the target (rename, type) count as they are now. A rule
about what is unloaded (include, exclude, mask, keep_offset) can only be kept by another unload: where it says something else now, the load
is refused.

Sources: PostgreSQL "Identity columns" (INSERT refuses a value for GENERATED ALWAYS), "Generated columns",
"Character types" (spaces beyond varchar(n) are cut off without an error, in COPY too).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from snowmelt.errors import SchemaError
from snowmelt.sql.names import match_name, near_misses, snowflake_literal
from snowmelt.types.columns import Column, ColumnPlan, ColumnRules, TargetColumn, mask_expression
from snowmelt.types.selected_columns import SelectedColumn, parse_requested_type, resolve_names
from snowmelt.types.target_types import (
    Outcome,
    allowed_target,
    default_target,
    find_wider,
    offset_expression,
    select_expression,
)
from snowmelt.types.type_names import PostgresType, parse_snowflake_type
from snowmelt.types.type_table import Form, form_of
from snowmelt.vocabulary import FileFormat, LongNames, SchemaDrift

#: What ends a text in CSV that is longer than its column.
TOO_LONG_END = "!"


def map_columns(
    selected_columns: Sequence[SelectedColumn],
    target_columns: Sequence[TargetColumn] | None,
    target_only: Sequence[str],
    file_format: FileFormat,
    schema_drift: SchemaDrift,
    faults: list[str],
) -> tuple[tuple[Column, ...], tuple[Column, ...]]:
    """All columns with their target columns, and those among them that an existing target does not have yet.

    :param target_columns: of the existing target; None when it is to be created.
    """
    if target_columns is None:
        return _map_to_new(selected_columns, file_format, faults), ()
    return _map_to_existing(selected_columns, target_columns, target_only, file_format, schema_drift, faults)


def _map_to_new(
    selected_columns: Sequence[SelectedColumn], file_format: FileFormat, faults: list[str]
) -> tuple[Column, ...]:
    """A column for each, of the type that a rule asks for, else of the source type's default."""
    columns = []
    for selected in selected_columns:
        if not selected.valid:
            continue
        kind = selected.requested_type or default_target(selected.type)
        if (checked := _check(selected, kind, faults)) is not None:
            columns.append(_column(selected, kind, file_format, nullable=selected.nullable, checked=checked))
    return tuple(columns)


def _map_to_existing(
    selected_columns: Sequence[SelectedColumn],
    target_columns: Sequence[TargetColumn],
    target_only: Sequence[str],
    file_format: FileFormat,
    schema_drift: SchemaDrift,
    faults: list[str],
) -> tuple[tuple[Column, ...], tuple[Column, ...]]:
    """All columns, matched by name, and those among them that the target does not have yet.

    A column of the target that nothing fills is a fault, unless it fills itself or is in `target_only`: a full copy would
    leave it NULL in every row, and nothing would say that a column was dropped from the source.
    """
    targets = {target.name: target for target in target_columns}
    faults.extend(
        _find_target_only_faults(target_only, targets, {selected.target for selected in selected_columns})
    )
    columns: list[Column] = []
    added: list[Column] = []
    for selected in selected_columns:
        target = targets.pop(selected.target, None)
        if target is not None:
            columns.extend(_into(selected, target, file_format, faults, SchemaDrift(schema_drift)))
        elif not SchemaDrift(schema_drift).adds:
            faults.append(_missing_target(selected, [target.name for target in target_columns]))
        elif selected.valid:
            kind = selected.requested_type or default_target(selected.type)
            if (checked := _check(selected, kind, faults)) is not None:
                added.append(_column(selected, kind, file_format, nullable=True, checked=checked))
                columns.append(added[-1])
    faults.extend(
        _unfilled(target)
        for target in targets.values()
        if not (target.has_default or target.generated or target.identity_always)
        and (target.not_null or target.name not in target_only)
    )
    return tuple(columns), tuple(added)


def _find_target_only_faults(
    target_only: Sequence[str], targets: Mapping[str, TargetColumn], filled: Collection[str]
) -> list[str]:
    missing = [
        f'columns.target_only: the target has no column "{name}".{near_misses(name, targets)}'
        for name in target_only
        if name not in targets
    ]
    return missing + [
        f'"{name}" is named by columns.target_only, and a column of the source goes there. Remove it, or leave the column out '
        "(columns.exclude)."
        for name in target_only
        if name in filled
    ]


def _unfilled(target: TargetColumn) -> str:
    if target.not_null:
        return (
            f'"{target.name}" of the target takes no NULL, has no default, and no column of the source goes there. '
            "Give it a default, drop its NOT NULL, or rename a source column to it (columns.rename)."
        )
    return (
        f'"{target.name}" of the target has no default, and no column of the source goes there: it would be NULL. Rename a source '
        "column to it (columns.rename), give it a default, drop it, or name it under columns.target_only."
    )


def _missing_target(selected: SelectedColumn, names: Sequence[str]) -> str:
    alike = [name for name in names if name.casefold() == selected.target.casefold()]
    hint = f' The target has "{alike[0]}": names are matched to the letter.' if alike else ""
    return (
        f'"{selected.source}" has no target column: there is no "{selected.target}".{hint} Add the column, rename it '
        "(columns.rename), leave it out (columns.exclude), or set schema_drift to add_columns."
    )


def find_widened(
    columns: Sequence[Column], target_columns: Sequence[TargetColumn] | None
) -> tuple[Column, ...]:
    """The columns whose target column gets another type than it has."""
    types = {target.name: str(target.type) for target in target_columns or ()}
    return tuple(
        column for column in columns if types.get(column.target, column.target_type) != column.target_type
    )


def _into(
    selected: SelectedColumn,
    target: TargetColumn,
    file_format: FileFormat,
    faults: list[str],
    schema_drift: SchemaDrift,
) -> list[Column]:
    way = f'"{selected.source}" to "{target.name}"'
    if target.generated:
        faults.append(
            f"{way}: the target computes this column itself. Leave it out (columns.exclude) or rename it."
        )
        return []
    if target.identity_always:
        faults.append(
            f"{way}: the target's identity is GENERATED ALWAYS and takes no values. Leave the column out (columns.exclude), "
            "or ALTER COLUMN … SET GENERATED BY DEFAULT."
        )
        return []
    if not selected.valid:
        return []
    if selected.requested_type not in {None, target.type}:
        faults.append(
            f"{way}: columns.type asks for {selected.requested_type}, the target is {target.type}. "
            "Remove the rule, or change the target."
        )
        return []
    kind = target.type
    if schema_drift.widens and selected.requested_type is None:
        kind = find_wider(selected.type, kind) or kind
    checked = _check(selected, kind, faults)
    if checked is None:
        return []
    checked = checked or (target.not_null and selected.nullable)
    return [_column(selected, kind, file_format, nullable=not target.not_null, checked=checked)]


def _check(selected: SelectedColumn, kind: PostgresType, faults: list[str]) -> bool | None:
    """Whether the values have to be checked while loading; None, and a fault, when there is no safe way."""
    verdict = allowed_target(selected.type, kind)
    if verdict.outcome is Outcome.REFUSED:
        faults.append(f'"{selected.source}" to "{selected.target}": {verdict.reason}.')
        return None
    return verdict.outcome is Outcome.CHECKED


def _column(
    selected: SelectedColumn, kind: PostgresType, file_format: FileFormat, *, nullable: bool, checked: bool
) -> Column:
    select = select_expression(selected.type, selected.value, file_format)
    longer = _may_be_longer(selected, kind)
    limit = kind.arguments[0] if longer and file_format == FileFormat.CSV else None
    if limit is not None:
        # COPY cuts off spaces beyond varchar(n): a text that is too long ends in something else, and is refused.
        select = f"{select} || IFF(LENGTH({selected.value}) > {limit}, '{TOO_LONG_END}', '')"
    return Column(
        source=selected.source,
        source_type=str(selected.type),
        form=form_of(selected.type),
        value=selected.value,
        select=select,
        target=selected.target,
        target_type=str(kind),
        nullable=nullable,
        primary_key=selected.primary_key,
        comment=selected.comment,
        checked=checked or longer,
        text_limit=limit,
    )


def _may_be_longer(selected: SelectedColumn, kind: PostgresType) -> bool:
    """Whether a text may have more characters than its column; a mask may give more than its type says."""
    if form_of(selected.type) is not Form.TEXT or not kind.arguments:
        return False
    return selected.masked or kind.arguments[0] < (selected.type.length or 0)


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
        find_widened([_as_staged(column, by_source) for column in mapped], target_columns),
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


def _find_tags(staged: Sequence[Column], rules: ColumnRules) -> set[str]:
    """The column of the files that is the source tag as the rules have it."""
    tag = rules.source_tag
    return {
        column.source
        for column in staged
        if tag is not None and (column.target, column.value) == (tag.column, snowflake_literal(tag.value))
    }


def _find_rule_faults(staged: Sequence[Column], rules: ColumnRules) -> list[str]:
    names = [column.source for column in staged]
    offsets = _find_offsets(staged)
    tags = _find_tags(staged, rules)
    faults = [
        f'columns.include names "{written}", which the files do not hold. {_UNLOAD_AGAIN}'
        for written in rules.include
        if match_name(written, names) is None
    ]
    included = {match_name(written, names) for written in rules.include}
    left_out = {match_name(written, names) for written in rules.exclude}
    left_out |= {
        name for name in names if included and name not in included and name not in {*offsets, *tags}
    }
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
        elif column.derived and column.source not in {*offsets, *tags}:
            faults.append(
                f'"{column.source}" was unloaded as {column.value}, and no columns.mask says so now. {_UNLOAD_AGAIN}'
            )
    if rules.source_tag is not None and not tags:
        faults.append(
            f'columns.source_tag fills "{rules.source_tag.column}" with a text that the files do not hold. {_UNLOAD_AGAIN}'
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
