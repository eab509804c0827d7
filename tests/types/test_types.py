"""The type table: Snowflake's types, their expressions and defaults, written out by hand."""

from __future__ import annotations

import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st

from snowmelt.errors import SchemaError
from snowmelt.types.target_types import (
    Outcome,
    allowed_target,
    default_target,
    loses_nanoseconds,
    nanosecond_predicate,
    offset_expression,
    select_expression,
)
from snowmelt.types.type_names import SnowflakeType, describe_snowflake_type, parse_snowflake_type
from snowmelt.types.type_table import TYPE_TABLE, Form, form_of
from snowmelt.vocabulary import FileFormat

SNOWFLAKE_TEXTS = [
    ("NUMBER(38,0)", "NUMBER(38,0)"),
    ("NUMBER(10, 2)", "NUMBER(10,2)"),
    ("number(5)", "NUMBER(5,0)"),
    ("NUMBER", "NUMBER(38,0)"),
    ("DECIMAL(12,4)", "NUMBER(12,4)"),
    ("NUMERIC", "NUMBER(38,0)"),
    ("INT", "NUMBER(38,0)"),
    ("BIGINT", "NUMBER(38,0)"),
    ("BYTEINT", "NUMBER(38,0)"),
    ("FLOAT", "FLOAT"),
    ("DOUBLE PRECISION", "FLOAT"),
    ("real", "FLOAT"),
    ("BOOLEAN", "BOOLEAN"),
    ("DATE", "DATE"),
    ("TIME", "TIME(9)"),
    ("TIME(0)", "TIME(0)"),
    ("TIMESTAMP_NTZ(6)", "TIMESTAMP_NTZ(6)"),
    ("DATETIME", "TIMESTAMP_NTZ(9)"),
    ("TIMESTAMP WITHOUT TIME ZONE", "TIMESTAMP_NTZ(9)"),
    ("TIMESTAMP(3) WITH TIME ZONE", "TIMESTAMP_TZ(3)"),
    ("TIMESTAMPLTZ(3)", "TIMESTAMP_LTZ(3)"),
    ("TIMESTAMP WITH LOCAL TIME ZONE", "TIMESTAMP_LTZ(9)"),
    ("TIMESTAMP_TZ(9)", "TIMESTAMP_TZ(9)"),
    ("VARCHAR(16777216)", "VARCHAR(16777216)"),
    ("VARCHAR(134217728)", "VARCHAR(134217728)"),
    ("VARCHAR(10) COLLATE 'en-ci'", "VARCHAR(10) COLLATE 'en-ci'"),
    ("STRING", "VARCHAR(16777216)"),
    ("CHAR", "VARCHAR(1)"),
    ("NCHAR VARYING(7)", "VARCHAR(7)"),
    ("BINARY(8388608)", "BINARY(8388608)"),
    ("VARBINARY", "BINARY(8388608)"),
    ("VARIANT", "VARIANT"),
    ("OBJECT", "OBJECT"),
    ("ARRAY", "ARRAY"),
    ("GEOGRAPHY", "GEOGRAPHY"),
    ("GEOMETRY", "GEOMETRY"),
    ("VECTOR(FLOAT, 3)", "VECTOR(FLOAT, 3)"),
    ("vector(int,4096)", "VECTOR(INT, 4096)"),
    ("UUID", "UUID"),
]


@pytest.mark.parametrize(("text", "expected"), SNOWFLAKE_TEXTS)
def test_snowflake_types_are_read_with_all_their_numbers(text, expected):
    assert str(parse_snowflake_type(text)) == expected
    assert parse_snowflake_type(expected) == parse_snowflake_type(text)


