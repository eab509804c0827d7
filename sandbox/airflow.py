"""Airflow over the sandbox, on a laptop: `airflow standalone` in the background, and its address once the API answers.

Runs in .venv with <state>/env sourced (`make up`, `make down`).
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from sandbox.errors import SandboxError, read_tail, run_command
from sandbox.process import is_running, start, stop
from sandbox.state import State, read_setting

NAME = "airflow"
READY_SECONDS = 180
#: The parts that have to report before a DAG can be triggered.
PARTS = ("metadatabase", "scheduler", "triggerer", "dag_processor")


def migrate() -> None:
    """Make or update Airflow's own tables; quick when there is nothing to do."""
    done = subprocess.run(
        [sys.executable, "-m", "airflow", "db", "migrate"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SandboxError(
            f"airflow db migrate ended with code {done.returncode}:\n{done.stdout[-1500:]}{done.stderr[-1500:]}"
        )


def up(state: State) -> str:
    """Start Airflow unless it runs, wait until it is healthy, return its address."""
    address = read_setting("AIRFLOW__API__BASE_URL").rstrip("/")
    log = state.log / "airflow.log"
    if not is_running(state, NAME):
        stop(state, NAME)
        migrate()
        # `airflow standalone` starts its parts by the bare name `airflow`.
        path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
        command = [sys.executable, "-m", "airflow", "standalone"]
        start(state, NAME, command, environment={**os.environ, "PATH": path}, log=log)
    deadline = time.monotonic() + READY_SECONDS
    while not is_healthy(address):
        if not is_running(state, NAME) or time.monotonic() > deadline:
            raise SandboxError(
                f"Airflow does not answer at {address}. Its log, {log}, ends:\n{read_tail(log)}"
            )
        time.sleep(0.5)
    return address


def is_healthy(address: str) -> bool:
    """Whether the API answers and every part of Airflow has reported lately."""
    try:
        with urllib.request.urlopen(f"{address}/api/v2/monitor/health", timeout=5) as answer:
            health = json.load(answer)
    except (OSError, ValueError, urllib.error.URLError):
        return False
    return all((health.get(part) or {}).get("status") == "healthy" for part in PARTS)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m sandbox.airflow")
    parser.add_argument("verb", choices=("up", "down"))
    parser.add_argument("--state", default=".sandbox")
    options = parser.parse_args()
    checkout = Path(__file__).resolve().parents[1]
    state = State(root=(checkout / options.state).resolve(), checkout=checkout)
    return run_command(f"Airflow {options.verb}", lambda: run(options.verb, state))


def run(verb: str, state: State) -> int:
    with state.locked():
        if verb == "down":
            stopped = stop(state, NAME, ask=signal.SIGTERM)
            print("Airflow is stopped." if stopped else "Airflow was not running.")
            return 0
        address = up(state)
    print(
        f"Airflow answers at {address} (no login needed). Trigger migrate_table there; stop all with: make down"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
