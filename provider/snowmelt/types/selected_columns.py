"""The columns that are copied: chosen by the rules, each with its value, its name in the target and the type that a rule asks for.

Sources: PostgreSQL "System columns" (names that no column of a table can take) and "Lexical structure" (63 bytes).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from snowmelt.errors import SchemaError
from snowmelt.sql.names import (
    POSTGRES_IDENTIFIER_BYTES,
    SNOWFLAKE_IDENTIFIER_CHARACTERS,
    fits_postgres,
    fold_name,
    match_name,
    near_misses,
    shorten_name,
    snowflake_identifier,
    snowflake_literal,
)
from snowmelt.types.columns import ColumnRules, MaskRule, SourceColumn, find_mask_faults, mask_expression
from snowmelt.types.target_types import offset_expression
from snowmelt.types.type_names import PostgresType, SnowflakeType, parse_postgres_type, parse_snowflake_type
from snowmelt.types.type_table import form_of
from snowmelt.vocabulary import LongNames

#: The name of the source tag in the staged files.
TAG_ALIAS = "SNOWMELT_SOURCE_TAG"
#: Snowflake's longest text: a new target gets a column without a limit.
_TAG_TYPE = parse_snowflake_type("VARCHAR")
SYSTEM_COLUMNS = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})
#: Minutes east of UTC, -720..840, go into a smallint.
_OFFSET_TYPE = SnowflakeType("NUMBER", precision=4, scale=0)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SelectedColumn:
    """A column that is copied: its source is known, its target column not yet."""

    source: str
    type: SnowflakeType
    #: The Snowflake expression of the value: the quoted column, the mask in parentheses or cast to its type, the offset.
    value: str
    #: The name in the target; final once `resolve_names` has shortened what is too long.
    target: str
    nullable: bool = True
    primary_key: int | None = None
    comment: str | None = None
    #: The PostgreSQL type that a rule asks for.
    requested_type: PostgresType | None = None
    #: Whether the value is a mask's: its type is what the configuration says, not what Snowflake says.
    masked: bool = False
    #: False once a fault was found that leaves nothing to say about its type.
    valid: bool = True


@dataclass(frozen=True, slots=True)
class _Chosen:
    """A source column that is copied, and what the rules say about it."""

    column: SourceColumn
    rename: str | None
    type: str | None
    mask: MaskRule | None
    keep_offset: bool


def _choose_columns(
    source_columns: Sequence[SourceColumn], rules: ColumnRules, faults: list[str]
) -> list[_Chosen]:
    """The columns that are copied, each with its rules; a rule for a name that the source does not have is a fault."""
    names = [column.name for column in source_columns]
    include = _resolve("include", dict.fromkeys(rules.include, True), names, faults)
    exclude = _resolve("exclude", dict.fromkeys(rules.exclude, True), names, faults)
    rename = _resolve("rename", rules.rename, names, faults)
    types = _resolve("type", rules.type, names, faults)
    masks = _resolve("mask", rules.mask, names, faults)
    offsets = _resolve("keep_offset", dict.fromkeys(rules.keep_offset, True), names, faults)
    faults.extend(
        f'"{name}" is named by columns.include and columns.exclude. Remove it from one of them.'
        for name in names
        if name in include and name in exclude
    )
    chosen = [
        _Chosen(
            column,
            rename.get(column.name),
            types.get(column.name),
            masks.get(column.name),
            column.name in offsets,
        )
        for column in source_columns
        if column.name not in exclude and (column.name in include or not rules.include)
    ]
    if not chosen and not faults:
        faults.append("No column is left to copy. Change columns.include and columns.exclude.")
    return chosen


def _resolve(rule: str, values: Mapping[str, T], names: Sequence[str], faults: list[str]) -> dict[str, T]:
    found: dict[str, T] = {}
    for written, value in values.items():
        name = match_name(written, names)
        if name is None:
            faults.append(
                f'columns.{rule}: the source has no column "{written}".{near_misses(written, names)}'
            )
        elif name in found:
            faults.append(f'columns.{rule} names "{name}" twice. Keep one.')
        else:
            found[name] = value
    return found


def select_columns(
    source_columns: Sequence[SourceColumn], rules: ColumnRules, faults: list[str]
) -> list[SelectedColumn]:
    """The columns that are copied, in the source's order, one more after each TIMESTAMP_TZ whose offset is kept, and the source tag."""
    chosen = _choose_columns(source_columns, rules, faults)
    names = [column.name for column in source_columns]
    key = {column.name for column in source_columns if column.primary_key is not None}
    whole_key = key <= {choice.column.name for choice in chosen if choice.mask is None}
    taken = set(names)
    columns: list[SelectedColumn] = []
    for choice in chosen:
        column = _select(choice, names, faults)
        if not whole_key:
            column = replace(column, primary_key=None)
        columns.append(column)
        if choice.keep_offset:
            alias = shorten_name(f"{column.source}_offset", taken, SNOWFLAKE_IDENTIFIER_CHARACTERS)
            taken.add(alias)
            columns.extend(_select_offset(column, alias, faults))
    if rules.source_tag is not None:
        alias = shorten_name(TAG_ALIAS, taken, SNOWFLAKE_IDENTIFIER_CHARACTERS)
        value = snowflake_literal(rules.source_tag.value)
        columns.append(SelectedColumn(alias, _TAG_TYPE, value, rules.source_tag.column, nullable=False))
    return columns


