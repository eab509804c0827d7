"""RESULTS.md and SCALE.md from the raw numbers of all parts measured so far."""

from __future__ import annotations

import importlib
import json
import os
import platform
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import estimate
from benchmarks.estimate import render_estimate
from benchmarks.plot import draw_ratios
from benchmarks.plot_growth import draw_growth

FOLDER = Path(__file__).parent
TUNING = FOLDER.parent / "docs" / "tuning.md"
#: The parts of RESULTS.md, what one load costs; and those of SCALE.md, how it grows.
PARTS = ("load", "memory", "side_by_side", "csv_load", "peers", "narrow", "levers")
SCALE_PARTS = ("by_rows", "comparing", "by_files", "scale", "scheduler", "parsing", "dag")
VERSIONS = ("pyarrow", "pgpq", "psycopg", "boto3", "apache-airflow")
HEAD = """# What it costs

Made by `make bench` from raw numbers; do not edit. Medians, with the quartiles in parentheses; contenders take turns in one
process after another, so ratios are of pairs that met the same machine. Snowflake and S3 are stand-ins on the same cores
(docs/sandbox.md); PostgreSQL is the real server, version 18, with fsync on. The floor is `psql \\copy` of a file in
PostgreSQL's own binary format, made by the same server from the same rows: only the \\copy is timed.
"""
SCALE_HEAD = """# How it grows

Made by `make bench-scale` from raw numbers; do not edit. Each number is of one run unless it says otherwise. Snowflake and S3
are stand-ins on the same cores (docs/sandbox.md); PostgreSQL is the real server, version 18, with fsync on, and Airflow is the
real one, with its own database on the same server.
"""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of results."""

    name: str
    head: str
    parts: tuple[str, ...]
    #: The part after which the plot stands; its file and what it shows.
    plot_after: str
    plot: str
    caption: str
    draw: Callable[[Mapping[str, Any]], str]


PAGES = (
    Page(
        "RESULTS.md",
        HEAD,
        PARTS,
        "load",
        "ratios.svg",
        "How many times the floor",
        lambda values: draw_ratios(values["load"]),
    ),
    Page(
        "SCALE.md",
        SCALE_HEAD,
        SCALE_PARTS,
        "by_files",
        "scale.svg",
        "Seconds of each step by rows and by files",
        draw_growth,
    ),
)


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


def write_report(raw: Path, folder: Path = FOLDER, tuning: Path = TUNING) -> None:
    """Write each page that has numbers, and the same tables into the page of docs/ that asks for them.

    :param raw: where the parts' JSON files are.
    """
    values = {
        name: json.loads((raw / f"{name}.json").read_text())
        for page in PAGES
        for name in page.parts
        if (raw / f"{name}.json").exists()
    }
    modules = {name: importlib.import_module(f"benchmarks.parts.{name}") for name in values}
    rendered: dict[str, str] = {}
    for name in list(values):
        try:
            rendered[name] = modules[name].render(values[name])
        except KeyError as missing:
            print(
                f"{name}: measured by an older benchmark, without {missing}: left out until it is measured again"
            )
            del values[name]
    rendered["estimate"] = render_estimate(values)
    for page in PAGES:
        measured = [name for name in page.parts if name in values]
        if not measured:
            continue
        sections = [page.head, describe_machine() + "\n"]
        for name in measured:
            part = modules[name]
            sections.append(f"## {part.TITLE}\n\n{str(part.__doc__).strip()}\n\n{rendered[name]}\n")
            if name == page.plot_after:
                (folder / page.plot).write_text(page.draw(values))
                sections.append(f"![{page.caption}]({page.plot})\n")
        if page.parts is SCALE_PARTS:
            sections.append(
                f"## 272 million rows, 45 columns\n\n{estimate.__doc__}\n\n{rendered['estimate']}\n"
            )
        (folder / page.name).write_text("\n".join(sections))
    fill_page(tuning, rendered)


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
