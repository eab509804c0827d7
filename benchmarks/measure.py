"""Seconds and CPU seconds of one thing, and many such things side by side."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of one contender."""

    #: Wall time.
    seconds: float
    #: CPU of the client's process, and of the PostgreSQL backend that served it.
    client_cpu: float
    server_cpu: float


def backend_cpu(pid: int) -> float:
    """CPU seconds of a process of this machine; 0 where /proc is not there."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def sample(work: Callable[[], object], pid: int) -> Sample:
    """Run it in this process, with the backend `pid` at the other end."""
    server, client, start = backend_cpu(pid), time.process_time(), time.perf_counter()
    work()
    return Sample(time.perf_counter() - start, time.process_time() - client, backend_cpu(pid) - server)


def interleave(
    contenders: Mapping[str, Callable[[], Sample]], rounds: int
) -> dict[str, list[dict[str, Any]]]:
    """Each contender once a round, in turn, so that a slow minute of the machine meets all; the order turns, too."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in contenders}
    names = list(contenders)
    for turn in range(rounds):
        for name in names if turn % 2 == 0 else reversed(names):
            found[name].append(asdict(contenders[name]()))
    return found


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle of several values, and the quartiles around it."""

    median: float
    low: float
    high: float

    def __format__(self, spec: str) -> str:
        return f"{self.median:{spec}} ({self.low:{spec}}–{self.high:{spec}})"


def spread(values: list[float]) -> Spread:
    """Median and quartiles."""
    if len(values) < 2:
        return Spread(values[0], values[0], values[0])
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(middle, low, high)


def ratios(found: Mapping[str, list[dict[str, Any]]], name: str, to: str, key: str = "seconds") -> Spread:
    """`name` over `to`, pair by pair of the same round."""
    return spread([one[key] / other[key] for one, other in zip(found[name], found[to], strict=True)])
