"""The configuration's `columns`: what is left out, renamed, retyped, masked or added, and how names fold and are shortened."""

from __future__ import annotations

from dataclasses import replace

import pytest

from snowmelt.types.columns import Column, ColumnRules, MaskRule
from snowmelt.types.type_table import Form
from tests.types.column_plans import faults_of, plan, source, target


def test_include_exclude_rename_and_type():
    columns = plan(
        [source("A"), source("B", "NUMBER(38,0)"), source("Visit Id"), source("D", "MAP(VARCHAR, VARCHAR)")],
        rules=ColumnRules(
            include=("a", "B", '"Visit Id"'),
            exclude=("D",),
            rename={"Visit Id": "visit_id"},
            type={"b": "int8"},
        ),
    ).columns
    assert [(column.source, column.target, column.target_type, column.checked) for column in columns] == [
        ("A", "a", "bigint", False),
        ("B", "b", "bigint", True),
        ("Visit Id", "visit_id", "bigint", False),
    ]


def test_unknown_and_contradicting_rules_are_faults():
    assert faults_of(
        [source("VISIT_ID"), source("NAME", "VARCHAR(9)")],
        rules=ColumnRules(
            include=("VISIT_ID", "NAME"),
            exclude=("vist_id", "NAME"),
            rename={"zzz": "x", "name": "n", "NAME": "m"},
            type={"VISIT_ID": "text; DROP TABLE t"},
            mask={"nope": MaskRule("1", "NUMBER(1,0)")},
            keep_offset=("VISIT_ID",),
        ),
    ) == (
        'columns.exclude: the source has no column "vist_id". Did you mean "VISIT_ID"?',
        'columns.rename: the source has no column "zzz".',
        'columns.rename names "NAME" twice. Keep one.',
        'columns.mask: the source has no column "nope".',
        '"NAME" is named by columns.include and columns.exclude. Remove it from one of them.',
        (
            "\"VISIT_ID\": columns.type: 'text; DROP TABLE t' is not the name of a PostgreSQL type. Write it as in CREATE TABLE, "
            "such as numeric(20,4)."
        ),
    )


def test_a_type_that_does_not_hold_the_values_is_refused_for_a_new_target_too():
    (fault,) = faults_of([source("A", "FLOAT")], rules=ColumnRules(type={"A": "real"}))
    assert fault.startswith('"A" to "a": FLOAT has no safe way into real: it keeps 24 of the 53 bits.')


def test_a_type_rule_against_an_existing_column_is_a_fault():
    assert faults_of([source("A")], [target("a", "numeric")], rules=ColumnRules(type={"A": "bigint"})) == (
        '"A" to "a": columns.type asks for bigint, the target is numeric. Remove the rule, or change the target.',
    )
    assert plan([source("A")], [target("a")], rules=ColumnRules(type={"A": "int8"})).columns


def test_nothing_left_to_copy_is_a_fault():
    assert faults_of([source("A")], rules=ColumnRules(exclude=("A",))) == (
        "No column is left to copy. Change columns.include and columns.exclude.",
    )


@pytest.mark.parametrize(
    ("file_format", "select", "limit"),
    [
        ("parquet", '(SHA2("Name"))', None),
        ("csv", "(SHA2(\"Name\")) || IFF(LENGTH((SHA2(\"Name\"))) > 64, '!', '')", 64),
    ],
)
def test_a_mask_takes_the_columns_place_and_its_expressions_type(file_format, select, limit):
    columns = plan(
        [source("ID", nullable=False, primary_key=1), source("Name", "VARCHAR(40)", nullable=False)],
        file_format=file_format,
        rules=ColumnRules(mask={"Name": MaskRule('SHA2("Name")', "VARCHAR(64)")}),
    ).columns
    assert columns[1] == Column(
        source="Name",
        source_type="VARCHAR(64)",
        form=Form.TEXT,
        value='(SHA2("Name"))',
        select=select,
        target="Name",
        target_type="character varying(64)",
        nullable=True,
        primary_key=None,
        comment=None,
        checked=True,
        text_limit=limit,
    )
    assert columns[0].primary_key == 1


def test_a_masks_number_has_the_digits_that_its_type_says():
    (column,) = plan(
        [source("A", "NUMBER(10,4)")],
        file_format="csv",
        rules=ColumnRules(mask={"A": MaskRule("A / 3", "NUMBER(10,2)")}),
    ).columns
    assert (column.select, column.target_type) == ("CAST(A / 3 AS NUMBER(10,2))", "numeric(10,2)")


def test_a_mask_gives_a_type_without_a_way_a_way():
    (column,) = plan(
        [source("M", "MAP(VARCHAR, NUMBER(38,0))")],
        rules=ColumnRules(mask={"M": MaskRule('CAST("M" AS VARIANT)', "VARIANT")}),
    ).columns
    assert column.select.endswith(""", CHR(1), ''), TO_JSON((CAST("M" AS VARIANT))))""")
    assert column.target_type == "jsonb"


