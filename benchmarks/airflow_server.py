"""A real Airflow with LocalExecutor over the benchmark's stand-ins: started with chosen settings, asked over its API, its CPU read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psutil

from benchmarks.bench import ROOT, STATE, Bench
from sandbox.airflow import NAME
from sandbox.process import read_started
from sandbox.state import State

#: What the sandbox sets to be quick; without these Airflow has its defaults.
SANDBOX_SETTINGS = (
    "AIRFLOW__CORE__PARALLELISM",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL",
    "AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL",
)
#: Part → a word of its command line, as `airflow standalone` starts it.
PARTS = {"scheduler": "scheduler", "api": "api", "dag processor": "dag", "triggerer": "triggerer"}
_SECONDS = 3_600


@dataclass(frozen=True)
class AirflowServer:
    """A running Airflow."""

    base: str
    token: str
    pid: int

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One request to the public API."""
        return _call(self.base, self.token, method, path, body)

    def run(self, dag_id: str, conf: Mapping[str, Any]) -> tuple[str, str]:
        """Trigger a run and wait for its end: (run id, state)."""
        deadline = time.monotonic() + _SECONDS
        while True:  # the DAG file may not be parsed yet
            try:
                self.call("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": False})
                break
            except urllib.error.HTTPError as error:
                if error.code != 404 or time.monotonic() > deadline:
                    raise
                time.sleep(1)
        body = {"logical_date": None, "conf": conf}
        run_id = str(self.call("POST", f"/api/v2/dags/{dag_id}/dagRuns", body)["dag_run_id"])
        while True:
            state = str(self.call("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")["state"])
            if state not in {"queued", "running"}:
                return run_id, state
            if time.monotonic() > deadline:
                raise RuntimeError(f"{dag_id} {run_id} is still {state}")
            time.sleep(1)

    def end_runs(self, dag_id: str) -> None:
        """End what an interrupted benchmark left running: it would go on beside what is measured."""
        path = f"/api/v2/dags/{dag_id}/dagRuns"
        left = (
            self.call("GET", f"{path}?state=running&state=queued")
            if self._knows(dag_id)
            else {"dag_runs": []}
        )
        for run in left["dag_runs"]:
            self.call("PATCH", f"{path}/{run['dag_run_id']}", {"state": "failed"})

    def _knows(self, dag_id: str) -> bool:
        return any(dag["dag_id"] == dag_id for dag in self.call("GET", "/api/v2/dags")["dags"])

    def cpu(self) -> dict[str, float]:
        """CPU seconds so far by part; `tasks` are the processes that the scheduler's executor started, ended ones included."""
        found = dict.fromkeys((*PARTS, "tasks"), 0.0)
        for child in psutil.Process(self.pid).children():
            try:
                said, times = " ".join(child.cmdline()), child.cpu_times()
                part = next((part for part, word in PARTS.items() if word in said.rpartition("/")[2]), None)
                if part is None:
                    continue
                found[part] += times.user + times.system
                below = "tasks" if part == "scheduler" else part
                found[below] += times.children_user + times.children_system
                for one in child.children(recursive=True):
                    found[below] += sum(one.cpu_times()[:4])
            except psutil.NoSuchProcess:
                continue
        return found


def _call(base: str, token: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{base}{path}", data, headers, method=method)  # noqa: S310 - this machine's own
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        return json.load(answer)


@contextmanager
def open_airflow(bench: Bench, settings: Mapping[str, str]) -> Iterator[AirflowServer]:
    """Airflow with its defaults, and these settings over them; stopped afterwards."""
    environment = {key: value for key, value in os.environ.items() if key not in SANDBOX_SETTINGS}
    environment |= {"PYTHONWARNINGS": "ignore", **settings}
    command = [sys.executable, "-m", "sandbox.airflow"]
    state = ["--state", STATE.name]
    done = subprocess.run(
        [*command, "up", *state], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    try:
        if done.returncode:
            raise RuntimeError((done.stdout + done.stderr)[-3_000:])
        base = bench.env["AIRFLOW__API__BASE_URL"].rstrip("/")
        started = read_started(State(root=STATE, checkout=ROOT), NAME)
        if started is None:
            raise RuntimeError("Airflow is not recorded in the sandbox's state")
        yield AirflowServer(base, _call(base, "", "GET", "/auth/token")["access_token"], started.pid)
    finally:
        subprocess.run([*command, "down", *state], cwd=ROOT, env=environment, check=True, capture_output=True)
