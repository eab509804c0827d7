"""Whole runs of growing size, each in a process of its own, and how their numbers are shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from benchmarks.bench import ROOT, Bench


def whole_run(bench: Bench, kind: str, count: int) -> dict[str, Any]:
    """One run of whole_run.py.

    :raises RuntimeError: it failed; with the end of what it said.
    """
    given = {"dsn": bench.dsn, "kind": kind, "count": count}
    bench.connection  # noqa: B018 - the schema and the ledger are made
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "benchmarks.whole_run", json.dumps(given)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError((done.stdout + done.stderr)[-3_000:])
    found = dict(json.loads(done.stdout.splitlines()[-1]))
    if "steps" in found:
        taken = sum(one["seconds"] for one in found["steps"].values())
        print(f"  {count:,} {kind}: {taken:.1f} s", flush=True)
    return found


def sizes(variable: str, default: tuple[int, ...]) -> tuple[int, ...]:
    """The sizes of a part: the environment names others, parted by blanks."""
    return tuple(int(word) for word in os.environ.get(variable, "").replace(",", " ").split()) or default


def seconds(one: Mapping[str, Any], step: str) -> float:
    """What a step of a run took; `index` is the part of the publish that builds indexes, `publish` the rest of it."""
    if step == "index":
        return float(one["index_seconds"])
    taken = float(one["steps"].get(step, {"seconds": 0.0})["seconds"])
    return taken - one["index_seconds"] if step == "publish" else taken


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """Lines of Markdown, every column to the right."""
    return [
        f"| {' | '.join(head)} |",
        f"|{' ---: |' * len(head)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