REFUSED_SOURCES = [
    "MAP(VARCHAR(16777216), NUMBER(38,0))",
    "ARRAY(NUMBER(38,0))",
    "OBJECT(a NUMBER(38,0), b VARCHAR(16777216))",
    "FILE",
    "DECFLOAT(38)",
    "INTERVAL YEAR TO MONTH",
    "INTERVAL DAY(9) TO SECOND(9)",
    "VECTOR",
    "VECTOR(STRING, 3)",
    "VECTOR(FLOAT, 0)",
    "VECTOR(FLOAT, 4097)",
    "NUMBER(39,0)",
    "NUMBER(38,38)",
    "NUMBER(38,-1)",
    "TIME(10)",
    "BOOLEAN(1)",
    "INT(5)",
    "NUMBER(1,2,3)",
    "",
    "(5)",
    "NUMBER(5",
]


@pytest.mark.parametrize("text", REFUSED_SOURCES)
def test_a_type_without_a_way_is_refused_by_name(text):
    with pytest.raises(SchemaError) as caught:
        parse_snowflake_type(text)
    assert text in str(caught.value)
    described = describe_snowflake_type(text)
    assert not described.known
    assert str(described) == text
    with pytest.raises(SchemaError, match=r"columns\.exclude.*columns\.mask"):
        form_of(described)


def test_timestamp_alone_is_refused_because_a_parameter_decides_what_it_means():
    with pytest.raises(SchemaError, match="write TIMESTAMP_NTZ, TIMESTAMP_LTZ or TIMESTAMP_TZ"):
        parse_snowflake_type("TIMESTAMP(6)")


