"""The differences of two tables that should be alike: the last check before a staging table takes the target's place."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields, replace
from typing import Any

from snowmelt.publish.audit import AUDIT_COLUMNS
from snowmelt.publish.index_statements import temporary_index, temporary_statistics
from snowmelt.publish.table_details import ColumnDetails, ConstraintDetails, TableDetails

#: Properties of a table that are set just before the swap.
_PREPARED = ("owner", "replica_identity", "comment", "grants")
#: Properties of a column that are set in the copy before the swap, and may differ until then.
_SET_LATER = {"statistics", "options", "comment", "grants"}


def find_column_differences(
    target: TableDetails, copy: TableDetails, *, added: Collection[str] = (), finished: bool = False
) -> list[str]:
    """What differs in columns, checks and storage between the target and a copy of kind `copy`, in words.

    :param added: columns that only the copy has, or has in a wider type, rightly.
    :param finished: compare what is set just before the swap, too.
    """
    differences = [
        _differs(f"its {name}", getattr(target, name), getattr(copy, name))
        for name in ("persistence", "access_method", "tablespace")
        if getattr(target, name) != getattr(copy, name)
    ]
    extra = {*added, *AUDIT_COLUMNS} - {column.name for column in target.columns}
    wanted = [column for column in target.columns if column.name not in extra]
    have = [column for column in copy.columns if column.name not in extra]
    if [column.name for column in wanted] != [column.name for column in have]:
        differences.append(
            _differs("its columns", ", ".join(c.name for c in wanted), ", ".join(c.name for c in have))
        )
    by_name = {column.name: column for column in have}
    for column in wanted:
        other = by_name.get(column.name)
        if other is not None:
            ignored = (set() if finished else _SET_LATER) | ({"type"} if column.name in added else set())
            differences += _column_differences(column, other, ignored)
    kinds = {"c", "n", "f"} if finished else {"c", "n"}
    return differences + _by_key(
        "constraint",
        {
            item.name: _constraint(item, finished=finished)
            for item in target.constraints
            if item.kind in kinds
        },
        {item.name: _constraint(item, finished=finished) for item in copy.constraints if item.kind in kinds},
    )


def find_differences(
    target: TableDetails, staging: TableDetails, name: str, *, added: Collection[str] = ()
) -> list[str]:
    """All that a swap would change beside the rows; empty when it may go ahead.

    :param staging: the prepared staging table called `name`, everything on it still under its temporary name.
    """
    differences = find_column_differences(target, staging, added=added, finished=True)
    for field in _PREPARED:
        wanted, have = getattr(target, field), getattr(staging, field)
        if wanted != have:
            differences.append(_differs(f"its {field}", _show(wanted), _show(have)))
    for field in ("options", "toast_options"):
        if set(getattr(target, field)) != set(getattr(staging, field)):
            differences.append(_differs(f"its {field}", getattr(target, field), getattr(staging, field)))
    neutral: dict[str, Any] = {"constraint": None}
    differences += _by_key(
        "index",
        {
            temporary_index(name, index.name): replace(index, name=index.name, **neutral)
            for index in target.indexes
            if index.valid
        },
        {index.name: replace(index, name=index.name, **neutral) for index in staging.indexes},
        ignore=("name",),
        names={temporary_index(name, index.name): index.name for index in target.indexes},
    )
    differences += _by_key(
        "statistics",
        {(item.schema, temporary_statistics(name, item)): item for item in target.statistics},
        {(item.schema, item.name): item for item in staging.statistics},
        ignore=("name",),
        names={(item.schema, temporary_statistics(name, item)): item.name for item in target.statistics},
    )
    return differences + _by_key(
        "identity of column",
        {item.column: item for item in target.sequences if item.identity},
        {item.column: item for item in staging.sequences if item.identity},
        ignore=("name",),
    )


def find_row_differences(
    target: TableDetails, staging: TableDetails, *, added: Collection[str] = ()
) -> list[str]:
    """Loaded columns that the target has no more, or in another type; it need not have the `added` yet, or not in their type."""
    types = {column.name: column.type for column in target.columns}
    return [
        f"column {column.name!r} is {types[column.name]} in the target and {column.type} in the staging table"
        if column.name in types
        else f"column {column.name!r} is not in the target"
        for column in staging.columns
        if types.get(column.name) != column.type and column.name not in added
    ]


def _column_differences(wanted: ColumnDetails, have: ColumnDetails, ignore: Collection[str]) -> list[str]:
    return [
        _differs(
            f"column {wanted.name!r}, {field.name}",
            _show(getattr(wanted, field.name)),
            _show(getattr(have, field.name)),
        )
        for field in fields(wanted)
        if field.name not in ignore and getattr(wanted, field.name) != getattr(have, field.name)
    ]


def _constraint(item: ConstraintDetails, *, finished: bool) -> ConstraintDetails:
    """A CHECK that is NOT VALID in the target holds for every row of the copy, and is valid there: no difference."""
    definition = item.on("").removesuffix(" NOT VALID")
    comment = item.comment if finished else None
    late = item.kind == "f"
    return replace(
        item,
        definition=definition,
        own_reference=None,
        comment=comment,
        validated=item.validated if late else True,
    )


def _by_key(
    what: str,
    wanted: dict[Any, Any],
    have: dict[Any, Any],
    ignore: Collection[str] = (),
    names: dict[Any, Any] | None = None,
) -> list[str]:
    differences = []
    for key, item in wanted.items():
        label = f"{what} {(names or {}).get(key, key)!r}"
        if key not in have:
            differences.append(f"{label} is missing in the staging table")
            continue
        differences += [
            _differs(
                f"{label}, {field.name}",
                _show(getattr(item, field.name)),
                _show(getattr(have[key], field.name)),
            )
            for field in fields(item)
            if field.name not in ignore and getattr(item, field.name) != getattr(have[key], field.name)
        ]
    return differences + [f"{what} {key!r} is only in the staging table" for key in have if key not in wanted]


def _differs(what: str, wanted: object, have: object) -> str:
    return f"{what}: {wanted!r} in the target, {have!r} in the staging table"


def _show(value: object) -> object:
    return sorted(value, key=str) if isinstance(value, frozenset) else value
