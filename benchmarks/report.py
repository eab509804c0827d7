"""RESULTS.md from the raw numbers of all parts measured so far."""

from __future__ import annotations

import importlib
import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("RESULTS.md")
PARTS = ("load", "memory", "side_by_side", "csv_load", "peers", "narrow", "levers", "scale", "dag")
VERSIONS = ("pyarrow", "pgpq", "psycopg", "boto3", "apache-airflow")
HEAD = """# What it costs

Made by `make bench` from raw numbers; do not edit. Medians, with the quartiles in parentheses; contenders take turns in one
process after another, so ratios are of pairs that met the same machine. Snowflake and S3 are stand-ins on the same cores
(docs/sandbox.md); PostgreSQL is the real server, version 18, with fsync on. The floor is `psql \\copy` of a file in
PostgreSQL's own binary format, made by the same server from the same rows: only the \\copy is timed.
"""


def describe_machine() -> str:
    """Processor, cores, memory, system and versions."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    memory = next((int(line.split()[1]) / 1e6 for line in _lines("/proc/meminfo")), 0.0)
    said = ", ".join(f"{name} {version(name)}" for name in VERSIONS)
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GB; Python {platform.python_version()}, {said}."


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def write_report(raw: Path) -> None:
    """Render every part that has numbers."""
    sections = [HEAD, describe_machine() + "\n"]
    values: dict[str, Any] = {}
    for name in PARTS:
        path = raw / f"{name}.json"
        if path.exists():
            values[name] = json.loads(path.read_text())
            part = importlib.import_module(f"benchmarks.parts.{name}")
            sections.append(f"## {part.TITLE}\n\n{part.__doc__.strip()}\n\n{part.render(values[name])}\n")
    RESULTS.write_text("\n".join(sections))
