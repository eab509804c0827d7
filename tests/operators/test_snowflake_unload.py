"""The unload operator against the real protocol: found again after a retry, cancelled when killed, tagged."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from pathlib import Path
from types import SimpleNamespace

import pytest

from snowmelt.errors import SourceUnavailable
from tests.stand_ins import stand_ins
from tests.waiting import wait_until


class Store(dict):
    """The task's state as Airflow keeps it over retries."""

    def set(self, key, value):
        self[key] = value

    def delete(self, key):
        del self[key]


@pytest.fixture
def session(sandbox):
    from sandbox.demo_data import surroundings
    from snowmelt.airflow.sessions import snowflake_session

    with snowflake_session("snowflake_default") as connection:
        with connection.cursor() as cursor:
            for statement in [
                *surroundings(sandbox.bucket),
                "CREATE DATABASE IF NOT EXISTS TESTS",
                "CREATE SCHEMA IF NOT EXISTS TESTS.OP",
            ]:
                cursor.execute(statement)
            cursor.execute("CREATE OR REPLACE TABLE TESTS.OP.T (ID NUMBER(9,0))")
            cursor.execute("INSERT INTO TESTS.OP.T VALUES (1), (2)")
        yield connection


@pytest.fixture
def operator(session):
    from snowmelt.operators.snowflake_unload import SnowflakeUnloadToS3Operator

    return SnowflakeUnloadToS3Operator(
        task_id="unload",
        source="TESTS.OP.T",
        path=f"op/{uuid.uuid4().hex}/",
        stage="UTIL.STAGING.SNOWMELT_STAGE",
        deferrable=False,
        poll_interval=0.05,
    )


def context(store):
    return {"ti": SimpleNamespace(dag_id="d", run_id="r", task_id="unload"), "task_state_store": store}


def log_of(sandbox):
    text = Path(sandbox.env["SNOWMELT_SANDBOX_SNOWFLAKE_STATEMENT_LOG"]).read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_a_retry_takes_up_the_query_that_was_submitted_before(operator, sandbox):
    store = Store()
    first = operator.execute(context(store))
    again = operator.execute(context(store))
    assert (first["query_id"], first["files"]) == (again["query_id"], again["files"])
    assert (first["rows"], len(first["files"])) == (2, 1)
    submitted = [
        entry for entry in log_of(sandbox) if operator.path in entry["sql"] and entry["status"] != "RUNNING"
    ]
    assert len(submitted) == 1
    assert json.loads(submitted[0]["query_tag"]) | {"submitted": 0} == {
        "app": "snowmelt", "dag": "d", "run": "r", "task": "unload", "submitted": 0,
    }  # fmt: skip


def test_a_query_that_failed_is_submitted_anew(operator):
    from snowmelt.airflow.sessions import snowflake_session
    from snowmelt.drivers.snowflake import cancel_query, submit_query
    from snowmelt.operators.snowflake_unload import QUERY_KEY

    with snowflake_session("snowflake_default") as session:
        query_id = submit_query(session, "SELECT SYSTEM$WAIT(120)", "waiting")
        cancel_query(session, query_id)
    store = Store(
        {
            QUERY_KEY: {
                "query_id": query_id,
                "path": operator.path,
                "bucket": "b",
                "base": "",
                "submitted_at": 0.0,
            }
        }
    )
    assert operator.execute(context(store))["query_id"] != query_id


def test_killing_the_task_cancels_its_query(operator, session):
    from snowmelt.drivers.snowflake import read_result, read_status, submit_query

    query_id = submit_query(session, "SELECT SYSTEM$WAIT(120)", "waiting")
    assert read_status(session, query_id, "looking").running
    operator._query_id = query_id
    operator.on_kill()
    wait_until(lambda: not read_status(session, query_id, "looking").running, "the end of the query")
    with pytest.raises(SourceUnavailable, match="cancelled"):
        read_result(session, query_id, "Unloading T")


def test_a_deferred_task_hands_its_query_to_the_trigger(operator, sandbox):
    from airflow.sdk.exceptions import TaskDeferred

    operator.deferrable = True
    store = Store()
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(context(store))
    path, arguments = deferred.value.trigger.serialize()
    assert path == "snowmelt.airflow.triggers.SnowflakeQueryTrigger"
    json.dumps(arguments)
    done = operator.execute_complete(context(store), arguments["submitted"])
    assert done["rows"] == 2
    assert done["unload"]["columns"][0]["source"] == "ID"


