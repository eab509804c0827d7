"""A real scheduler with real workers: one mapped load fails, is cleared by itself, and only its file is loaded again."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request

import psycopg
import pytest

from tests.conftest import ROOT, STATE
from tests.dags.conftest import FACT, environment

SECONDS = 240
CHUNK_ROWS = 2000


class Api:
    """Airflow's public API."""

    def __init__(self, base: str) -> None:
        self.base = base.rstrip("/")
        self.token = self.call("GET", "/auth/token")["access_token"]

    def call(self, method: str, path: str, body: dict | None = None) -> dict:
        headers = {"Content-Type": "application/json"}
        if hasattr(self, "token"):
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.base}{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def trigger(self, dag_id: str, conf: dict) -> str:
        self.call("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": False})
        return self.call("POST", f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None, "conf": conf})[
            "dag_run_id"
        ]

    def wait(self, dag_id: str, run_id: str) -> str:
        end = time.monotonic() + SECONDS
        while (state := self.call("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")["state"]) in {
            "queued",
            "running",
        }:
            assert time.monotonic() < end, f"{dag_id} {run_id} is still {state}"
            time.sleep(1)
        return state

    def mapped(self, dag_id: str, run_id: str, task_id: str) -> list[dict]:
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/listMapped?limit=100"
        return sorted(self.call("GET", path)["task_instances"], key=lambda instance: instance["map_index"])


@pytest.fixture(scope="module")
def airflow(demo):
    command = [sys.executable, "-m", "sandbox.airflow"]
    state = ["--state", str(STATE)]
    up = subprocess.run(
        [*command, "up", *state], cwd=ROOT, env=environment(demo), capture_output=True, text=True
    )
    assert up.returncode == 0, up.stdout + up.stderr
    try:
        yield Api(demo.env["AIRFLOW__API__BASE_URL"])
    finally:
        subprocess.run(
            [*command, "down", *state], cwd=ROOT, env=environment(demo), check=True, capture_output=True
        )


# A trigger of somebody else's on the ledger would be refused at planning.
BREAK = "ALTER TABLE snowmelt.loaded_file ADD CONSTRAINT break_one CHECK (s3_key NOT LIKE '%/chunk_001/%') NOT VALID"
MEND = "ALTER TABLE snowmelt.loaded_file DROP CONSTRAINT IF EXISTS break_one"


@pytest.mark.slow
def test_one_failed_file_is_cleared_and_only_it_is_loaded_again(airflow, demo, run_dags):
    dsn = demo.env["SNOWMELT_SANDBOX_PG_DSN"]
    conf = {
        "source_database": "ANALYTICS",
        "source_schema": "BI",
        "source_table": FACT,
        "target_schema": "public",
        "target_table": "cleared",
        "chunking_column": "Visit Id",
        "chunk_rows": CHUNK_ROWS,
        "max_file_size_mb": 4,
    }
    with psycopg.connect(dsn, autocommit=True) as connection:
        from snowmelt.ledger.runs import write_ledger

        write_ledger(connection)
        connection.execute(MEND)
        connection.execute(BREAK)
        try:
            run_id = airflow.trigger("migrate_table", conf)
            assert airflow.wait("migrate_table", run_id) == "failed"
        finally:
            connection.execute(MEND)
        loads = airflow.mapped("migrate_table", run_id, "load")
        failed = [load["map_index"] for load in loads if load["state"] == "failed"]
        assert 1 <= len(failed) < len(loads)
        assert all("chunk_001/" in loads[index]["rendered_map_index"] for index in failed)
        before = connection.execute(
            "SELECT s3_key, loaded_at FROM snowmelt.loaded_file JOIN snowmelt.run USING (run_id) WHERE dag_run_id = %s",
            (run_id,),
        ).fetchall()
        assert len(before) == len(loads) - len(failed)
        assert connection.execute("SELECT to_regclass('public.cleared')").fetchone() == (None,)

        airflow.call(
            "POST",
            "/api/v2/dags/migrate_table/clearTaskInstances",
            {
                "dry_run": False,
                "dag_run_id": run_id,
                "task_ids": [["load", index] for index in failed],
                "include_downstream": True,
                "only_failed": False,
                "reset_dag_runs": True,
            },
        )
        assert airflow.wait("migrate_table", run_id) == "success"
        after = dict(
            connection.execute(
                "SELECT s3_key, loaded_at FROM snowmelt.loaded_file JOIN snowmelt.run USING (run_id) WHERE dag_run_id = %s",
                (run_id,),
            ).fetchall()
        )
        assert len(after) == len(loads)
        assert all(after[key] == loaded_at for key, loaded_at in before)
        tries = {
            load["map_index"]: load["try_number"] for load in airflow.mapped("migrate_table", run_id, "load")
        }
        assert {index for index, number in tries.items() if number > 1} == set(failed)
        (count,) = connection.execute("SELECT count(*) FROM public.cleared").fetchone()
        assert (
            count
            == connection.execute(
                "SELECT source_rows FROM snowmelt.run WHERE dag_run_id = %s", (run_id,)
            ).fetchone()[0]
        )
        connection.execute("DROP TABLE public.cleared")


