"""Columns of a source and a target in a few words, their plan, and the faults of one that cannot be."""

from __future__ import annotations

import pytest

from snowmelt.errors import SchemaError
from snowmelt.types.column_plan import plan_columns
from snowmelt.types.columns import ColumnRules, SourceColumn, TargetColumn
from snowmelt.types.type_names import describe_snowflake_type, parse_postgres_type
from snowmelt.vocabulary import FileFormat


def source(name, kind="NUMBER(18,0)", **more):
    return SourceColumn(name, describe_snowflake_type(kind), **more)


def target(name, kind="bigint", **more):
    return TargetColumn(name, parse_postgres_type(kind), **more)


def plan(sources, targets=None, file_format="parquet", rules=None, **more):
    return plan_columns(sources, targets, rules or ColumnRules(), FileFormat(file_format), **more)


def faults_of(sources, targets=None, file_format="parquet", rules=None, **more):
    with pytest.raises(SchemaError) as caught:
        plan(sources, targets, file_format, rules, **more)
    assert str(caught.value).startswith("These columns cannot be copied as they are:\n  - ")
    return caught.value.faults
