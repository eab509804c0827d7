"""Comparing and repairing a whole table of growing size, beside copying all of it, without Airflow.

Eight columns, compared in up to 298 chunks by the key. Ten rows are deleted and ten changed in ten chunks of the target; then it is
compared again, and repaired. The unloads and the source's half of each comparison are the Snowflake stand-in's: DuckDB on the same cores.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.bench import Bench
from benchmarks.growth import seconds, sizes, table, whole_run

TITLE = "Compare and repair"
ROWS = (100_000, 1_000_000, 10_000_000)
STEPS = {
    "full": "full copy",
    "equal": "compare, equal",
    "different": "compare, different",
    "repair": "repair",
}


def run(bench: Bench) -> list[dict[str, Any]]:
    """Each size once; BENCH_SCALE_ROWS names others."""
    return [whole_run(bench, "compared", rows) for rows in sizes("BENCH_SCALE_ROWS", ROWS)]


def render(values: list[Mapping[str, Any]]) -> str:
    """Seconds, and what a repair copied."""
    head = [
        "rows",
        "chunks",
        *(f"{name}, s" for name in STEPS.values()),
        "µs a row compared",
        "chunks repaired",
        "rows copied by the repair",
        "memory, MB",
    ]
    rows = [
        [
            f"{one['rows']:,}",
            f"{one['chunks']:,}",
            *(f"{seconds(one, step):.2f}" for step in STEPS),
            f"{seconds(one, 'equal') / one['rows'] * 1e6:.2f}",
            f"{one['repaired_chunks']:,}",
            f"{one['repaired_rows']:,}",
            f"{one['grown_mb']:.0f}",
        ]
        for one in values
    ]
    return "\n".join(table(head, rows))
