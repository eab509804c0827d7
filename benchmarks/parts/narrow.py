"""narrow_numbers: lineitem with its NUMBER(38,0) keys as numeric, and as the smallest integers that take them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from benchmarks.bench import SCHEMA, Bench
from benchmarks.measure import interleave, ratios, spread
from benchmarks.tables import LINEITEM

TITLE = "Narrow numbers"
#: What the ranges of the source statistics give for the four keys.
NARROW = {
    "L_ORDERKEY": "integer",
    "L_PARTKEY": "integer",
    "L_SUPPKEY": "integer",
    "L_LINENUMBER": "smallint",
}


def run(bench: Bench) -> dict[str, Any]:
    """Load, index, sizes; both ways in turn."""
    made = bench.file(LINEITEM)
    targets = {
        "as declared": LINEITEM.target(SCHEMA, "wide_numbers"),
        "narrow_numbers": LINEITEM.target(SCHEMA, "narrow_numbers", NARROW),
    }
    for target in targets.values():
        bench.create(target)

    def load(name: str) -> Any:
        bench.empty(targets[name].name)
        return bench.load(made, targets[name], from_s3=False)

    found = interleave(
        {name: lambda name=name: load(name) for name in targets},  # type: ignore[misc]
        min(3, bench.rounds),
    )
    sizes: dict[str, dict[str, float]] = {}
    for name, target in targets.items():
        start = time.perf_counter()
        bench.connection.execute(f"CREATE INDEX ON {target.name} (l_orderkey, l_linenumber)")
        built = time.perf_counter() - start
        row = bench.connection.execute(
            "SELECT pg_relation_size(%s::regclass), pg_indexes_size(%s::regclass)", (target.name, target.name)
        ).fetchone() or (0, 0)
        sizes[name] = {"index_seconds": built, "table_bytes": row[0], "index_bytes": row[1]}
        bench.connection.execute(f"DROP TABLE {target.name}")
    return {"rows": made.rows, "samples": found, "sizes": sizes}


def render(values: Mapping[str, Any]) -> str:
    """A table."""
    lines = [
        f"{values['rows']:,} rows, from disk.",
        "",
        "| | load s | ÷ as declared | server CPU s | index of two keys built, s | table MB | index MB |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, samples in values["samples"].items():
        size = values["sizes"][name]
        seconds, server = (spread([s[key] for s in samples]) for key in ("seconds", "server_cpu"))
        lines.append(
            f"| {name} | {seconds:.2f} | {ratios(values['samples'], name, 'as declared'):.2f} | {server.median:.2f} "
            f"| {size['index_seconds']:.2f} | {size['table_bytes'] / 1e6:.0f} | {size['index_bytes'] / 1e6:.0f} |"
        )
    return "\n".join(lines)
