"""PostgreSQL that crashes, ends sessions, runs full or out of connections, and a network that cuts, under a whole run."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.conftest import ROOT, SANDBOX, STATE
from tests.faults.proxy import proxy_to
from tests.faults.source import Source
from tests.faults.steps import STOP


def stop_at_once_and_start_again():
    """An immediate shutdown: no checkpoint, no word to the sessions; then recovery from the WAL."""
    pid = json.loads((STATE / "processes.json").read_text())["postgres"]["pid"]
    os.kill(pid, signal.SIGQUIT)
    end = time.monotonic() + 60
    while alive(pid):
        assert time.monotonic() < end
        time.sleep(0.05)
    started = subprocess.run(
        [*SANDBOX, "up", "--state", str(STATE)], cwd=ROOT, capture_output=True, text=True
    )
    assert started.returncode == 0, started.stdout + started.stderr


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


CRASHES = ["load: claimed", "load: in the COPY", "load: before the commit", "publish: before the commit"]


@pytest.mark.faults
@pytest.mark.parametrize("point", CRASHES)
def test_the_server_crashes(sabotaged, point):
    with sabotaged() as run:
        worker = run.start(strike=(point, 0, STOP))
        run.stopped(worker)
        stop_at_once_and_start_again()
        assert run.wake(worker) == 1
        kind, said = run.error()
        assert kind == "TargetUnavailable", run.log()
        assert said.endswith("It is retried. See docs/troubleshooting.md#postgres-unavailable")
        assert not run.check()
        run.finish()
        run.check_finished()


@pytest.mark.parametrize("point", ["load: in the COPY", "publish: before the commit"])
def test_the_session_is_ended(sabotaged, sandbox, point):
    with sabotaged() as run:
        worker = run.start(strike=(point, 0, STOP))
        run.stopped(worker)
        with psycopg.connect(sandbox.superuser_dsn(), autocommit=True) as superuser:
            superuser.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s",
                (conninfo_to_dict(run.job.dsn)["dbname"],),
            )
        assert run.wake(worker) == 1
        assert run.error()[0] == "TargetUnavailable", run.log()
        assert not run.check()
        run.finish()
        run.check_finished()


def cut_everywhere(sabotaged, world, places):
    parts = conninfo_to_dict(world.dsn)
    with proxy_to(parts["host"], int(parts["port"])) as proxy:
        dsn = make_conninfo(world.dsn, host="127.0.0.1", port=proxy.port)
        with sabotaged(dsn=dsn) as run:
            for place in places:
                proxy.cut_after = place
                if run.run() != 0:
                    assert run.error()[0] == "TargetUnavailable", run.log()
                run.check()
            proxy.cut_after = None
            run.finish()
            run.check_finished()
            assert proxy.cuts


def test_the_network_cuts_the_connection(sabotaged, world, seed):
    cut_everywhere(sabotaged, world, [random.Random(seed).randrange(2_000, 400_000) for _ in range(2)])


@pytest.mark.faults
def test_the_network_cuts_the_connection_forty_times(sabotaged, world, seed):
    draw = random.Random(f"{seed} cuts")
    cut_everywhere(sabotaged, world, [int(10 ** draw.uniform(2.5, 5.7)) for _ in range(40)])


def altered(sandbox, run, setting):
    name = conninfo_to_dict(run.job.dsn)["dbname"]
    with psycopg.connect(sandbox.superuser_dsn(), autocommit=True) as superuser:
        superuser.execute(f'ALTER DATABASE "{name}" {setting}')


@pytest.mark.faults
def test_the_time_limits_of_a_role_end_no_run(sabotaged, sandbox, stand_ins):
    with sabotaged() as run:
        altered(sandbox, run, "SET statement_timeout = '700ms'")
        altered(sandbox, run, "SET idle_in_transaction_session_timeout = '700ms'")
        with stand_ins.s3({"kind": "stall", "seconds": 2, "match": "airflow-reader GET .*data_", "count": 2}):
            run.finish()
        run.check_finished()


@pytest.mark.faults
def test_no_connection_is_left(sabotaged, sandbox):
    with sabotaged() as run:
        assert run.run(steps=("plan", "unload", "files")) == 0, run.log()
        altered(sandbox, run, "CONNECTION LIMIT 1")
        with psycopg.connect(run.job.dsn):
            assert run.run() == 1
        kind, said = run.error()
        assert kind == "TargetUnavailable", run.log()
        assert said.endswith("#too-many-connections")
        altered(sandbox, run, "CONNECTION LIMIT -1")
        run.finish()
        run.check_finished()


@pytest.mark.faults
def test_the_disk_is_full(sabotaged, sandbox):
    """A tablespace on a file system of its own: the load fails for good, keeps what is loaded, and goes on once there is room."""
    folder = STATE / "small-disk"
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m,mode=0777", "tmpfs", str(folder)], check=True)
    try:
        with (
            psycopg.connect(sandbox.superuser_dsn(), autocommit=True) as superuser,
            sabotaged(source=Source(60_000), chunk_rows=10_000, old=None) as run,
        ):
            place = folder / "space"
            place.mkdir()
            subprocess.run(["chown", "nobody", str(place)], check=True)
            superuser.execute(f"CREATE TABLESPACE small LOCATION '{place}'")
            superuser.execute("GRANT CREATE ON TABLESPACE small TO snowmelt")
            altered(sandbox, run, "SET default_tablespace = small")
            assert run.run() == 1
            kind, said = run.error()
            assert kind == "TargetError", run.log()
            assert "53100" in said
            assert said.endswith("#disk-full")
            run.quiet()
            assert not run.check()
            subprocess.run(["mount", "-o", "remount,size=200m", str(folder)], check=True)
            run.finish()
            run.check_finished()
            run.world.execute("DROP TABLE public.t", "DROP SCHEMA snowmelt CASCADE")
            altered(sandbox, run, "RESET default_tablespace")
            superuser.execute("DROP TABLESPACE small")
    finally:
        subprocess.run(["umount", str(folder)], check=True)
