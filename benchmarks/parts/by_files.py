"""Whole runs without Airflow over growing numbers of files of ten rows: what a file costs by being one.

The files are put into the S3 stand-in as an unload would have left them; the planner, the ledger, the manifest in S3, the loads,
the verification by counts and the publish are real. Statements are those sent to PostgreSQL, the ledger's and all others,
without BEGIN, COMMIT and savepoints around them. XCom bytes are those of Airflow's JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.bench import Bench
from benchmarks.growth import seconds, sizes, table, whole_run

TITLE = "Files"
FILES = (1, 10, 100, 1_000, 10_000)
STEPS = ("plan", "manifest", "files", "load", "verify, counts alone", "publish")


def run(bench: Bench) -> list[dict[str, Any]]:
    """Each number once; BENCH_SCALE_FILES names others."""
    return [whole_run(bench, "files", files) for files in sizes("BENCH_SCALE_FILES", FILES)]


def render(values: list[Mapping[str, Any]]) -> str:
    """Seconds and milliseconds a file, then what is counted."""
    timed = [
        [f"{one['files']:,}", *(f"{seconds(one, step):.2f}" for step in STEPS)]
        + [f"{_each(one, *steps):.2f}" for steps in (("manifest",), ("files",), ("load",), STEPS[-2:])]
        + [f"{one['grown_mb']:.0f}"]
        for one in values
    ]
    counted = [
        [f"{one['files']:,}", f"{one['unload_tasks']}", f"{one['load_tasks']}"]
        + [f"{_said(one, step, 'statements'):.0f}" for step in ("plan", "files")]
        + [f"{_said(one, 'load', 'statements') / one['files']:.1f}"]
        + [f"{_said(one, step, 'statements'):.0f}" for step in STEPS[-2:]]
        + [f"{_said(one, step, 'xcom'):,.0f}" for step in ("plan", "manifest", "files")]
        for one in values
    ]
    return "\n".join(
        [
            *table(
                [
                    "files",
                    *(f"{step}, s" for step in ("plan", "manifest", "files", "load", "verify", "publish")),
                    *(f"{step}, ms a file" for step in ("manifest", "files", "load", "verify and publish")),
                    "memory, MB",
                ],
                timed,
            ),
            "",
            *table(
                [
                    "files",
                    "unload tasks",
                    "load tasks",
                    *(
                        f"statements: {step}"
                        for step in ("plan", "files", "load, a file", "verify", "publish")
                    ),
                    *(
                        f"XCom bytes: {step}"
                        for step in ("the map of unloads", "largest manifest", "the map of loads")
                    ),
                ],
                counted,
            ),
        ]
    )


def _each(one: Mapping[str, Any], *steps: str) -> float:
    return sum(seconds(one, step) for step in steps) / int(one["files"]) * 1e3


def _said(one: Mapping[str, Any], step: str, what: str) -> float:
    return float(one["steps"][step][what])
