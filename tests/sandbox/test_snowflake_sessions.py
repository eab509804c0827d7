"""Sessions: parameters, context, expiry, TLS with Airflow's own hook, the statement log, what survives a restart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import requests

from tests.sandbox.snowflake_server import Server, free_port, start, stop, wait_for


def test_the_login_s_parameters_and_context_hold(client):
    session = client.again(
        session_parameters={"QUERY_TAG": "nightly", "TIMEZONE": "Europe/Paris"}, role='"Odd role"'
    )
    assert session.rows(
        "SELECT CURRENT_ROLE(), CURRENT_WAREHOUSE(), CURRENT_DATABASE(), CURRENT_SCHEMA(), CURRENT_USER()"
    ) == [("Odd role", "WH", client.database, "S", "TESTER")]
    shown = {r[0]: r[1] for r in session.rows("SHOW PARAMETERS")}
    assert (shown["QUERY_TAG"], shown["TIMEZONE"], shown["AUTOCOMMIT"]) == ("nightly", "Europe/Paris", "true")
    assert (
        session.one("SELECT '2024-07-01 12:00:00'::TIMESTAMP_LTZ::VARCHAR") == "2024-07-01 12:00:00.000 +0200"
    )


def test_the_session_s_time_zone_is_los_angeles_until_set(client):
    text = "SELECT '2024-07-01 12:00:00 +0000'::TIMESTAMP_LTZ::VARCHAR"
    assert client.one(text) == "2024-07-01 05:00:00.000 -0700"
    client.rows(
        "ALTER SESSION SET TIMEZONE = 'UTC', TIMESTAMP_OUTPUT_FORMAT = 'YYYY-MM-DD\"T\"HH24:MI:SS.FF6TZH:TZM'"
    )
    assert client.one(text) == "2024-07-01T12:00:00.000000+00:00"
    client.rows("ALTER SESSION UNSET TIMEZONE, TIMESTAMP_OUTPUT_FORMAT")
    assert client.one(text) == "2024-07-01 05:00:00.000 -0700"
    assert client.one("SELECT CURRENT_TIMESTAMP()").utcoffset() is not None
    assert "invalid value [Mars/Olympus]" in client.refused("ALTER SESSION SET TIMEZONE = 'Mars/Olympus'").msg
    assert "invalid property 'NONSENSE'" in client.refused("ALTER SESSION SET NONSENSE = 1").msg


def test_use_switches(client):
    client.rows('CREATE SCHEMA "Other"')
    client.rows("USE SCHEMA S")
    client.rows("USE ROLE ANALYST")
    client.rows("USE WAREHOUSE BIG")
    assert client.rows("SELECT CURRENT_ROLE(), CURRENT_WAREHOUSE(), CURRENT_SCHEMA()") == [
        ("ANALYST", "BIG", "S")
    ]
    assert client.connection.schema == "S"
    assert client.refused("USE SCHEMA NOWHERE").errno == 2003


def test_warehouses_are_resized(client):
    name = f"W_{client.database}"
    client.rows(f"CREATE WAREHOUSE {name} WAREHOUSE_SIZE = XSMALL INITIALLY_SUSPENDED = TRUE")
    client.rows(f"ALTER WAREHOUSE {name} SET WAREHOUSE_SIZE = 'LARGE'")
    client.rows(f"ALTER WAREHOUSE {name} RESUME IF SUSPENDED")
    assert [(r[0], r[1], r[3]) for r in client.rows(f"SHOW WAREHOUSES LIKE '{name}'")] == [
        (name, "STARTED", "Large")
    ]
    client.rows(f"GRANT USAGE ON WAREHOUSE {name} TO ROLE LOADER")
    client.rows(f"DROP WAREHOUSE {name}")


def test_an_expired_session_is_renewed_by_the_connector(client):
    server = client.server
    answer = requests.post(f"https://localhost:{server.port}/sandbox/sessions/expire", timeout=5)
    assert answer.json()["expired"] >= 1
    assert client.one("SELECT CURRENT_SCHEMA()") == "S"


def test_bound_values(client):
    assert client.rows("SELECT %s, %s", ("a'b\\c", 2)) == [("a'b\\c", 2)]
    with client.server.connect(paramstyle="qmark") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT ?, ?, ?, ?", ("a'b\\c", 2, None, True))
        assert cursor.fetchall() == [("a'b\\c", 2, None, True)]


@pytest.mark.filterwarnings("ignore:The 'insecure_mode' connection property is deprecated")
def test_airflow_s_hook_connects_unmodified_over_tls(client, monkeypatch):
    monkeypatch.setenv(
        "AIRFLOW_CONN_SNOWFLAKE_SANDBOX",
        json.dumps(
            {
                "conn_type": "snowflake",
                "login": "airflow",
                "password": "any",
                "schema": "S",
                "extra": {
                    "account": "sandbox",
                    "database": client.database,
                    "warehouse": "WH",
                    "role": "LOADER",
                    "host": "localhost",
                    "port": client.server.port,
                    "insecure_mode": True,
                },
            }
        ),
    )
    from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook

    hook = SnowflakeHook(snowflake_conn_id="snowflake_sandbox", session_parameters={"QUERY_TAG": "hook"})
    assert hook.get_first("SELECT CURRENT_USER(), CURRENT_DATABASE()") == ("AIRFLOW", client.database)
    hook.run(["CREATE TABLE H (A NUMBER)", "INSERT INTO H VALUES (1), (2)"])
    assert hook.get_records("SELECT A FROM H ORDER BY A") == [(1,), (2,)]
    entry = next(e for e in reversed(client.server.entries()) if e["sql"].startswith("SELECT A FROM H"))
    assert (entry["query_tag"], entry["user"]) == ("hook", "AIRFLOW")


def test_every_statement_is_logged_when_it_starts_and_ends(client):
    client.rows("ALTER SESSION SET QUERY_TAG = 'run 7 / chunk 3'")
    good = client.run("SELECT 'ünï'").sfqid
    bad = client.refused("SELECT * FROM NOPE").sfqid
    found = [e for e in client.server.entries() if e["query_id"] in {good, bad}]
    assert [(e["query_id"], e["status"]) for e in found] == [
        (good, "RUNNING"),
        (good, "SUCCESS"),
        (bad, "RUNNING"),
        (bad, "FAILED_WITH_ERROR"),
    ]
    assert found[1]["sql"] == "SELECT 'ünï'"
    assert {k: found[3][k] for k in ("user", "role", "warehouse", "query_tag")} == {
        "user": "TESTER",
        "role": "LOADER",
        "warehouse": "WH",
        "query_tag": "run 7 / chunk 3",
    }
    assert found[3]["error"].startswith("002003 (42S02): SQL compilation error:\nObject 'NOPE'")
    history = client.rows(
        "SELECT QUERY_TEXT, EXECUTION_STATUS FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY()) "
        "WHERE QUERY_TAG = 'run 7 / chunk 3' AND QUERY_TEXT LIKE 'SELECT %' AND END_TIME IS NOT NULL ORDER BY START_TIME"
    )
    assert history == [("SELECT 'ünï'", "SUCCESS"), ("SELECT * FROM NOPE", "FAILED_WITH_ERROR")]


def test_a_restart_keeps_what_was_there(s3_endpoint, tmp_path: Path):
    port, log = free_port(), tmp_path / "log"
    arguments = [
        *("-m", "sandbox.snowflake", "--port", str(port), "--s3-endpoint", s3_endpoint),
        *("--db-path", str(tmp_path / "data"), "--statement-log", str(tmp_path / "statements.jsonl")),
    ]

    def serve() -> Server:
        process = start(arguments, log)
        wait_for(f"http://127.0.0.1:{port}/health", process, log)
        return Server(port, process, s3_endpoint, tmp_path / "statements.jsonl", tls=False)

    server = serve()
    with server.connect() as connection, connection.cursor() as cursor:
        for sql in [
            'CREATE DATABASE "My DB"',
            "CREATE TABLE PUBLIC.T (ID NUMBER, V VARIANT, Z TIMESTAMP_TZ)",
            "INSERT INTO T SELECT 1, PARSE_JSON('{\"a\":1}'), '2024-01-01 00:00:00 +05:30'::TIMESTAMP_TZ",
            (
                "CREATE STORAGE INTEGRATION I TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE "
                "STORAGE_AWS_ROLE_ARN = 'arn' STORAGE_ALLOWED_LOCATIONS = ('s3://lake/')"
            ),
            "CREATE STAGE ST URL = 's3://lake/' STORAGE_INTEGRATION = I",
        ]:
            cursor.execute(sql)
        [(moment,)] = cursor.execute("SELECT TO_VARCHAR(SYSDATE(), 'YYYY-MM-DD HH24:MI:SS.FF6')").fetchall()
        cursor.execute("DELETE FROM T")
        delete_id = cursor.sfqid
    stop(server.process)
    assert server.process.returncode == 0, log.read_text()
    server = serve()
    try:
        with server.connect(database='"My DB"', schema="PUBLIC") as connection, connection.cursor() as cursor:
            past = f"SELECT ID, V, Z::VARCHAR FROM T AT(TIMESTAMP => '{moment}'::TIMESTAMP_NTZ)"
            assert cursor.execute(past).fetchall() == [(1, '{"a":1}', "2024-01-01 00:00:00.000 +0530")]
            assert cursor.execute("SELECT COUNT(*) FROM T").fetchall() == [(0,)]
            assert cursor.execute("SHOW STAGES").fetchall()[0][1] == "ST"
            assert cursor.execute("SHOW INTEGRATIONS").fetchall()[0][0] == "I"
            ids = cursor.execute("SELECT QUERY_ID FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY())").fetchall()
            assert (delete_id,) in ids
    finally:
        stop(server.process)
    assert log.read_text() == ""