@pytest.mark.alone
def test_runs_of_a_table_never_overlap_tell_of_their_rows_and_a_window_is_backfilled(
    airflow, demo, snowflake
):
    dag_id = f"migrate__analytics__{FACT.lower()}"
    conf = {"mode": "catch_up", "chunk_rows": 10_000_000}
    with psycopg.connect(demo.env["SNOWMELT_SANDBOX_PG_DSN"], autocommit=True) as connection:
        target = f"public.{FACT.lower()}"
        connection.execute(f"DROP TABLE IF EXISTS {target}")
        connection.execute(f"DELETE FROM snowmelt.watermark WHERE target = '{target}'")
        runs = [airflow.trigger(dag_id, conf) for _ in range(2)]
        assert [airflow.wait(dag_id, run_id) for run_id in runs] == ["success"] * 2
        first, second = sorted(
            (airflow.call("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}") for run_id in runs),
            key=lambda run: run["start_date"],
        )
        assert first["end_date"] <= second["start_date"]
        events = airflow.call("GET", f"/api/v2/assets/events?source_dag_id={dag_id}&order_by=timestamp")[
            "asset_events"
        ]
        assert [event["name"] for event in events] == [f"{target} (postgres_default)"] * 2
        assert events[0]["extra"]["inserted"] == events[0]["extra"]["rows_after"] > 0
        assert events[1]["extra"] | {"unchanged": 0} == events[1]["extra"] | {
            "inserted": 0,
            "updated": 0,
            "unchanged": 0,
        }

        watermark = f"SELECT value FROM snowmelt.watermark WHERE target = '{target}'"
        before = connection.execute(watermark).fetchone()
        assert before is not None
        with snowflake.cursor() as cursor:
            cursor.execute(f'SELECT MIN("Visit Id"), MAX("Visit Id") FROM ANALYTICS.BI.{FACT}')
            inside, outside = cursor.fetchone()
            for visit, moment in ((inside, "2025-02-03 12:00:00"), (outside, "2025-02-05 12:00:00")):
                cursor.execute(
                    f"UPDATE ANALYTICS.BI.{FACT} SET LAST_MODIFIED = '{moment} +00:00'::TIMESTAMP_LTZ WHERE \"Visit Id\" = {visit}"
                )
        window = {"from_date": "2025-02-04T02:00:00Z", "to_date": "2025-02-04T02:00:00Z"}
        airflow.call(
            "POST",
            "/api/v2/backfills",
            {"dag_id": dag_id, "dag_run_conf": conf, "max_active_runs": 1, **window},
        )
        (backfilled,) = airflow.call("GET", f"/api/v2/dags/{dag_id}/dagRuns?run_type=backfill")["dag_runs"]
        assert airflow.wait(dag_id, backfilled["dag_run_id"]) == "success"
        assert connection.execute(watermark).fetchone() == before
        # Of the two changed rows one is in the window of a day that ends at that tick. (Airflow then also starts the
        # scheduled run of this morning, so the table itself is no witness.)
        result = connection.execute(
            "SELECT publish_result->>'updated', publish_result->>'inserted', plan->>'watermark' FROM snowmelt.run WHERE dag_run_id = %s",
            (backfilled["dag_run_id"],),
        ).fetchone()
        assert result == ("1", "0", None)
