"""What is to be had at the server: logging, indexes, waiting for the disk, staging, and the size of the files."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from benchmarks.bench import SCHEMA, Bench
from benchmarks.files import MadeFile
from benchmarks.measure import Sample, sample, spread
from benchmarks.tables import FACT
from snowmelt.steps.load import load_files

TITLE = "Levers"
INDEXES = tuple(
    f"CREATE INDEX ON {{0}} ({columns})"
    for columns in ("visit_call_id", "visit_date, agency_id", "updated_at")
)
ROUNDS = 3


def run(bench: Bench) -> dict[str, Any]:
    """Each lever in turn, a few rounds."""
    levers = Levers(bench)
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in levers.all()}
    for _ in range(min(ROUNDS, bench.rounds)):
        for name, lever in levers.all().items():
            found[name].append(asdict(lever()))
    bench.connection.execute(f"DROP TABLE {levers.target.name}")
    return {"rows": levers.made.rows, "samples": found}


class Levers:
    """Loads of one file, each under another condition."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.made = bench.file(FACT, bench.megabytes / 2)
        self.small = bench.file(FACT, bench.megabytes / 20)
        self.target = FACT.target(SCHEMA, "levers")

    def all(self) -> dict[str, Callable[[], Sample]]:
        """Name → what is timed."""
        return {
            "a plain table": self.plain,
            "unlogged": self.unlogged,
            "unlogged, then SET LOGGED": lambda: self.then(self.unlogged(), "ALTER TABLE {0} SET LOGGED"),
            "three indexes kept": self.indexed,
            "three indexes built afterwards": lambda: self.then(self.plain(), *INDEXES),
            "synchronous_commit off": self.not_waiting,
            "staged, then INSERT … SELECT": lambda: self.then(
                self.plain(), "CREATE TABLE {0}_copy (LIKE {0})", "INSERT INTO {0}_copy SELECT * FROM {0}"
            ),
            "through S3, one file": lambda: self.from_s3(self.made, 1),
            "through S3, ten files of a tenth": lambda: self.from_s3(
                self.small, round(self.made.rows / self.small.rows)
            ),
        }

    def _new(self, *, unlogged: bool = False) -> None:
        self.bench.connection.execute(f"DROP TABLE IF EXISTS {SCHEMA}.levers_copy")
        self.bench.create(self.target, unlogged=unlogged)

    def plain(self) -> Sample:
        """Into an empty table without indexes."""
        self._new()
        return self._load()

    def unlogged(self) -> Sample:
        """Without a write-ahead log."""
        self._new(unlogged=True)
        return self._load()

    def indexed(self) -> Sample:
        """Into a table with its indexes."""
        self._new()
        for sql in INDEXES:
            self._execute(sql)
        return self._load()

    def not_waiting(self) -> Sample:
        """The commit does not wait for the disk."""
        self.bench.connection.execute("SET synchronous_commit = off")
        try:
            return self.plain()
        finally:
            self.bench.connection.execute("SET synchronous_commit = on")

    def then(self, first: Sample, *statements: str) -> Sample:
        """Statements after a load, their seconds added."""
        start = time.perf_counter()
        for sql in statements:
            self._execute(sql)
        return Sample(first.seconds + time.perf_counter() - start, first.client_cpu, first.server_cpu)

    def from_s3(self, made: MadeFile, times: int) -> Sample:
        """One file that many times, each as a run of its own."""
        self._new()
        self.bench.superuser("CHECKPOINT")
        file, jobs = self.bench.upload(made), [self.bench.job(self.target) for _ in range(times)]
        connection = self.bench.connection

        def each() -> None:
            for job in jobs:
                load_files(connection, self.bench.s3, [file], job)

        return sample(each, connection.info.backend_pid)

    def _load(self) -> Sample:
        self.bench.superuser("CHECKPOINT")
        return self.bench.load(self.made, self.target, from_s3=False)

    def _execute(self, sql: str) -> None:
        self.bench.connection.execute(sql.format(f"{SCHEMA}.levers"))


def render(values: Mapping[str, Any]) -> str:
    """A table."""
    found = values["samples"]
    plain = spread([s["seconds"] for s in found["a plain table"]]).median
    lines = ["| lever | seconds | ÷ plain table | rows/s |", "| --- | ---: | ---: | ---: |"]
    for name, samples in found.items():
        seconds = spread([s["seconds"] for s in samples])
        lines.append(
            f"| {name} | {seconds:.2f} | {seconds.median / plain:.2f} | {values['rows'] / seconds.median:,.0f} |"
        )
    return "\n".join(lines)
