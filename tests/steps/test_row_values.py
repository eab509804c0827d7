"""A run that a row breaks: no value of the row is in the error, the log, the ledger or what the page shows."""

from __future__ import annotations

import logging
import traceback
from types import SimpleNamespace

import psycopg
import pytest

from snowmelt.airflow.records import describe_failure
from snowmelt.airflow.retrying import failing_fast
from snowmelt.errors import ValueRefused
from snowmelt.ledger.tables import MIGRATIONS
from snowmelt.ledger.tries import write_failure

NAME = "Ada Lovelace, 12 Marylebone Road"

TARGETS = {
    "check": ("id int, name text CONSTRAINT no_roads CHECK (name NOT LIKE '%Road')", "row 2, column "),
    "too long": ("id int, name varchar(8)", "row 2, column NAME: "),
    "unique": ("id int, name text CONSTRAINT one_name UNIQUE", 'unique constraint "one_name"'),
    "foreign key": ("id int, name text CONSTRAINT known REFERENCES public.names", 'foreign key "known"'),
}


@pytest.mark.parametrize("case", TARGETS)
def test_a_row_that_breaks_a_run_leaves_none_of_its_values_behind(world, caplog, case):
    columns, named = TARGETS[case]
    world.sql(
        "CREATE TABLE PEOPLE (ID NUMBER(9,0), NAME VARCHAR)",
        f"INSERT INTO PEOPLE VALUES (1, 'Bo'), (2, '{NAME}'), (3, '{NAME}')",
    )
    with psycopg.connect(world.dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE public.names (name text PRIMARY KEY)")
        connection.execute("INSERT INTO public.names VALUES ('Bo')")
        connection.execute(f"CREATE TABLE public.people ({columns})")
        caplog.set_level(logging.DEBUG)
        with pytest.raises(Exception) as caught, failing_fast():
            world.run({"source": "PEOPLE"})
        error = caught.value
        assert isinstance(error.__cause__, ValueRefused)
        assert named in str(error)
        task = SimpleNamespace(dag_id="d", run_id="r", task_id="load", map_index=0, try_number=1)
        write_failure(connection, describe_failure({"ti": task, "exception": error}))
        tables = [part.split(" ", 1)[0] for part in "\n".join(MIGRATIONS).split("CREATE TABLE ")[1:]]
        kept = [
            row[0]
            for table in tables
            for row in connection.execute(f"SELECT whole::text FROM {table} AS whole")
        ]
    assert any("load" in text for text in kept)
    everything = "\n".join([*kept, *traceback.format_exception(error), caplog.text])
    assert [line for line in everything.splitlines() if "Ada" in line or "Marylebone" in line] == []
