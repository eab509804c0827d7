"""What a load takes in memory, in a process of its own: by the file's size and by the size of its row groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.bench import SCHEMA, Bench
from benchmarks.processes import load_command, run_together
from benchmarks.tables import FACT

TITLE = "Memory"
#: (MB of the file as a share of the usual one, Arrow bytes of a row group)
CASES = {
    "half the usual file": (0.5, 64 << 20),
    "eight times as much": (4.0, 64 << 20),
    "one row group, held": (0.8, 1 << 30),
    "one row group, streamed": (1.6, 1 << 30),
}


def run(bench: Bench) -> dict[str, Any]:
    """Each case once, through the S3 stand-in."""
    found = {}
    for name, (share, group_bytes) in CASES.items():
        made = bench.file(FACT, bench.megabytes * share, group_bytes=group_bytes)
        target = FACT.target(SCHEMA, "memory")
        bench.create(target, unlogged=True)
        _, answers = run_together([load_command(bench, [made], target, from_s3=True)])
        found[name] = answers[0] | {"bytes": made.bytes, "rows": made.rows}
    bench.connection.execute(f"DROP TABLE {target.name}")
    return found


def render(values: Mapping[str, Any]) -> str:
    """A table."""
    lines = [
        "| file | MB | rows | resident beyond imports and connection, MB at the peak | seconds |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {name} | {one['bytes'] / 1e6:.0f} | {one['rows']:,} | {one['grown_mb']:.0f} | {one['seconds']:.2f} |"
        for name, one in values.items()
    ]
    return "\n".join(lines)
