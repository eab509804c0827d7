"""The unmodified code on the older versions of Airflow that are supported, each with the providers of its time (`make test-matrix`)."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.conftest import ROOT, SANDBOX, STATE
from tests.dags.conftest import MARK, RUNNER, migrate

pytestmark = pytest.mark.alone
VERSIONS = ("3.1", "3.2")


@dataclass(frozen=True)
class Airflow:
    """One version of Airflow in an environment of its own, over the sandbox."""

    version: str
    python: Path
    environment: dict[str, str]

    def run(self, *arguments: str, given: str = "") -> str:
        done = subprocess.run(
            [str(self.python), *arguments],
            input=given,
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=900,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
        return done.stdout

    def run_dags(self, *jobs):
        """The states of DAG runs, one after another."""
        output = self.run(str(RUNNER), given=json.dumps(jobs))
        lines = [line.partition(MARK)[2] for line in output.splitlines() if f"{MARK}{{" in line]
        answers = [json.loads(line) for line in lines]
        return [answer.get("error", answer["state"]) for answer in answers]


@pytest.fixture(scope="module", params=VERSIONS)
def airflow(request, sandbox, tmp_path_factory):
    subprocess.run([*SANDBOX, "fill", "--state", str(STATE), "--rows", "2000"], cwd=ROOT, check=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW__DATABASE")}
    home = tmp_path_factory.mktemp(f"airflow-{request.param}")
    environment = {
        **kept,
        **sandbox.env,
        "AIRFLOW_HOME": str(home),
        "PYTHONWARNINGS": "ignore",
        "PYTHONPATH": ".",
    }
    environment.pop("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", None)
    python = ROOT / f".venv-airflow-{request.param}" / "bin" / "python"
    airflow = Airflow(request.param, python, environment)
    airflow.run("-m", "airflow", "db", "migrate")
    return airflow


@pytest.fixture
def app(airflow):
    with psycopg.connect(airflow.environment["SNOWMELT_SANDBOX_PG_DSN"], autocommit=True) as connection:
        yield connection


def test_it_is_that_version(airflow):
    version = airflow.run("-c", "import airflow; print(airflow.__version__)").split()[-1]
    assert version.startswith(f"{airflow.version}.")


def test_a_table_is_copied_twice_and_the_doctor_finds_nothing(airflow, app):
    name = f"matrix_{airflow.version.replace('.', '_')}"
    rules = {"uniqueness_columns": ["PAYER_KEY"], "watermark_column": "LAST_MODIFIED"}
    job, first, again = (
        migrate("DIMPAYER", target_table=name, **changes)
        for changes in ({}, rules, rules | {"mode": "incremental"})
    )
    doctor = {"dag": "migration_doctor"}
    assert airflow.run_dags(job, first, again, doctor) == ["success"] * 4
    assert app.execute(f"SELECT count(*) FROM public.{name}").fetchone() == (500,)
    outcomes = app.execute(
        "SELECT mode, outcome FROM snowmelt.run WHERE target LIKE %s ORDER BY started_at", [f"%{name}%"]
    ).fetchall()
    assert outcomes == [("full", "published"), ("full", "published"), ("incremental", "published")]


def test_an_error_that_would_come_again_fails_the_task_for_good(airflow):
    code = """
from snowmelt.airflow.retrying import RETRY_ARGUMENTS, failing_fast
from snowmelt.errors import SourceError, TargetUnavailable
def ended_by(error):
    try:
        with failing_fast():
            raise error
    except Exception as found:
        return type(found).__name__
print(ended_by(SourceError("why")), ended_by(KeyError("why")), ended_by(TargetUnavailable("why")), ended_by(ConnectionError()))
print(RETRY_ARGUMENTS["retries"] > 0, "retry_policy" in RETRY_ARGUMENTS)
"""
    answers = airflow.run("-c", code).split()
    assert answers == [
        "AirflowFailException",
        "AirflowFailException",
        "TargetUnavailable",
        "ConnectionError",
        "True",
        "False",
    ]


def test_the_pages_ask_who_is_there(airflow):
    code = """
from fastapi.testclient import TestClient
from airflow.api_fastapi.app import create_app
with TestClient(create_app()) as client:
    print("@@@", client.get("/snowmelt/migrations").status_code, client.get("/snowmelt/static/page.css").status_code)
"""
    assert airflow.run("-c", code).rpartition("@@@ ")[2].split() == ["401", "401"]
