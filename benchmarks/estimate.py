"""How long 272 million rows of 45 columns would take on one PostgreSQL like this one: computed from the measured parts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from benchmarks.measure import spread

ROWS, COLUMNS = 272_000_000, 45


def render_estimate(values: Mapping[str, Any]) -> str:
    """The computation, its assumptions named; a word where a part is missing."""
    missing = {"load", "side_by_side", "levers"} - values.keys()
    if missing:
        return f"Not computed: the parts {', '.join(sorted(missing))} were not measured."
    fact = values["load"]["fact"]
    each = _median(fact["samples"]["s3"]) / fact["rows"] * COLUMNS / fact["columns"]
    together = values["side_by_side"]["seconds"]
    gain = 2 * spread(together["1"]).median / spread(together["2"]).median
    levers, rows = values["levers"]["samples"], values["levers"]["rows"]
    indexes = _median(levers["three indexes built afterwards"]) - _median(levers["a plain table"])
    build = max(0.0, indexes) / 3 / rows * ROWS * math.log2(ROWS) / math.log2(rows)
    one = each * ROWS
    assumed = (
        f"Assumed: {COLUMNS} columns cost {COLUMNS}/{fact['columns']} of the fact table's {fact['columns']} "
        f"({each * 1e6:.1f} µs a row with one loader); the server's disk keeps up as here, though the table is larger than its memory; an index "
        "costs n·log n. Not counted: Snowflake's unload and fingerprints (its own warehouse's work), the count of the staged rows, "
        "and waiting. A server with more cores takes more loaders; this one shares its two with the loaders themselves."
    )
    lines = [
        "| | hours |",
        "| --- | ---: |",
        f"| loading, one loader through S3 | {one / 3600:.2f} |",
        f"| loading, two loaders ({gain:.2f} times as fast as one, as measured) | {one / gain / 3600:.2f} |",
        f"| one index, or the primary key, built afterwards | {build / 3600:.2f} |",
        f"| two loaders and the primary key | {(one / gain + build) / 3600:.2f} |",
        "",
        assumed,
    ]
    return "\n".join(lines)


def _median(samples: list[dict[str, float]]) -> float:
    return spread([one["seconds"] for one in samples]).median
