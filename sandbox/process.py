"""Background processes: started in a session of their own, recorded, and stopped only when they are surely ours."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from sandbox.errors import SandboxError
from sandbox.state import State, read_json, write_json

STOP_SECONDS = 60  # the S3 server writes down its objects when it stops


@dataclass(frozen=True)
class Started:
    """A process as it was when it was started. A recycled pid differs in its start time."""

    pid: int
    start_time: float  # seconds since 1970, as the kernel reports it
    command: list[str]

    def find(self) -> psutil.Process | None:
        """The running process, or None when it has ended or its pid belongs to another by now."""
        try:
            process = psutil.Process(self.pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return None
            if abs(process.create_time() - self.start_time) > 0.05:
                return None
            if process.cmdline() != self.command:
                return None
        except psutil.Error:
            return None
        return process


def read_started(state: State, name: str) -> Started | None:
    entry = read_json(state.processes).get(name)
    try:
        return Started(**entry) if entry else None
    except TypeError:
        return None


def is_running(state: State, name: str) -> bool:
    started = read_started(state, name)
    return started is not None and started.find() is not None


def start(
    state: State,
    name: str,
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    log: Path,
    user: int | None = None,
) -> subprocess.Popen[bytes]:
    """Start a server that outlives this command, and record it at once.

    `user`: the numeric id to run as (root only); it gets no other groups.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        output.write(f"\n--- {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {name} starts\n".encode())
        output.flush()
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=state.checkout if user is None else "/",
            start_new_session=True,
            **({} if user is None else {"user": user, "group": _group_of(user), "extra_groups": []}),
        )
    known = read_json(state.processes)
    start_time = psutil.Process(process.pid).create_time()
    known[name] = asdict(Started(process.pid, start_time, list(command)))
    write_json(state.processes, known)
    return process


def _group_of(user: int) -> int:
    import pwd

    return pwd.getpwuid(user).pw_gid


def stop(state: State, name: str, *, ask: signal.Signals = signal.SIGTERM) -> bool:
    """Stop what `start` recorded under this name and wait until it is gone. Return whether it was running."""
    started = read_started(state, name)
    process = started.find() if started else None
    if process is not None:
        _end(process, ask, name)
    known = read_json(state.processes)
    if known.pop(name, None) is not None:
        write_json(state.processes, known)
    return process is not None


def _end(process: psutil.Process, ask: signal.Signals, name: str) -> None:
    children = _children(process)
    process.send_signal(ask)
    if not _gone(process, STOP_SECONDS):
        children += _children(process)
        process.kill()
        if not _gone(process, 5):
            raise SandboxError(
                f"{name} (pid {process.pid}) does not end, not even when killed. Inspect it with ps."
            )
    for child in children:  # what the server left behind; psutil checks that a pid is still the same process
        try:
            child.kill()
        except psutil.Error:
            continue


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def _gone(process: psutil.Process, seconds: float) -> bool:
    """Wait until it has ended. A zombie has: not every container's first process collects them at once."""
    end = time.monotonic() + seconds
    while True:
        try:
            if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.Error:
            return True
        if time.monotonic() > end:
            return False
        time.sleep(0.02)


def base_environment() -> dict[str, str]:
    """What a server inherits: no locale, time zone, proxy, Python or AWS setting of the shell's."""
    kept = ("PATH", "HOME", "TMPDIR", "USER", "LOGNAME", "SHELL", "LD_LIBRARY_PATH", "SNOWMELT_SANDBOX_HOST")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    return environment | {"LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTHONUNBUFFERED": "1", "NO_PROXY": "*"}
