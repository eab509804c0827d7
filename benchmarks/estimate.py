"""How long 272 million rows of 45 columns would take on one PostgreSQL like this one: computed from the measured parts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from benchmarks.growth import seconds
from benchmarks.measure import spread

ROWS, COLUMNS = 272_000_000, 45
#: The table of by_rows.
_GROWTH_COLUMNS = 8
#: Rows of a chunk, bytes of a file and load tasks at most: the defaults.
_CHUNK_ROWS, _FILE_BYTES, _MOST_TASKS = 5_000_000, 100e6, 300


def render_estimate(values: Mapping[str, Any]) -> str:
    """The computation, its assumptions named; a word where a part is missing."""
    missing = {"load", "side_by_side", "levers"} - values.keys()
    if missing:
        return f"Not computed: the parts {', '.join(sorted(missing))} were not measured (`make bench`)."
    fact = values["load"]["fact"]
    wider = COLUMNS / fact["columns"]
    each = _median(fact["samples"]["s3"]) / fact["rows"] * wider
    together = values["side_by_side"]["seconds"]
    gain = 2 * spread(together["1"]).median / spread(together["2"]).median
    one = each * ROWS
    build, source = _index(values)
    lines = [
        ("loading, one loader through S3", one),
        (f"loading, two loaders ({gain:.2f} times as fast as one, as measured)", one / gain),
        (f"the primary key, built afterwards ({source})", build),
    ]
    whole, named = one / gain + build, "two loaders and the primary key"
    assumed = (
        f"Assumed: {COLUMNS} columns cost {COLUMNS}/{fact['columns']} of the fact table's {fact['columns']} "
        f"({each * 1e6:.1f} µs a row with one loader); the server's disk keeps up as here, though the table is larger than its memory; an index "
        "costs n·log n."
    )
    said = [assumed]
    if values.get("by_rows"):
        counting, publishing = _counting(values)
        lines += [("verify by counts", counting), ("publish, its own count included", publishing)]
        whole, named = whole + counting + publishing, f"{named}, verified and published"
        said.append(
            f"Counting costs by the table's size, {COLUMNS}/{_GROWTH_COLUMNS} of the {_GROWTH_COLUMNS} columns measured. Beyond "
            "execution.fingerprint_rows (50,000,000) a sample of 12 chunks is compared."
        )
    if values.get("scheduler"):
        tasks = _tasks(fact["bytes"] / fact["rows"] * wider)
        airflow = tasks * min(run["wall"] / run["tasks"] for run in values["scheduler"])
        lines.append((f"Airflow: {tasks} mapped tasks, were none of it hidden behind the loads", airflow))
        whole, named = whole + airflow, f"{named}, with Airflow's"
    lines.append((f"**{named}**", whole))
    said.append(
        "Not counted: Snowflake's unload (its own warehouse's work, on which the loads wait) and waiting. A server with more cores "
        "takes more loaders; this one shares its two with the loaders themselves."
    )
    table = ["| | hours |", "| --- | ---: |", *(f"| {name} | {taken / 3600:.2f} |" for name, taken in lines)]
    return "\n".join([*table, "", " ".join(said)])


def _index(values: Mapping[str, Any]) -> tuple[float, str]:
    """Seconds of the primary key, and what they are computed from."""
    if values.get("by_rows"):
        largest = _largest(values)
        rows, taken = largest["rows"], seconds(largest, "index")
        source = f"from {rows:,} rows, with ANALYZE"
    else:
        levers, rows = values["levers"]["samples"], values["levers"]["rows"]
        three = _median(levers["three indexes built afterwards"]) - _median(levers["a plain table"])
        taken, source = max(0.0, three) / 3, f"from a third of three on {rows:,} rows"
    return taken / rows * ROWS * math.log2(ROWS) / math.log2(rows), source


def _counting(values: Mapping[str, Any]) -> tuple[float, float]:
    """Seconds of verify by counts alone, and of publish without its index build."""
    largest = _largest(values)
    times = ROWS / largest["rows"] * COLUMNS / _GROWTH_COLUMNS
    return seconds(largest, "verify, counts alone") * times, seconds(largest, "publish") * times


def _tasks(row_bytes: float) -> int:
    """Unload, manifest and load tasks."""
    chunks = math.ceil(ROWS / _CHUNK_ROWS)
    files = max(chunks, math.ceil(ROWS * row_bytes / _FILE_BYTES))
    return 2 * chunks + min(files, _MOST_TASKS)


def _largest(values: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = max(values["by_rows"], key=lambda one: one["rows"])
    return found


def _median(samples: list[dict[str, float]]) -> float:
    return spread([one["seconds"] for one in samples]).median
