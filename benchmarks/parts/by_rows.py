"""Whole runs without Airflow over growing tables, and what share each step has.

Eight columns with a primary key, in ten files. The unload and the source's half of the fingerprints are the Snowflake
stand-in's: DuckDB on the same cores. Memory is that of the process that takes all steps, beyond imports and connections, at its peak.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.bench import Bench
from benchmarks.growth import seconds, sizes, table, whole_run

TITLE = "Rows"
ROWS = (10_000, 100_000, 1_000_000, 10_000_000)
#: Step → what it is called; `verify` is the whole, counts included.
STEPS = {
    "plan": "plan",
    "unload": "unload (stand-in)",
    "manifest": "manifest",
    "files": "files",
    "load": "load",
    "verify": "verify",
    "index": "index build",
    "publish": "publish",
}


def run(bench: Bench) -> list[dict[str, Any]]:
    """Each size once; BENCH_SCALE_ROWS names others."""
    return [whole_run(bench, "rows", rows) for rows in sizes("BENCH_SCALE_ROWS", ROWS)]


def render(values: list[Mapping[str, Any]]) -> str:
    """Seconds, then shares."""
    head = [
        "rows",
        "files",
        "MB",
        *(f"{name}, s" for name in STEPS.values()),
        "verify by counts alone, s",
        "memory, MB",
    ]
    rows = [
        [f"{one['rows']:,}", f"{one['files']:,}", f"{one['bytes'] / 1e6:.0f}"]
        + [f"{seconds(one, step):.2f}" for step in STEPS]
        + [f"{seconds(one, 'verify, counts alone'):.2f}", f"{one['grown_mb']:.0f}"]
        for one in values
    ]
    shares = [
        [f"{one['rows']:,}", f"{_whole(one):.1f}"]
        + [f"{seconds(one, step) / _whole(one):.0%}" for step in STEPS]
        + [f"{one['rows'] / _whole(one):,.0f}"]
        for one in values
    ]
    return "\n".join(
        [
            *table(head, rows),
            "",
            "Shares of the whole:",
            "",
            *table(["rows", "seconds", *STEPS.values(), "rows/s"], shares),
        ]
    )


def _whole(one: Mapping[str, Any]) -> float:
    return sum(seconds(one, step) for step in STEPS)
