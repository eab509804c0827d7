"""Which rows are a source's own: a predicate that can be nothing else, whoever wrote it."""

from __future__ import annotations

import pytest

from snowmelt.errors import ConfigurationError
from snowmelt.sql.owned_rows import own_by_tag, parse_owned_rows


@pytest.mark.parametrize(
    ("written", "read", "columns"),
    [
        ("clinic = 'north'", """\"clinic\" = 'north'""", ("clinic",)),
        ('Clinic = 1 and "Year" >= -2.5', """("clinic" = 1 AND "Year" >= -2.5)""", ("clinic", "Year")),
        (
            "not (a <> 'it''s' or b is not null)",
            """NOT (("a" <> 'it''s' OR "b" IS NOT NULL))""",
            ("a", "b"),
        ),
        (
            "a IN (1, 2) AND b NOT BETWEEN '2024-01-01' AND '2024-12-31' AND NOT c = true",
            """("a" IN (1, 2) AND "b" NOT BETWEEN '2024-01-01' AND '2024-12-31' AND NOT ("c" = TRUE))""",
            ("a", "b", "c"),
        ),
    ],
)
def test_it_is_read_and_written_again(written, read, columns):
    found = parse_owned_rows(written)
    assert (found.text, found.columns) == (read, columns)
    assert parse_owned_rows(found.text).columns == columns


def test_an_alias_goes_before_every_column():
    assert parse_owned_rows("a = 1 OR b = 't.a'").sql("t") == """(t."a" = 1 OR t."b" = 't.a')"""


def test_a_tag_is_a_predicate():
    own = own_by_tag("source", "it's")
    assert own.text == """"source" = 'it''s'"""
    assert parse_owned_rows(own.text).columns == ("source",)


@pytest.mark.parametrize("value", ["C:\\temp", "\\'", "it''s \\\\ '"])
def test_what_is_stored_reads_as_itself(value):
    own = own_by_tag("Path", value)
    assert parse_owned_rows(own.text).text == own.text


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("", "it ends where a column of the target is expected"),
        ("a", "it ends where IN is expected"),
        ("a =", "it ends where a number or a text in single quotes is expected"),
        ("a = b", "b at character 5 is not a number or a text in single quotes"),
        ("a = 1; DROP TABLE t", "; DROP TABLE t at character 6 is not known here"),
        ("a = 1 -- b", "- at character 7 is not AND, OR or the end"),
        ("a = lower('X')", "lower at character 5 is not a number or a text in single quotes"),
        ("lower(a) = 'x'", "( at character 6 is not IN"),
        ("a IN (SELECT 1)", "SELECT at character 7 is not a number or a text in single quotes"),
        ("a = 1) OR (a = 2", ") at character 6 is not AND, OR or the end"),
        ("a = E'\\n'", "E at character 5 is not a number or a text in single quotes"),
        ("a = 'x", "'x at character 5 is not known here"),
        ("1 = 1", "1 at character 1 is not a column of the target"),
    ],
)
def test_anything_else_is_refused_with_its_place(written, fault):
    with pytest.raises(ConfigurationError) as refused:
        parse_owned_rows(written)
    assert str(refused.value) == fault
