"""DDL for the target, written out."""

from __future__ import annotations

import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st

from snowmelt.errors import ConfigurationError, SchemaError
from snowmelt.types.columns import Column, build_add_columns, build_create_table
from snowmelt.types.type_table import Form


def column(name, kind="bigint", **more):
    values = {"nullable": True, "primary_key": None, "comment": None, "checked": False} | more
    return Column("SOURCE", "NUMBER(18,0)", Form.INTEGER, '"SOURCE"', '"SOURCE"', name, kind, **values)


COLUMNS = [
    column("name", "character varying(40)", comment='the payer\'s "name" \\ €'),
    column("Visit Id", "numeric(38,0)", nullable=False, primary_key=2),
    column("id", "bigint", nullable=False, primary_key=1),
    column("at", "timestamp with time zone"),
    column("v", "real[]", comment=""),
]


def test_a_table_with_key_and_comments():
    assert build_create_table("public", "My Table", COLUMNS) == [
        (
            'CREATE TABLE "public"."My Table" (\n'
            '    "name" character varying(40),\n'
            '    "Visit Id" numeric(38,0) NOT NULL,\n'
            '    "id" bigint NOT NULL,\n'
            '    "at" timestamp with time zone,\n'
            '    "v" real[],\n'
            '    PRIMARY KEY ("id", "Visit Id")\n'
            ")"
        ),
        'COMMENT ON COLUMN "public"."My Table"."name" IS E\'the payer\'\'s "name" \\\\ €\'',
    ]


def test_a_staging_table():
    assert build_create_table(
        "s",
        "t",
        COLUMNS[2:4],
        unlogged=True,
        primary_key=False,
        not_null=False,
        comments=False,
        if_not_exists=True,
    ) == [
        'CREATE UNLOGGED TABLE IF NOT EXISTS "s"."t" (\n    "id" bigint,\n    "at" timestamp with time zone\n)'
    ]


def test_added_columns_are_nullable_and_commented():
    assert build_add_columns("s", "t", [column("a", nullable=False), column("b c", "text", comment="c")]) == [
        (
            'ALTER TABLE "s"."t"\n'
            '    ADD COLUMN IF NOT EXISTS "a" bigint,\n'
            '    ADD COLUMN IF NOT EXISTS "b c" text'
        ),
        'COMMENT ON COLUMN "s"."t"."b c" IS \'c\'',
    ]


def test_nothing_to_add_is_no_statement():
    assert build_add_columns("s", "t", []) == []


def test_a_type_that_is_none_never_reaches_the_ddl():
    with pytest.raises(SchemaError):
        build_create_table("s", "t", [column("a", "bigint); DROP TABLE x; --")])


def test_a_comment_with_nul_is_refused():
    with pytest.raises(ConfigurationError, match="NUL"):
        build_create_table("s", "t", [column("a", comment="a\x00b")])


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=15),
        min_size=1,
        unique=True,
    )
)
def test_another_parser_reads_the_names_back(names):
    (create, *_) = build_create_table("s", "t", [column(name) for name in names])
    table = sqlglot.parse_one(create, read="postgres")
    assert [definition.name for definition in table.this.expressions] == names