FLOAT_CSV = (
    "CASE WHEN \"C\" = 'NaN'::FLOAT THEN 'NaN' WHEN \"C\" = 'inf'::FLOAT THEN 'Infinity' "
    "WHEN \"C\" = '-inf'::FLOAT THEN '-Infinity' ELSE TO_VARCHAR(\"C\", 'TME') END"
)
JSON = (
    'IFF(CONTAINS(TO_JSON("C"), \'undefined\'), REPLACE(REPLACE(REGEXP_REPLACE(TO_JSON("C"), '
    "'(undefined|\"(\\\\\\\\.|[^\"\\\\\\\\])*\")', '\\\\1' || CHR(1)), 'undefined' || CHR(1), 'null'), CHR(1), ''), TO_JSON(\"C\"))"
)
EXPRESSIONS = [
    # type, form, Parquet, CSV, default target
    ("NUMBER(1,0)", Form.INTEGER, 'CAST("C" AS SMALLINT)', '"C"', "smallint"),
    ("NUMBER(4,0)", Form.INTEGER, 'CAST("C" AS SMALLINT)', '"C"', "smallint"),
    ("NUMBER(5,0)", Form.INTEGER, 'CAST("C" AS INT)', '"C"', "integer"),
    ("NUMBER(9,0)", Form.INTEGER, 'CAST("C" AS INT)', '"C"', "integer"),
    ("NUMBER(10,0)", Form.INTEGER, 'CAST("C" AS BIGINT)', '"C"', "bigint"),
    ("NUMBER(18,0)", Form.INTEGER, 'CAST("C" AS BIGINT)', '"C"', "bigint"),
    ("NUMBER(19,0)", Form.INTEGER, '"C"', '"C"', "numeric(19,0)"),
    ("INT", Form.INTEGER, '"C"', '"C"', "numeric(38,0)"),
    ("NUMBER(4,1)", Form.DECIMAL, '"C"', '"C"', "numeric(4,1)"),
    ("NUMBER(38,37)", Form.DECIMAL, '"C"', '"C"', "numeric(38,37)"),
    ("NUMBER(2,5)", Form.DECIMAL, '"C"', '"C"', "numeric(5,5)"),
    ("FLOAT", Form.DOUBLE, '"C"', FLOAT_CSV, "double precision"),
    ("BOOLEAN", Form.BOOLEAN, '"C"', 'TO_VARCHAR("C")', "boolean"),
    (
        "DATE",
        Form.DATE,
        '"C"',
        "TO_VARCHAR(\"C\", 'YYYY-MM-DD') || IFF(YEAR(\"C\") BETWEEN 1 AND 9999, '', ' is beyond the years 1 to 9999')",
        "date",
    ),
    (
        "TIME(6)",
        Form.TIME_US,
        "CAST(DATEDIFF(MICROSECOND, '00:00:00'::TIME, \"C\") AS BIGINT)",
        "TO_VARCHAR(\"C\", 'HH24:MI:SS.FF6')",
        "time without time zone",
    ),
    (
        "TIME(9)",
        Form.TIME_US,
        "CAST(DATEDIFF(MICROSECOND, '00:00:00'::TIME, \"C\") AS BIGINT)",
        "TO_VARCHAR(DATE_TRUNC('MICROSECOND', \"C\"), 'HH24:MI:SS.FF6')",
        "time without time zone",
    ),
    (
        "TIMESTAMP_NTZ(0)",
        Form.EPOCH_US,
        'CAST(DATE_PART(EPOCH_MICROSECOND, "C") AS BIGINT)',
        (
            "TO_VARCHAR(\"C\", 'YYYY-MM-DD HH24:MI:SS.FF6') || IFF(YEAR(\"C\") BETWEEN 1 AND 9999, '', "
            "' is beyond the years 1 to 9999')"
        ),
        "timestamp without time zone",
    ),
    (
        "TIMESTAMP_NTZ(7)",
        Form.EPOCH_US,
        "CAST(DATE_PART(EPOCH_MICROSECOND, DATE_TRUNC('MICROSECOND', \"C\")) AS BIGINT)",
        (
            "TO_VARCHAR(DATE_TRUNC('MICROSECOND', \"C\"), 'YYYY-MM-DD HH24:MI:SS.FF6') || IFF(YEAR(DATE_TRUNC('MICROSECOND', \"C\")) BETWEEN 1 AND 9999, '', "
            "' is beyond the years 1 to 9999')"
        ),
        "timestamp without time zone",
    ),
    (
        "TIMESTAMP_LTZ(6)",
        Form.EPOCH_US,
        'CAST(DATE_PART(EPOCH_MICROSECOND, "C") AS BIGINT)',
        (
            "TO_VARCHAR(CONVERT_TIMEZONE('UTC', \"C\"), 'YYYY-MM-DD HH24:MI:SS.FF6') || '+00' || "
            "IFF(YEAR(CONVERT_TIMEZONE('UTC', \"C\")) BETWEEN 1 AND 9999, '', ' is beyond the years 1 to 9999')"
        ),
        "timestamp with time zone",
    ),
    (
        "TIMESTAMP_TZ(9)",
        Form.EPOCH_US,
        "CAST(DATE_PART(EPOCH_MICROSECOND, DATE_TRUNC('MICROSECOND', \"C\")) AS BIGINT)",
        (
            "TO_VARCHAR(CONVERT_TIMEZONE('UTC', DATE_TRUNC('MICROSECOND', \"C\")), 'YYYY-MM-DD HH24:MI:SS.FF6') || '+00' || "
            "IFF(YEAR(CONVERT_TIMEZONE('UTC', DATE_TRUNC('MICROSECOND', \"C\"))) BETWEEN 1 AND 9999, '', ' is beyond the years 1 to 9999')"
        ),
        "timestamp with time zone",
    ),
    ("VARCHAR(40)", Form.TEXT, '"C"', '"C"', "character varying(40)"),
    ("VARCHAR(10485760)", Form.TEXT, '"C"', '"C"', "character varying(10485760)"),
    ("VARCHAR(10485761)", Form.TEXT, '"C"', '"C"', "text"),
    ("VARCHAR", Form.TEXT, '"C"', '"C"', "text"),
    ("BINARY(16)", Form.BYTES, '"C"', "'\\\\x' || HEX_ENCODE(\"C\")", "bytea"),
    ("VARIANT", Form.JSON, JSON, JSON, "jsonb"),
    ("OBJECT", Form.JSON, JSON, JSON, "jsonb"),
    ("ARRAY", Form.JSON, JSON, JSON, "jsonb"),
    ("GEOGRAPHY", Form.EWKT, 'ST_ASEWKT("C")', 'ST_ASEWKT("C")', "text"),
    ("GEOMETRY", Form.EWKT, 'ST_ASEWKT("C")', 'ST_ASEWKT("C")', "text"),
    (
        "VECTOR(FLOAT, 3)",
        Form.VECTOR,
        'TO_JSON(CAST("C" AS ARRAY))',
        "TRANSLATE(TO_JSON(CAST(\"C\" AS ARRAY)), '[]', '{}')",
        "real[]",
    ),
    (
        "VECTOR(INT, 3)",
        Form.VECTOR,
        'TO_JSON(CAST("C" AS ARRAY))',
        "TRANSLATE(TO_JSON(CAST(\"C\" AS ARRAY)), '[]', '{}')",
        "integer[]",
    ),
    ("UUID", Form.UUID, 'CAST("C" AS VARCHAR)', 'CAST("C" AS VARCHAR)', "uuid"),
]


