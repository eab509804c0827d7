"""Column planning: places, ways, rules; every fault at once, each with what to do."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from snowmelt.core.columns.names import fits_postgres, fold_name
from snowmelt.core.columns.plan import (
    Column,
    ColumnRules,
    MaskRule,
    SourceColumn,
    TargetColumn,
    plan_columns,
)
from snowmelt.core.columns.types import FileFormat, Form, describe_snowflake_type, parse_postgres_type
from snowmelt.errors import SchemaError


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


def test_a_new_target_takes_the_sources_columns_in_their_order():
    columns = plan(
        [
            source("VISIT_ID", nullable=False, primary_key=1, comment="the visit's number"),
            source("Payer Name", "VARCHAR(40)"),
            source("LAST_MODIFIED", "TIMESTAMP_TZ(6)"),
        ]
    ).columns
    assert columns == (
        Column(
            source="VISIT_ID",
            source_type="NUMBER(18,0)",
            form=Form.INTEGER,
            value='"VISIT_ID"',
            select='CAST("VISIT_ID" AS BIGINT)',
            target="visit_id",
            target_type="bigint",
            nullable=False,
            primary_key=1,
            comment="the visit's number",
            checked=False,
        ),
        Column(
            "Payer Name",
            "VARCHAR(40)",
            Form.TEXT,
            '"Payer Name"',
            '"Payer Name"',
            "Payer Name",
            "character varying(40)",
            True,
            None,
            None,
            False,
        ),
        Column(
            "LAST_MODIFIED",
            "TIMESTAMP_TZ(6)",
            Form.EPOCH_US,
            '"LAST_MODIFIED"',
            'CAST(DATE_PART(EPOCH_MICROSECOND, "LAST_MODIFIED") AS BIGINT)',
            "last_modified",
            "timestamp with time zone",
            True,
            None,
            None,
            False,
        ),
    )


def test_a_column_goes_through_json_and_comes_back():
    for column in plan(
        [source("A", nullable=False, primary_key=1, comment="c"), source("é", "VARIANT")]
    ).columns:
        assert Column.from_json(json.loads(json.dumps(column.to_json()))) == column
        older = {
            name: value for name, value in column.to_json().items() if name not in {"value", "text_limit"}
        }
        assert Column.from_json(older) == column
    assert plan([source("A")]).columns[0].to_json() == {
        "source": "A",
        "source_type": "NUMBER(18,0)",
        "form": "integer",
        "value": '"A"',
        "select": 'CAST("A" AS BIGINT)',
        "target": "a",
        "target_type": "bigint",
        "nullable": True,
        "primary_key": None,
        "comment": None,
        "checked": False,
        "text_limit": None,
    }


def test_an_existing_target_is_matched_by_name_whatever_its_order():
    planned = plan(
        [source("ID", "NUMBER(38,0)", nullable=False), source("NOTE", "VARCHAR(40)")],
        [
            target("loaded_at", "timestamptz", not_null=True, has_default=True),
            target("note", "varchar(10)"),
            target("free", "text"),
            target("sum", "bigint", not_null=True, generated=True),
            target("no", "bigint", not_null=True, identity_always=True),
            target("id", "bigint", not_null=True),
        ],
        rules=ColumnRules(target_only=("free",)),
    )
    assert [
        (column.target, column.target_type, column.nullable, column.checked) for column in planned.columns
    ] == [
        ("id", "bigint", False, True),
        ("note", "character varying(10)", True, True),
    ]
    assert planned.added_to_target == ()


def test_a_nullable_source_into_a_not_null_target_is_checked():
    (column,) = plan([source("A")], [target("a", not_null=True)]).columns
    assert (column.nullable, column.checked) == (False, True)
    (column,) = plan([source("A", nullable=False)], [target("a", not_null=True)]).columns
    assert (column.nullable, column.checked) == (False, False)


def test_all_faults_of_an_existing_target_are_named_at_once():
    assert faults_of(
        [
            source("A"),
            source("Visit"),
            source("F", "FLOAT"),
            source("G"),
            source("I"),
            source("M", "MAP(VARCHAR, NUMBER(38,0))"),
            source("T", "TIMESTAMP_NTZ(9)"),
        ],
        [
            target("visit"),
            target("f", "integer"),
            target("g", generated=True),
            target("i", identity_always=True),
            target("m", "jsonb"),
            target("t", "timestamptz"),
            target("must", not_null=True),
            target("extra", "text"),
            target("since", "timestamptz", has_default=True),
        ],
    ) == (
        (
            '"M": Snowmelt has no way to carry the Snowflake type MAP(VARCHAR, NUMBER(38,0)). Leave the column out (columns.exclude), '
            "or turn it into a type that is carried: cast it in a view, or give it an expression under columns.mask with that "
            "expression's type, such as VARIANT or VARCHAR."
        ),
        (
            '"A" has no place: the target has no column "a". Add the column, rename it (columns.rename), leave it out '
            "(columns.exclude), or set schema_drift to add_columns."
        ),
        (
            '"Visit" has no place: the target has no column "Visit". The target has "visit": names are matched to the letter. '
            "Add the column, rename it (columns.rename), leave it out (columns.exclude), or set schema_drift to add_columns."
        ),
        (
            '"F" to "f": FLOAT has no safe way into integer: not every value would stay what it is. Make the target double precision, '
            "or convert it in Snowflake by an expression under columns.mask."
        ),
        '"G" to "g": the target computes this column itself. Leave it out (columns.exclude) or rename it.',
        (
            '"I" to "i": the target\'s identity is GENERATED ALWAYS and takes no values. Leave the column out (columns.exclude), or '
            "ALTER COLUMN … SET GENERATED BY DEFAULT."
        ),
        (
            '"T" to "t": TIMESTAMP_NTZ(9) has no safe way into timestamp with time zone: the source names no time zone. Make the '
            "target timestamp without time zone, or convert it in Snowflake by an expression under columns.mask."
        ),
        (
            '"visit" of the target has no default, and no column of the source goes there: it would be NULL. Rename a source column '
            "to it (columns.rename), give it a default, drop it, or name it under columns.target_only."
        ),
        (
            '"must" of the target takes no NULL, has no default, and no column of the source goes there. Give it a default, drop its '
            "NOT NULL, or rename a source column to it (columns.rename)."
        ),
        (
            '"extra" of the target has no default, and no column of the source goes there: it would be NULL. Rename a source column '
            "to it (columns.rename), give it a default, drop it, or name it under columns.target_only."
        ),
    )


def test_columns_of_the_target_alone_are_named():
    targets = [target("a"), target("note", "text"), target("must", not_null=True)]
    assert plan([source("A")], targets[:2], rules=ColumnRules(target_only=("note",))).columns[0].target == "a"
    assert faults_of(
        [source("A")], targets, rules=ColumnRules(target_only=("a", "note", "must", "nott"))
    ) == (
        'columns.target_only: the target has no column "nott". Did you mean "note"?',
        (
            '"a" stands under columns.target_only, and a column of the source goes there. Take it out, or leave the column out '
            "(columns.exclude)."
        ),
        (
            '"must" of the target takes no NULL, has no default, and no column of the source goes there. Give it a default, drop its '
            "NOT NULL, or rename a source column to it (columns.rename)."
        ),
    )
    # a table that is created has only what is copied
    assert plan([source("A")], rules=ColumnRules(target_only=("note",))).columns


def test_schema_drift_adds_what_is_missing_and_nothing_of_it_is_not_null():
    planned = plan(
        [source("A"), source("NEW", "NUMBER(38,2)", nullable=False, comment="c")],
        [target("a")],
        schema_drift="add_columns",
    )
    assert [column.target for column in planned.columns] == ["a", "new"]
    assert planned.added_to_target == planned.columns[1:]
    assert planned.added_to_target[0].target_type == "numeric(38,2)"
    assert planned.added_to_target[0].nullable


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
        '"NAME" stands under columns.include and columns.exclude. Take it out of one of them.',
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
        '"A" to "a": columns.type asks for bigint, the target is numeric. Take the rule out, or change the target.',
    )
    assert plan([source("A")], [target("a")], rules=ColumnRules(type={"A": "int8"})).columns


def test_nothing_left_to_copy_is_a_fault():
    assert faults_of([source("A")], rules=ColumnRules(exclude=("A",))) == (
        "No column is left to copy. Loosen columns.include and columns.exclude.",
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
    assert (column.select, column.target_type) == ('TO_JSON((CAST("M" AS VARIANT)))', "jsonb")


def test_a_wrong_mask_is_named():
    assert faults_of(
        [source("A"), source("B")],
        rules=ColumnRules(mask={"A": MaskRule("A FROM b", "FILE"), "B": MaskRule("MAX(B)", "INT")}),
    ) == (
        '"A": columns.mask: Snowmelt has no way to carry the Snowflake type FILE.',
        '"A": columns.mask: it is not an expression that can be read: Expecting ). Line 1, Col: 14.',
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
        '"AT" is a TIMESTAMP_LTZ(9) and has no offset. Take it out of columns.keep_offset.',
    )


def test_an_existing_target_needs_a_place_for_the_offset():
    faults = faults_of(
        [source("AT", "TIMESTAMP_TZ(6)")],
        [target("at", "timestamptz")],
        rules=ColumnRules(keep_offset=("AT",)),
    )
    assert 'the target has no column "at_offset"' in faults[0]


def test_columns_that_may_hold_nanoseconds_come_with_the_question_to_ask():
    assert plan(
        [
            source("A", "TIMESTAMP_NTZ(9)"),
            source("B", "TIMESTAMP_TZ(6)"),
            source("C", "TIME(7)"),
            source("D", "DATE"),
            source("E", "VARCHAR(9)"),
        ],
        rules=ColumnRules(mask={"E": MaskRule("TO_TIMESTAMP_NTZ(E)", "TIMESTAMP_NTZ")}),
    ).nanoseconds == {
        "A": 'MOD(DATE_PART(NANOSECOND, "A"), 1000) <> 0',
        "C": 'MOD(DATE_PART(NANOSECOND, "C"), 1000) <> 0',
        "E": "MOD(DATE_PART(NANOSECOND, CAST(TO_TIMESTAMP_NTZ(E) AS TIMESTAMP_NTZ(9))), 1000) <> 0",
    }


def test_csv_never_lets_copy_cut_spaces_off():
    sources = [source("A", "VARCHAR(40)")]
    (column,) = plan(sources, [target("a", "varchar(10)")], "csv").columns
    assert column.select == "\"A\" || IFF(LENGTH(\"A\") > 10, '!', '')"
    assert column.text_limit == 10
    for kind in ("varchar(40)", "text"):
        (column,) = plan(sources, [target("a", kind, not_null=True)], "csv").columns
        assert (column.select, column.text_limit) == ('"A"', None)
    (column,) = plan(sources, [target("a", "varchar(10)")], "parquet").columns
    assert (column.select, column.text_limit) == ('"A"', None)


def test_more_columns_than_postgres_takes_are_refused():
    assert faults_of([source(f"C{number}") for number in range(1601)]) == (
        "1601 columns are too many: PostgreSQL takes 1600. Leave some out (columns.exclude).",
    )


SYSTEM_COLUMNS = {"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"}
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=60)
TYPES = st.sampled_from(
    [
        *(
            "NUMBER(38,0)",
            "NUMBER(10,3)",
            "FLOAT",
            "BOOLEAN",
            "DATE",
            "TIME(9)",
            "TIMESTAMP_TZ(9)",
            "VARCHAR(7)",
        ),
        *("BINARY(8)", "VARIANT", "GEOGRAPHY", "VECTOR(INT, 3)", "UUID", "FILE"),
    ]
)


@given(st.lists(st.tuples(NAMES, TYPES), min_size=1, max_size=8, unique_by=lambda pair: pair[0]), st.data())
def test_a_plan_covers_the_source_or_names_what_it_cannot(pairs, data):
    sources = [source(name, kind) for name, kind in pairs]
    file_format = data.draw(st.sampled_from(["parquet", "csv"]))
    wanted = [fold_name(name) for name, _ in pairs]
    if "FILE" in dict(pairs).values() or len(set(wanted)) < len(wanted) or SYSTEM_COLUMNS & set(wanted):
        assert faults_of(sources, file_format=file_format, long_names="shorten")
        return
    columns = plan(sources, file_format=file_format, long_names="shorten").columns
    assert [column.source for column in columns] == [name for name, _ in pairs]
    targets = [column.target for column in columns]
    assert len(set(targets)) == len(targets)
    assert all(fits_postgres(name) for name in targets)
    again = plan(
        sources,
        [target(column.target, column.target_type) for column in reversed(columns)],
        file_format,
        long_names="shorten",
    ).columns
    assert again == columns


@given(st.lists(st.tuples(NAMES, st.just("FILE")), min_size=1, max_size=5, unique_by=lambda pair: pair[0]))
def test_each_column_without_a_way_is_named(pairs):
    assume(all(fits_postgres(name) for name, _ in pairs))
    faults = faults_of([source(name, kind) for name, kind in pairs])
    for name, _ in pairs:
        assert any(fault.startswith(f'"{name}": Snowmelt has no way') for fault in faults)
