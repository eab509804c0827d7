"""Column planning against a new or an existing target: places, ways; every fault at once, each with what to do."""

from __future__ import annotations

import json

from hypothesis import assume, given
from hypothesis import strategies as st

from snowmelt.json_values import from_json, to_json
from snowmelt.sql.names import fits_postgres, fold_name
from snowmelt.types.columns import Column, ColumnRules, MaskRule
from snowmelt.types.type_table import Form
from tests.types.column_plans import faults_of, plan, source, target


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
        assert from_json(Column, json.loads(json.dumps(to_json(column)))) == column
        older = {
            name: value for name, value in to_json(column).items() if name not in {"value", "text_limit"}
        }
        assert from_json(Column, older) == column
    assert to_json(plan([source("A")]).columns[0]) == {
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
            '"A" has no target column: there is no "a". Add the column, rename it (columns.rename), leave it out '
            "(columns.exclude), or set schema_drift to add_columns."
        ),
        (
            '"Visit" has no target column: there is no "Visit". The target has "visit": names are matched to the letter. '
            "Add the column, rename it (columns.rename), leave it out (columns.exclude), or set schema_drift to add_columns."
        ),
        (
            '"F" to "f": FLOAT has no safe way into integer: not every value would be kept. Make the target double precision, '
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
