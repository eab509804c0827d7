"""What `import snowmelt` offers, and that it costs nothing until it is used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import snowmelt
from tests.conftest import ROOT


def test_every_public_name_is_there():
    assert set(snowmelt.__all__) <= set(dir(snowmelt))
    for name in snowmelt.__all__:
        found = getattr(snowmelt, name)
        if name != "__version__":
            assert found.__name__ == name
    with pytest.raises(AttributeError, match="module 'snowmelt' has no attribute 'nothing'"):
        _ = snowmelt.nothing


def test_importing_it_imports_nothing_of_it():
    done = subprocess.run(
        [sys.executable, "-c", "import sys, snowmelt; print(*sys.modules)"],
        env={"PYTHONPATH": str(ROOT / "provider")},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = done.stdout.split()
    assert [name for name in loaded if name.startswith("snowmelt")] == ["snowmelt"]
    assert "airflow" not in loaded


def test_the_dag_files_take_public_names_alone():
    for path in sorted((ROOT / "dags").glob("*.py")):
        lines = [line for line in path.read_text().splitlines() if "snowmelt" in line and "import" in line]
        assert lines, path
        assert all(line.startswith("from snowmelt import ") for line in lines), path
