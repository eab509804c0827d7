"""The DAG `migration_doctor` as Airflow runs it."""

from __future__ import annotations

import json
import re

import pytest

CHECKS = ["snowflake", "aws", "postgres", "stage", "unload", "table", "clocks", "assumptions", "leftovers"]


@pytest.fixture(scope="module")
def ran(run_dags, demo):
    nobody = json.loads(demo.env["AIRFLOW_CONN_AWS_DEFAULT"]) | {
        "login": demo.env["SNOWMELT_SANDBOX_NOBODY_ACCESS_KEY_ID"],
        "password": demo.env["SNOWMELT_SANDBOX_NOBODY_SECRET_ACCESS_KEY"],
    }
    return run_dags(
        {"dag": "migration_doctor"},
        {"dag": "migration_doctor", "environment": {"AIRFLOW_CONN_AWS_DEFAULT": json.dumps(nobody)}},
    )


def test_all_is_well_in_the_sandbox(ran):
    well = ran[0]
    assert well.state == "success", well.log[-3000:]
    assert {task: well.states(task) for task in CHECKS} == {
        task: ["success"] * (2 if task == "table" else 1) for task in CHECKS
    }
    assert well.states("report") == ["success"]
    assert re.search(r"# Migration doctor\n\n\d+ OK\n", well.log)
    assert "| Ledger | postgres_default | OK |" in well.log


def test_one_wrong_thing_fails_its_tasks_alone_and_stands_in_the_report(ran):
    broken = ran[1]
    assert broken.state == "failed"
    failed = {task for task in CHECKS if "failed" in broken.states(task)}
    assert failed == {"aws", "unload", "assumptions", "leftovers"}
    assert broken.states("report") == ["failed"]
    assert "### WRONG: S3 list, aws_default on s3://snowmelt-staging/" in broken.log
    assert '"s3:GetObject"' in broken.log
    assert "| Ledger | postgres_default | OK |" in broken.log
