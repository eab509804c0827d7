"""`python -m sandbox`: start, stop, start again, side by side. The Snowflake server is replaced by a few lines."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import psycopg
import pytest
import requests

from tests.sandbox.sandbox_copy import FAKE_SNOWFLAKE, Sandbox, copy_checkout
from tests.statement_log import StatementLog
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def checkout():
    # not pytest's own temporary folder: PostgreSQL's user may not enter it, which is another test's subject
    with tempfile.TemporaryDirectory(prefix="snowmelt-test-") as folder:
        Path(folder).chmod(0o755)
        yield copy_checkout(Path(folder))


@pytest.fixture
def make_sandbox(checkout, request):
    made: list[Sandbox] = []

    def make(state: Path | None = None) -> Sandbox:
        made.append(Sandbox(checkout, state or checkout / f"state-{len(made)}-{request.node.name}"))
        return made[-1]

    yield make
    for sandbox in made:
        sandbox.run("down", "--purge")


@pytest.fixture(scope="module")
def running(checkout):
    sandbox = Sandbox(checkout, checkout / "running")
    sandbox.run("up")
    yield sandbox
    sandbox.run("down", "--purge")


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_up_again_changes_nothing_and_down_stops_all_and_data_survive(make_sandbox):
    sandbox = make_sandbox()
    first = sandbox.run("up")
    assert re.findall(r"^(\w+) +started", first, re.M) == ["S3", "PostgreSQL", "Snowflake"]
    pids, ports, env = sandbox.pids(), (sandbox.state / "ports.json").read_text(), sandbox.env()

    assert sandbox.run("up").count("was running") == 3
    assert sandbox.pids() == pids
    assert sandbox.env() == env
    assert sandbox.run("status").count("running,") == 3

    with psycopg.connect(env["SNOWMELT_SANDBOX_PG_DSN"]) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    assert sandbox.run("down").count("stopped") == 3
    assert not any(is_alive(pid) for pid in pids.values())
    assert not any(answers(port) for port in json.loads(ports).values())
    sandbox.run("status", code=1)
    assert sandbox.run("down").count("was not running") == 3

    sandbox.run("up")
    assert (sandbox.state / "ports.json").read_text() == ports
    with psycopg.connect(sandbox.env()["SNOWMELT_SANDBOX_PG_DSN"]) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_dead_servers_are_started_again_on_their_ports_and_the_other_is_left_alone(make_sandbox):
    sandbox = make_sandbox()
    sandbox.run("up")
    before, ports = sandbox.pids(), (sandbox.state / "ports.json").read_text()
    for name in ("postgres", "s3"):
        os.kill(before[name], signal.SIGKILL)
        wait_until(lambda name=name: not is_alive(before[name]))
    assert sandbox.run("status", code=1).count("not running") == 2
    assert sandbox.run("up").count("was running") == 1
    after = sandbox.pids()
    assert after["snowflake"] == before["snowflake"]
    assert after["postgres"] != before["postgres"]
    assert (sandbox.state / "ports.json").read_text() == ports
    with psycopg.connect(sandbox.env()["SNOWMELT_SANDBOX_PG_DSN"]) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_two_at_once_two_state_folders(make_sandbox):
    one, other = make_sandbox(), make_sandbox()
    running = [one.start("up"), one.start("up"), other.start("up")]
    outputs = [process.communicate(timeout=90)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], outputs
    assert sorted(output.count("was running") for output in outputs[:2]) == [0, 3]
    assert not set(one.pids().values()) & set(other.pids().values())
    assert not set(json.loads((one.state / "ports.json").read_text()).values()) & set(
        json.loads((other.state / "ports.json").read_text()).values()
    )
    one.run("down")
    assert other.run("status").count("running,") == 3
    wrong = one.env()["SNOWMELT_SANDBOX_PG_DSN"].replace(
        one.env()["SNOWMELT_SANDBOX_PG_PORT"], other.env()["SNOWMELT_SANDBOX_PG_PORT"]
    )
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="reads /proc")
def test_a_recycled_pid_is_not_killed(make_sandbox):
    sandbox = make_sandbox()
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        sandbox.state.mkdir()
        command = Path(f"/proc/{bystander.pid}/cmdline").read_text().split("\0")[:-1]
        other_start = {"pid": bystander.pid, "start_time": time.time() - 1000, "command": command}
        start = psutil.Process(bystander.pid).create_time()
        other_command = {"pid": bystander.pid, "start_time": start, "command": ["postgres"]}
        entries = {"s3": other_start, "postgres": other_command, "snowflake": other_start}
        (sandbox.state / "processes.json").write_text(json.dumps(entries))
        assert sandbox.run("down").count("was not running") == 3
        assert bystander.poll() is None
    finally:
        bystander.communicate(b"\n")


def test_an_interrupted_start_is_mended(make_sandbox):
    sandbox = make_sandbox()
    process = sandbox.start("up")
    wait_until(lambda: any((sandbox.state / "postgres").glob("initdb-*/data/base")))
    process.kill()  # in the middle of initdb, or just after it
    process.communicate()
    assert "PostgreSQL started" in sandbox.run("up")


def test_a_server_that_fails_is_explained_and_the_others_stay(make_sandbox):
    sandbox = make_sandbox()
    program = sandbox.checkout / "sandbox" / "snowflake" / "__main__.py"
    program.write_text("raise SystemExit('the reason stands here')")
    try:
        output = sandbox.run("up", code=1)
    finally:
        program.write_text(FAKE_SNOWFLAKE)
    assert "Snowflake ended with code 1" in output
    assert "the reason stands here" in output
    assert str(sandbox.state / "log" / "snowflake.log") in output
    assert "Traceback" not in output
    assert sandbox.run("up").count("was running") == 2


def test_ports_taken_meanwhile_are_replaced_but_not_under_a_running_sandbox(make_sandbox):
    sandbox = make_sandbox()
    sandbox.run("up")
    port = json.loads((sandbox.state / "ports.json").read_text())["s3"]
    os.kill(sandbox.pids()["s3"], signal.SIGKILL)
    wait_until(lambda: not answers(port))
    with socket.create_server(("127.0.0.1", port)):
        output = sandbox.run("up", code=1)
        assert f"S3 cannot start: port {port} is taken by something else" in output
        assert "(down)" in output
        sandbox.run("down")
        sandbox.run("up")
        assert f":{port}" not in sandbox.env()["SNOWMELT_SANDBOX_S3_ENDPOINT"]


def test_the_env_file(running):
    sandbox = running
    path, env = sandbox.state / "env", sandbox.env()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((sandbox.state / "secrets.json").stat().st_mode) == 0o600
    for shell in filter(shutil.which, ("sh", "bash", "zsh")):
        script = f'set -eu; set -a; . "{path}"; set +a; exec "{sys.executable}" -c "import json, os; print(json.dumps(dict(os.environ)))"'
        seen = json.loads(subprocess.run([shell, "-c", script], capture_output=True, check=True).stdout)
        assert {name: seen[name] for name in env} == env
    assert set(env) >= {
        "AIRFLOW_HOME", "AIRFLOW__CORE__DAGS_FOLDER", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW__CORE__FERNET_KEY",
        "AIRFLOW_CONN_SNOWFLAKE_DEFAULT", "AIRFLOW_CONN_AWS_DEFAULT", "AIRFLOW_CONN_AWS_CLEANUP",
        "AIRFLOW_CONN_POSTGRES_DEFAULT", "SNOWMELT_CONFIG", "REQUESTS_CA_BUNDLE", "NO_PROXY",
        "SNOWMELT_SANDBOX_NOBODY_ACCESS_KEY_ID", "SNOWMELT_SANDBOX_NOBODY_SECRET_ACCESS_KEY",
    }  # fmt: skip
    url = f"https://localhost:{env['SNOWMELT_SANDBOX_SNOWFLAKE_PORT']}/health"
    assert requests.get(url, verify=env["REQUESTS_CA_BUNDLE"], timeout=5).text == "ok"
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(url, verify=True, timeout=5)
    assert Path(env["REQUESTS_CA_BUNDLE"]).read_text().count("BEGIN CERTIFICATE") > 100  # the usual ones, too


def test_the_postgres_server(running):
    sandbox = running
    env = sandbox.env()
    statements = StatementLog(env)
    with psycopg.connect(env["SNOWMELT_SANDBOX_PG_DSN"]) as connection:
        row = connection.execute(
            "SELECT current_user, current_database(), current_setting('timezone'), current_setting('is_superuser'),"
            " current_setting('max_connections'), current_setting('fsync'), has_database_privilege('app', 'CREATE')"
        ).fetchone()
        assert row == ("snowmelt", "app", "UTC", "off", "200", "on", True)
        assert connection.execute("SELECT 'b' < 'C'").fetchone() == (
            False,
        )  # by code point, whatever the shell's locale
        connection.execute("SELECT 'find me in the log'")
    assert "statement: SELECT 'find me in the log'" in [entry["message"] for entry in statements.entries()]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(env["SNOWMELT_SANDBOX_PG_DSN"].replace("snowmelt:", "snowmelt:x"))
    assert any("password authentication failed" in entry["message"] for entry in statements.entries())
    logs = "".join(
        file.read_text(errors="replace") for file in sandbox.state.glob("log/**/*") if file.is_file()
    )
    for name, secret in json.loads((sandbox.state / "secrets.json").read_text()).items():
        assert secret not in logs, name