@pytest.mark.parametrize(("text", "form", "parquet", "csv", "target"), EXPRESSIONS)
def test_each_type_has_its_form_its_expressions_and_its_target(text, form, parquet, csv, target):
    source = parse_snowflake_type(text)
    assert form_of(source) is form
    assert select_expression(source, '"C"', FileFormat.PARQUET) == parquet
    assert select_expression(source, '"C"', FileFormat.CSV) == csv
    assert str(default_target(source)) == target


def test_every_line_of_the_table_is_tried_above():
    tried = {(parse_snowflake_type(text).name, form) for text, form, *_ in EXPRESSIONS}
    assert {(row.snowflake, row.form) for row in TYPE_TABLE} == tried


@pytest.mark.parametrize("file_format", list(FileFormat))
@pytest.mark.parametrize("text", [row[0] for row in EXPRESSIONS])
def test_a_hostile_name_stays_one_column(text, file_format):
    hostile = '"a""b {c} {t} {} \' -- ; ☃"'
    select = sqlglot.parse_one(
        f"SELECT {select_expression(parse_snowflake_type(text), hostile, file_format)}", read="snowflake"
    )
    assert {column.name for column in select.find_all(sqlglot.exp.Column)} == {"a\"b {c} {t} {} ' -- ; ☃"}


@given(st.integers(1, 38), st.integers(0, 37))
def test_every_number_has_a_default_that_every_value_fits_into(precision, scale):
    source = parse_snowflake_type(f"NUMBER({precision},{scale})")
    target = default_target(source)
    assert allowed_target(source, target).outcome is Outcome.SAFE
    digits, fraction = target.arguments or ({"smallint": 4, "integer": 9, "bigint": 18}[target.name], 0)
    assert fraction == scale
    assert digits - fraction >= precision - scale


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("TIME(6)", False),
        ("TIME(7)", True),
        ("TIMESTAMP_NTZ(6)", False),
        ("TIMESTAMP_TZ(9)", True),
        ("NUMBER(38,0)", False),
        ("DATE", False),
    ],
)
def test_which_types_may_hold_more_than_microseconds(text, expected):
    assert loses_nanoseconds(parse_snowflake_type(text)) is expected


def test_the_questions_that_the_plan_asks_snowflake():
    assert nanosecond_predicate('"T"') == 'MOD(DATE_PART(NANOSECOND, "T"), 1000) <> 0'
    assert offset_expression('"T"') == (
        'DATEDIFF(MINUTE, CAST(CONVERT_TIMEZONE(\'UTC\', "T") AS TIMESTAMP_NTZ), CAST("T" AS TIMESTAMP_NTZ))'
    )


def test_an_unknown_type_is_named_with_the_ways_out():
    with pytest.raises(SchemaError, match="no way to carry the Snowflake type FILE"):
        default_target(SnowflakeType("FILE"))
