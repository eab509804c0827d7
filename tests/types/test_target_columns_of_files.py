"""Columns of files that are there already: rules about the target count, rules about the unload have to be what they were."""

from __future__ import annotations

from dataclasses import replace

import pytest

from snowmelt.errors import SchemaError
from snowmelt.types.column_plan import plan_columns
from snowmelt.types.columns import ColumnRules, MaskRule, SourceColumn, TargetColumn
from snowmelt.types.target_columns import plan_staged_columns
from snowmelt.types.type_names import parse_postgres_type, parse_snowflake_type
from snowmelt.types.type_table import Form
from snowmelt.vocabulary import FileFormat

SOURCE = tuple(
    SourceColumn(
        name, parse_snowflake_type(kind), nullable=name != "ID", primary_key=1 if name == "ID" else None
    )
    for name, kind in (
        ("ID", "NUMBER(38,0)"),
        ("NAME", "VARCHAR(40)"),
        ("SECRET", "VARCHAR"),
        ("NOISE", "VARCHAR"),
        ("AT", "TIMESTAMP_TZ(6)"),
    )
)
RULES = ColumnRules(
    exclude=("noise",),
    rename={"NAME": "Full Name"},
    mask={"secret": MaskRule("SHA2(SECRET)", "VARCHAR(64)")},
    keep_offset=("AT",),
)


def target(name, kind, **more):
    return TargetColumn(name, parse_postgres_type(kind), **more)


def unloaded(rules=RULES, targets=None, file_format="parquet"):
    return plan_columns(SOURCE, targets, rules, FileFormat(file_format)).columns


def staged(columns, rules=RULES, targets=None, file_format="parquet", **more):
    return plan_staged_columns(columns, targets, rules, FileFormat(file_format), **more).columns


def faults_of(columns, rules=RULES, targets=None, file_format="parquet"):
    with pytest.raises(SchemaError) as raised:
        staged(columns, rules, targets, file_format)
    return raised.value.faults


@pytest.mark.parametrize("file_format", ["parquet", "csv"])
@pytest.mark.parametrize("rules", [RULES, None], ids=["the same rules", "no configuration"])
def test_the_same_rules_give_the_same_columns(file_format, rules):
    columns = unloaded(file_format=file_format)
    assert [column.target for column in columns] == ["id", "Full Name", "secret", "at", "at_offset"]
    assert staged(columns, rules, file_format=file_format) == columns


def test_what_the_files_hold_stands_and_the_target_is_todays():
    columns = tuple(
        replace(column, form=Form.TEXT if column.source == "ID" else column.form) for column in unloaded()
    )
    rules = replace(RULES, rename={"NAME": "name", "AT": "happened"}, type={"id": "text"})
    targets = [
        target("id", "text"),
        target("name", "varchar(80)"),
        target("secret", "text"),
        target("happened", "timestamptz"),
        target("at_offset", "integer"),
    ]
    with pytest.raises(SchemaError, match=r'"ID" to "id": NUMBER\(38,0\) has no safe way into text'):
        staged(columns, rules, targets)
    targets[0] = target("id", "bigint")
    rules = replace(rules, type={"id": "bigint"})
    found = staged(columns, rules, targets)
    assert [(column.target, column.target_type) for column in found] == [
        ("id", "bigint"),
        ("name", "character varying(80)"),
        ("secret", "text"),
        ("happened", "timestamp with time zone"),
        ("at_offset", "integer"),
    ]
    assert [(column.form, column.select) for column in found] == [
        (column.form, column.select) for column in columns
    ]


def test_a_rule_that_only_another_unload_could_keep_is_refused():
    rules = ColumnRules(
        include=("ID", "NAME", "SECRET", "NEW"),
        exclude=("NAME", "NOISE"),
        mask={"ID": MaskRule("ID + 1", "NUMBER(38,0)"), "SECRET": MaskRule("MD5(SECRET)", "VARCHAR(64)")},
        rename={"GONE": "gone"},
    )
    again = "Unload the table again, or restore the rule."
    assert faults_of(unloaded(), rules) == (
        f'columns.include names "NEW", which the files do not hold. {again}',
        f'"NAME" is in the files, and columns.include or columns.exclude leaves it out. {again}',
        f'"AT" is in the files, and columns.include or columns.exclude leaves it out. {again}',
        f'"ID" was unloaded as "ID", and columns.mask says ID + 1. {again}',
        f'"SECRET" was unloaded as (SHA2(SECRET)), and columns.mask says MD5(SECRET). {again}',
    )
    assert faults_of(unloaded(ColumnRules()), ColumnRules(keep_offset=("AT",))) == (
        f'columns.keep_offset names "AT", whose offset the files do not hold. {again}',
    )
    assert faults_of(unloaded(), ColumnRules(keep_offset=("AT",))) == (
        f'"SECRET" was unloaded as (SHA2(SECRET)), and no columns.mask says so now. {again}',
    )


TEXT = ColumnRules(include=("NAME",))


@pytest.mark.parametrize(
    ("before", "now", "wanted"),
    [
        ("text", "varchar(10)", "any length"),
        ("varchar(10)", "text", "character varying(10)"),
        ("varchar(10)", "varchar(20)", "character varying(10)"),
        ("varchar(40)", "varchar(39)", "any length"),
    ],
)
def test_csv_texts_of_another_length_are_refused(before, now, wanted):
    """A mark at the end of a text would stay in it; without marks COPY would cut spaces off."""
    columns = unloaded(TEXT, [target("name", before)], "csv")
    (fault,) = faults_of(columns, TEXT, [target("name", now)], "csv")
    assert fault.startswith(f'"NAME" was unloaded to CSV for a column of {wanted}, and "name" is ')


@pytest.mark.parametrize(
    ("before", "now", "file_format"),
    [
        ("varchar(10)", "varchar(10)", "csv"),
        ("varchar(40)", "text", "csv"),
        ("text", "varchar(50)", "csv"),
        ("text", "varchar(10)", "parquet"),
        ("varchar(10)", "text", "parquet"),
    ],
)
def test_texts_of_the_same_length_and_of_parquet_load(before, now, file_format):
    columns = unloaded(TEXT, [target("name", before)], file_format)
    (column,) = staged(columns, TEXT, [target("name", now)], file_format)
    assert column.select == columns[0].select


def test_drift_and_columns_of_the_target_alone_are_met_as_ever():
    targets = [target("id", "bigint"), target("extra", "text")]
    columns = unloaded(ColumnRules(include=("ID", "NAME")))
    faults = faults_of(columns, ColumnRules(), targets)
    assert [fault.partition(" ")[0] for fault in faults] == ['"NAME"', '"extra"']
    rules = ColumnRules(target_only=("extra",))
    planned = plan_staged_columns(columns, targets, rules, FileFormat.PARQUET, schema_drift="add_columns")
    assert [column.target for column in planned.added_to_target] == ["name"]
