"""Failures of the sandbox's commands: a sentence on stderr and an exit code, never a traceback."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

LOG_LINES = 15
FAILED, INTERRUPTED = 1, 130


class SandboxError(Exception):
    """A message for the terminal: what failed, why, what to do."""


def read_tail(path: Path, lines: int = LOG_LINES) -> str:
    """The last lines of a log, indented for a message; says so when there is none."""
    try:
        text = path.read_bytes()[-20_000:].decode("utf-8", "replace").rstrip()
    except OSError:
        text = ""
    if not text:
        return f"    ({path} is empty)"
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])


def run_command(name: str, action: Callable[[], int]) -> int:
    """Run a command and return its exit code. `name` is how the user called it."""
    try:
        return action()
    except KeyboardInterrupt:
        print(f"{name}: interrupted. Run it again, or stop the sandbox: make sandbox-down", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        print(f"{name}: {describe(error)}", file=sys.stderr)
        return FAILED


def describe(error: Exception) -> str:
    """What failed, where, and what to do. The traceback of an error that was not foreseen goes to a file."""
    if isinstance(error, SandboxError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        places = [str(place) for place in (error.filename, error.filename2) if place is not None]
        where = f" ({' to '.join(places)})" if places else ""
        return f"The system refused: {error.strerror}{where}. Correct that and run the command again."
    if isinstance(error, subprocess.TimeoutExpired):
        program = error.cmd if isinstance(error.cmd, str) else error.cmd[0]
        return f"{program} did not end within {error.timeout:.0f} s. See what it waits for and run the command again."
    with tempfile.NamedTemporaryFile("w", prefix="snowmelt-sandbox-", suffix=".log", delete=False) as log:
        traceback.print_exception(error, file=log)
    return (
        f"An unexpected error, {type(error).__name__}: {error}. Details are in {log.name}; "
        "please report them. A fresh start may help: sandbox/.venv/bin/python -m sandbox down --purge"
    )
