"""Start, stop and inspect the three stand-ins."""

from __future__ import annotations

import os
import shutil
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from sandbox import postgres, process
from sandbox.certificates import make_certificates, write_bundle
from sandbox.environment import s3_endpoint, write_environment
from sandbox.errors import SandboxError, read_tail
from sandbox.postgres_home import (
    PostgresHome,
    find_user,
    make_home,
    read_home,
    remove_abandoned_homes,
    remove_home,
    remove_programs,
)
from sandbox.s3.users import User, read_users
from sandbox.state import LISTEN, SERVERS, State, change_port, is_free, read_ports, read_secrets

START_SECONDS = 60
TITLES = {"s3": "S3", "postgres": "PostgreSQL", "snowflake": "Snowflake"}
STOP_SIGNAL = {"postgres": signal.SIGINT}  # PostgreSQL's fast shutdown


def up(state: State) -> None:
    """Start what is not running. Ports stay the same as long as anything runs."""
    state.make()
    with state.locked():
        read_secrets(state)
        read_ports(state)
        make_certificates(state)
        bundle = write_bundle(state)
        users = read_users(state.s3 / "users.json")
        before = {name: _is_healthy(state, name) for name in SERVERS}
        for name in SERVERS:
            if not before[name]:
                process.stop(state, name, ask=STOP_SIGNAL.get(name, signal.SIGTERM))
        if not any(before.values()):
            _free_ports(state)
        starters: dict[str, Callable[[], subprocess.Popen[bytes]]] = {
            "s3": lambda: _start_s3(state),
            "postgres": lambda: _start_postgres(state, users),
            "snowflake": lambda: _start_snowflake(state, users),
        }
        started: dict[str, subprocess.Popen[bytes]] = {}
        for name, starter in starters.items():
            if before[name]:
                continue
            port = read_ports(state)[name]
            if not is_free(port):
                raise SandboxError(
                    f"{TITLES[name]} cannot start: port {port} is taken by something else, and the others that are "
                    "running rely on it. Stop the sandbox (down) and start it again: it will pick other ports."
                )
            started[name] = starter()
        for name, child in started.items():
            _wait(state, name, child)
            if name == "postgres":
                _set_up_postgres(state)
                write_environment(state, users, bundle)
        _set_up_postgres(state)
        write_environment(state, users, bundle)
    for name in SERVERS:
        word = "was running" if before[name] else "started"
        print(f"{TITLES[name]:<11}{word}, 127.0.0.1:{read_ports(state)[name]}")
    print(f"settings in {_short(state.env)}:  set -a; . {_short(state.env)}; set +a")


def down(state: State, *, purge: bool = False) -> None:
    """Stop what `up` started and remove copies of programs; `purge` removes the state folder's contents too."""
    _remove_abandoned()
    if not state.root.is_dir():
        print(f"nothing to stop: {_short(state.root)} does not exist")
        return
    with state.locked():
        for name in reversed(SERVERS):
            was = process.stop(state, name, ask=STOP_SIGNAL.get(name, signal.SIGTERM))
            print(f"{TITLES[name]:<11}{'stopped' if was else 'was not running'}")
        remove_programs(state)
        if purge:
            remove_home(state)
            for path in state.root.iterdir():
                if path.name != "lock":
                    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
            print(f"removed what was in {_short(state.root)}")


def clean(state: State) -> None:
    """Remove from the temporary folder what deleted sandboxes left, and this one's copies of programs. The data stay."""
    _remove_abandoned()
    if state.root.is_dir():
        with state.locked():
            remove_programs(state)


def _remove_abandoned() -> None:
    for root in remove_abandoned_homes():
        print(f"removed {root}: its sandbox no longer exists")


def status(state: State) -> bool:
    """Print a line for each server; return whether all are healthy."""
    well = {}
    for name in SERVERS:
        started = process.read_started(state, name)
        alive = started is not None and started.find() is not None
        well[name] = alive and _is_healthy(state, name)
        word = "running" if well[name] else "running, but does not answer" if alive else "not running"
        where = f", 127.0.0.1:{read_ports(state)[name]}, pid {started.pid}" if alive and started else ""
        print(f"{TITLES[name]:<11}{word}{where}")
    if any(well.values()):
        print(f"settings    {_short(state.env)}\nlogs        {_short(state.log)}")
    return all(well.values())


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _free_ports(state: State) -> None:
    """Nothing runs, so nothing relies on the old ports: replace those that something else took meanwhile."""
    for name in SERVERS:
        if not is_free(read_ports(state)[name]):
            change_port(state, name)


