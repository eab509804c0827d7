"""The real Airflow, its parts killed one by one in mid-run and started again: scheduler, triggerer, API server, an unload's and a load's process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg
import pytest

from sandbox.airflow import is_healthy
from snowmelt.publish.staging import list_leftovers
from tests.conftest import STATE
from tests.dags.conftest import FACT, demo, environment  # noqa: F401 - demo is a fixture
from tests.dags.test_scheduler import Api

pytestmark = pytest.mark.faults

SECONDS = 300
PARTS = ("api-server", "dag-processor", "scheduler", "triggerer")
#: A dead worker is noticed after a quarter of a minute instead of five.
QUICK = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "10",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "8",
}


class Airflow:
    """Each part a process group of its own, as a supervisor or Kubernetes would run it."""

    def __init__(self, env: dict[str, str]) -> None:
        path = os.pathsep.join((str(Path(sys.executable).parent), env["PATH"]))
        self.env = {**env, **QUICK, "PATH": path}
        self.parts: dict[str, subprocess.Popen] = {}

    def start(self, part: str) -> None:
        log = (STATE / "log" / f"airflow-{part}.log").open("ab")
        self.parts[part] = subprocess.Popen(
            [sys.executable, "-m", "airflow", part],
            env=self.env,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()

    def kill(self, part: str) -> None:
        """The whole group at once, as when a machine dies: LocalExecutor's workers go with their scheduler."""
        victims = psutil.Process(self.parts[part].pid).children(recursive=True)
        os.killpg(self.parts[part].pid, signal.SIGKILL)
        for victim in victims:
            try:
                victim.kill()
            except psutil.Error:
                continue
        self.parts[part].wait(60)

    def wait(self) -> Api:
        end = time.monotonic() + SECONDS
        while not is_healthy(self.env["AIRFLOW__API__BASE_URL"].rstrip("/")):
            assert time.monotonic() < end, "Airflow does not get well"
            time.sleep(1)
        return Api(self.env["AIRFLOW__API__BASE_URL"])


@pytest.fixture(scope="module")
def airflow(demo):  # noqa: F811
    made = Airflow(environment(demo))
    for part in PARTS:
        made.start(part)
    made.wait()
    yield made
    for part in PARTS:
        made.kill(part)


@pytest.fixture
def app(demo):  # noqa: F811
    with psycopg.connect(demo.env["SNOWMELT_SANDBOX_PG_DSN"], autocommit=True) as connection:
        yield connection


def conf(target):
    return {
        "source_database": "ANALYTICS", "source_schema": "BI", "source_table": FACT, "target_schema": "public",
        "target_table": target, "chunking_column": "Visit Id", "chunk_rows": 2000, "max_file_size_mb": 4,
    }  # fmt: skip


@pytest.fixture(scope="module")
def reference(airflow, demo):  # noqa: F811
    """The table as an undisturbed run copies it."""
    api = airflow.wait()
    run_id = api.trigger("migrate_table", conf("undisturbed"))
    assert api.wait("migrate_table", run_id) == "success"
    return "undisturbed"


def until(condition, what):
    end = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.05)
    return found


def loading(app, run_id):
    """Ports of the sessions that load files now."""
    return [
        port
        for (port,) in app.execute(
            "SELECT client_port FROM pg_stat_activity WHERE application_name LIKE 'snowmelt ____________ %' AND state <> 'idle'"
        )
    ]


def kill_a_load(app, run_id):
    ports = until(lambda: loading(app, run_id), "a load")
    pids = {
        each.pid
        for each in psutil.net_connections("tcp4")
        if each.laddr and each.laddr.port in ports and each.pid
    }
    assert pids
    os.kill(min(pids), signal.SIGKILL)


def unloads(api, run_id):
    return [each["state"] for each in api.mapped("migrate_table", run_id, "unload")]


def kill_an_unload(airflow, api, run_id):
    """A task's process that has its session with Snowflake open, at whatever it does there."""
    until(lambda: set(unloads(api, run_id)) & {"queued", "running"}, "an unload")
    port = json.loads(airflow.env["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"])["extra"]["port"]
    scheduler = psutil.Process(airflow.parts["scheduler"].pid)

    def talking():
        workers = {each.pid for each in scheduler.children(recursive=True)}
        open_ones = psutil.net_connections("tcp4")
        return [
            each.pid
            for each in open_ones
            if each.raddr and each.raddr.port == int(port) and each.pid in workers
        ]

    os.kill(until(talking, "an unload's session")[0], signal.SIGKILL)


@pytest.mark.parametrize("victim", ["load", "unload", "scheduler", "triggerer", "api-server"])
def test_killed_in_mid_run(airflow, app, stand_ins, reference, victim):
    target = f"under_{victim.replace('-', '_')}"
    api = airflow.wait()
    slow_unload = {"kind": "stall", "match": "COPY INTO", "seconds": 12, "count": 0}
    slow_load = {"kind": "stall", "match": "airflow-reader GET .*data_", "seconds": 3, "count": 0}
    with (
        stand_ins.snowflake(*([slow_unload] if victim in {"triggerer", "unload"} else [])),
        stand_ins.s3(*([slow_load] if victim not in {"triggerer", "unload"} else [])),
    ):
        run_id = api.trigger("migrate_table", conf(target))
        if victim == "load":
            kill_a_load(app, run_id)
        elif victim == "unload":
            kill_an_unload(airflow, api, run_id)
        elif victim == "triggerer":
            until(lambda: "deferred" in unloads(api, run_id), "a deferred unload")
            airflow.kill("triggerer")
            time.sleep(3)
            airflow.start("triggerer")
        else:
            until(lambda: loading(app, run_id), "a load")
            airflow.kill(victim)
            time.sleep(3)
            airflow.start(victim)
    api = airflow.wait()
    assert api.wait("migrate_table", run_id) == "success"
    (different,) = app.execute(
        f"SELECT count(*) FROM ((TABLE {reference} EXCEPT ALL TABLE {target}) UNION ALL (TABLE {target} EXCEPT ALL TABLE {reference})) AS d"
    ).fetchone()
    assert different == 0
    assert app.execute(f"SELECT count(*) FROM {target}").fetchone() == (5000,)
    assert (
        app.execute(
            "SELECT count(*), count(*) FILTER (WHERE l.s3_key IS NULL) FROM snowmelt.staged_file AS s LEFT JOIN snowmelt.loaded_file AS l USING (run_id, s3_key) "
            "JOIN snowmelt.run AS r USING (run_id) WHERE r.dag_run_id = %s AND r.outcome = 'published'",
            (run_id,),
        ).fetchone()[1]
        == 0
    )
    assert [each.name for each in list_leftovers(app)] == []
    assert [query["sql"] for query in stand_ins.running_queries()] == []
