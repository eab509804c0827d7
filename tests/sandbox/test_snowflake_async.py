"""Queries that run by themselves: status by id, results from another session, cancelling, results kept."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from snowflake.connector.constants import QueryStatus
from snowflake.connector.errors import ProgrammingError

from tests.waiting import wait_until


def submit(client, sql: str) -> str:
    cursor = client.connection.cursor()
    cursor.execute_async(sql)
    return cursor.sfqid


def settled(client, query_id: str) -> QueryStatus:
    def status() -> QueryStatus:
        return client.connection.get_query_status(query_id)

    wait_until(lambda: not client.connection.is_still_running(status()), "the end of a query")
    return status()


def running(client, sql: str) -> list[str]:
    """The ids of the queries of this text that run now."""
    answer = requests.get(f"https://localhost:{client.server.port}/sandbox/queries/running", timeout=60)
    return [query["id"] for query in answer.json() if query["sql"] == sql]


def test_a_query_runs_on_while_its_session_does_other_things(client):
    query_id = submit(client, "SELECT SYSTEM$WAIT(4), 42 AS ANSWER")
    assert client.connection.get_query_status(query_id) is QueryStatus.RUNNING
    assert client.one("SELECT 1") == 1
    other = client.again()
    assert other.connection.is_still_running(other.connection.get_query_status(query_id))
    cursor = other.connection.cursor()
    cursor.get_results_from_sfqid(query_id)
    assert cursor.fetchall() == [("waited 4 seconds", 42)]
    assert other.connection.get_query_status(query_id) is QueryStatus.SUCCESS


def test_a_finished_unload_s_file_list_is_read_by_its_id(client, stage):
    query_id = submit(
        client, "COPY INTO @ST/a/ FROM (SELECT 1 AS A) FILE_FORMAT = (TYPE = PARQUET) DETAILED_OUTPUT = TRUE"
    )
    assert settled(client, query_id) is QueryStatus.SUCCESS
    other = client.again()
    expected = other.rows(f"SELECT * FROM TABLE(RESULT_SCAN('{query_id}'))")
    assert [(r[0], r[2]) for r in expected] == [("a/data_0_0_0.snappy.parquet", 1)]
    assert other.rows(f"SELECT SUM($3) FROM TABLE(RESULT_SCAN('{query_id}'))") == [(1,)]
    assert other.rows(f"SELECT FILE_NAME FROM TABLE(RESULT_SCAN('{query_id}')) WHERE ROW_COUNT > 5") == []


def test_a_failed_query_tells_code_and_message(client):
    query_id = submit(client, "SELECT * FROM NOWHERE")
    assert settled(client, query_id) is QueryStatus.FAILED_WITH_ERROR
    with pytest.raises(ProgrammingError, match="Object 'NOWHERE' does not exist or not authorized") as caught:
        client.connection.get_query_status_throw_if_error(query_id)
    assert caught.value.errno == 2003


@pytest.mark.parametrize("by", ["function", "abort request", "other session"])
def test_cancelling(client, by):
    query_id = submit(client, "SELECT SYSTEM$WAIT(60)")
    if by == "abort request":
        assert client.connection.cursor().abort_query(query_id)
    else:
        speaker = client if by == "function" else client.again()
        assert speaker.one(f"SELECT SYSTEM$CANCEL_QUERY('{query_id}')") == f"query [{query_id}] terminated."
    assert settled(client, query_id) is QueryStatus.ABORTED
    with pytest.raises(ProgrammingError, match="SQL execution canceled") as caught:
        client.connection.get_query_status_throw_if_error(query_id)
    assert caught.value.errno == 604
    assert (
        client.one(f"SELECT SYSTEM$CANCEL_QUERY('{query_id}')")
        == "Identified SQL statement is not currently executing."
    )


def test_a_computing_query_is_interrupted(client):
    query_id = submit(
        client,
        "SELECT COUNT(*) FROM TABLE(GENERATOR(ROWCOUNT => 1000000)) A, TABLE(GENERATOR(ROWCOUNT => 1000000)) B "
        "WHERE A.RANGE * B.RANGE % 7 = 1",
    )
    time.sleep(0.2)
    client.one(f"SELECT SYSTEM$CANCEL_QUERY('{query_id}')")
    assert settled(client, query_id) is QueryStatus.ABORTED


def test_the_connector_s_own_timeout_cancels_on_the_server(client):
    with pytest.raises(ProgrammingError, match="SQL execution canceled"):
        client.connection.cursor().execute("SELECT SYSTEM$WAIT(60)", timeout=1)


def test_a_statement_timeout_really_cancels(client):
    client.rows("ALTER SESSION SET STATEMENT_TIMEOUT_IN_SECONDS = 1")
    error = client.refused("SELECT SYSTEM$WAIT(60)")
    assert (error.errno, error.sqlstate) == (630, "57014")
    assert "timeout of 1 second(s) and was canceled" in error.msg


def test_ordinary_queries_have_a_status_and_a_result_too(client):
    cursor = client.run("SELECT 1 AS A, 'x' AS B")
    assert client.connection.get_query_status(cursor.sfqid) is QueryStatus.SUCCESS
    assert client.rows("SELECT B, A + 1 FROM TABLE(RESULT_SCAN(LAST_QUERY_ID()))") == [("x", 2)]
    assert client.one("SELECT LAST_QUERY_ID(-2)") == cursor.sfqid


def test_sessions_do_not_wait_for_each_other(client):
    sessions = [client.again() for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        refusals = [threads.submit(session.refused, "SELECT SYSTEM$WAIT(60)") for session in sessions]
        wait_until(lambda: len(running(client, "SELECT SYSTEM$WAIT(60)")) == 4, "four queries side by side")
        assert client.one("SELECT 1") == 1
        for query_id in running(client, "SELECT SYSTEM$WAIT(60)"):
            client.one(f"SELECT SYSTEM$CANCEL_QUERY('{query_id}')")
        assert [refusal.result().errno for refusal in refusals] == [604] * 4


def test_an_unknown_query_has_no_status(client):
    assert client.connection.get_query_status("00000000-0000-4000-8000-000000000000") is QueryStatus.NO_DATA
    error = client.refused("SELECT * FROM TABLE(RESULT_SCAN('00000000-0000-4000-8000-000000000000'))")
    assert "Statement 00000000-0000-4000-8000-000000000000 not found" in error.msg
