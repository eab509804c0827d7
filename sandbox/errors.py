"""What can go wrong with the sandbox."""

from __future__ import annotations

from pathlib import Path

LOG_LINES = 15


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
