"""Which columns are copied, how each is unloaded and where each goes. Every fault is found before anything runs."""

from __future__ import annotations

from collections.abc import Sequence

from snowmelt.errors import SchemaError
from snowmelt.types.columns import ColumnPlan, ColumnRules, SourceColumn, TargetColumn
from snowmelt.types.selected_columns import resolve_names, select_columns
from snowmelt.types.target_columns import find_widened, map_columns
from snowmelt.types.target_types import loses_nanoseconds, nanosecond_predicate
from snowmelt.vocabulary import FileFormat, LongNames, SchemaDrift

#: PostgreSQL "Limits".
POSTGRES_COLUMNS = 1600


def plan_columns(
    source_columns: Sequence[SourceColumn],
    target_columns: Sequence[TargetColumn] | None,
    rules: ColumnRules,
    file_format: FileFormat,
    *,
    long_names: LongNames = LongNames.REFUSE,
    schema_drift: SchemaDrift = SchemaDrift.FAIL,
) -> ColumnPlan:
    """Find the target column and a safe way for every column that is copied.

    :param source_columns: in the table's order, which the plan keeps.
    :param target_columns: of the existing target; None when it is to be created.
    :raises SchemaError: with all faults at once, each naming its column and what to do.
    """
    faults: list[str] = []
    selected = resolve_names(select_columns(source_columns, rules, faults), long_names, faults)
    if len(selected) > POSTGRES_COLUMNS:
        faults.append(
            f"{len(selected)} columns are too many: PostgreSQL takes {POSTGRES_COLUMNS}. Leave some out (columns.exclude)."
        )
    columns, added = map_columns(
        selected, target_columns, rules.target_only, file_format, schema_drift, faults
    )
    if faults:
        raise SchemaError("These columns cannot be copied as they are:", tuple(faults))
    nanoseconds = {
        column.source: nanosecond_predicate(column.value)
        for column in selected
        if loses_nanoseconds(column.type)
    }
    return ColumnPlan(columns, added, find_widened(columns, target_columns), nanoseconds)
