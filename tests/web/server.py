"""Airflow's real API server, in a process of its own: prints a line of JSON with a token for each user, then serves until its input ends.

Its DAGs are written to Airflow's database first, by Airflow's own code.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).parents[2]
USERS = {"all": "ADMIN", "viewer": "VIEWER", "narrow": "ADMIN", "none": "ADMIN", "nologs": "ADMIN"}


def write_dags() -> None:
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.serialization.serialized_objects import DagSerialization  # noqa: F401 - its import order matters
    from airflow.utils.session import create_session

    from snowmelt.dag_factory import build_migrate_table, build_table_dags, read_config

    DagBundlesManager().sync_bundles_to_db()
    config = read_config(ROOT / "include/config/s3copyconfig.json")
    dags = [build_migrate_table(config), *build_table_dags(config)]
    for dag in dags[1:]:
        dag.get_task("publish").expect_fresh_within = int(os.environ.get("SNOWMELT_TEST_FRESH", "0")) or None
    from airflow.dag_processing.collection import update_dag_parsing_results_in_db
    from airflow.serialization.serialized_objects import LazyDeserializedDAG

    with create_session() as session:
        update_dag_parsing_results_in_db(
            bundle_name="dags-folder", bundle_version=None, dags=[LazyDeserializedDAG.from_dag(dag) for dag in dags],
            import_errors={}, parse_duration=None, warnings=set(), session=session,
        )  # fmt: skip


def write_run(run: dict) -> None:
    """A DAG run with task instances in given states: {dag_id, run_id, state (running), tasks: [[task_id, map_index, state, label]]}."""
    from airflow._shared.timezones import timezone
    from airflow.models.dag_version import DagVersion
    from airflow.models.dagrun import DagRun
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    with create_session() as session:
        now = timezone.utcnow()
        version = DagVersion.get_latest_version(run["dag_id"], session=session)
        dag = SerializedDagModel.get_dag(run["dag_id"], session=session)
        session.add(
            DagRun(
                dag_id=run["dag_id"], run_id=run["run_id"], run_type=DagRunType.MANUAL, state=run.get("state", "running"), run_after=now,
                triggered_by=DagRunTriggeredByType.TEST, start_date=now,
            )
        )  # fmt: skip
        session.flush()
        for task_id, map_index, state, label in run["tasks"]:
            ti = TaskInstance(
                task=dag.get_task(task_id),
                dag_version_id=version.id,
                run_id=run["run_id"],
                map_index=map_index,
                state=state,
            )
            ti.start_date = now
            ti._rendered_map_index = label
            session.add(ti)


def main() -> None:
    import uvicorn
    from airflow.api_fastapi.app import create_app, get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    write_dags()
    for run in json.loads(os.environ["WEB_TEST_RUNS"]):
        write_run(run)
    app = create_app(apps="core")
    tokens = {
        name: get_auth_manager().generate_jwt(SimpleAuthManagerUser(username=name, role=role))
        for name, role in USERS.items()
    }
    config = uvicorn.Config(
        app, host="127.0.0.1", port=int(os.environ["AIRFLOW__API__PORT"]), log_level="error"
    )
    server = uvicorn.Server(config)

    def end() -> None:
        sys.stdin.read()
        server.should_exit = True

    threading.Thread(target=end, daemon=True).start()
    print("@@@ " + json.dumps(tokens), flush=True)
    server.run()


if __name__ == "__main__":
    main()
