"""From drafts to columns with a place: in a table to be created, or in one that exists.

Sources: PostgreSQL "Identity columns" (INSERT refuses a value for GENERATED ALWAYS), "Generated columns",
"Character types" (spaces beyond varchar(n) are cut off without an error, in COPY too).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from snowmelt.sql.names import near_misses
from snowmelt.types.columns import Column, Draft, TargetColumn
from snowmelt.types.snowflake_type import Outcome, allowed_target, default_target, select_expression
from snowmelt.types.type_names import PostgresType
from snowmelt.types.type_table import FileFormat, Form, form_of
from snowmelt.vocabulary import SchemaDrift

#: The end of a text in CSV that is longer than its column.
UNFIT_END = "!"


def place_columns(
    drafts: Sequence[Draft],
    target_columns: Sequence[TargetColumn] | None,
    target_only: Sequence[str],
    file_format: FileFormat,
    schema_drift: SchemaDrift,
    faults: list[str],
) -> tuple[tuple[Column, ...], tuple[Column, ...]]:
    """All columns with their places, and those among them that an existing target does not have yet.

    :param target_columns: of the existing target; None when it is to be created.
    """
    if target_columns is None:
        return _place_in_new(drafts, file_format, faults), ()
    return _place_in_existing(drafts, target_columns, target_only, file_format, schema_drift, faults)


def _place_in_new(drafts: Sequence[Draft], file_format: FileFormat, faults: list[str]) -> tuple[Column, ...]:
    """A column for each draft, of the type that a rule asks for, else of the source type's own."""
    columns = []
    for draft in drafts:
        if not draft.sound:
            continue
        kind = draft.wanted_type or default_target(draft.type)
        if (checked := _check(draft, kind, faults)) is not None:
            columns.append(_column(draft, kind, file_format, nullable=draft.nullable, checked=checked))
    return tuple(columns)


def _place_in_existing(
    drafts: Sequence[Draft],
    target_columns: Sequence[TargetColumn],
    target_only: Sequence[str],
    file_format: FileFormat,
    schema_drift: SchemaDrift,
    faults: list[str],
) -> tuple[tuple[Column, ...], tuple[Column, ...]]:
    """All columns, matched by name, and those among them that the target does not have yet.

    A column of the target that nothing fills is a fault, unless it fills itself or stands in `target_only`: by a full copy
    it would be NULL in every row, and a column that was dropped from the source would go by without a word.
    """
    targets = {target.name: target for target in target_columns}
    faults.extend(_find_target_only_faults(target_only, targets, {draft.target for draft in drafts}))
    columns: list[Column] = []
    added: list[Column] = []
    for draft in drafts:
        target = targets.pop(draft.target, None)
        if target is not None:
            columns.extend(_into(draft, target, file_format, faults))
        elif schema_drift == SchemaDrift.FAIL:
            faults.append(_no_place(draft, [target.name for target in target_columns]))
        elif draft.sound:
            kind = draft.wanted_type or default_target(draft.type)
            if (checked := _check(draft, kind, faults)) is not None:
                added.append(_column(draft, kind, file_format, nullable=True, checked=checked))
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
        f'"{name}" stands under columns.target_only, and a column of the source goes there. Take it out, or leave the column out '
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


def _no_place(draft: Draft, names: Sequence[str]) -> str:
    alike = [name for name in names if name.casefold() == draft.target.casefold()]
    hint = f' The target has "{alike[0]}": names are matched to the letter.' if alike else ""
    return (
        f'"{draft.source}" has no place: the target has no column "{draft.target}".{hint} Add the column, rename it '
        "(columns.rename), leave it out (columns.exclude), or set schema_drift to add_columns."
    )


def _into(draft: Draft, target: TargetColumn, file_format: FileFormat, faults: list[str]) -> list[Column]:
    way = f'"{draft.source}" to "{target.name}"'
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
    if not draft.sound:
        return []
    if draft.wanted_type not in {None, target.type}:
        faults.append(
            f"{way}: columns.type asks for {draft.wanted_type}, the target is {target.type}. "
            "Take the rule out, or change the target."
        )
        return []
    checked = _check(draft, target.type, faults)
    if checked is None:
        return []
    checked = checked or (target.not_null and draft.nullable)
    return [_column(draft, target.type, file_format, nullable=not target.not_null, checked=checked)]


def _check(draft: Draft, kind: PostgresType, faults: list[str]) -> bool | None:
    """Whether the values have to be checked; None, and a fault, when there is no safe way."""
    verdict = allowed_target(draft.type, kind)
    if verdict.outcome is Outcome.REFUSED:
        faults.append(f'"{draft.source}" to "{draft.target}": {verdict.reason}.')
        return None
    return verdict.outcome is Outcome.CHECKED


def _column(
    draft: Draft, kind: PostgresType, file_format: FileFormat, *, nullable: bool, checked: bool
) -> Column:
    select = select_expression(draft.type, draft.value, file_format)
    unfit = _may_be_longer(draft, kind)
    limit = kind.arguments[0] if unfit and file_format == FileFormat.CSV else None
    if limit is not None:
        # COPY would cut spaces beyond varchar(n) off: a text that is too long gets an end that is no space, and is refused.
        select = f"{select} || IFF(LENGTH({draft.value}) > {limit}, '{UNFIT_END}', '')"
    return Column(
        source=draft.source,
        source_type=str(draft.type),
        form=form_of(draft.type),
        value=draft.value,
        select=select,
        target=draft.target,
        target_type=str(kind),
        nullable=nullable,
        primary_key=draft.primary_key,
        comment=draft.comment,
        checked=checked or unfit,
        text_limit=limit,
    )


def _may_be_longer(draft: Draft, kind: PostgresType) -> bool:
    """Whether a text may have more characters than its column; a mask may give more than its type says."""
    if form_of(draft.type) is not Form.TEXT or not kind.arguments:
        return False
    return draft.masked or kind.arguments[0] < (draft.type.length or 0)
