"""What Airflow pays to read the files of dags/: CPU seconds of a fresh process, by the number of configured tables.

The DAG processor reads all of them; a task's process reads the file of its own DAG, and Airflow names that DAG, so
only that one is built.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from benchmarks.bench import CACHE, ROOT, Bench
from benchmarks.growth import sizes, table
from benchmarks.measure import spread

TITLE = "Parsing the DAG files"
TABLES = (1, 10, 100, 1_000)
_PROGRAM = """
import importlib.util, json, os, pathlib, sys, time
import airflow.sdk
start = time.process_time()
import snowmelt.dag_factory
imported = time.process_time()
heavy = ("pyarrow", "pgpq", "psycopg", "boto3", "snowflake.connector", "numpy", "sqlglot")

def read(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    before = time.process_time()
    spec.loader.exec_module(module)
    dags = sum(isinstance(dag, airflow.sdk.DAG) for dag in {id(one): one for one in vars(module).values()}.values())
    return time.process_time() - before, dags

files = {path.name: read(path) for path in sorted(pathlib.Path("dags").glob("*.py"))}
os.environ["_AIRFLOW_PARSING_CONTEXT_DAG_ID"] = "migrate__s__t0"
task = read(pathlib.Path("dags/migrate_configured.py"))
status = pathlib.Path("/proc/self/status").read_text().splitlines()  # ru_maxrss is carried over an exec
peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
print(json.dumps({
    "import": imported - start,
    "build": sum(seconds for seconds, _ in files.values()),
    "dags": sum(dags for _, dags in files.values()),
    "task": task[0],
    "task_dags": task[1],
    "rss_mb": peak / 1e3,
    "heavy": [name for name in heavy if name in sys.modules],
}))
"""


def run(bench: Bench) -> dict[str, Any]:
    """Each number of tables a few times; BENCH_SCALE_TABLES names others."""
    found: dict[str, list[dict[str, Any]]] = {}
    CACHE.mkdir(parents=True, exist_ok=True)
    path = CACHE / "parsing.json"
    for count in sizes("BENCH_SCALE_TABLES", TABLES):
        tables = [{"source": f"T{number}", "mode": "full"} for number in range(count)]
        source = {"source_name": "s", "source_database": "D", "source_schema": "S", "tables": tables}
        unload = {"stage_database": "U", "stage_schema": "S", "stage_name": "ST"}
        config = {"s3_staging": {"bucket": "bucket"}, "snowflake_unload": unload, "sources": [source]}
        path.write_text(json.dumps(config))
        for _ in range(min(3, bench.rounds)):
            done = subprocess.run(
                [sys.executable, "-W", "ignore", "-c", _PROGRAM],
                cwd=ROOT,
                env=os.environ | {"SNOWMELT_CONFIG": str(path)},
                capture_output=True,
                text=True,
                check=True,
            )
            found.setdefault(str(count), []).append(json.loads(done.stdout.splitlines()[-1]))
    return found


def render(values: Mapping[str, Any]) -> str:
    """A table."""
    head = [
        "tables",
        "DAGs",
        "importing Snowmelt, CPU s",
        "all files, CPU s",
        "in a task's process, CPU s",
        "resident, MB",
        "heavy modules imported",
    ]
    rows = []
    for count, samples in values.items():
        middle = {
            key: spread([one[key] for one in samples]).median for key in ("import", "build", "task", "rss_mb")
        }
        rows.append(
            [
                f"{int(count):,}",
                f"{samples[0]['dags']:,}",
                *(f"{middle[key]:.2f}" for key in ("import", "build", "task")),
                f"{middle['rss_mb']:.0f}",
                ", ".join(samples[0]["heavy"]) or "none",
            ]
        )
    said = "Airflow's own import comes on top, for every DAG file; and, in the DAG processor, writing the DAGs down."
    return "\n".join([*table(head, rows), "", said])
