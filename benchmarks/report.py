"""RESULTS.md from the raw numbers of all parts measured so far."""

from __future__ import annotations

import importlib
import json
import os
import platform
import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import estimate
from benchmarks.estimate import render_estimate
from benchmarks.plot import draw_ratios

RESULTS = Path(__file__).with_name("RESULTS.md")
PLOT = RESULTS.with_name("ratios.svg")
TUNING = Path(__file__).parents[1] / "docs" / "tuning.md"
PARTS = ("load", "memory", "side_by_side", "csv_load", "peers", "narrow", "levers", "scale", "parsing", "dag")
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
    """Render every part that has numbers, and the same tables into the pages of docs/ that ask for them."""
    values: dict[str, Any] = {}
    rendered: dict[str, str] = {}
    sections = [HEAD, describe_machine() + "\n"]
    for name in PARTS:
        path = raw / f"{name}.json"
        if not path.exists():
            continue
        values[name] = json.loads(path.read_text())
        part = importlib.import_module(f"benchmarks.parts.{name}")
        rendered[name] = part.render(values[name])
        sections.append(f"## {part.TITLE}\n\n{part.__doc__.strip()}\n\n{rendered[name]}\n")
        if name == "load":
            PLOT.write_text(draw_ratios(values[name]))
            sections.append("![How many times the floor](ratios.svg)\n")
    rendered["estimate"] = render_estimate(values)
    sections.append(f"## 272 million rows, 45 columns\n\n{estimate.__doc__}\n\n{rendered['estimate']}\n")
    RESULTS.write_text("\n".join(sections))
    fill_page(TUNING, rendered)


def fill_page(page: Path, rendered: Mapping[str, str]) -> None:
    """Put the tables between `<!-- bench: name -->` and `<!-- end -->`; those of parts without numbers stay."""
    text = page.read_text()
    for name, table in rendered.items():
        text = re.sub(
            rf"(<!-- bench: {name} -->\n).*?(<!-- end -->)",
            lambda found, table=table: f"{found[1]}{table}\n{found[2]}",
            text,
            flags=re.DOTALL,
        )
    page.write_text(text)