@pytest.fixture
def without_data(operator, sandbox, monkeypatch):
    """`with without_data(3):` Snowflake has no data about the operator's query, as often as said; 0: always. It may have none for 0.3 s."""
    from snowmelt.drivers import snowflake
    from snowmelt.unload import chunk

    monkeypatch.setattr(snowflake, "MAX_NO_DATA", 0.3)
    monkeypatch.setattr(chunk, "MAX_NO_DATA", 0.3)
    made = stand_ins(sandbox.env)
    yield lambda count: made.snowflake({"kind": "no_data", "match": operator.path, "count": count})
    made.clear()


def test_a_query_without_data_is_waited_for_a_while_and_then_submitted_again(operator, without_data):
    from snowmelt.operators.snowflake_unload import QUERY_KEY

    store = Store()
    with (
        without_data(0),
        pytest.raises(SourceUnavailable, match=r"no data about query .* \(status NO_DATA\)\. The next try"),
    ):
        operator.execute(context(store))
    first = store[QUERY_KEY]["query_id"]
    with without_data(1):
        assert operator.execute(context(store))["query_id"] != first


def test_a_query_whose_data_comes_late_is_read_as_usual(operator, without_data):
    with without_data(2):
        assert operator.execute(context(Store()))["rows"] == 2


def test_the_trigger_hands_a_query_without_data_back_to_its_task(operator, without_data):
    from airflow.sdk.exceptions import TaskDeferred

    operator.deferrable = True
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(context(Store()))

    async def wait():
        return await asyncio.wait_for(anext(deferred.value.trigger.run()), 60)

    with without_data(0):
        event = asyncio.run(wait()).payload
        assert "ended_at" not in event
        started = time.monotonic()
        with pytest.raises(SourceUnavailable, match="status NO_DATA"):
            operator.execute_complete(context(Store()), event)
        assert time.monotonic() - started < 10
    with without_data(1):
        event = asyncio.run(wait()).payload
    assert operator.execute_complete(context(Store()), event)["rows"] == 2


def test_the_sensor_waits_for_the_exact_size_and_reports_strays(operator, sandbox, caplog):
    from airflow.sdk.exceptions import AirflowFailException

    from snowmelt.sensors.s3_manifest import S3ManifestSensor

    staged = operator.execute(context(Store()))
    writer = sandbox.s3()
    writer.put_object(Bucket=sandbox.bucket, Key=f"{operator.path}data_stray.parquet", Body=b"x")
    found = S3ManifestSensor(task_id="s", manifest=staged, deferrable=False).poke({})
    assert found.is_done
    assert all(file["etag"] for file in found.xcom_value["files"])
    empty = dict(staged, files=[], rows=0)
    assert S3ManifestSensor(task_id="s", manifest=empty).poke({}).is_done
    missing = dict(staged, files=[dict(staged["files"][0], key=f"{operator.path}not_there.parquet")])
    assert not S3ManifestSensor(task_id="s", manifest=missing).poke({}).is_done
    wrong = dict(staged, files=[dict(staged["files"][0], bytes=5)])
    with pytest.raises(AirflowFailException, match=r"the unload returned 5 bytes, S3 has \d+"):
        S3ManifestSensor(task_id="s", manifest=wrong).poke({})


def test_a_temporary_key_without_its_token_is_explained(sandbox, monkeypatch):
    from snowmelt.airflow.sessions import s3_client
    from snowmelt.errors import AccessError

    value = json.loads(sandbox.env["AIRFLOW_CONN_AWS_DEFAULT"])
    monkeypatch.setenv("AIRFLOW_CONN_TEMPORARY", json.dumps(value | {"login": "ASIAABCDEFGHIJKLMNOP"}))
    with pytest.raises(AccessError, match=r"temporary access key \(ASIA…\) without its session token"):
        s3_client("temporary")


def test_a_chunk_whose_result_is_lost_is_unloaded_again_where_nothing_proves_its_files(operator, sandbox):
    store = Store()
    first = operator.execute(context(store))
    stand_ins(sandbox.env).expire_results()
    # By itself the operator knows no count, and no connection to S3.
    with pytest.raises(SourceUnavailable, match="aws_conn_id"):
        operator.execute(context(store))
    second = operator.execute(context(store))
    assert second["query_id"] != first["query_id"]
    assert second["rows"] == 2
