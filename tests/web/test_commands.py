"""`airflow snowmelt status`, `history` and `report`, as a monitor and a person call them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from snowmelt.cli.runs import CRITICAL, OK, UNKNOWN, WARNING, find_code
from tests.conftest import ROOT
from tests.progress.test_table_status import judge, row, run


def call(site, *arguments):
    command = [sys.executable, "-m", "airflow", "snowmelt", *arguments]
    return subprocess.run(command, env=site.environment, cwd=ROOT, capture_output=True, text=True)


def test_status_is_for_monitors(site):
    done = call(site, "status", "--json")
    answer = json.loads(done.stdout[done.stdout.index("{") :])
    standings = {table["target"]: table["standing"] for table in answer["tables"]}
    assert standings["public.forgotten"] == "good"
    assert (answer["code"], done.returncode) == (CRITICAL, CRITICAL)
    missing = call(site, "status", "public.nothing")
    assert missing.returncode == UNKNOWN
    assert "No table is called public.nothing. Tables: " in missing.stderr


def test_history_and_report_of_a_table(site):
    listed = call(site, "history", "public.forgotten")
    assert "forgotten" in listed.stdout, listed.stderr
    assert "published" in listed.stdout
    report = call(site, "report", "forgotten")
    assert "# A.B.FORGOTTEN → public.forgotten: published" in report.stdout, report.stderr
    missing = call(site, "report", "forgoten")
    assert missing.returncode == 1
    assert "has no run 'forgoten'. Its latest runs: " in missing.stderr
    assert "forgotten (public.forgotten, published)" in missing.stderr


@pytest.mark.parametrize(
    ("changes", "unreadable", "code"),
    [
        ({}, [], OK),
        ({"outcome": "failed"}, [], CRITICAL),
        ({"outcome": "failed"}, ["pg"], CRITICAL),
        ({"outcome": "differs", "publish_result": {}}, [], WARNING),
        ({}, ["pg"], UNKNOWN),
    ],
)
def test_the_exit_code_is_that_of_the_worst_table(changes, unreadable, code):
    (status,) = judge([row(**changes)], run())
    assert find_code([status], unreadable) == code