def _start_s3(state: State) -> subprocess.Popen[bytes]:
    command = [
        sys.executable, "-m", "sandbox.s3", "--port", str(read_ports(state)["s3"]),
        "--users", str(state.s3 / "users.json"), "--keep", str(state.s3 / "kept"),
    ]  # fmt: skip
    return process.start(
        state, "s3", command, environment=process.base_environment(), log=state.log / "s3.log"
    )


def _start_postgres(state: State, users: dict[str, User]) -> subprocess.Popen[bytes]:
    home, port = make_home(state), read_ports(state)["postgres"]
    postgres.clear_pid_file(home)
    postgres.initialise(home, read_secrets(state)["postgres_superuser"])
    postgres.write_settings(home, port)
    reader = users["rds-import"]
    installed = postgres.install_aws_s3(
        state, home, endpoint=s3_endpoint(state), access_key=reader.access_key, secret_key=reader.secret_key
    )
    if not installed:
        print("aws_s3 is left out: PostgreSQL's user can run no python3 of this machine")
    command = [str(home.binaries / "postgres"), "-D", str(home.data)]
    environment = process.base_environment() | {"HOME": "/"}
    log = state.log / "postgres-start.log"
    return process.start(state, "postgres", command, environment=environment, log=log, user=home.user)


def _set_up_postgres(state: State) -> None:
    home, port = _running_home(state), read_ports(state)["postgres"]
    if home is None:
        raise SandboxError(f"PostgreSQL ended just after it started. Its log: {state.log / 'postgres'}")
    installed = (home.aws / "fetch").exists()
    try:
        postgres.set_up(home, port, read_secrets(state), aws_s3=installed)
    except SandboxError as error:
        raise SandboxError(
            f"PostgreSQL runs, but its roles and databases could not be made: {error}"
        ) from None


def _start_snowflake(state: State, users: dict[str, User]) -> subprocess.Popen[bytes]:
    writer = users["snowflake-writer"]
    command = [
        sys.executable, "-m", "sandbox.snowflake", "--port", str(read_ports(state)["snowflake"]),
        "--certfile", str(state.tls / "server.pem"), "--keyfile", str(state.tls / "server.key"),
        "--s3-endpoint", s3_endpoint(state), "--statement-log", str(state.log / "snowflake-statements.jsonl"),
        "--db-path", str(state.snowflake), *(() if LISTEN == "127.0.0.1" else ("--host", LISTEN)),
    ]  # fmt: skip
    environment = process.base_environment() | {
        "AWS_ACCESS_KEY_ID": writer.access_key,
        "AWS_SECRET_ACCESS_KEY": writer.secret_key,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    return process.start(
        state, "snowflake", command, environment=environment, log=state.log / "snowflake.log"
    )


def _is_healthy(state: State, name: str) -> bool:
    """Whether it runs, is ours and answers."""
    return process.is_running(state, name) and _answers(state, name)


def _answers(state: State, name: str) -> bool:
    port = read_ports(state)[name]
    if name == "postgres":
        home = _running_home(state)
        return home is not None and postgres.is_healthy(home, port, read_secrets(state)["postgres_superuser"])
    if name == "snowflake":
        return _get(f"https://localhost:{port}/health", state.tls / "ca.pem")
    return _get(f"http://127.0.0.1:{port}/sandbox/health", None)


def _running_home(state: State) -> PostgresHome | None:
    """The home of the server that was started: with the programs that it runs from."""
    root, started = read_home(state), process.read_started(state, "postgres")
    if root is None or started is None:
        return None
    return PostgresHome(root, Path(started.command[0]).parent, find_user())


def _get(url: str, authority: Path | None) -> bool:
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if authority is not None:
        handlers.append(
            urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(authority)))
        )
    try:
        with urllib.request.build_opener(*handlers).open(url, timeout=5) as answer:
            return answer.status == 200
    except (OSError, urllib.error.URLError, ValueError):
        return False


def _wait(state: State, name: str, child: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    log = state.log / ("postgres-start.log" if name == "postgres" else f"{name}.log")
    while not _answers(state, name):
        ended = child.poll()
        if ended is None and time.monotonic() < end:
            time.sleep(0.1)
            continue
        if ended is None:
            process.stop(state, name)
        why = f"ended with code {ended}" if ended is not None else f"did not answer within {START_SECONDS} s"
        raise SandboxError(
            f"{TITLES[name]} {why}. Its log, {log}, ends:\n{read_tail(log)}\n"
            "Correct that and start again: what already runs keeps running."
        )
