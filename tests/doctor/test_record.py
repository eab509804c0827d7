"""The record of what an account was asked: whole where it is of constants, without a trace of the user elsewhere, and replayed."""

from __future__ import annotations

import argparse
import contextlib
import copy
import json
import re
from pathlib import Path

import pytest

from snowmelt.airflow.sessions import snowflake_session
from snowmelt.cli.doctor import run_doctor
from snowmelt.doctor.assumptions import ASSUMPTIONS
from snowmelt.doctor.questions import QUESTIONS
from snowmelt.doctor.record import Recorder
from tests.doctor.replay import replay

RECORDS = sorted((Path(__file__).parent / "records").glob("*.json"))


def stage_of(patient) -> str:
    return f'"DOCTOR"."{patient.schema}"."{patient.stage}"'


@pytest.fixture
def session(patient):
    with snowflake_session("snowflake_default") as opened:
        yield opened


@pytest.fixture
def recorded(patient, tmp_path, capfd):
    """The record, as text, and the command's output."""
    patient.snowflake(f"INSERT INTO DOCTOR.{patient.schema}.T VALUES (77001, 'a secret of somebody')")
    patient.document["sources"][0]["tables"][0] |= {
        "columns": {"mask": {"NAME": {"expression": "SHA2(NAME || 'pepper')", "type": "VARCHAR(64)"}}},
        "source_filter": "ID <> 77002",
    }
    config, file = tmp_path / "config.json", tmp_path / "record.json"
    config.write_text(json.dumps(patient.document))
    arguments = argparse.Namespace(config=str(config), check=None, json=True, record=str(file))
    with contextlib.suppress(
        SystemExit
    ):  # something may be wrong with this account: that is not what is tested here
        run_doctor(arguments)
    # pytest's own standard output takes the log as well; `airflow snowmelt doctor` itself prints the answer alone.
    output = capfd.readouterr().out
    return file.read_text(), output[output.index('{\n "counts"') :]


def test_a_record_has_every_question_and_answer_and_nothing_of_the_user(recorded, patient, sandbox):
    text, output = recorded
    record = json.loads(text)
    assert {finding["check"] for finding in json.loads(output)["findings"]} >= {
        "Source",
        "Target",
        "Assumption",
    }
    asked = {entry["name"]: entry for entry in record["asked"] if entry["kind"] == "question"}
    assert asked.keys() == {question.name for question in QUESTIONS}
    for question in QUESTIONS:
        assert asked[question.name]["statement"] == question.sql
        assert asked[question.name]["rows"]
    named = {finding["name"] for finding in record["findings"] if finding["check"] == "Assumption"}
    assert named == ASSUMPTIONS.keys()
    assert len(record["files"]) >= 3
    assert record["about"].keys() >= {"snowmelt", "snowflake", "region", "snowflake-connector-python"}
    others = [entry for entry in record["asked"] if entry["kind"] == "other"]
    described = next(entry for entry in others if entry["statement"].startswith("DESCRIBE TABLE"))
    assert re.fullmatch(r'DESCRIBE TABLE "<name \d+>"\."<name \d+>"\."<name \d+>"', described["statement"])
    assert "policy name" in described["columns"]
    assert not [entry for entry in others if "rows" in entry]
    connections = [
        json.loads(value) for name, value in sandbox.env.items() if name.startswith("AIRFLOW_CONN_")
    ]
    private = [
        patient.schema, patient.stage, patient.database, patient.role, "77001", "77002", "pepper", "SHA2", "secret of somebody", sandbox.bucket,
        *(value for one in connections for value in (one.get("login"), one.get("password")) if value),
    ]  # fmt: skip
    for value in (one for one in private if one.casefold() != "snowmelt"):  # the product's own name, too
        assert value.casefold() not in text.casefold(), value


def test_a_record_is_replayed_against_the_stand_in(recorded, patient, session, sandbox, s3_client):
    record = json.loads(recorded[0])
    assert replay(record, session, stage_of(patient), s3_client, sandbox.bucket) == []
    other = copy.deepcopy(record)
    next(entry for entry in other["asked"] if entry["kind"] == "question")["rows"][0][0] = "-2"
    other["files"][0]["content"] = other["files"][1]["content"]
    differences = replay(other, session, stage_of(patient), s3_client, sandbox.bucket)
    assert differences[0].startswith("epoch microseconds: the account answered [['-2',")


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_the_records_of_accounts_are_answered_alike(path, patient, session, sandbox, s3_client):
    record = json.loads(path.read_text(encoding="utf-8"))
    assert replay(record, session, stage_of(patient), s3_client, sandbox.bucket) == []


@pytest.mark.parametrize(
    ("sql", "recorded"),
    [
        ('SELECT COUNT(*) FROM "SALES"."PUBLIC"."ORDERS"', 'SELECT COUNT(*) FROM "<name 1>"."<name 2>"."<name 3>"'),
        ("SHOW OBJECTS LIKE 'it''s' IN SCHEMA \"A\"", "SHOW OBJECTS LIKE '<text 1>' IN SCHEMA \"<name 1>\""),
        ("SELECT SHA2(N || 'x') FROM \"SALES\"", 'SELECT <expression> FROM "<name 1>"'),
        ("GRANT ROLE LOADER_PROD", "GRANT ROLE <name>"),
        ("SHOW PARAMETERS LIKE 'DATA_RETENTION_TIME_IN_DAYS' IN TABLE \"T\"", "SHOW PARAMETERS LIKE 'DATA_RETENTION_TIME_IN_DAYS' IN TABLE \"<name 1>\""),
        (
            "COPY INTO '@\"SALES\".\"P\".\"S\"/in/doctor_1/0/' FROM (SELECT 'x' AS \"X\") FILE_FORMAT = (TYPE = PARQUET)",
            "COPY INTO '<location>' FROM (SELECT 'x' AS \"X\") FILE_FORMAT = (TYPE = PARQUET)",
        ),
        (
            "COPY INTO 's3://orders/in/' FROM (SELECT 1) STORAGE_INTEGRATION = \"SALES\" FILE_FORMAT = (TYPE = CSV)",
            "COPY INTO '<location>' FROM (SELECT 1) STORAGE_INTEGRATION = \"<integration>\" FILE_FORMAT = (TYPE = CSV)",
        ),
    ],
)  # fmt: skip
def test_names_texts_and_expressions_have_placeholders(sql, recorded):
    recorder = Recorder(["loader_prod", "SALES"], ["SHA2(N || 'x')"])
    recorder.ask(sql)
    assert recorder.build([], {})["asked"][0]["statement"] == recorded
