"""From the source's columns and the rules to drafts with settled names.

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
)
from snowmelt.types.columns import ColumnRules, Draft, MaskRule, SourceColumn, find_mask_faults
from snowmelt.types.snowflake_type import offset_expression
from snowmelt.types.type_names import PostgresType, SnowflakeType, parse_postgres_type, parse_snowflake_type
from snowmelt.types.type_table import form_of
from snowmelt.vocabulary import LongNames

SYSTEM_COLUMNS = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})
#: Minutes east of UTC, -720..840, go into a smallint.
_OFFSET_TYPE = SnowflakeType("NUMBER", precision=4, scale=0)

#: Types whose digits a mask may exceed unseen in CSV. Not VARCHAR (a cast cuts off) and not FLOAT (a cast may give 32 bits).
_CAST = frozenset({"NUMBER", "TIME", "TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "TIMESTAMP_TZ"})

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Chosen:
    """A source column that is copied, and what the rules say about it."""

    column: SourceColumn
    rename: str | None
    type: str | None
    mask: MaskRule | None
    keep_offset: bool


def choose_columns(
    source_columns: Sequence[SourceColumn], rules: ColumnRules, faults: list[str]
) -> list[Chosen]:
    """The columns that are copied, each with its rules; a rule for a name that the source does not have is a fault."""
    names = [column.name for column in source_columns]
    include = _resolve("include", dict.fromkeys(rules.include, True), names, faults)
    exclude = _resolve("exclude", dict.fromkeys(rules.exclude, True), names, faults)
    rename = _resolve("rename", rules.rename, names, faults)
    types = _resolve("type", rules.type, names, faults)
    masks = _resolve("mask", rules.mask, names, faults)
    offsets = _resolve("keep_offset", dict.fromkeys(rules.keep_offset, True), names, faults)
    faults.extend(
        f'"{name}" stands under columns.include and columns.exclude. Take it out of one of them.'
        for name in names
        if name in include and name in exclude
    )
    chosen = [
        Chosen(
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
        faults.append("No column is left to copy. Loosen columns.include and columns.exclude.")
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


def draft_columns(
    source_columns: Sequence[SourceColumn], chosen: Sequence[Chosen], faults: list[str]
) -> list[Draft]:
    """One draft a column, in the source's order, and one more behind a TIMESTAMP_TZ whose offset is kept."""
    names = [column.name for column in source_columns]
    key = {column.name for column in source_columns if column.primary_key is not None}
    whole_key = key <= {choice.column.name for choice in chosen if choice.mask is None}
    taken = set(names)
    drafts: list[Draft] = []
    for choice in chosen:
        draft = _draft(choice, names, faults)
        if not whole_key:
            draft = replace(draft, primary_key=None)
        drafts.append(draft)
        if choice.keep_offset:
            alias = shorten_name(f"{draft.source}_offset", taken, SNOWFLAKE_IDENTIFIER_CHARACTERS)
            taken.add(alias)
            drafts.extend(_offset(draft, alias, faults))
    return drafts


def _draft(choice: Chosen, names: Sequence[str], faults: list[str]) -> Draft:
    column = choice.column
    here: list[str] = []
    kind, value, nullable = column.type, snowflake_identifier(column.name), column.nullable
    if choice.mask is not None:
        kind, nullable = _mask_type(choice.mask, here), True
        value = mask_value(choice.mask, kind)
        here.extend(f"columns.mask: {fault}" for fault in find_mask_faults(choice.mask.expression, names))
    wanted_type = parse_wanted_type(choice.type, here)
    if not here:
        try:
            form_of(kind)
        except SchemaError as error:
            here.append(str(error))
    faults.extend(f'"{column.name}": {fault}' for fault in here)
    return Draft(
        column.name,
        kind,
        value,
        fold_name(column.name) if choice.rename is None else choice.rename,
        nullable,
        column.primary_key if choice.mask is None else None,
        column.comment,
        wanted_type,
        masked=choice.mask is not None,
        sound=not here,
    )


def mask_value(mask: MaskRule, kind: SnowflakeType) -> str:
    """The expression of a masked value, with no more digits than its type says.

    :param kind: the mask's type.
    """
    return f"CAST({mask.expression} AS {kind})" if kind.name in _CAST else f"({mask.expression})"


def _mask_type(mask: MaskRule, faults: list[str]) -> SnowflakeType:
    try:
        return parse_snowflake_type(mask.type)
    except SchemaError as error:
        faults.append(f"columns.mask: {error}")
        return SnowflakeType(mask.type)


def parse_wanted_type(text: str | None, faults: list[str]) -> PostgresType | None:
    """The type that a rule asks for, if there is one."""
    if text is None:
        return None
    try:
        return parse_postgres_type(text)
    except SchemaError as error:
        faults.append(f"columns.type: {error}")
        return None


def _offset(draft: Draft, alias: str, faults: list[str]) -> list[Draft]:
    if draft.type.name != "TIMESTAMP_TZ":
        if draft.sound:
            faults.append(
                f'"{draft.source}" is a {draft.type} and has no offset. Take it out of columns.keep_offset.'
            )
        return []
    return [
        Draft(
            alias,
            _OFFSET_TYPE,
            offset_expression(draft.value),
            f"{draft.target}_offset",
            draft.nullable,
            comment=f"Minutes east of UTC that {draft.source} was written with",
        )
    ]


def settle_names(drafts: Sequence[Draft], long_names: LongNames, faults: list[str]) -> list[Draft]:
    """The drafts with names that PostgreSQL takes; a name that it does not take, or that two columns want, is a fault."""
    counts = Counter(draft.target for draft in drafts)
    for name, count in counts.items():
        if count > 1:
            sources = " and ".join(f'"{draft.source}"' for draft in drafts if draft.target == name)
            faults.append(
                f'{sources} would both be "{name}" in the target. Rename one (columns.rename) or leave it out.'
            )
    for draft in drafts:
        faults.extend(f'"{draft.source}": {fault}' for fault in _find_name_faults(draft.target, long_names))
    taken = {draft.target for draft in drafts if fits_postgres(draft.target)}
    settled: list[Draft] = []
    for draft in drafts:
        target = draft.target
        if not fits_postgres(target):
            target = shorten_name(target, taken)
            taken.add(target)
        settled.append(replace(draft, target=target))
    return settled


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
