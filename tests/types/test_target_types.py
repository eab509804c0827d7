"""PostgreSQL's types as targets: which take which source, and how they are read and written."""

from __future__ import annotations

import pytest

from snowmelt.errors import SchemaError
from snowmelt.types.target_types import allowed_target, find_wider
from snowmelt.types.type_names import PostgresType, parse_postgres_type, parse_snowflake_type

VERDICTS = [
    # source, target, outcome, words of the reason
    ("NUMBER(4,0)", "smallint", "safe", ""),
    ("NUMBER(5,0)", "smallint", "checked", "does not fit into smallint"),
    ("NUMBER(9,0)", "bigint", "safe", ""),
    ("NUMBER(38,0)", "bigint", "checked", "does not fit into bigint"),
    ("NUMBER(38,0)", "numeric", "safe", ""),
    ("NUMBER(38,0)", "numeric(38,0)", "safe", ""),
    ("NUMBER(38,0)", "numeric(40,2)", "safe", ""),
    ("NUMBER(38,0)", "numeric(38,1)", "checked", "does not fit into numeric(38,1)"),
    ("NUMBER(5,0)", "numeric(5,-2)", "refused", "would round"),
    ("NUMBER(9,0)", "double precision", "refused", "Make the target integer or bigint or numeric"),
    ("NUMBER(9,0)", "text", "refused", "no safe way into text"),
    ("NUMBER(12,2)", "numeric(12,2)", "safe", ""),
    ("NUMBER(12,2)", "numeric(11,2)", "checked", "does not fit"),
    ("NUMBER(12,2)", "numeric(38,1)", "refused", "make the target numeric(12,2) or numeric"),
    ("NUMBER(12,2)", "bigint", "refused", "no safe way into bigint"),
    ("NUMBER(12,2)", "double precision", "refused", "not every value would be kept"),
    ("NUMBER(2,5)", "numeric(5,5)", "safe", ""),
    ("FLOAT", "double precision", "safe", ""),
    ("FLOAT", "real", "refused", "24 of the 53 bits"),
    ("FLOAT", "integer", "refused", "no safe way into integer"),
    ("FLOAT", "numeric", "refused", "no safe way into numeric"),
    ("BOOLEAN", "boolean", "safe", ""),
    ("BOOLEAN", "smallint", "refused", "no safe way"),
    ("DATE", "date", "safe", ""),
    ("DATE", "timestamp without time zone", "refused", "no safe way"),
    ("TIME(9)", "time without time zone", "safe", ""),
    ("TIME(9)", "time(6) without time zone", "safe", ""),
    ("TIME(3)", "time(2) without time zone", "refused", "would round away digits"),
    ("TIMESTAMP_NTZ(9)", "timestamp without time zone", "safe", ""),
    ("TIMESTAMP_NTZ(9)", "timestamp(6) without time zone", "safe", ""),
    (
        "TIMESTAMP_NTZ(9)",
        "timestamp(3) without time zone",
        "refused",
        "make the target timestamp without time zone",
    ),
    ("TIMESTAMP_NTZ(3)", "timestamp(3) without time zone", "safe", ""),
    ("TIMESTAMP_NTZ(9)", "timestamp with time zone", "refused", "names no time zone"),
    ("TIMESTAMP_LTZ(9)", "timestamp with time zone", "safe", ""),
    ("TIMESTAMP_TZ(9)", "timestamp with time zone", "safe", ""),
    ("TIMESTAMP_TZ(9)", "timestamp without time zone", "refused", "the instant would be lost"),
    ("VARCHAR(40)", "character varying(40)", "safe", ""),
    ("VARCHAR(40)", "character varying(39)", "checked", "longer than 39 characters"),
    ("VARCHAR(40)", "character varying", "safe", ""),
    ("VARCHAR(40)", "text", "safe", ""),
    ("VARCHAR(40)", "character(40)", "refused", "pads with spaces"),
    ("VARCHAR(40)", "jsonb", "refused", "columns.mask"),
    ("VARCHAR(36)", "uuid", "refused", "columns.mask"),
    ("VARCHAR(40)", "public.citext", "refused", "no safe way into public.citext"),
    ("BINARY", "bytea", "safe", ""),
    ("BINARY", "text", "refused", "no safe way"),
    ("VARIANT", "jsonb", "safe", ""),
    ("OBJECT", "json", "safe", ""),
    ("ARRAY", "text", "safe", ""),
    ("ARRAY", "text[]", "refused", "no safe way"),
    ("GEOGRAPHY", "text", "safe", ""),
    ("GEOMETRY", "geometry(Point,4326)", "refused", ""),
    ("VECTOR(FLOAT, 3)", "real[]", "safe", ""),
    ("VECTOR(FLOAT, 3)", "integer[]", "refused", "Make the target real[]"),
    ("VECTOR(INT, 3)", "real[]", "refused", "Make the target integer[]"),
    ("UUID", "uuid", "safe", ""),
    ("UUID", "text", "safe", ""),
    ("UUID", "bytea", "refused", "Make the target uuid or text"),
]


