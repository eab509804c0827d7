"""What the sandbox's container runs, as a process: reached by its host's name, through the settings that Airflow's containers take over."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.alone

LOOK = """
import os
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook
rows = SnowflakeHook().get_first("SELECT COUNT(*) FROM ANALYTICS.BI.DIMPAYER")[0]
assert PostgresHook().get_first("SELECT current_user")[0] == "snowmelt"
S3Hook().get_conn().list_objects_v2(Bucket=os.environ["SNOWMELT_BUCKET"])
print("rows", rows, os.environ.get("AIRFLOW__CORE__EXECUTOR", "no executor"))
"""


def test_others_reach_it_by_its_name(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with (tmp_path / "log").open("w") as log:
        started = subprocess.Popen(
            [str(ROOT / "docker/sandbox.sh")],
            cwd=ROOT,
            env=environment
            | {
                "SNOWMELT_SANDBOX_HOST": socket.gethostname(),
                "SNOWMELT_SANDBOX_STATE": str(state),
                "SNOWMELT_SANDBOX_PYTHON": str(ROOT / "sandbox/.venv/bin/python"),
                "SNOWMELT_SANDBOX_ROWS": "10",
            },
            stdout=log,
            stderr=log,
        )
    try:
        end = time.monotonic() + 120
        while not (state / "ready").exists():
            assert started.poll() is None and time.monotonic() < end, (tmp_path / "log").read_text()
            time.sleep(0.5)
        assert f"http://{socket.gethostname()}:" in (state / "env").read_text()
        looked = subprocess.run(
            [str(ROOT / "docker/entrypoint.sh"), sys.executable, "-c", LOOK],
            env=environment
            | {
                "SNOWMELT_SANDBOX_ENV": str(state / "env"),
                "AIRFLOW_HOME": str(tmp_path),
                "PYTHONWARNINGS": "ignore",
            },
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert looked.stdout.splitlines()[-1] == "rows 500 no executor", looked.stdout + looked.stderr
    finally:
        started.send_signal(signal.SIGTERM)
        started.wait(60)
    status = subprocess.run(
        [str(ROOT / "sandbox/.venv/bin/python"), "-m", "sandbox", "status", "--state", str(state)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert status.stdout.count("not running") == 3, status.stdout
    subprocess.run(
        [str(ROOT / "sandbox/.venv/bin/python"), "-m", "sandbox", "down", "--purge", "--state", str(state)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
