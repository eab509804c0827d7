"""What Airflow pays to read the DAG file: CPU seconds of a fresh process, by the number of configured tables."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from benchmarks.bench import ROOT, Bench
from benchmarks.measure import spread

TITLE = "Parsing the DAG files"
TABLES = (1, 100)
_PROGRAM = """
import json, sys, time
import airflow.sdk
start = time.process_time()
from snowmelt.core.settings.config import parse_config
from snowmelt.dag_factory import build_migrate_table, build_table_dags
imported = time.process_time()
config = parse_config(sys.stdin.read(), {})
dags = [build_migrate_table(config), *build_table_dags(config)]
heavy = [name for name in ("pyarrow", "pgpq", "psycopg", "boto3", "snowflake.connector", "numpy", "sqlglot") if name in sys.modules]
print(json.dumps({"import": imported - start, "build": time.process_time() - imported, "dags": len(dags), "heavy": heavy}))
"""


def run(bench: Bench) -> dict[str, Any]:
    """Each number of tables a few times."""
    found: dict[str, list[dict[str, Any]]] = {}
    for count in TABLES:
        tables = [{"source": f"T{number}", "mode": "full"} for number in range(count)]
        source = {"source_name": "s", "source_database": "D", "source_schema": "S", "tables": tables}
        unload = {"stage_database": "U", "stage_schema": "S", "stage_name": "ST"}
        config = {"s3_staging": {"bucket": "bucket"}, "snowflake_unload": unload, "sources": [source]}
        for _ in range(min(3, bench.rounds)):
            done = subprocess.run(
                [sys.executable, "-c", _PROGRAM],
                cwd=ROOT,
                env=os.environ,
                input=json.dumps(config),
                capture_output=True,
                text=True,
                check=True,
            )
            found.setdefault(str(count), []).append(json.loads(done.stdout.splitlines()[-1]))
    return found


def render(values: Mapping[str, Any]) -> str:
    """A table."""
    lines = [
        "| tables | importing Snowmelt, CPU s | building the DAGs, CPU s | heavy modules imported |",
        "| ---: | ---: | ---: | --- |",
    ]
    for count, samples in values.items():
        imported, built = (spread([one[key] for one in samples]) for key in ("import", "build"))
        heavy = ", ".join(samples[0]["heavy"]) or "none"
        lines.append(f"| {count} | {imported.median:.2f} | {built.median:.2f} | {heavy} |")
    lines += ["", "Airflow's own import comes on top, for every DAG file."]
    return "\n".join(lines)
