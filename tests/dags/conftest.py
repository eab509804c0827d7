"""Whole DAG runs over the sandbox, by Airflow's own `dag.test()`, in a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.conftest import ROOT, SANDBOX, STATE

RUNNER = Path(__file__).with_name("runner.py")
MARK = "@@@ "
FACT = "FACTVISITCALLPERFORMANCE_CR"
ROWS = 5000


@dataclass(frozen=True)
class Ran:
    """How one DAG run ended."""

    state: str
    tasks: list[list[Any]]
    log: str
    run_id: str | None

    def states(self, task_id: str) -> list[str]:
        return [state for task, _, state in self.tasks if task == task_id]


@pytest.fixture(scope="session")
def demo(sandbox):
    """The sandbox with its demo tables and Airflow's own tables in place."""
    filled = subprocess.run(
        [*SANDBOX, "fill", "--state", str(STATE), "--rows", str(ROWS)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert filled.returncode == 0, filled.stdout + filled.stderr
    migrated = subprocess.run(
        [sys.executable, "-m", "airflow", "db", "migrate"],
        env=environment(sandbox),
        capture_output=True,
        text=True,
    )
    assert migrated.returncode == 0, migrated.stdout + migrated.stderr
    return sandbox


def environment(sandbox, **changes: str) -> dict[str, str]:
    return {**os.environ, **sandbox.env, "PYTHONWARNINGS": "ignore", **changes}


@pytest.fixture(scope="session")
def run_dags(demo):
    """Run DAGs one after another: `run_dags({"dag": …, "conf": …}, …)` → a Ran for each."""

    def run(*jobs: dict[str, Any]) -> list[Ran]:
        done = subprocess.run(
            [sys.executable, str(RUNNER)],
            input=json.dumps(jobs),
            env=environment(demo),
            capture_output=True,
            text=True,
            timeout=600,
            cwd=ROOT,
        )
        output = done.stdout + done.stderr
        parts = done.stdout.split(f"{MARK}begin\n")[1:]
        assert done.returncode == 0, output[-5000:]
        assert len(parts) == len(jobs), output[-5000:]
        ran = []
        for part in parts:
            log, _, answer = part.rpartition(MARK)
            values = json.loads(answer.splitlines()[0])
            ran.append(Ran(values["state"], values["tasks"], log + values.get("error", ""), values["run_id"]))
        return ran

    return run


@pytest.fixture
def app(demo):
    """The target database, as the ordinary role sees it."""
    with psycopg.connect(demo.env["SNOWMELT_SANDBOX_PG_DSN"], autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def snowflake(demo):
    """The unmodified connector, by Airflow's hook."""
    from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook

    connection = SnowflakeHook(
        snowflake_conn_id="snowflake_default", session_parameters={"TIMEZONE": "UTC"}
    ).get_conn()
    yield connection
    connection.close()


def migrate(table: str, **changes: Any) -> dict[str, Any]:
    """A job for `migrate_table`, from ANALYTICS.BI."""
    conf = {
        "source_database": "ANALYTICS",
        "source_schema": "BI",
        "source_table": table,
        "target_schema": "public",
    } | changes
    return {"dag": "migrate_table", "conf": conf}
