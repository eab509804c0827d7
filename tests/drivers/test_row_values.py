"""No error holds a value of a row: not its text, and not what a log prints of the errors behind it."""

from __future__ import annotations

import logging
import traceback

import psycopg
import pytest

from snowmelt.airflow.retrying import failing_fast
from snowmelt.drivers.postgres_errors import postgres_failures
from snowmelt.errors import SnowmeltError, ValueRefused

NAME = "Ada Lovelace, 12 Marylebone Road"

TABLES = """
CREATE TABLE parents (id int PRIMARY KEY);
CREATE TABLE people (
    id int PRIMARY KEY, name text UNIQUE, born date NOT NULL DEFAULT '1815-12-10', parent int REFERENCES parents,
    short varchar(3), number int, CHECK (name NOT LIKE 'Ada%% 0%%'), CONSTRAINT no_roads CHECK (name NOT LIKE '%Road' OR id < 90)
);
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'no % here', NEW.name USING DETAIL = NEW.name, HINT = NEW.name; END $$;
CREATE TABLE guarded (name text);
CREATE TRIGGER guard BEFORE INSERT ON guarded FOR EACH ROW EXECUTE FUNCTION refuse();
INSERT INTO people (id, name) VALUES (1, 'Ada Lovelace, 12 Marylebone Road');
"""

STATEMENTS = {
    "check": (f"INSERT INTO people (id, name) VALUES (99, '{NAME}')", {"code": "23514", "constraint": "no_roads", "table": "public.people"}),
    "not null": (f"INSERT INTO people (id, name, born) VALUES (3, 'to {NAME}', NULL)", {"code": "23502", "column": "born", "table": "public.people"}),
    "unique": (f"INSERT INTO people (id, name) VALUES (4, '{NAME}')", {"code": "23505", "constraint": "people_name_key", "table": "public.people"}),
    "foreign key": (f"INSERT INTO people (id, name, parent) VALUES (5, 'of {NAME}', 4711)", {"code": "23503", "constraint": "people_parent_fkey", "table": "public.people"}),
    "number": (f"INSERT INTO people (id, name, number) SELECT 6, 'x', v::int FROM (VALUES ('{NAME}')) AS t (v)", {"code": "22P02"}),
    "date": (f"SELECT v::date FROM (VALUES ('{NAME}')) AS t (v)", {"code": "22007"}),
    "trigger": (f"INSERT INTO guarded VALUES ('{NAME}')", {"code": "P0001"}),
    "index": (f"CREATE TABLE twins AS SELECT '{NAME}' AS name FROM generate_series(1, 2); CREATE UNIQUE INDEX one ON twins (name)", {"code": "23505", "constraint": "one"}),
}  # fmt: skip


@pytest.fixture(scope="module")
def people(postgres_dsn):
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute(TABLES)
        yield connection


def logged(error: BaseException) -> str:
    """All that a log prints of an error: its causes and contexts as well."""
    formatter = logging.Formatter()
    return formatter.formatException((type(error), error, error.__traceback__)) + "".join(
        traceback.format_exception(error)
    )


@pytest.mark.parametrize("case", STATEMENTS)
def test_a_refused_row_leaves_none_of_its_values_behind(people, case):
    sql, facts = STATEMENTS[case]
    with pytest.raises(SnowmeltError) as caught, postgres_failures("Publishing", file="s3://b/k", run_id="r"):
        people.execute(sql)
    error = caught.value
    assert "Ada" not in str(error)
    assert "4711" not in str(error)
    assert "Ada" not in logged(error).replace(sql, "")
    assert {name: getattr(error, name) for name in facts} == facts
    assert (error.file, error.run_id) == ("s3://b/k", "r")
    for name in ("constraint", "column"):
        assert str(facts.get(name) or "") in str(error)


@pytest.mark.parametrize(
    ("columns", "line", "row", "named"),
    [
        ("id, name", f"7\t{NAME}", 2, {"constraint": "people_name_key"}),
        ("id, number", f"8\t{NAME}", 2, {"column": "number"}),
        ("id, short", f"9\t{NAME}", 2, {"column": "short"}),
        ("id, born", "10\t\\N", 2, {"column": "born"}),
    ],
)
def test_a_row_of_a_copy_is_named_by_its_number(people, columns, line, row, named):
    def copy():
        with people.cursor() as cursor, cursor.copy(f"COPY people ({columns}) FROM STDIN") as stream:
            stream.write("1000\t1815-12-10\n" if "born" in columns else "1000\t1\n")
            stream.write(f"{line}\n")

    with pytest.raises(ValueRefused) as caught, postgres_failures("Loading s3://b/k"):
        copy()
    error = caught.value
    assert error.row == row
    assert {name: getattr(error, name) for name in named} == named
    assert f"row {row} of the COPY" in str(error)
    assert "Ada" not in logged(error)


def test_what_comes_up_untranslated_is_cleared_as_well(people):
    with pytest.raises(Exception, match="23505") as caught, failing_fast():
        people.execute("INSERT INTO people (id, name) VALUES (%s, %s)", (4, NAME))
    assert "Ada" not in logged(caught.value)


def test_the_trigger_that_refused_is_named(people):
    with pytest.raises(
        SnowmeltError, match=r"raise exception; raised by PL/pgSQL function refuse\(\) line 1"
    ):
        with postgres_failures("Publishing"):
            people.execute("INSERT INTO guarded VALUES ('x')")
