"""What the unload selects: integers for whole numbers that fit, everything else as its staged form says."""

from __future__ import annotations

import pytest

from snowmelt.types.column_plan import plan_columns
from snowmelt.types.columns import ColumnRules, MaskRule, SourceColumn
from snowmelt.types.target_types import comparable_expression
from snowmelt.types.type_names import parse_snowflake_type
from snowmelt.vocabulary import FileFormat


def staged(kind, file_format="parquet", **rules):
    source = [SourceColumn("C", parse_snowflake_type(kind))]
    planned = plan_columns(source, None, ColumnRules(**rules), FileFormat(file_format)).columns
    return tuple((column.source, column.select) for column in planned)


@pytest.mark.parametrize(
    ("kind", "sql"),
    [
        ("NUMBER(4,0)", 'CAST("C" AS SMALLINT)'),
        ("NUMBER(5,0)", 'CAST("C" AS INT)'),
        ("NUMBER(9,0)", 'CAST("C" AS INT)'),
        ("NUMBER(18,0)", 'CAST("C" AS BIGINT)'),
        ("NUMBER(19,0)", '"C"'),
        ("NUMBER(38,0)", '"C"'),
        ("NUMBER(12,2)", '"C"'),
        ("TIMESTAMP_NTZ(6)", 'CAST(DATE_PART(EPOCH_MICROSECOND, "C") AS BIGINT)'),
        ("TIME(6)", "CAST(DATEDIFF(MICROSECOND, '00:00:00'::TIME, \"C\") AS BIGINT)"),
        ("VARCHAR(10)", '"C"'),
        ("DATE", '"C"'),
    ],
)
def test_only_numbers_of_which_every_value_fits_are_cast(kind, sql):
    assert staged(kind) == (("C", sql),)


def test_a_narrowed_column_is_not_cast_since_a_later_value_may_not_fit():
    assert staged("NUMBER(38,0)", type={"C": "integer"}) == (("C", '"C"'),)


def test_csv_is_text_as_it_was():
    assert staged("NUMBER(18,0)", "csv") == (("C", '"C"'),)


def test_the_offset_beside_an_instant_is_a_small_number():
    (_, (name, sql)) = staged("TIMESTAMP_TZ(6)", keep_offset=("C",))
    assert name == "C_offset"
    assert sql.startswith("CAST(DATEDIFF(MINUTE, ")
    assert sql.endswith(" AS SMALLINT)")


@pytest.mark.parametrize(
    ("kind", "sql"),
    [
        ("NUMBER(4,0)", '"C"'),
        ("NUMBER(12,2)", '"C"'),
        ("FLOAT", '"C"'),
        ("DATE", '"C"'),
        ("TIME(6)", "DATEDIFF(MICROSECOND, '00:00:00'::TIME, \"C\")"),
        ("TIMESTAMP_TZ(9)", "DATE_PART(EPOCH_MICROSECOND, DATE_TRUNC('MICROSECOND', \"C\"))"),
        (
            "VARIANT",
            (
                'IFF(CONTAINS(TO_JSON("C"), \'undefined\'), REPLACE(REPLACE(REGEXP_REPLACE(TO_JSON("C"), '
                "'(undefined|\"(\\\\\\\\.|[^\"\\\\\\\\])*\")', '\\\\1' || CHR(1)), 'undefined' || CHR(1), 'null'), CHR(1), ''), TO_JSON(\"C\"))"
            ),
        ),
        ("VARCHAR(10)", '"C"'),
    ],
)
def test_what_the_databases_compare_is_the_value_itself(kind, sql):
    assert comparable_expression(parse_snowflake_type(kind), '"C"') == sql


@pytest.mark.parametrize("file_format", list(FileFormat))
def test_a_column_keeps_its_value_beside_what_is_selected_of_it(file_format):
    source = [
        SourceColumn("AT", parse_snowflake_type("TIMESTAMP_TZ(6)")),
        SourceColumn("N", parse_snowflake_type("VARCHAR(9)")),
    ]
    rules = ColumnRules(keep_offset=("AT",), mask={"N": MaskRule('SHA2("N")', "VARCHAR(64)")})
    at, offset, masked = plan_columns(source, None, rules, file_format).columns
    assert (at.value, at.derived) == ('"AT"', False)
    assert offset.value.startswith("DATEDIFF(MINUTE, ")
    assert offset.derived
    assert (masked.value, masked.derived) == ('(SHA2("N"))', True)
