"""A DAG file reads the configuration each time it is parsed: nothing heavy may be imported for that."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from pathlib import Path
from snowmelt.config.file import parse_config
from snowmelt.config.form import build_form
config = parse_config(Path("include/config/s3copyconfig.json").read_text(), {})
build_form(config, None), [build_form(config, table) for table in config.tables]
print(*sys.modules)
"""


def test_reading_the_configuration_imports_nothing_heavy():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={"PYTHONPATH": str(ROOT / "provider")},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    heavy = {
        "airflow",
        "boto3",
        "numpy",
        "pandas",
        "pgpq",
        "psycopg",
        "pyarrow",
        "snowflake.connector",
        "sqlglot",
    }
    assert heavy.isdisjoint(done.stdout.split())
