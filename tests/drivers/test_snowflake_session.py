"""Every parameter that can change a value is pinned, whatever the account, the user or the connection says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from snowmelt.airflow.sessions import snowflake_session
from snowmelt.drivers.snowflake import SESSION_PARAMETERS, pin_session
from snowmelt.errors import ConfigurationError

HOSTILE = {
    "DATE_OUTPUT_FORMAT": "DD-MON-YYYY",
    "TIMESTAMP_NTZ_OUTPUT_FORMAT": "YYYY-DD-MM HH24:MI",
    "TIMESTAMP_TZ_OUTPUT_FORMAT": "HH24:MI",
    "TIME_OUTPUT_FORMAT": "HH12:MI AM",
    "DATE_INPUT_FORMAT": "DD-MON-YYYY",
    "TIMESTAMP_INPUT_FORMAT": "YYYY-DD-MM HH24:MI:SS",
    "TIMEZONE": "Asia/Kolkata",
    "ABORT_DETACHED_QUERY": "true",
    "ROWS_PER_RESULTSET": "1",
    "WEEK_START": "3",
}


def parameters_of(connection) -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute("SHOW PARAMETERS IN SESSION")
        return {row[0]: row[1] for row in cursor.fetchall()}


def set_hostile(connection) -> None:
    with connection.cursor() as cursor:
        for name, value in HOSTILE.items():
            written = value if value == "true" or value.isdigit() else f"'{value}'"
            cursor.execute(f"ALTER SESSION SET {name} = {written}")


def test_a_session_of_the_product_has_every_parameter_that_the_server_knows(sandbox):
    with snowflake_session("snowflake_default") as session:
        found = parameters_of(session)
    pinned = {name: value for name, value in SESSION_PARAMETERS.items() if name in found}
    assert pinned.keys() >= HOSTILE.keys()
    assert {name: found[name].casefold() for name in pinned} == {
        name: value.casefold() for name, value in pinned.items()
    }


def test_the_connection_cannot_say_otherwise(sandbox, monkeypatch):
    connection = json.loads(sandbox.env["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"])
    connection["extra"]["session_parameters"] = HOSTILE
    monkeypatch.setenv("AIRFLOW_CONN_HOSTILE", json.dumps(connection))
    with snowflake_session("hostile") as session:
        found = parameters_of(session)
    assert {name: found[name] for name in HOSTILE} == {
        name: value.lower() if value in {"TRUE", "FALSE"} else value
        for name, value in SESSION_PARAMETERS.items()
        if name in HOSTILE
    }


def test_what_a_login_did_not_set_is_set_afterwards(sandbox):
    with snowflake_session("snowflake_default") as session:
        set_hostile(session)
        pin_session(session)
        found = parameters_of(session)
    assert all(found[name].casefold() == SESSION_PARAMETERS[name].casefold() for name in HOSTILE)


def test_a_parameter_that_cannot_be_set_stops_the_task_and_is_named(sandbox, stand_ins):
    refusal = {"kind": "error", "match": "ALTER SESSION SET TIME_OUTPUT_FORMAT", "code": "3001", "sqlstate": "42501",
               "message": "Insufficient privileges to operate on parameter"}  # fmt: skip
    with snowflake_session("snowflake_default") as session:
        set_hostile(session)
        with stand_ins.snowflake(refusal), pytest.raises(ConfigurationError) as caught:
            pin_session(session)
    message = str(caught.value)
    assert "TIME_OUTPUT_FORMAT is 'HH12:MI AM' (set by: session), Snowmelt needs 'HH24:MI:SS.FF9'" in message
    assert "ALTER USER … UNSET TIME_OUTPUT_FORMAT" in message
    assert "Insufficient privileges" in message


def test_every_pinned_parameter_is_documented_with_its_value():
    page = (Path(__file__).parents[2] / "docs" / "live-account.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([A-Z0-9_]+)` \| `(.*)` \|$", page, re.MULTILINE))
    assert rows == dict(SESSION_PARAMETERS)


def test_nothing_is_pinned_that_is_printed_with_fewer_than_nine_digits():
    printed = {name: value for name, value in SESSION_PARAMETERS.items() if name.endswith("OUTPUT_FORMAT")}
    times = {name: value for name, value in printed.items() if name.startswith("TIME")}
    assert len(times) == 5
    assert all("SS.FF9" in value for value in times.values())
