"""One, two and three loads at once into one table, from disk: how many loaders a server's cores take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.bench import SCHEMA, Bench
from benchmarks.measure import spread
from benchmarks.processes import load_command, run_together
from benchmarks.tables import FACT

TITLE = "Loads side by side"
ROUNDS = 3


def run(bench: Bench) -> dict[str, Any]:
    """Seconds for that many files at once; each of half the usual size."""
    made = bench.file(FACT, bench.megabytes / 2)
    target = FACT.target(SCHEMA, "together")
    bench.create(target)
    found: dict[str, list[float]] = {"1": [], "2": [], "3": []}
    for _ in range(ROUNDS):
        for count, seconds in found.items():
            bench.empty(target.name)
            commands = [load_command(bench, [made], target, from_s3=False) for _ in range(int(count))]
            seconds.append(run_together(commands)[0])
    bench.connection.execute(f"DROP TABLE {target.name}")
    return {"rows": made.rows, "bytes": made.bytes, "seconds": found}


def render(values: Mapping[str, Any]) -> str:
    """A table."""
    lines = ["| loaders | seconds | rows/s together |", "| ---: | ---: | ---: |"]
    for count, seconds in values["seconds"].items():
        middle = spread(seconds)
        lines.append(f"| {count} | {middle:.2f} | {values['rows'] * int(count) / middle.median:,.0f} |")
    return "\n".join(lines)
