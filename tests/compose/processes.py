"""The services of docker-compose.yaml as processes of this machine: their own commands and settings, other addresses."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.compose.composition import GIVEN, read
from tests.conftest import ROOT

VENV = ROOT / ".venv-celery"
#: A machine without containers has one network: each of these needs a port of its own.
PORTS = ("redis", "api", "worker_log_1", "worker_log_2", "trigger_log")


def free_ports() -> dict[str, str]:
    probes = {name: socket.socket() for name in PORTS}
    for probe in probes.values():
        probe.bind(("127.0.0.1", 0))
    ports = {name: str(probe.getsockname()[1]) for name, probe in probes.items()}
    for probe in probes.values():
        probe.close()
    return ports


class Stack:
    """Starts services, ends them all; each in a process group of its own, as a container is."""

    def __init__(self, home: Path, metadata: str, password: str, sandbox_env: Path, **settings: str) -> None:
        """`metadata` is host:port of a PostgreSQL with the database and role `airflow`, whose password is given."""
        self.home, self.ports = home, free_ports()
        self.redis_password = secrets.token_hex(16)
        given = GIVEN | {
            "AIRFLOW_FERNET_KEY": _fernet_key(),
            "AIRFLOW_POSTGRES_PASSWORD": password,
            "REDIS_PASSWORD": self.redis_password,
            "SNOWMELT_SANDBOX_ENV": str(sandbox_env),
            **settings,
        }
        self.services = read(given)["services"]
        self.moved = {
            "metadata:5432": metadata,
            "redis:6379": f"127.0.0.1:{self.ports['redis']}",
            "api-server:8080": f"127.0.0.1:{self.ports['api']}",
            "/opt/airflow/dags": str(ROOT / "dags"),
            "/opt/airflow": str(home),
        }
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.ports['api']}"

    def environment(self, service: str) -> dict[str, str]:
        """What Compose would set, with the addresses of this machine; and what the image sets."""
        values = dict(self.services[service]["environment"])
        for there, here in self.moved.items():
            values = {name: value.replace(there, here) for name, value in values.items()}
        kept = {name: os.environ[name] for name in ("LANG", "TMPDIR") if name in os.environ}
        return kept | values | {
            "PATH": f"{VENV / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__API__PORT": self.ports["api"],
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": self.ports["trigger_log"],
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "SNOWMELT_CONFIG": str(ROOT / "include/config/s3copyconfig.json"),
            "PYTHONWARNINGS": "ignore",
        }  # fmt: skip

    def start_redis(self) -> None:
        command = [
            word.replace("exec redis-server", f"exec redis-server --port {self.ports['redis']} --bind 127.0.0.1")
            for word in self.services["redis"]["command"]
        ]  # fmt: skip
        password = self.services["redis"]["environment"]["REDISCLI_AUTH"]
        self._start("redis", command, {"PATH": os.environ["PATH"], "REDISCLI_AUTH": password})

    def run(self, service: str) -> None:
        """A service that ends by itself."""
        command = [str(ROOT / "docker/entrypoint.sh"), *self.services[service]["command"]]
        done = subprocess.run(
            command, env=self.environment(service), cwd=self.home, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]

    def start(self, service: str, name: str | None = None, *more: str, **changes: str) -> None:
        command = [str(ROOT / "docker/entrypoint.sh"), *self.services[service]["command"], *more]
        self._start(name or service, command, self.environment(service) | changes)

    def _start(self, name: str, command: list[str], environment: Mapping[str, str]) -> None:
        with (self.home / f"{name}.log").open("wb") as log:
            self.running[name] = subprocess.Popen(
                command, env=environment, cwd=self.home, stdout=log, stderr=log, start_new_session=True
            )

    def kill(self, name: str) -> None:
        """As a lost machine: at once, with everything that it runs."""
        process = self.running.pop(name)
        for group in _groups(process.pid):
            os.killpg(group, signal.SIGKILL)
        process.wait(30)

    def stop(self) -> None:
        groups = [group for process in self.running.values() for group in _groups(process.pid)]
        for wished in (signal.SIGTERM, signal.SIGKILL):
            for group in groups:
                try:
                    os.killpg(group, wished)
                except ProcessLookupError:
                    continue
            for process in self.running.values():
                try:
                    process.wait(20 if wished == signal.SIGTERM else 5)
                except subprocess.TimeoutExpired:
                    continue
        self.running.clear()

    def tail(self) -> str:
        """The ends of all logs."""
        logs = sorted(self.home.glob("*.log"))
        return "\n".join(f"==> {log.name}\n{log.read_text(errors='replace')[-1500:]}" for log in logs)


def _groups(pid: int) -> set[int]:
    """The process groups of a process and of all that it started: Celery's children and tasks make their own."""
    import psutil

    groups = set()
    try:
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            groups.add(os.getpgid(process.pid))
    except (psutil.NoSuchProcess, ProcessLookupError):
        pass
    return groups - {os.getpgid(0)}


def _fernet_key() -> str:
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()


def wait_for(what: str, look: Any, stack: Stack, seconds: float = 180) -> Any:
    """What `look` returns, once it is true; a second between two looks."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, f"{what}: not after {seconds:.0f} s\n{stack.tail()}"
        dead = [name for name, process in stack.running.items() if process.poll() is not None]
        assert not dead, f"{what}: {dead} ended\n{stack.tail()}"
        time.sleep(1)
    return found
