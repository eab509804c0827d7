"""What a mapped task costs Airflow: a real scheduler with LocalExecutor over runs of tiny files, a task each.

The files are staged beforehand and loaded by `migrate_table` in mode `load`. Seconds are from the first load task's start to
the last one's end; CPU is that of Airflow's own processes over the whole DAG run. Every task is a process that imports Airflow
and the provider, and reads its DAG file.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any

import psycopg
import yaml
from psycopg.rows import dict_row

from benchmarks.airflow_server import AirflowServer, open_airflow
from benchmarks.bench import ROOT, Bench
from benchmarks.growth import sizes, table, whole_run

TITLE = "Airflow: a mapped task"
#: Load tasks of a run; the settings one by one are measured with the second.
TASKS = (20, 100, 300)
DEFAULTS, COMPOSE = "Airflow's defaults", "as in docker-compose.yaml, one worker"
_LOADS = """
SELECT count(*) AS tasks, extract(epoch FROM max(end_date) - min(start_date))::float8 AS wall,
  avg(extract(epoch FROM end_date - start_date))::float8 AS each, avg(extract(epoch FROM start_date - queued_dttm))::float8 AS queued
FROM task_instance WHERE run_id = %s AND dag_id = 'migrate_table' AND task_id = 'load' AND map_index >= 0
"""
_RUN = (
    "SELECT extract(epoch FROM end_date - start_date)::float8 AS seconds FROM dag_run "
    "WHERE dag_id = 'migrate_table' AND run_id = %s"
)


def read_compose() -> dict[str, str]:
    """What docker-compose.yaml sets for workers and scheduling, by its defaults. LocalExecutor runs as many tasks as one Celery worker."""
    document = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())
    values = {
        key: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value))
        for key, value in document["x-airflow"]["environment"].items()
    }
    kept = ("AIRFLOW__WORKERS__", "AIRFLOW__DAG_PROCESSOR__", "AIRFLOW__SCHEDULER__")
    found = {key: value for key, value in values.items() if key.startswith(kept)}
    found["AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG"] = values["AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG"]
    found["AIRFLOW__CORE__PARALLELISM"] = values["AIRFLOW__CELERY__WORKER_CONCURRENCY"]
    return found


def settings() -> dict[str, dict[str, str]]:
    """Name → what is set over Airflow's defaults. Each single setting of the two ends, and two that are not set here."""
    compose = read_compose()
    heartbeat = {key: value for key, value in compose.items() if key.startswith("AIRFLOW__WORKERS__")}
    parallel = compose["AIRFLOW__CORE__PARALLELISM"]
    return {
        DEFAULTS: {},
        "a heartbeat a second": heartbeat,
        f"{parallel} tasks at once": {"AIRFLOW__CORE__PARALLELISM": parallel},
        "2 tasks at once": {"AIRFLOW__CORE__PARALLELISM": "2"},
        "one parsing process": {"AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1"},
        COMPOSE: compose,
    }


def run(bench: Bench) -> list[dict[str, Any]]:
    """Each setting over the second size, the two ends over all; BENCH_SCALE_TASKS names other sizes, the settings follow."""
    counts = sizes("BENCH_SCALE_TASKS", TASKS)
    middle = counts[min(1, len(counts) - 1)]
    found: list[dict[str, Any]] = []
    for name, chosen in settings().items():
        with open_airflow(bench, chosen) as airflow:
            airflow.end_runs("migrate_table")
            _measure(bench, airflow, 1)  # so that nothing measured pays for the first start of anything
            found += [
                {"settings": name, "set": chosen} | _measure(bench, airflow, count)
                for count in (counts if name in {DEFAULTS, COMPOSE} else (middle,))
            ]
    return found


def _measure(bench: Bench, airflow: AirflowServer, count: int) -> dict[str, Any]:
    conf = whole_run(bench, "staged", count)["conf"]
    target = f"scale_tasks_{uuid.uuid4().hex[:8]}"
    conf |= {"mode": "load", "verify": "counts", "target_schema": "public", "target_table": target}
    before = airflow.cpu()
    run_id, state = airflow.run("migrate_table", conf)
    after = airflow.cpu()
    bench.connection.execute(f"DROP TABLE IF EXISTS public.{target}")
    if state != "success":
        raise RuntimeError(f"the DAG run {run_id} of {count} files ended as {state}")
    dsn = bench.env["SNOWMELT_SANDBOX_PG_SUPERUSER_DSN"]
    with psycopg.connect(dsn, dbname="airflow", row_factory=dict_row) as connection:
        loads = connection.execute(_LOADS, (run_id,)).fetchone() or {}
        whole = connection.execute(_RUN, (run_id,)).fetchone() or {}
    print(f"  {count} load tasks: {whole['seconds']:.0f} s", flush=True)
    return {**loads, "run_seconds": whole["seconds"], "cpu": {key: after[key] - before[key] for key in after}}


def render(values: list[Mapping[str, Any]]) -> str:
    """A table, and how many files a task should take by it."""
    rows = [
        [
            one["settings"],
            f"{one['tasks']}",
            f"{one['wall']:.0f}",
            f"{one['wall'] / one['tasks']:.2f}",
            f"{one['each']:.1f}",
            *(f"{one['cpu'][part] / one['tasks']:.2f}" for part in ("scheduler", "api", "tasks")),
            f"{one['cpu']['dag processor'] / one['run_seconds'] * 60:.1f}",
            f"{one['run_seconds']:.0f}",
        ]
        for one in values
    ]
    head = [
        "settings",
        "load tasks",
        "seconds together",
        "seconds a task",
        "a task from start to end, s",
        "scheduler, CPU s a task",
        "API, CPU s a task",
        "task processes, CPU s a task",
        "DAG processor, CPU s a minute",
        "DAG run, s",
    ]
    lines = table(head, rows)
    lines[1] = "| ---" + lines[1].removeprefix("| ---:")
    largest = max(values, key=lambda one: (one["settings"] == COMPOSE, one["tasks"]))
    each = largest["wall"] / largest["tasks"]
    said = (
        f"A task costs {each:.1f} s ({largest['settings']}), so its files should take at least ten times that to load, "
        f"{each * 10:.0f} s, for Airflow's share to stay below a tenth: as many files as that needs."
    )
    return "\n".join([*lines, "", said])