@pytest.mark.parametrize(("source", "target", "outcome", "words"), VERDICTS)
def test_verdicts_on_existing_columns(source, target, outcome, words):
    target_type = PostgresType(target) if "Point" in target else parse_postgres_type(target)
    verdict = allowed_target(parse_snowflake_type(source), target_type)
    assert verdict.outcome == outcome
    assert words in verdict.reason
    assert bool(verdict.reason) == (outcome != "safe")


POSTGRES_TEXTS = [
    ("bigint", "bigint"),
    ("int8", "bigint"),
    ("INTEGER", "integer"),
    ("numeric", "numeric"),
    ("numeric(10)", "numeric(10,0)"),
    ("decimal(10, 2)", "numeric(10,2)"),
    ("numeric(5,-2)", "numeric(5,-2)"),
    ("varchar(10)", "character varying(10)"),
    ("character varying", "character varying"),
    ("char", "character(1)"),
    ("bpchar", "bpchar"),
    ("timestamptz", "timestamp with time zone"),
    ("timestamp(3) without time zone", "timestamp(3) without time zone"),
    ("Timestamp (3) With Time Zone", "timestamp(3) with time zone"),
    ("timestamptz(3)", "timestamp(3) with time zone"),
    ("time", "time without time zone"),
    ("float8", "double precision"),
    ("real[]", "real[]"),
    ("float4[]", "real[]"),
    ("numeric(10,2)[]", "numeric(10,2)[]"),
    ("timestamp(3) without time zone[]", "timestamp(3) without time zone[]"),
    ("jsonb", "jsonb"),
    ("inet", "inet"),
    ("public.citext", "public.citext"),
    ('"My Schema"."My Type"', '"My Schema"."My Type"'),
    ('public."Mood"[]', 'public."Mood"[]'),
]


@pytest.mark.parametrize(("text", "expected"), POSTGRES_TEXTS)
def test_postgres_types_are_written_as_format_type_writes_them(text, expected):
    assert str(parse_postgres_type(text)) == expected
    assert parse_postgres_type(expected) == parse_postgres_type(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "text; DROP TABLE t",
        "text) NOT NULL, (x text",
        "text -- x",
        "numeric(1001,2)",
        "numeric(1,2,3)",
        "varchar(0)",
        "varchar(10485761)",
        "timestamp(7)",
        "bigint(5)",
        "text NOT NULL DEFAULT 'x'",
    ],
)
def test_what_is_no_postgres_type_is_refused(text):
    with pytest.raises(SchemaError):
        parse_postgres_type(text)


@pytest.mark.parametrize(
    ("source", "target", "wider"),
    [
        ("VARCHAR(20)", "character varying(5)", "character varying(20)"),
        ("VARCHAR", "character varying(5)", "text"),
        ("VARCHAR(5)", "character varying(20)", None),
        ("VARCHAR(20)", "text", None),
        ("NUMBER(9,0)", "smallint", "integer"),
        ("NUMBER(18,0)", "integer", "bigint"),
        ("NUMBER(20,0)", "bigint", "numeric(20,0)"),
        ("NUMBER(4,0)", "integer", None),
        ("NUMBER(38,0)", "bigint", None),
        ("NUMBER(12,2)", "numeric(9,2)", "numeric(12,2)"),
        ("NUMBER(12,4)", "numeric(12,2)", None),
        ("NUMBER(12,2)", "numeric", None),
        ("DATE", "date", None),
    ],
)
def test_a_narrower_column_can_become_wide_enough(source, target, wider):
    found = find_wider(parse_snowflake_type(source), parse_postgres_type(target))
    assert (None if found is None else str(found)) == wider
