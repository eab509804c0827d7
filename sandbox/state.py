"""The state folder: everything that a sandbox keeps is in it (and, for PostgreSQL under root, see postgres_home.py)."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import random
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.errors import SandboxError

#: The name that others reach the stand-ins by. Any other than this machine's own makes them listen on all its addresses: for
#: containers, which meet in a network of their own (docs/compose.md).
HOST = os.environ.get("SNOWMELT_SANDBOX_HOST", "127.0.0.1")
LISTEN = "127.0.0.1" if HOST in {"127.0.0.1", "localhost"} else "0.0.0.0"

LOCK_SECONDS = 180
#: Below the range from which Linux (32768) and macOS (49152) give ports to outgoing connections.
PORT_RANGE = range(20_000, 32_000)
SERVERS = ("s3", "postgres", "snowflake")
AIRFLOW_PORTS = ("api", "worker_log", "trigger_log")


@dataclass(frozen=True)
class State:
    """Where things are. Paths are absolute, so that programs started elsewhere understand them."""

    root: Path
    checkout: Path

    @property
    def env(self) -> Path:
        return self.root / "env"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def tls(self) -> Path:
        return self.root / "tls"

    @property
    def s3(self) -> Path:
        return self.root / "s3"

    @property
    def snowflake(self) -> Path:
        return self.root / "snowflake"

    @property
    def airflow(self) -> Path:
        return self.root / "airflow"

    @property
    def processes(self) -> Path:
        return self.root / "processes.json"

    @property
    def ports(self) -> Path:
        return self.root / "ports.json"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets.json"

    def make(self) -> None:
        """Make the folders. Others may pass through (PostgreSQL's user, under root), not look around."""
        for folder in (self.root, self.log, self.s3, self.snowflake, self.airflow, self.tls):
            folder.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o711)
        for folder in (self.log, self.s3, self.snowflake, self.tls):
            folder.chmod(0o700)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One command at a time: a second one waits for the first."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "lock").open("a") as handle:
            started, reported = time.monotonic(), False
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    if not reported:
                        print(f"waiting for another sandbox command on {self.root} ...", flush=True)
                        reported = True
                    if time.monotonic() - started > LOCK_SECONDS:
                        raise SandboxError(
                            f"Another sandbox command has held {self.root}/lock for {LOCK_SECONDS} s. "
                            "Wait for it, or end it, and try again."
                        ) from None
                    time.sleep(0.1)
                else:
                    break
            yield


def read_setting(name: str) -> str:
    """A setting of the running sandbox, from the environment that the file `env` made."""
    if name not in os.environ:
        raise SandboxError(
            f"{name} is not set. Read the sandbox's settings first: set -a; . .sandbox/env; set +a"
        )
    return os.environ[name]


def read_json(path: Path) -> dict[str, Any]:
    """The file's object; an empty one where the file is missing or was left half written."""
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user can read, at once or not at all."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    fresh.replace(path)


def write_json(path: Path, value: dict[str, Any]) -> None:
    write_private(path, json.dumps(value, indent=1) + "\n")


def read_secrets(state: State) -> dict[str, str]:
    """The sandbox's own passwords and keys, generated the first time. None of them is valid anywhere else."""
    known = read_json(state.secrets)
    makers = {
        "postgres_superuser": _password,
        "postgres_snowmelt": _password,
        "postgres_airflow": _password,
        "snowflake": _password,
        "fernet_key": lambda: base64.urlsafe_b64encode(os.urandom(32)).decode(),
        "jwt_secret": _password,
        "api_secret_key": _password,
    }
    missing = {name: make() for name, make in makers.items() if name not in known}
    if missing:
        known |= missing
        write_json(state.secrets, known)
    return known


def _password() -> str:
    return secrets.token_urlsafe(24)


def read_ports(state: State) -> dict[str, int]:
    """The ports of this sandbox; the first time, free ones are picked and remembered."""
    known = read_json(state.ports)
    missing = [name for name in (*SERVERS, *AIRFLOW_PORTS) if name not in known]
    for name in missing:
        known[name] = pick_port(taken=set(known.values()))
    if missing:
        write_json(state.ports, known)
    return known


def change_port(state: State, name: str) -> int:
    """Give a server another port, because something else took its own."""
    known = read_ports(state)
    known[name] = pick_port(taken=set(known.values()))
    write_json(state.ports, known)
    return known[name]


def pick_port(taken: set[int]) -> int:
    """A free port on 127.0.0.1. At random, so that sandboxes started side by side rarely meet."""
    for _ in range(1000):
        port = random.SystemRandom().choice(PORT_RANGE)
        if port not in taken and is_free(port):
            return port
    raise SandboxError(f"No free port between {PORT_RANGE.start} and {PORT_RANGE.stop} on 127.0.0.1.")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