def test_a_wrong_mask_is_named():
    assert faults_of(
        [source("A"), source("B")],
        rules=ColumnRules(mask={"A": MaskRule("A FROM b", "FILE"), "B": MaskRule("MAX(B)", "INT")}),
    ) == (
        '"A": columns.mask: Snowmelt has no way to carry the Snowflake type FILE.',
        '"A": columns.mask: it cannot be read as an expression from character 3 on: FROM b',
        '"B": columns.mask: it must give one value for one row: no aggregates, windows, * or variables',
    )


@pytest.mark.parametrize(
    "rules",
    [
        ColumnRules(exclude=("B",)),
        ColumnRules(mask={"B": MaskRule("'x'", "VARCHAR(1)")}),
        ColumnRules(include=("A",)),
    ],
)
def test_a_primary_key_that_is_not_copied_whole_is_not_made(rules):
    key = [source("A", nullable=False, primary_key=2), source("B", nullable=False, primary_key=1)]
    assert [column.primary_key for column in plan(key).columns] == [2, 1]
    assert {column.primary_key for column in plan(key, rules=rules).columns} == {None}


def test_names_that_collide_are_named_together():
    assert faults_of([source("NAME"), source("name"), source("OTHER")]) == (
        '"NAME" and "name" would both be "name" in the target. Rename one (columns.rename) or leave it out.',
    )
    renamed = plan([source("NAME"), source("name")], rules=ColumnRules(rename={"NAME": "NAME"})).columns
    assert [column.target for column in renamed] == ["NAME", "name"]


def test_system_columns_of_postgres_are_refused():
    assert faults_of([source("XMIN"), source("Ctid"), source("B")], rules=ColumnRules(rename={"B": ""})) == (
        '"XMIN": "xmin" is a system column of every PostgreSQL table. Give it another name (columns.rename).',
        '"B": the name in the target is empty or holds a NUL character. Give it another (columns.rename).',
    )


def test_long_names_are_refused_or_shortened():
    long, alike = "L" * 255, "L" * 254 + "X"
    assert faults_of([source(long)]) == (
        f'"{long}": the name has 255 bytes, PostgreSQL takes 63. Give it another (columns.rename) or set long_names to shorten.',
    )
    first, second = plan([source(long), source(alike)], long_names="shorten").columns
    assert first.source == long
    assert first.target.startswith("l" * 54 + "_")
    assert len(first.target) == len(second.target) == 63
    assert first.target != second.target


def test_the_original_offset_goes_into_a_column_of_its_own():
    rules = ColumnRules(keep_offset=("at",), rename={"AT": "happened"})
    sources = [source("AT", "TIMESTAMP_TZ(9)", nullable=False), source("AT_offset")]
    columns = plan(sources, rules=rules).columns
    assert [(column.target, column.target_type, column.nullable) for column in columns] == [
        ("happened", "timestamp with time zone", False),
        ("happened_offset", "smallint", False),
        ("AT_offset", "bigint", True),
    ]
    offset = columns[1]
    assert offset.source.startswith("AT_offset_")
    minutes = 'DATEDIFF(MINUTE, CAST(CONVERT_TIMEZONE(\'UTC\', "AT") AS TIMESTAMP_NTZ), CAST("AT" AS TIMESTAMP_NTZ))'
    assert offset.select == f"CAST({minutes} AS SMALLINT)"
    assert offset.comment == "Minutes east of UTC that AT was written with"
    assert plan(sources, file_format="csv", rules=rules).columns[1] == replace(offset, select=minutes)


def test_only_a_timestamp_tz_has_an_offset():
    assert faults_of([source("AT", "TIMESTAMP_LTZ(9)")], rules=ColumnRules(keep_offset=("AT",))) == (
        '"AT" is a TIMESTAMP_LTZ(9) and has no offset. Remove it from columns.keep_offset.',
    )


def test_an_existing_target_needs_a_place_for_the_offset():
    faults = faults_of(
        [source("AT", "TIMESTAMP_TZ(6)")],
        [target("at", "timestamptz")],
        rules=ColumnRules(keep_offset=("AT",)),
    )
    assert 'there is no "at_offset"' in faults[0]


def test_columns_of_the_target_alone_are_named():
    targets = [target("a"), target("note", "text"), target("must", not_null=True)]
    assert plan([source("A")], targets[:2], rules=ColumnRules(target_only=("note",))).columns[0].target == "a"
    assert faults_of(
        [source("A")], targets, rules=ColumnRules(target_only=("a", "note", "must", "nott"))
    ) == (
        'columns.target_only: the target has no column "nott". Did you mean "note"?',
        (
            '"a" is named by columns.target_only, and a column of the source goes there. Remove it, or leave the column out '
            "(columns.exclude)."
        ),
        (
            '"must" of the target takes no NULL, has no default, and no column of the source goes there. Give it a default, drop its '
            "NOT NULL, or rename a source column to it (columns.rename)."
        ),
    )
    # a table that is created has only what is copied
    assert plan([source("A")], rules=ColumnRules(target_only=("note",))).columns
