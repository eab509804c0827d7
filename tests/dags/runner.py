"""Runs DAGs by `dag.test()` in one process of Airflow's: a JSON list of jobs in, one line of JSON for each out.

A job: {"dag": id, "conf": {…}, "environment": {…}}. Tasks are not retried, so a failure shows at once.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
MARK = "@@@ "


def main() -> None:
    from snowmelt.dag_factory import build_doctor, build_migrate_table, build_table_dags, read_config

    for job in json.load(sys.stdin):
        before = dict(os.environ)
        os.environ.update(job.get("environment", {}))
        config = read_config(ROOT / "include/config/s3copyconfig.json")
        built = [build_migrate_table(config), *build_table_dags(config), build_doctor(config)]
        dags = {dag.dag_id: dag for dag in built}
        dag = dags[job["dag"]]
        for task in dag.tasks:
            task_or_partial = task.partial_kwargs if task.is_mapped else vars(task)
            task_or_partial["retries"] = 0
        print(f"{MARK}begin", flush=True)
        try:
            run = dag.test(run_conf=job.get("conf") or {})
            answer = {
                "state": str(run.state.value if hasattr(run.state, "value") else run.state),
                "run_id": run.run_id,
                "tasks": sorted([ti.task_id, ti.map_index, str(ti.state)] for ti in run.get_task_instances()),
            }
        except Exception as error:
            answer = {"state": "refused", "run_id": None, "tasks": [], "error": str(error)}
        print(f"{MARK}{json.dumps(answer)}", flush=True)
        os.environ.clear()
        os.environ.update(before)


if __name__ == "__main__":
    main()
