"""What an operator sees at three in the morning, in a real Chromium: each kind of trouble, with a picture in .cache/looks.

Run by `make test-ui`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.conftest import ROOT
from tests.ui.walk import find_chromium
from tests.web.conftest import serve, write_ledger_run

pytestmark = pytest.mark.alone

LOOKS = ROOT / ".cache" / "looks"
PAYER = "migrate__analytics__dimpayer"
VISITS = "migrate__analytics__factvisitcallperformance_cr"
NOW = datetime.now(UTC)
#: Loads into a table as a task does, and slowly: rows of one COPY for as long as it is let.
LOADER = """
import sys, time, psycopg
with psycopg.connect(sys.argv[1], application_name=sys.argv[2], autocommit=True) as connection:
    with connection.cursor().copy("COPY public.ui_staging FROM STDIN") as copy:
        while True:
            copy.write("1\\n" * 2000)
            time.sleep(0.05)
"""


def ago(**time):
    return NOW - timedelta(**time)


def chunk(rows):
    return [{"index": 0, "predicate": "", "rows": rows, "label": "chunk 000: all rows"}]


def plan(rows=1000, staging="none", **changes):
    return Jsonb(
        {
            "chunks": chunk(rows), "target_schema": "public", "target_table": "t", "staging_table": staging, "publish": "swap", "where": "",
            "file_format": "parquet", "load_method": "copy", "path": "A/B/T/run/", "location": {"bucket": "lake", "base": ""},
        }
        | changes
    )  # fmt: skip


def published(run_id, dag_id, dag_run_id, source, target, at, rows=1000, minutes=4, **columns):
    return {
        "run_id": run_id, "dag_id": dag_id, "dag_run_id": dag_run_id, "source": source, "target": target, "outcome": "published",
        "snapshot": f"{at:%Y-%m-%d %H:%M:%S}.000000000 +0000", "started_at": at, "staged_at": at + timedelta(minutes=1), "staged_files": 8,
        "staged_rows": rows, "staged_bytes": rows * 100, "verified_at": at + timedelta(minutes=minutes - 1), "source_rows": rows,
        "published_at": at + timedelta(minutes=minutes), "finished_at": at + timedelta(minutes=minutes), "plan": plan(rows),
        "verification": Jsonb({
            "source_rows": rows, "staged_rows": rows, "loaded_rows": rows, "rejected_rows": 0, "table_rows": rows,
            "fingerprint": {"compared": True, "columns": 12, "rows": rows, "hash": "00ff"},
        }),
        "publish_result": Jsonb({"method": "swap", "rows_after": rows, "whole_target": {"compared": "keys", "source_rows": rows, "target_rows": rows}}),
        "audit": Jsonb({"triggered_by": "ann", "snowflake_user": "SNOWMELT", "warehouse": "SNOWMELT_WH", "warehouse_size": "X-Small"}),
    } | columns  # fmt: skip


def write_files(connection, run_id, files, *, loaded, rows=100):
    connection.execute(
        "INSERT INTO snowmelt.staged_file (run_id, s3_key, chunk, batch, etag, bytes, rows) "
        "SELECT %s, format('A/B/T/run/chunk_%%s/data_%%s.parquet', lpad((n %% 20)::text, 3, '0'), n), n %% 20, n %% 280, 'e', 1000000, %s "
        "FROM generate_series(0, %s - 1) AS n",
        (run_id, rows, files),
    )
    connection.execute(
        "INSERT INTO snowmelt.loaded_file (run_id, s3_key, etag, bytes, rows, load_method, seconds, worker, loaded_at) "
        "SELECT run_id, s3_key, etag, bytes, rows, 'copy', 2.0, 'worker-' || batch %% 4 || ':1', clock_timestamp() - make_interval(secs => 900) * random() "
        "FROM snowmelt.staged_file WHERE run_id = %s ORDER BY batch, s3_key LIMIT %s",
        (run_id, loaded),
    )


def fill(dsn):
    from snowmelt.ledger.outcomes import FailedRun, write_failed
    from snowmelt.ledger.runs import write_ledger
    from snowmelt.ledger.tries import write_failure

    with psycopg.connect(dsn, autocommit=True) as connection:
        write_ledger(connection)
        connection.execute("CREATE TABLE public.ui_staging (id integer)")

        def add(**values):
            write_ledger_run(connection, **values)

        def fail(dag_run_id, step, error, dag_id="migrate_table", **names):
            failure = {
                "dag_id": dag_id,
                "dag_run_id": dag_run_id,
                "task_id": step,
                "map_index": -1,
                "try_number": 1,
                "label": None,
            }
            write_failure(connection, failure | {"error": error})
            write_failed(
                connection,
                FailedRun(
                    run_id=dag_run_id, dag_id=dag_id, dag_run_id=dag_run_id, step=step, error=error, **names
                ),
            )

        for day in range(12, 0, -1):
            seconds = {"minutes": 4 if day > 1 else 11}
            values = published(
                f"visits{day}",
                VISITS,
                f"v{day}",
                "ANALYTICS.BI.FACTVISITCALLPERFORMANCE_CR",
                "public.visits",
                ago(days=day),
                272_000_000 + day,
                **seconds,
            )
            add(
                **values
                | (
                    {
                        "outcome": "failed",
                        "published_at": None,
                        "failed_step": "verify",
                        "error": "3 rows differ",
                    }
                    if day == 5
                    else {}
                )
            )
        add(**published("payer", PAYER, "p1", "ANALYTICS.BI.DIMPAYER", "public.dimpayer", ago(hours=30)))
        add(**published("good", "migrate_table", "good", "A.B.GOOD", "public.good", ago(hours=2)))
        fail(
            "planning",
            "plan",
            "Reading the columns of A.B.GONE: it does not exist. See docs/troubleshooting.md#snowflake-grant",
            source="A.B.GONE",
            target="public.gone",
        )
        add(**published("publishing", "migrate_table", "publishing", "A.B.CLAIMS", "public.claims", ago(minutes=20)) | {
            "outcome": "running", "published_at": None, "finished_at": None, "publish_result": None,
        })  # fmt: skip
        fail(
            "publishing",
            "publish",
            "Publishing run publishing as public.claims: the view public.v depends on it.\nSee docs/troubleshooting.md#dependent-objects",
        )
        for name in ("killed", "stalled", "many"):
            add(
                run_id=name, dag_id="migrate_table", dag_run_id=name, source=f"A.B.{name.upper()}", target=f"public.{name}", source_rows=1_000_000,
                started_at=ago(minutes=20), staged_at=ago(minutes=16), staged_files=10_000 if name == "many" else 4, staged_rows=1_000_000,
                staged_bytes=10**10, plan=plan(1_000_000, "ui_staging" if name == "stalled" else "none"),
            )  # fmt: skip
        write_files(connection, "killed", 4, loaded=2, rows=250_000)
        write_files(connection, "stalled", 4, loaded=2, rows=250_000)
        write_files(connection, "many", 10_000, loaded=6_300)


def dag_run(run_id, state, tasks=(), dag_id="migrate_table"):
    return {"dag_id": dag_id, "run_id": run_id, "state": state, "tasks": list(tasks)}


THROUGH = [["plan", -1, "success", None], ["unload", 0, "success", "chunk 000"]]
RUNS = [
    dag_run("planning", "failed", [["plan", -1, "failed", None]]),
    dag_run("publishing", "failed", [*THROUGH, ["verify", -1, "success", None], ["publish", -1, "failed", None]]),
    dag_run("killed", "failed", [*THROUGH, ["load", 0, "success", None], ["load", 1, "failed", None], ["verify", -1, "upstream_failed", None]]),
    dag_run("stalled", "running", [*THROUGH, ["load", 0, "success", None], ["load", 1, "success", None], ["load", 2, "running", "file 2"], ["load", 3, "queued", "file 3"]]),
    dag_run("many", "running", [*THROUGH, *(["load", n, "success" if n < 170 else "running" if n < 186 else "queued", f"files {n}"] for n in range(280))]),
    dag_run("good", "success"),
]  # fmt: skip


@pytest.fixture(scope="module")
def seen(sandbox):
    """Every look, by its name: what was read on the page."""
    LOOKS.mkdir(parents=True, exist_ok=True)
    dsn = sandbox.create_database("ui_ledger")
    fill(dsn)
    from snowmelt.sql.names import load_session_name

    node = shutil.which("node")
    with psycopg.connect(dsn) as connection:
        ((key,),) = connection.execute(
            "SELECT s3_key FROM snowmelt.staged_file WHERE run_id = 'stalled' AND batch = 2"
        ).fetchall()
    loader = subprocess.Popen([sys.executable, "-c", LOADER, dsn, load_session_name("stalled", key)])
    late = {"SNOWMELT_TEST_FRESH": "93600"}
    with serve(sandbox, "ui_ledger", RUNS, late) as site:

        def look(*looks):
            environment = {**os.environ, "NODE_PATH": str(ROOT / ".cache" / "browser" / "node_modules")}
            command = [
                node,
                str(ROOT / "tests/ui/look.cjs"),
                find_chromium(),
                str(LOOKS),
                site.base,
                site.tokens["all"],
            ]
            done = subprocess.run(
                command,
                input=json.dumps(looks),
                env=environment,
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            return {one["name"]: one for one in map(json.loads, done.stdout.splitlines())}

        def run(name):
            return "/snowmelt/run?" + urlencode({"dag_id": "migrate_table", "run_id": name})

        table = "/snowmelt/table?" + urlencode(
            {"source": "ANALYTICS.BI.FACTVISITCALLPERFORMANCE_CR", "target": "public.visits"}
        )
        moving = look({"url": run("stalled"), "name": "moving", "wait": "file"})
        loader.send_signal(signal.SIGSTOP)
        try:
            found = look(
                {"url": "/snowmelt/migrations", "name": "migrations", "full": True},
                {"url": "/snowmelt/migrations", "name": "migrations-420", "width": 420, "full": True},
                {"url": table, "name": "history", "full": True},
                {"url": table, "name": "history-420", "width": 420, "full": True},
                {"url": run("planning"), "name": "planning"},
                {"url": run("publishing"), "name": "publishing"},
                {"url": run("killed"), "name": "killed"},
                {"url": run("many"), "name": "many", "full": True},
                {"url": run("many"), "name": "many-420", "width": 420},
                {"url": run("many") + "&page=3", "name": "many-page"},
                {"url": "/snowmelt/troubleshooting#dependent-objects", "name": "troubleshooting"},
                {"url": run("stalled"), "name": "stalled", "wait": "Stalled: no row"},
                {"url": run("stalled"), "name": "stalled-420", "width": 420},
                {
                    "url": run("good"),
                    "name": "lost",
                    "wait": "Airflow does not answer",
                    "freeze": site.pid,
                    "seconds": 18,
                    "back": True,
                },
            )
        finally:
            loader.send_signal(signal.SIGCONT)
            loader.kill()
            loader.wait()
        times = []
        for _ in range(5):
            began = time.monotonic()
            site.get(run("many"))
            times.append(time.monotonic() - began)
        found["poll"] = {"text": "", "errors": [], "wide": False, "seconds": min(times)}
        yield moving | found
    sandbox.drop_database("ui_ledger")


def test_no_page_has_an_error_of_its_own_or_is_wider_than_its_window(seen):
    assert {name: one["errors"] for name, one in seen.items() if one["errors"]} == {}
    assert [name for name, one in seen.items() if one["wide"]] == []


def test_failing_tables_come_first_then_late_then_running_then_good(seen):
    text = seen["migrations"]["text"]
    places = [
        text.index(name)
        for name in (
            "public.claims",
            "public.gone",
            "public.killed",
            "public.dimpayer",
            "public.many",
            "public.good",
        )
    ]
    assert places == sorted(places)
    for word in (
        "in publish",
        "in plan",
        "Airflow has ended the DAG run (failed); the ledger has no outcome of it.",
        "is expected within",
    ):
        assert word in text, word
    assert "How to solve it: dependent-objects" in text


def test_a_table_that_fails_in_planning(seen):
    text = seen["planning"]["text"]
    assert "Failed in Plan" in text
    assert "The target table does not exist: nothing was published." in text
    assert "How to solve it: snowflake-grant" in text


def test_a_publish_that_fails_never_reads_as_verified(seen):
    text = seen["publishing"]["text"]
    assert "Failed in Publish" in text
    assert "The staging table was verified; the target is not published" in text
    assert "nothing was published" in text


def test_a_run_that_was_killed(seen):
    assert "Failed in Load" in seen["killed"]["text"]


def test_a_load_that_was_stopped_is_stalled_and_has_no_time_left(seen):
    assert "Stalled" not in seen["moving"]["text"]
    text = seen["stalled"]["text"]
    assert "Stalled: no row for" in text
    assert "PostgreSQL waits for the worker" in text
    assert "Time left" not in text
    assert "Last updated" in text


def test_an_airflow_that_does_not_answer_for_half_a_minute(seen):
    """Its process was stopped; the page said so, and went on when it answered again."""
    assert "Published" in seen["lost"]["text"]
    assert "does not answer" not in seen["lost"]["text"]


def test_ten_thousand_files_cost_little(seen):
    assert "6,300 of 10,000 files" in seen["many"]["text"]
    assert "451 to 600 of 10,000 files" in seen["many-page"]["text"]
    assert seen["many"]["size"] < 300_000
    assert seen["poll"]["seconds"] < 1.5


def test_the_history_says_what_failed_and_what_takes_longer(seen):
    text = seen["history"]["text"]
    assert "175% longer than usual" in seen["migrations"]["text"]
    assert "3 rows differ" in text
    assert "ann" in text
