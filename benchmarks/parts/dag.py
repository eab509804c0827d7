"""The whole DAG by `airflow dags test`: every step in one process, one after another, and what share each has.

The source is the sandbox's demo fact table (42 columns, texts and JSON among them). Unload and fingerprints of the source are the
Snowflake stand-in's: DuckDB on the same cores.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.rows import dict_row

from benchmarks.bench import ROOT, STATE, Bench

TITLE = "The whole DAG"
ROWS = int(os.environ.get("BENCH_DAG_ROWS", "5000000"))
TABLE = "FACTVISITCALLPERFORMANCE_CR"
_TASKS = """
SELECT task_id, count(*) AS tasks, sum(extract(epoch FROM end_date - start_date))::float8 AS seconds
FROM task_instance WHERE run_id = %(run)s AND dag_id = 'migrate_table' GROUP BY task_id
"""
_LAST = (
    "SELECT run_id FROM dag_run WHERE dag_id = 'migrate_table' AND state = 'success' ORDER BY id DESC LIMIT 1"
)
_REPORT = """
SELECT staged_files AS files, staged_bytes AS bytes, source_rows AS rows, publish_result,
  (SELECT sum(seconds) FROM snowmelt.loaded_file AS l WHERE l.run_id = r.run_id) AS copy_seconds
FROM snowmelt.run AS r WHERE outcome = 'published' AND mode = 'full' ORDER BY published_at DESC LIMIT 1
"""


def run(bench: Bench) -> dict[str, Any]:
    """Fill the source, migrate Airflow's own database, run the DAG once."""
    _command(
        str(ROOT / "sandbox/.venv/bin/python"),
        "-m",
        "sandbox",
        "fill",
        "--state",
        str(STATE),
        "--rows",
        str(ROWS),
    )
    _command(sys.executable, "-c", "from sandbox.airflow import migrate; migrate()")
    parameters = {
        "source_database": "ANALYTICS",
        "source_schema": "BI",
        "source_table": TABLE,
        "target_schema": "public",
        "target_table": "bench_dag",
        "mode": "full",
        "chunking_column": "Visit Id",
        "chunk_rows": max(1, ROWS // 4),
        "max_file_size_mb": 100,
    }
    start, before = time.monotonic(), os.times()
    _command(
        sys.executable, "-m", "airflow", "dags", "test", "migrate_table", "--conf", json.dumps(parameters)
    )
    seconds, after = time.monotonic() - start, os.times()
    dsn = bench.env["SNOWMELT_SANDBOX_PG_SUPERUSER_DSN"]
    with psycopg.connect(dsn, dbname="airflow", row_factory=dict_row) as connection:
        last = connection.execute(_LAST).fetchone() or {}
        tasks = connection.execute(_TASKS, {"run": last["run_id"]}).fetchall()
    with psycopg.connect(dsn, dbname="app", row_factory=dict_row) as connection:
        report = connection.execute(_REPORT).fetchone() or {}
    bench.connection.execute("DROP TABLE IF EXISTS public.bench_dag")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return {"seconds": seconds, "airflow_cpu": cpu, "tasks": tasks, "report": report}


def _command(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError((done.stdout + done.stderr)[-3_000:])


def render(values: Mapping[str, Any]) -> str:
    """A line for each task, and what is left for Airflow itself."""
    report, tasks = values["report"], {task["task_id"]: task for task in values["tasks"]}
    whole = values["seconds"]
    head = (
        f"{report['rows']:,} rows in {report['files']} files of {report['bytes'] / 1e6:.0f} MB together: {whole:.1f} s, "
        f"{report['rows'] / whole:,.0f} rows/s, {values['airflow_cpu']:.1f} s CPU in Airflow's process."
    )
    notes = {
        "unload": "the stand-in's",
        "load": f"{report['copy_seconds']:.1f} s of it the files' transactions",
        "index build": "part of the task publish",
    }
    publish = tasks.get("publish")
    if publish:  # the task has two parts, and its result says how long the first took
        index = float((report["publish_result"] or {}).get("index_seconds", 0.0))
        tasks["index build"] = {"tasks": "", "seconds": index}
        tasks["publish"] = publish | {"seconds": (publish["seconds"] or 0.0) - index}
    lines = [head, "", "| step | tasks | seconds | share | |", "| --- | ---: | ---: | ---: | --- |"]
    for name in (
        "plan",
        "unload",
        "manifest",
        "files",
        "load",
        "verify",
        "index build",
        "publish",
        "cleanup",
    ):
        one = tasks.get(name, {"tasks": 0, "seconds": 0.0})
        spent = one["seconds"] or 0.0
        lines.append(
            f"| {name} | {one['tasks']} | {spent:.1f} | {spent / whole:.0%} | {notes.get(name, '')} |"
        )
    left = whole - sum(task["seconds"] or 0.0 for task in tasks.values())
    lines.append(f"| Airflow: start, scheduling, parsing | | {left:.1f} | {left / whole:.0%} | |")
    return "\n".join(lines)
