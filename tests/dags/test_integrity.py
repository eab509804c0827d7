"""The DAG files as Airflow sees them: what is there, how it hangs together, and that parsing touches nothing outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TASKS = ["plan", "unload", "manifest", "files", "load", "verify", "publish", "cleanup"]
EDGES = {
    "plan": {"unload", "files", "load", "verify", "publish", "cleanup"},
    "unload": {"manifest"},
    "manifest": {"files"},
    "files": {"load"},
    "load": {"verify"},
    "verify": {"publish"},
    "publish": {"cleanup"},
    "cleanup": set(),
}

#: Parses the DAG files with every socket forbidden, and tells what came of it.
PARSE = """
import json, socket, sys
def refuse(*args, **kwargs): raise AssertionError(f"a connection was opened while parsing: {args}")
import airflow.sdk
from airflow.providers.common.compat.sdk import BaseHook
before = set(sys.modules)
import snowmelt.dag_factory
socket.socket.connect = socket.socket.connect_ex = refuse
import importlib.util, pathlib
found = {}
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.py")):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for dag in vars(module).values():
        if isinstance(dag, airflow.sdk.DAG):
            found[dag.dag_id] = {
                "schedule": getattr(dag.schedule, "expression", dag.schedule),
                "catchup": dag.catchup,
                "max_active_runs": dag.max_active_runs,
                "edges": {task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks},
                "mapped": sorted(task.task_id for task in dag.tasks if task.is_mapped),
                "labels": sorted({task.map_index_template for task in dag.tasks if task.is_mapped}),
                "params": sorted(dag.params),
            }
heavy = sorted(set(sys.modules) & {"pandas", "pyarrow", "snowflake.connector", "boto3", "psycopg", "sqlglot"})
print(json.dumps({"dags": found, "heavy": heavy, "imported": sorted(set(sys.modules) - before)}))
"""


def parse(folder: Path = ROOT / "dags", **environment: str) -> subprocess.CompletedProcess[str]:
    # A developer's shell may name another configuration.
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SNOWMELT_")}
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PARSE, str(folder)],
        capture_output=True,
        text=True,
        env={**kept, "AIRFLOW__CORE__UNIT_TEST_MODE": "True", **environment},
        timeout=120,
    )


@pytest.fixture(scope="module")
def parsed():
    done = parse()
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_the_dags_are_those_of_the_configuration(parsed):
    assert sorted(parsed["dags"]) == [
        "migrate__analytics__dimpayer",
        "migrate__analytics__factvisitcallperformance_cr",
        "migrate_table",
        "migration_doctor",
    ]


def test_every_check_of_the_doctor_runs_by_itself_and_the_report_comes_last(parsed):
    edges = parsed["dags"]["migration_doctor"]["edges"]
    checks = sorted(set(edges) - {"report"})
    assert checks == sorted("snowflake aws postgres stage unload table clocks assumptions leftovers".split())
    assert all(edges[check] == ["report"] for check in checks)
    assert parsed["dags"]["migration_doctor"]["schedule"] is None


def test_every_dag_has_the_same_tasks_in_the_same_order(parsed):
    for dag_id, dag in parsed["dags"].items():
        if dag_id == "migration_doctor":
            continue
        assert sorted(dag["edges"]) == sorted(TASKS), dag_id
        assert {task: set(below) for task, below in dag["edges"].items()} == EDGES, dag_id
        assert dag["mapped"] == ["load", "manifest", "unload"]
        assert dag["labels"] == ["{{ task.map_label }}"]


def test_configured_tables_run_nightly_one_run_at_a_time(parsed):
    for dag_id, dag in parsed["dags"].items():
        configured = dag_id.startswith("migrate__")
        assert dag["schedule"] == ("0 2 * * *" if configured else None)
        assert dag["catchup"] is False
        if configured:
            assert dag["max_active_runs"] == 1


def test_the_form_has_the_named_parameters(parsed):
    assert parsed["dags"]["migrate_table"]["params"] == sorted(
        (
            "source_database source_schema source_table target_schema target_table mode source_filter chunking_column chunk_rows "
            "uniqueness_columns watermark_column publish row_limit file_format load_method max_file_size_mb cleanup_after_load "
            "verify deletes on_change max_shrink_percent narrow_numbers run_id"
        ).split()
    )


def test_parsing_imports_no_driver(parsed):
    assert parsed["heavy"] == []
    # Little beyond Airflow's own; the seconds of it are the benchmark's to tell.
    outside = {name.split(".")[0] for name in parsed["imported"]} - sys.stdlib_module_names
    assert outside <= {"snowmelt", "airflow", "croniter"}
    assert len(parsed["imported"]) < 150


def write_config(folder: Path, **changes) -> Path:
    config = json.loads((ROOT / "include/config/s3copyconfig.json").read_text())
    config["sources"][0]["tables"][0] |= changes
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    return path


def test_a_broken_table_takes_only_its_own_dag_away_and_is_shown(tmp_path):
    path = write_config(tmp_path, chunk_rows="many")
    healthy = tmp_path / "dags"
    healthy.mkdir()
    for name in ("migrate_table.py", "migrate_configured.py"):
        (healthy / name).write_text((ROOT / "dags" / name).read_text())
    done = parse(healthy, SNOWMELT_CONFIG=str(path))
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])["dags"]
    assert sorted(found) == ["migrate__analytics__factvisitcallperformance_cr", "migrate_table"]

    broken = parse(SNOWMELT_CONFIG=str(path))
    assert broken.returncode == 1
    assert "1 tables have no DAG until this is corrected:" in broken.stderr
    assert "sources[0].tables[0].chunk_rows" in broken.stderr


def test_a_missing_configuration_says_where_it_was_looked_for(tmp_path):
    done = parse(SNOWMELT_CONFIG=str(tmp_path / "none.json"))
    assert done.returncode == 1
    assert f"The configuration {tmp_path / 'none.json'} cannot be read" in done.stderr
    assert "Set SNOWMELT_CONFIG to its path" in done.stderr


def test_airflows_own_option_names_the_configuration_and_the_variable_goes_before_it(tmp_path):
    named = str(tmp_path / "named.json")
    done = parse(AIRFLOW__SNOWMELT__CONFIG_FILE=named)
    assert f"The configuration {named} cannot be read" in done.stderr
    path = write_config(tmp_path)
    assert parse(AIRFLOW__SNOWMELT__CONFIG_FILE=str(path)).returncode == 0
    assert parse(AIRFLOW__SNOWMELT__CONFIG_FILE=named, SNOWMELT_CONFIG=str(path)).returncode == 0
