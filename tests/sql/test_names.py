"""Names: how Snowflake reads them, what they become in PostgreSQL."""

from __future__ import annotations

import hashlib

import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st

from snowmelt.errors import ConfigurationError
from snowmelt.sql.names import (
    TableName,
    fits_postgres,
    fold_name,
    match_name,
    near_misses,
    parse_identifier,
    parse_table_name,
    shorten_name,
    snowflake_identifier,
)

#: What Snowflake takes in double quotes: anything but NUL, 1 to 255 bytes.
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=60)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ANALYTICS.BI.DIMPAYER", ("ANALYTICS", "BI", "DIMPAYER")),
        ("analytics.bi.dimpayer", ("ANALYTICS", "BI", "DIMPAYER")),
        ('ANALYTICS.BI."My Table"', ("ANALYTICS", "BI", "My Table")),
        ('"a.b"."c""d"."é "', ("a.b", 'c"d', "é ")),
        (' db . "s" . t$1 ', ("DB", "s", "T$1")),
        ("_x.y.z", ("_X", "Y", "Z")),
    ],
)
def test_table_names_are_read_as_snowflake_reads_them(text, expected):
    assert parse_table_name(text) == TableName(*expected)


def test_missing_parts_come_from_the_defaults_to_the_letter():
    assert parse_table_name("t", database="db", schema="My Schema") == TableName("db", "My Schema", "T")
    assert parse_table_name("s.t", database="DB", schema="IGNORED") == TableName("DB", "S", "T")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("t", "does not say in which database and schema"),
        ("s.t", "does not say in which database and schema"),
        ("a.b.c.d", "more than three parts"),
        ("", "not a name that Snowflake reads"),
        ("a..t", "not a name that Snowflake reads"),
        ("a.b.", "not a name that Snowflake reads"),
        ("a.b.2024", "not a name that Snowflake reads"),
        ("a.b.my table", "not a name that Snowflake reads"),
        ('a.b."open', "not a name that Snowflake reads"),
        ('a.b.""', "not a name that Snowflake reads"),
        ("a.b.t; DROP TABLE x", "not a name that Snowflake reads"),
        ("a.b.größe", "not a name that Snowflake reads"),
    ],
)
def test_an_invalid_table_name_is_refused(text, words):
    with pytest.raises(ConfigurationError, match=words):
        parse_table_name(text)


def test_a_table_name_prints_as_a_person_would_write_it_and_is_quoted_in_sql():
    name = TableName("ANALYTICS", "BI", 'My "Table"')
    assert str(name) == 'ANALYTICS.BI."My ""Table"""'
    assert name.sql == '"ANALYTICS"."BI"."My ""Table"""'


@given(NAMES, NAMES, NAMES)
def test_every_name_comes_back_from_its_own_text(database, schema, table):
    name = TableName(database, schema, table)
    assert parse_table_name(str(name)) == name
    assert parse_table_name(name.sql) == name


@given(NAMES)
def test_another_parser_reads_the_quoted_name_back(name):
    identifier = (
        sqlglot.parse_one(f"SELECT {snowflake_identifier(name)}", read="snowflake").expressions[0].this
    )
    assert (identifier.name, identifier.args["quoted"]) == (name, True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("dimpayer", "DIMPAYER"), ("DIMPAYER", "DIMPAYER"), ('"Visit Id"', "Visit Id"), ('"a.b"', "a.b")],
)
def test_one_identifier(text, expected):
    assert parse_identifier(text) == expected


def test_two_identifiers_are_not_one():
    with pytest.raises(ConfigurationError, match="is not one name"):
        parse_identifier("a.b")


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("VISIT_ID", "visit_id"),
        ("_A$1", "_a$1"),
        ("SELECT", "select"),
        ("Visit Id", "Visit Id"),
        ("visit", "visit"),
        ("Visit", "Visit"),
        ("VISIT ID", "VISIT ID"),
        ("A.B", "A.B"),
        ("2024", "2024"),
        ("ÜBER", "ÜBER"),
        ("", ""),
    ],
)
def test_folding(source, target):
    assert fold_name(source) == target


def test_a_name_of_63_bytes_is_kept_and_one_of_64_is_shortened():
    assert shorten_name("a" * 63, ()) == "a" * 63
    digest = hashlib.sha256(b"a" * 64).hexdigest()
    assert shorten_name("a" * 64, ()) == "a" * 54 + "_" + digest[:8]


def test_a_character_is_never_cut_in_two():
    short = shorten_name("x" + "é" * 100, ())
    assert short.startswith("x" + "é" * 26 + "_")
    assert len(short.encode()) == 62


def test_a_taken_name_is_not_given_twice():
    first = shorten_name("b" * 70, ())
    second = shorten_name("b" * 70, {first})
    assert first != second
    assert shorten_name("short", {"short"}) != "short"


@given(st.lists(NAMES.map(lambda name: name * 4) | NAMES, min_size=1, max_size=20, unique=True))
def test_shortened_names_fit_and_never_collide(names):
    taken: set[str] = set()
    for name in names:
        short = shorten_name(name, taken)
        assert short not in taken
        assert fits_postgres(short)
        assert short.encode().decode() == short
        assert "\x00" not in short
        taken.add(short)
    assert len(taken) == len(names)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("VISIT_ID", "VISIT_ID"),
        ("visit_id", "VISIT_ID"),
        ("Visit Id", "Visit Id"),
        ('"Visit Id"', "Visit Id"),
        ("created", "created"),
        ("CREATED", "CREATED"),
        ("Created", "CREATED"),
        ("visit id", None),
        ("nosuch", None),
        ('"visit_id"', None),
    ],
)
def test_a_rule_names_a_column_to_the_letter_or_as_snowflake_reads_it(written, expected):
    assert match_name(written, ["VISIT_ID", "Visit Id", "created", "CREATED"]) == expected


def test_near_misses():
    assert near_misses("vist_id", ["VISIT_ID", "NAME"]) == ' Did you mean "VISIT_ID"?'
    assert near_misses("zzz", ["VISIT_ID", "NAME"]) == ""
