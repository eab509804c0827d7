r"""CSV: fetched by the server through aws_s3, streamed by the client, and psql's \copy of the same text."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.bench import CACHE, SCHEMA, Bench
from benchmarks.files import MadeFile
from benchmarks.measure import interleave, ratios, sample, spread
from benchmarks.tables import FACT
from snowmelt.load.csv import build_csv_copy
from snowmelt.steps.load import load_files

TITLE = "CSV"


def run(bench: Bench) -> dict[str, Any]:
    """The fact table's rows as CSV, written by the server in the form that the load reads."""
    made = bench.file(FACT, bench.megabytes / 2)
    target = FACT.target(SCHEMA, "csv_rows")
    bench.create(target)
    bench.load(made, target, from_s3=False)
    floor = bench.floor(made, target)
    floor.write(target.name)
    path = CACHE / "files" / f"{Path(made.path).name.split('.')[0]}.csv"
    if not path.exists():
        statement = build_csv_copy(target).replace(" FROM STDIN", " TO STDOUT")
        with bench.connection.cursor() as cursor, cursor.copy(statement) as copy, path.open("wb") as file:
            for piece in copy:
                file.write(piece)
    csv = MadeFile(str(path), path.stat().st_size, made.rows)
    staged = bench.upload(csv)

    def load(method: str) -> Any:
        bench.empty(target.name)
        job = bench.job(target, method=method, file_format="csv")
        pid = bench.connection.info.backend_pid
        return sample(lambda: load_files(bench.connection, bench.s3, [staged], job), pid)

    def text_floor() -> Any:
        bench.empty(target.name)
        return sample(lambda: _send(bench, build_csv_copy(target), path), bench.connection.info.backend_pid)

    def binary_floor() -> Any:
        bench.empty(target.name)
        return floor.copy(target.name)

    def parquet() -> Any:
        bench.empty(target.name)
        return bench.load(made, target, from_s3=True)

    contenders = {
        "binary floor": binary_floor,
        "text from disk, sent as it is": text_floor,
        "CSV streamed (copy)": lambda: load("copy"),
        "CSV by aws_s3": lambda: load("aws_s3"),
        "Parquet (copy)": parquet,
    }
    found = interleave(contenders, min(3, bench.rounds))
    bench.connection.execute(f"DROP TABLE {target.name}")
    return {"rows": made.rows, "csv_bytes": csv.bytes, "parquet_bytes": made.bytes, "samples": found}


def _send(bench: Bench, statement: str, path: Path) -> None:
    with bench.connection.cursor() as cursor, cursor.copy(statement) as copy, path.open("rb") as file:
        while data := file.read(io.DEFAULT_BUFFER_SIZE * 16):
            copy.write(data)


def render(values: Mapping[str, Any]) -> str:
    """A table."""
    found = values["samples"]
    lines = [
        "| way | seconds | ÷ binary floor | client CPU s | server CPU s |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, samples in found.items():
        client, server = (spread([s[key] for s in samples]).median for key in ("client_cpu", "server_cpu"))
        seconds = spread([s["seconds"] for s in samples])
        lines.append(
            f"| {name} | {seconds:.2f} | {ratios(found, name, 'binary floor'):.2f} | {client:.2f} | {server:.2f} |"
        )
    head = f"{values['rows']:,} rows: {values['csv_bytes'] / 1e6:.0f} MB of CSV, {values['parquet_bytes'] / 1e6:.0f} MB of Parquet."
    tail = "aws_s3 is the sandbox's: a program of the server's fetches the object, whose CPU is counted nowhere here."
    return "\n".join([head, "", *lines, "", tail])
