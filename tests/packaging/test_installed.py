"""The wheel in a fresh Airflow with another provider beside it, in an empty folder: nothing of this checkout is needed."""

from __future__ import annotations

import json
import os
import re
import subprocess

import pytest

from tests.conftest import ROOT
from tests.packaging.conftest import UV

pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def plain(wheel, tmp_path_factory):
    """Runs a command of the fresh environment."""
    home = tmp_path_factory.mktemp("plain")
    python = home / "venv" / "bin" / "python"
    for command in (
        ["venv", "--quiet", "--python", "3.11", str(home / "venv")],
        # Airflow and its providers as they are locked, and Celery's provider, which knows nothing of Snowmelt.
        ["pip", "install", "--quiet", "--require-hashes", "--python", str(python), "-r", str(ROOT / "requirements/celery.txt")],
        ["pip", "install", "--quiet", "--no-deps", "--python", str(python), str(wheel)],
        ["pip", "check", "--quiet", "--python", str(python)],
    ):  # fmt: skip
        subprocess.run([str(UV), *command], check=True, capture_output=True)
    work = home / "work"
    (work / "dags").mkdir(parents=True)
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "SNOWMELT", "PYTHON"))
    }  # fmt: skip

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [str(python), *arguments],
            cwd=work,
            env={**kept, "AIRFLOW_HOME": str(home / "airflow"), "AIRFLOW__CORE__DAGS_FOLDER": str(work / "dags"),
                 "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "PYTHONWARNINGS": "ignore"},
            capture_output=True,
            text=True,
            timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
        return done.stdout

    run.work = work
    return run


def test_it_is_imported_from_its_own_place(plain):
    code = (
        "import snowmelt, snowmelt.dag_factory, snowmelt.operators.snowflake_unload as u, snowmelt.sensors.s3_manifest,"
        "snowmelt.operators.postgres_load; print(snowmelt.__file__)"
    )
    assert "site-packages" in plain("-c", code)


def test_airflow_lists_it_beside_others(plain):
    listed = json.loads(plain("-m", "airflow", "providers", "list", "--output", "json"))
    names = {provider["package_name"] for provider in listed}
    assert {"airflow-provider-snowmelt", "apache-airflow-providers-celery"} <= names


def test_the_documented_dag_and_the_tables_dags_are_parsed(plain):
    code = re.search(r"```python\n(.*?)```", (ROOT / "docs/operators.md").read_text(), re.DOTALL)[1]
    (plain.work / "dags" / "copy_payers.py").write_text(code)
    for name in ("migrate_table.py", "migrate_configured.py"):
        (plain.work / "dags" / name).write_text((ROOT / "dags" / name).read_text())
    include = plain.work / "include" / "config"
    include.mkdir(parents=True)
    (include / "s3copyconfig.json").write_text((ROOT / "include/config/s3copyconfig.json").read_text())
    plain("-m", "airflow", "db", "migrate")
    errors = plain("-m", "airflow", "dags", "list-import-errors", "--local", "--output", "json")
    assert "[]" in errors or "No data found" in errors
    listed = {
        dag["dag_id"] for dag in json.loads(plain("-m", "airflow", "dags", "list", "--local", "--output", "json"))
    }  # fmt: skip
    assert {"copy_payers", "migrate_table", "migrate__analytics__dimpayer"} <= listed


def test_its_command_works(plain):
    plain(
        "-m", "airflow", "snowmelt", "setup-sql", "--config", str(ROOT / "include/config/s3copyconfig.json")
    )
    assert (plain.work / "snowmelt-setup" / "STEPS.md").exists()
