"""One file by the real load, from disk and through the S3 stand-in, beside the server's floor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.bench import SCHEMA, Bench
from benchmarks.measure import interleave, ratios, spread
from benchmarks.tables import TABLES, Table

TITLE = "One file"


def run(bench: Bench, only: tuple[str, ...] = ()) -> dict[str, Any]:
    """All tables, one after another."""
    return {name: _one(bench, table) for name, table in TABLES.items() if not only or name in only}


def _one(bench: Bench, table: Table) -> dict[str, Any]:
    made = bench.file(table)
    target = table.target(SCHEMA, f"load_{table.name}")
    bench.create(target)
    bench.load(made, target, from_s3=False)
    floor = bench.floor(made, target)
    floor.write(target.name)
    bench.upload(made)

    def copy() -> Any:
        bench.empty(target.name)
        return floor.copy(target.name)

    def load(*, from_s3: bool) -> Any:
        bench.empty(target.name)
        return bench.load(made, target, from_s3=from_s3)

    contenders = {"floor": copy, "disk": lambda: load(from_s3=False), "s3": lambda: load(from_s3=True)}
    found = interleave(contenders, bench.rounds)
    bench.connection.execute(f"DROP TABLE {target.name}")
    return {
        "about": table.about,
        "bytes": made.bytes,
        "rows": made.rows,
        "columns": len(table.made),
        "copy_bytes": floor.file.stat().st_size,
        "samples": found,
    }


def render(values: Mapping[str, Any]) -> str:
    """A table of medians and ratios."""
    lines = [
        "| table | rows | Parquet MB | COPY MB | floor s | disk s | through S3 s | disk ÷ floor | S3 ÷ floor | client CPU s | server CPU s | floor's server CPU s |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, one in values.items():
        found = one["samples"]
        seconds = {key: spread([s["seconds"] for s in samples]) for key, samples in found.items()}
        cpu = {key: spread([s["client_cpu"] for s in samples]).median for key, samples in found.items()}
        server = {key: spread([s["server_cpu"] for s in samples]).median for key, samples in found.items()}
        lines.append(
            f"| {name} | {one['rows']:,} | {one['bytes'] / 1e6:.0f} | {one['copy_bytes'] / 1e6:.0f} | {seconds['floor']:.2f} "
            f"| {seconds['disk']:.2f} | {seconds['s3']:.2f} | {ratios(found, 'disk', 'floor'):.2f} | {ratios(found, 's3', 'floor'):.2f} "
            f"| {cpu['disk']:.2f} | {server['disk']:.2f} | {server['floor']:.2f} |"
        )
    notes = [f"- {name}: {one['about']}." for name, one in values.items()]
    return "\n".join([*lines, "", *notes])
