"""The report of a real run: in the ledger, beside the manifest in S3, in the task's log, in a callback's hands."""

from __future__ import annotations

import hashlib
import json
import logging
from contextlib import contextmanager

import pytest

from sandbox.demo_data import surroundings
from snowmelt.airflow.records import read_run_report
from snowmelt.drivers.snowflake import SESSION_PARAMETERS
from snowmelt.errors import SourceError
from snowmelt.plan.plan import plan_run_id
from snowmelt.steps.finish import finish_run, remove_staged
from snowmelt.steps.planning import read_plan
from tests.steps.runs import World


@pytest.fixture(scope="module")
def world(sandbox):
    from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook

    connection = SnowflakeHook(
        snowflake_conn_id="snowflake_default", session_parameters=dict(SESSION_PARAMETERS)
    ).get_conn()
    dsn = sandbox.create_database("test_report")
    made = World(connection, sandbox.s3("AIRFLOW_READER"), dsn, sandbox.bucket, "REPORTS")
    made.sql(
        *surroundings(sandbox.bucket),
        "CREATE DATABASE IF NOT EXISTS TESTS",
        "CREATE OR REPLACE SCHEMA TESTS.REPORTS",
        "CREATE TABLE TESTS.REPORTS.T (ID NUMBER(9,0) NOT NULL PRIMARY KEY, NAME VARCHAR)",
        "INSERT INTO TESTS.REPORTS.T VALUES (1, 'one'), (2, 'two'), (3, NULL)",
    )
    yield made
    made.sql("DROP SCHEMA TESTS.REPORTS")
    connection.close()
    sandbox.drop_database("test_report")


def finish(world, run, **params):
    plan = world.plan({"source": "T"}, run=run, **params)
    world.finish(plan, world.unload(plan))
    return plan


def read_json(world, key):
    return json.loads(world.s3.get_object(Bucket=world.bucket, Key=key)["Body"].read())


def test_it_stands_in_the_ledger_and_beside_the_manifest(world):
    plan = finish(world, "told")
    with world.target() as connection:
        report = finish_run(connection, read_plan(connection, "told"), snowflake=world.session)
    ((kept,),) = world.query("SELECT report FROM snowmelt.run WHERE run_id = 'told'")
    key = plan.location.key(f"{plan.path}report.json")
    staged = read_json(world, key)
    assert kept == staged == report.to_json()
    assert (kept["outcome"], kept["source"], kept["target"]) == ("published", "TESTS.REPORTS.T", "public.t")
    assert [kept[n] for n in ("snowflake_rows", "file_rows", "loaded_rows", "table_rows")] == [3, 3, 3, 3]
    assert kept["fingerprint"].startswith("2 columns over ")
    assert [step["name"] for step in kept["steps"]] == ["unload", "load", "verify", "publish", "all"]
    ((query_id,),) = world.query("SELECT query_id FROM snowmelt.staged_chunk WHERE run_id = 'told'")
    assert [query["query_id"] for query in kept["queries"]] == [query_id]
    assert kept["finished_at"] is not None
    ((lines,),) = world.query(
        "SELECT string_agg(concat_ws(' ', s3_key, etag, bytes, rows), E'\n' ORDER BY s3_key) FROM snowmelt.loaded_file WHERE run_id = 'told'"
    )
    assert kept["files_sha256"] == hashlib.sha256(lines.encode()).hexdigest()


def test_a_later_load_of_the_same_files_does_not_overwrite_it(world):
    first = finish(world, "first")
    with world.target() as connection:
        finish_run(connection, read_plan(connection, "first"), snowflake=world.session)
    again = world.plan({"source": "T"}, run="again", mode="load", run_id="first")
    world.finish(again, [])
    with world.target() as connection:
        finish_run(connection, read_plan(connection, "again"), snowflake=world.session)
    folder = first.location.key(first.path)
    listed = world.s3.list_objects_v2(Bucket=world.bucket, Prefix=folder, Delimiter="/")["Contents"]
    assert [entry["Key"].removeprefix(folder) for entry in listed] == [
        "manifest.json",
        "report.json",
        "report_again.json",
    ]
    assert read_json(world, f"{folder}report.json")["run_id"] == "first"
    ((kept,),) = world.query("SELECT report FROM snowmelt.run WHERE run_id = 'again'")
    assert kept["mode"] == "load"
    assert read_json(world, f"{folder}report_again.json") == kept


@pytest.mark.parametrize("who", ["snowflake", "python"])
def test_it_outlives_the_files(world, sandbox, who):
    plan = finish(world, f"cleaned_{who}")
    folder = plan.location.key(plan.path)
    clients = {"snowflake": None, "python": lambda: sandbox.s3("AIRFLOW_CLEANUP")}
    for _ in range(2):  # as a task that is cleared does it again
        with world.target() as connection:
            remove_staged(connection, plan, snowflake=world.session, s3=clients[who])
            report = finish_run(connection, plan, snowflake=world.session)
        listed = world.s3.list_objects_v2(Bucket=world.bucket, Prefix=folder)["Contents"]
        assert [entry["Key"].removeprefix(folder) for entry in listed] == [
            "manifest.json",
            "report.json",
        ]
        assert read_json(world, f"{folder}report.json") == report.to_json()


def test_a_report_that_cannot_be_written_does_not_undo_a_published_run(world, caplog):
    finish(world, "dark")

    @contextmanager
    def refused():
        raise SourceError("the warehouse is suspended")
        yield

    with caplog.at_level(logging.WARNING), world.target() as connection:
        assert finish_run(connection, read_plan(connection, "dark"), snowflake=refused).outcome == "published"
    assert "Writing the report of run dark to S3 failed" in caplog.text
    assert "the warehouse is suspended" in caplog.text
    assert world.query("SELECT report ->> 'outcome' FROM snowmelt.run WHERE run_id = 'dark'") == [
        ("published",)
    ]


class Instance:
    dag_id, run_id, task_id = "migrate_table", "manual__2026-02-03T04:05:06+00:00", "load"


@pytest.fixture
def connected(world, monkeypatch):
    from psycopg.conninfo import conninfo_to_dict

    parts = conninfo_to_dict(world.dsn)
    monkeypatch.setenv(
        "AIRFLOW_CONN_REPORTED",
        json.dumps(
            {
                "conn_type": "postgres",
                "host": parts["host"],
                "port": int(parts["port"]),
                "login": parts["user"],
                "password": parts["password"],
                "schema": parts["dbname"],
            }
        ),
    )


def test_a_callback_gets_the_report_of_a_run_that_failed_half_way(world, connected):
    world.plan({"source": "T"}, run=plan_run_id(Instance.dag_id, Instance.run_id))
    context = {"ti": Instance(), "exception": RuntimeError("no space left")}
    text = read_run_report(context, postgres_conn_id="reported")
    assert text.startswith("# TESTS.REPORTS.T → public.t: running\n")
    assert "| in the files | - |" in text
    assert text.endswith("\n**Task `load` failed:** no space left\n")


def test_a_callback_of_a_run_that_was_never_planned_still_says_what_failed(world, connected):
    class Other(Instance):
        run_id = "manual__2027"

    text = read_run_report({"ti": Other(), "exception": ValueError("x")}, postgres_conn_id="reported")
    assert "has no run 'manual-2027_6c277986'. Its latest runs: " in text
    assert text.endswith("**Task `load` failed:** x\n")