def _select(choice: _Chosen, names: Sequence[str], faults: list[str]) -> SelectedColumn:
    column = choice.column
    here: list[str] = []
    kind, value, nullable = column.type, snowflake_identifier(column.name), column.nullable
    if choice.mask is not None:
        kind, nullable = _mask_type(choice.mask, here), True
        value = mask_expression(choice.mask, kind)
        here.extend(f"columns.mask: {fault}" for fault in find_mask_faults(choice.mask.expression, names))
    requested_type = parse_requested_type(choice.type, here)
    if not here:
        try:
            form_of(kind)
        except SchemaError as error:
            here.append(str(error))
    faults.extend(f'"{column.name}": {fault}' for fault in here)
    return SelectedColumn(
        column.name,
        kind,
        value,
        fold_name(column.name) if choice.rename is None else choice.rename,
        nullable,
        column.primary_key if choice.mask is None else None,
        column.comment,
        requested_type,
        masked=choice.mask is not None,
        valid=not here,
    )


def _mask_type(mask: MaskRule, faults: list[str]) -> SnowflakeType:
    try:
        return parse_snowflake_type(mask.type)
    except SchemaError as error:
        faults.append(f"columns.mask: {error}")
        return SnowflakeType(mask.type)


def parse_requested_type(text: str | None, faults: list[str]) -> PostgresType | None:
    """The type that a rule asks for, if there is one."""
    if text is None:
        return None
    try:
        return parse_postgres_type(text)
    except SchemaError as error:
        faults.append(f"columns.type: {error}")
        return None


def _select_offset(column: SelectedColumn, alias: str, faults: list[str]) -> list[SelectedColumn]:
    if column.type.name != "TIMESTAMP_TZ":
        if column.valid:
            faults.append(
                f'"{column.source}" is a {column.type} and has no offset. Remove it from columns.keep_offset.'
            )
        return []
    return [
        SelectedColumn(
            alias,
            _OFFSET_TYPE,
            offset_expression(column.value),
            f"{column.target}_offset",
            column.nullable,
            comment=f"Minutes east of UTC that {column.source} was written with",
        )
    ]


def resolve_names(
    columns: Sequence[SelectedColumn], long_names: LongNames, faults: list[str]
) -> list[SelectedColumn]:
    """The columns with names that PostgreSQL takes; a name that it does not take, or that two columns have, is a fault."""
    for name, count in Counter(column.target for column in columns).items():
        if count > 1:
            sources = " and ".join(f'"{column.source}"' for column in columns if column.target == name)
            faults.append(
                f'{sources} would both be "{name}" in the target. Rename one (columns.rename) or leave it out.'
            )
    for column in columns:
        faults.extend(f'"{column.source}": {fault}' for fault in _find_name_faults(column.target, long_names))
    taken = {column.target for column in columns if fits_postgres(column.target)}
    resolved: list[SelectedColumn] = []
    for column in columns:
        target = column.target
        if not fits_postgres(target):
            target = shorten_name(target, taken)
            taken.add(target)
        resolved.append(replace(column, target=target))
    return resolved


def _find_name_faults(name: str, long_names: LongNames) -> list[str]:
    if not name or "\x00" in name:
        return ["the name in the target is empty or holds a NUL character. Give it another (columns.rename)."]
    if name in SYSTEM_COLUMNS:
        return [
            f'"{name}" is a system column of every PostgreSQL table. Give it another name (columns.rename).'
        ]
    if not fits_postgres(name) and long_names == LongNames.REFUSE:
        length = f"the name has {len(name.encode())} bytes, PostgreSQL takes {POSTGRES_IDENTIFIER_BYTES}."
        return [f"{length} Give it another (columns.rename) or set long_names to shorten."]
    return []
