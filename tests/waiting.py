"""Waiting for what a test looks for, whatever the machine's speed."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(
    condition: Callable[[], object], what: str = "what was waited for", seconds: float = 60
) -> None:
    """Return as soon as the condition is true; fail after a time in which any machine gets there."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} did not come within {seconds:.0f} seconds"
        time.sleep(0.02)
