"""What must not grow with the files, counted over real runs: statements of each step, a file's own, and the XComs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from benchmarks import whole_run
from benchmarks.parts import by_files, by_rows
from snowmelt.ledger.runs import write_ledger
from tests.conftest import ROOT


@pytest.fixture
def measured(sandbox, database):
    """whole_run.py's runs of a kind, in this process, each in a schema of its own."""

    def run(kind, count):
        with whole_run.open_world(database) as world, whole_run.open_postgres(database) as connection:
            write_ledger(connection)
            return whole_run.KINDS[kind](world, connection, count) | {"grown_mb": 0.0}

    return run


def test_a_step_sends_as_many_statements_for_many_files_as_for_few(measured):
    few, many = measured("files", 40), measured("files", 320)
    assert (few["files"], few["unload_tasks"], few["load_tasks"]) == (40, 20, 40)
    assert (many["files"], many["unload_tasks"], many["load_tasks"]) == (320, 20, 300)
    assert many["published"] == 3_200

    def statements(one, step):
        return one["steps"][step]["statements"]

    for step in ("plan", "files", "verify, counts alone", "publish"):
        assert statements(many, step) == statements(few, step) > 0, step
    assert statements(few, "load") / 40 <= 13
    # Beyond 300 files a task takes several: one statement that reads a task's files is then saved for each further one.
    assert statements(many, "load") - 300 == (statements(few, "load") - 40) / 40 * 320
    assert many["steps"]["plan"]["xcom"] <= few["steps"]["plan"]["xcom"] + 20 * 20
    assert many["steps"]["files"]["xcom"] / 300 < 200
    assert by_files.render([few, many]).count("| 320 |") == 2


def test_the_program_says_what_a_run_took(sandbox, database):
    given = json.dumps({"dsn": database, "kind": "rows", "count": 2_500})
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "benchmarks.whole_run", given],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["rows"], found["files"], found["published"]) == (2_500, 3, 2_500)
    assert 0 < found["index_seconds"] < found["steps"]["publish"]["seconds"]
    assert 0 < found["grown_mb"] < 300
    assert by_rows.render([found]).startswith("| rows | files | MB | plan, s |")
