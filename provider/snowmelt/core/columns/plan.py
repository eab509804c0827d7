"""Columns: which are copied, how each is unloaded, where each goes. Every fault is found before anything runs."""

from __future__ import annotations

from collections.abc import Sequence

from snowmelt.core.columns.drafts import choose_columns, draft_columns, settle_names
from snowmelt.core.columns.masks import MaskRule
from snowmelt.core.columns.names import LongNames
from snowmelt.core.columns.places import place_columns
from snowmelt.core.columns.types import FileFormat, loses_nanoseconds, nanosecond_predicate
from snowmelt.core.columns.values import (
    Column,
    ColumnPlan,
    ColumnRules,
    SchemaDrift,
    SourceColumn,
    TargetColumn,
)
from snowmelt.errors import SchemaError

__all__ = [
    "Column",
    "ColumnPlan",
    "ColumnRules",
    "MaskRule",
    "SchemaDrift",
    "SourceColumn",
    "TargetColumn",
    "plan_columns",
]

#: PostgreSQL "Limits".
POSTGRES_COLUMNS = 1600


def plan_columns(
    source_columns: Sequence[SourceColumn],
    target_columns: Sequence[TargetColumn] | None,
    rules: ColumnRules,
    file_format: FileFormat,
    *,
    long_names: LongNames = "refuse",
    schema_drift: SchemaDrift = "fail",
) -> ColumnPlan:
    """Find a place and a safe way for every column that is copied.

    :param source_columns: in the table's order, which the plan keeps.
    :param target_columns: of the existing target; None when it is to be created.
    :raises SchemaError: with all faults at once, each naming its column and what to do.
    """
    faults: list[str] = []
    chosen = choose_columns(source_columns, rules, faults)
    drafts = settle_names(draft_columns(source_columns, chosen, faults), long_names, faults)
    if len(drafts) > POSTGRES_COLUMNS:
        faults.append(
            f"{len(drafts)} columns are too many: PostgreSQL takes {POSTGRES_COLUMNS}. Leave some out (columns.exclude)."
        )
    columns, added = place_columns(
        drafts, target_columns, rules.target_only, file_format, schema_drift, faults
    )
    if faults:
        raise SchemaError("These columns cannot be copied as they are:", tuple(faults))
    nanoseconds = {
        draft.source: nanosecond_predicate(draft.value) for draft in drafts if loses_nanoseconds(draft.type)
    }
    return ColumnPlan(columns, added, nanoseconds)
