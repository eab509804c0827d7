"""The pages as Airflow's own API server serves them, over a ledger with hostile and with foreign rows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.conftest import ROOT
from tests.waiting import wait_until

SERVER = Path(__file__).with_name("server.py")
MARK = "@@@ "
HOSTILE = '</td><script>alert("x")</script>\' "quoted" &amp; ' + "ü" * 120
RUN = "manual__2026-11-22T12:00:00+00:00"
FORGOTTEN = "manual__2020-01-01T00:00:00+00:00"
UNPLANNED = "manual__2026-11-22T13:00:00+00:00"
PLANNED_LABEL = "chunk 000: all <i>rows</i>"


@dataclass(frozen=True)
class Answer:
    status: int
    text: str
    headers: Any

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True)
class Site:
    """A running API server, and who may ask it."""

    base: str
    tokens: dict[str, str]
    pid: int
    #: Of the server, for commands of Airflow beside it.
    environment: dict[str, str]

    def get(self, path: str, user: str | None = "all", **query: str) -> Answer:
        return self._ask(f"{path}?{urllib.parse.urlencode(query)}" if query else path, user)

    def post(self, path: str, body: dict[str, Any], user: str | None = "all") -> Answer:
        return self._ask(path, user, json.dumps(body).encode())

    def _ask(self, path: str, user: str | None, body: bytes | None = None) -> Answer:
        request = urllib.request.Request(f"{self.base}{path}", body, {"Content-Type": "application/json"})
        if user is not None:
            request.add_header("Cookie", f"_token={self.tokens[user]}")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return Answer(answer.status, answer.read().decode(), answer.headers)
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read().decode(), error.headers)


def write_ledger_run(connection, run_id, dag_id, dag_run_id, source, target, **columns):
    values = {
        "run_id": run_id, "dag_id": dag_id, "dag_run_id": dag_run_id, "source": source, "target": target, "mode": "full",
        "request": Jsonb({}), "fingerprint": "f", "source_rows": 100,
        "plan": Jsonb({
            "chunks": [{"index": 0, "predicate": "", "rows": 100, "label": PLANNED_LABEL}], "target_schema": "public",
            "staging_table": "none", "publish": "swap", "file_format": "parquet", "load_method": "copy", "path": f"{source}/run/",
            "location": {"bucket": "lake", "base": "base/"},
        }),
    } | columns  # fmt: skip
    names = ", ".join(values)
    places = ", ".join(f"%({name})s" for name in values)
    connection.execute(f"INSERT INTO snowmelt.run ({names}) VALUES ({places})", values)


def fill(dsn):
    from snowmelt.ledger.runs import write_ledger
    from snowmelt.ledger.tries import write_failure

    with psycopg.connect(dsn, autocommit=True) as connection:
        write_ledger(connection)
        write_ledger_run(connection, "hostile", "migrate_table", RUN, HOSTILE, f"public.{HOSTILE}")
        write_ledger_run(
            connection, "forgotten", "migrate__analytics__dimpayer", FORGOTTEN, "A.B.FORGOTTEN", "public.forgotten",
            outcome="published", snapshot="2020-01-01 00:00:00.000000000 +0000", published_at="2020-01-01 00:01:00Z",
            verified_at="2020-01-01 00:00:59Z", finished_at="2020-01-01 00:02:00Z", publish_result=Jsonb({"rows_after": 1234}),
        )  # fmt: skip
        write_ledger_run(connection, "gone", "a_dag_that_is_gone", FORGOTTEN, "A.B.GONE", "public.gone")
        for key, batch in (("x/chunk_000/data_<b>0.parquet", 0), ("x/chunk_000/data_1.parquet", 1)):
            connection.execute(
                "INSERT INTO snowmelt.staged_file VALUES ('hostile', %s, 0, %s, 'e', 1000, 50)", (key, batch)
            )
        connection.execute(
            "INSERT INTO snowmelt.loaded_file (run_id, s3_key, etag, bytes, rows, load_method, seconds, worker) "
            "VALUES ('hostile', 'x/chunk_000/data_1.parquet', 'e', 1000, 50, 'copy', 2.0, 'host:12')"
        )
        failure = {
            "dag_id": "migrate_table",
            "task_id": "load",
            "map_index": 0,
            "try_number": 1,
            "label": HOSTILE,
        }
        write_failure(
            connection, failure | {"dag_run_id": RUN, "error": "VALUE-SECRET <img src=x onerror=alert(1)>"}
        )
        write_failure(
            connection,
            failure
            | {
                "dag_run_id": UNPLANNED,
                "task_id": "plan",
                "map_index": -1,
                "label": None,
                "error": "no such table. See docs/troubleshooting.md#snowflake-grant",
            },
        )


@contextmanager
def serve(
    sandbox, database: str, runs: list[dict[str, Any]], settings: dict[str, str] | None = None, **ledger: Any
) -> Iterator[Site]:
    """Airflow's API server over a ledger, with these DAG runs; on the port of the sandbox's Airflow.

    :param runs: as `tests.web.server.write_run` takes them.
    :param settings: environment variables for the server.
    :param ledger: fields of the ledger's connection that are to be others: host, port.
    """
    environment = {
        **os.environ, **sandbox.env, "PYTHONWARNINGS": "ignore",
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "provider"))),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__CORE__AUTH_MANAGER": "tests.web.rights.SomeDags",
        **(settings or {}),
    }  # fmt: skip
    connection = json.loads(environment["AIRFLOW_CONN_POSTGRES_DEFAULT"])
    environment["AIRFLOW_CONN_POSTGRES_DEFAULT"] = json.dumps(connection | {"schema": database} | ledger)
    environment["WEB_TEST_RUNS"] = json.dumps(runs)
    migrated = subprocess.run(
        [sys.executable, "-m", "airflow", "db", "migrate"], env=environment, capture_output=True, text=True
    )
    assert migrated.returncode == 0, migrated.stdout + migrated.stderr

    def forget() -> None:
        with psycopg.connect(sandbox.superuser_dsn("airflow"), autocommit=True) as metadata:
            metadata.execute("DELETE FROM dag_run WHERE run_id = ANY(%s)", ([run["run_id"] for run in runs],))

    forget()
    server = subprocess.Popen(
        [sys.executable, str(SERVER)], env=environment, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )  # fmt: skip
    try:
        line = next((line for line in server.stdout if line.startswith(MARK)), None)
        assert line, "the API server ended before it was up; its errors are above"
        # A full pipe would stop the server at its next log line.
        threading.Thread(target=server.stdout.read, daemon=True).start()
        tokens = json.loads(line.removeprefix(MARK))
        site = Site(environment["AIRFLOW__API__BASE_URL"].rstrip("/"), tokens, server.pid, environment)
        wait_until(lambda: _answers(site), seconds=120)
        yield site
    finally:
        server.stdin.close()
        server.wait(60)
        server.stdout.close()
        forget()


def _answers(site: Site) -> bool:
    try:
        site.get("/api/v2/version", None)
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def site(sandbox):
    fill(sandbox.create_database("web_ledger"))
    runs = [
        {
            "dag_id": "migrate_table",
            "run_id": RUN,
            "tasks": [
                ["plan", -1, "success", None], ["unload", 0, "success", PLANNED_LABEL],
                ["load", 0, "failed", HOSTILE[:200]], ["load", 1, "success", "data_1"],
                ["load", 2, "failed", "data_2"],
            ],
        },
        {"dag_id": "migrate_table", "run_id": UNPLANNED, "tasks": [["plan", -1, "failed", None]]},
    ]  # fmt: skip
    with serve(sandbox, "web_ledger", runs) as served:
        yield served
    sandbox.drop_database("web_ledger")
