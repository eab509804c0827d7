"""docker-compose.yaml's services over the sandbox, as processes: a table is copied by two Celery workers, of which one is killed."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import psutil
import psycopg
import pytest

from tests.compose.processes import Stack, wait_for
from tests.conftest import STATE
from tests.dags.conftest import FACT, ROWS, demo
from tests.dags.test_scheduler import Api

__all__ = ["demo"]

pytestmark = pytest.mark.alone

PARTS = ("metadatabase", "scheduler", "triggerer", "dag_processor")
#: Held by the test while one load is to stand still; the number is nobody else's.
LOCK = 7_301_246
HOLD = f"""
CREATE OR REPLACE FUNCTION public.hold_one(s3_key text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF s3_key LIKE '%/chunk_001/%' THEN
    PERFORM pg_advisory_lock_shared({LOCK}); PERFORM pg_advisory_unlock_shared({LOCK});
  END IF;
  RETURN true;
END $$;
ALTER TABLE snowmelt.loaded_file ADD CONSTRAINT hold_one CHECK (public.hold_one(s3_key)) NOT VALID;
"""
LET_GO = "ALTER TABLE snowmelt.loaded_file DROP CONSTRAINT IF EXISTS hold_one; DROP FUNCTION IF EXISTS public.hold_one(text)"
WAITING = (
    "SELECT client_port FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND wait_event = 'advisory'"
)


@pytest.fixture(scope="module")
def stack(demo, tmp_path_factory):
    home = tmp_path_factory.mktemp("compose")
    info = psycopg.conninfo.conninfo_to_dict(
        demo.env["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg2", "")
    )
    made = Stack(
        home,
        f"127.0.0.1:{info['port']}",
        str(info["password"]),
        STATE / "env",
        AIRFLOW_WORKER_CONCURRENCY="2",
        AIRFLOW_HEARTBEAT_TIMEOUT="20",
    )
    try:
        made.start_redis()
        made.run("init")
        for service in ("api-server", "scheduler", "dag-processor", "triggerer"):
            made.start(service)
        for number in (1, 2):
            made.start(
                "worker",
                f"worker{number}",
                "--celery-hostname",
                f"worker{number}@%h",
                "--pid",
                str(home / f"worker{number}.pid"),
                AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT=made.ports[f"worker_log_{number}"],
            )
        wait_for("Airflow is healthy", lambda: is_healthy(made), made)
        yield made
    finally:
        made.stop()


def is_healthy(stack: Stack) -> bool:
    try:
        with urllib.request.urlopen(f"{stack.address}/api/v2/monitor/health", timeout=5) as answer:
            health = json.load(answer)
    except (OSError, ValueError, urllib.error.URLError):
        return False
    return all((health.get(part) or {}).get("status") == "healthy" for part in PARTS)


def worker_of(stack: Stack, port: int) -> str | None:
    """The worker below which the process runs that owns this end of a connection."""
    for connection in psutil.net_connections("tcp"):
        if connection.laddr and connection.laddr.port == port and connection.pid:
            above = {parent.pid for parent in psutil.Process(connection.pid).parents()}
            return next((name for name, process in stack.running.items() if process.pid in above), None)
    return None


def test_a_killed_worker_loses_nothing(stack, demo):
    api = Api(stack.address)
    wait_for("migrate_table is parsed", lambda: "migrate_table" in dags(api), stack)
    dsn = demo.env["SNOWMELT_SANDBOX_PG_DSN"]
    conf = {
        "source_database": "ANALYTICS",
        "source_schema": "BI",
        "source_table": FACT,
        "target_schema": "public",
        "target_table": "by_celery",
        "chunking_column": "Visit Id",
        "chunk_rows": 1000,
        "max_file_size_mb": 4,
    }
    with psycopg.connect(dsn, autocommit=True) as connection:
        from snowmelt.ledger.runs import write_ledger

        write_ledger(connection)
        connection.execute("DROP TABLE IF EXISTS public.by_celery")
        connection.execute(LET_GO)
        connection.execute(HOLD)
        connection.execute(f"SELECT pg_advisory_lock({LOCK})")
        try:
            run_id = api.trigger("migrate_table", conf)
            ports = wait_for(
                "a load of chunk 001 stands still", lambda: connection.execute(WAITING).fetchall(), stack
            )
            # Others of the run go on meanwhile, on both workers.
            wait_for("another file is loaded", lambda: loaded(connection, run_id), stack)
            killed = wait_for(
                "the worker that holds it", lambda: worker_of(stack, int(ports[0][0])), stack, 30
            )
            stack.kill(killed)
        finally:
            connection.execute(f"SELECT pg_advisory_unlock({LOCK})")
        assert api.wait("migrate_table", run_id) == "success", stack.tail()
        connection.execute(LET_GO)
        loads = api.mapped("migrate_table", run_id, "load")
        assert len(loads) >= 5
        assert {load["state"] for load in loads} == {"success"}
        again = [load for load in loads if load["try_number"] > 1]
        assert any("chunk_001/" in load["rendered_map_index"] for load in again)
        (rows, keys) = connection.execute('SELECT count(*), count(DISTINCT "Visit Id") FROM public.by_celery').fetchone()  # fmt: skip
        assert (rows, keys) == (ROWS, ROWS)
        (files, distinct, staged) = connection.execute(
            "SELECT count(*), count(DISTINCT s3_key), max(r.staged_files) FROM snowmelt.loaded_file JOIN snowmelt.run AS r USING (run_id) "
            "WHERE r.dag_run_id = %s",
            (run_id,),
        ).fetchone()
        assert files == distinct == staged
        connection.execute("DROP TABLE public.by_celery")


def dags(api: Api) -> set[str]:
    return {dag["dag_id"] for dag in api.call("GET", "/api/v2/dags?limit=100")["dags"]}


def loaded(connection: psycopg.Connection, run_id: str) -> list:
    return connection.execute(
        "SELECT 1 FROM snowmelt.loaded_file JOIN snowmelt.run USING (run_id) WHERE dag_run_id = %s LIMIT 1",
        (run_id,),
    ).fetchall()
