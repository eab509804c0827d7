"""The unload of a planned run: its query is found again by whoever takes the run up."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest

from snowmelt.operators.snowflake_unload import MigrationUnloadOperator

TABLE = {"source": "T"}


@pytest.fixture
def planned(run_world, monkeypatch):
    """A planned run of one chunk, and the connection of its ledger."""
    run_world.sql("CREATE TABLE T (ID NUMBER(9,0))", "INSERT INTO T VALUES (1), (2)")
    plan = run_world.plan(TABLE)
    with run_world.target() as connection:
        info = psycopg.conninfo.conninfo_to_dict(connection.info.dsn) | {"password": connection.info.password}
    monkeypatch.setenv(
        "AIRFLOW_CONN_LEDGER",
        json.dumps(
            {
                "conn_type": "postgres",
                "host": info["host"],
                "port": int(info["port"]),
                "login": info["user"],
                "password": info["password"],
                "schema": info["dbname"],
            }
        ),
    )
    return plan


def unload(plan, dag_run, **options):
    operator = MigrationUnloadOperator(
        task_id="unload",
        run_id=plan.run_id,
        chunk=0,
        postgres_conn_id="ledger",
        deferrable=False,
        poll_interval=0.05,
        **options,
    )
    return operator.execute({"ti": SimpleNamespace(dag_id="d", run_id=dag_run, task_id="unload")})


def read_copies(sandbox, plan):
    """The queries that wrote files of the run."""
    log = Path(sandbox.env["SNOWMELT_SANDBOX_SNOWFLAKE_STATEMENT_LOG"])
    entries = [json.loads(line) for line in log.read_text().split("\n") if line]
    return {
        entry["query_id"]
        for entry in entries
        if plan.run_id in entry["sql"] and entry["sql"].startswith("COPY INTO")
    }


def test_another_run_goes_on_with_the_query_that_a_dead_one_submitted(planned, sandbox):
    first = unload(planned, "died")
    second = unload(planned, "took the run up")
    assert (second["query_id"], second["files"]) == (first["query_id"], first["files"])
    assert read_copies(sandbox, planned) == {first["query_id"]}
