"""A whole run without Airflow in a process of its own, step by step: seconds, statements to PostgreSQL, XCom bytes, memory.

Several kinds; a JSON document as the first argument names one. `rows`: the Snowflake stand-in unloads a table of that many rows, and
PostgreSQL gets a primary key. `compared`: such a table is copied, compared and repaired. `files`: the files are copies of one of ten rows, put into S3 beforehand, so that nothing but
their number costs anything. `staged`: such files and their manifest alone, for a run in mode `load`.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import boto3
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.apart import resident
from snowmelt.drivers.snowflake import SESSION_PARAMETERS
from snowmelt.json_values import from_json, to_json
from snowmelt.ledger import files as ledger_files
from snowmelt.plan.plan import Plan
from snowmelt.steps import load as loading
from snowmelt.steps.planning import list_unload_tasks
from snowmelt.steps.publish import publish_run
from snowmelt.steps.register import RegisteredFiles, register_files
from snowmelt.steps.verify import verify_run
from snowmelt.unload.manifest import StagedChunk, StagedFile
from snowmelt.unload.staged import look_for_chunks
from tests.steps.runs import World

ROWS_OF_FILE = 10
#: Unloads of a run whose files are put: enough that a chunk does not hold them all.
CHUNKS = 20
#: One row of eight columns, by the number N.
COLUMNS = {
    "ID": ("NUMBER(18,0) NOT NULL PRIMARY KEY", "N"),
    "VISIT": ("NUMBER(18,0)", "1000000000 + MOD(N * 7919, 999983)"),
    "AMOUNT": ("NUMBER(12,2)", "MOD(N * 31, 1000000) / 100"),
    "STATE": ("VARCHAR(20)", "'STATE_' || MOD(N, 50)"),
    "NOTE": ("VARCHAR(100)", "'note of the visit number ' || N"),
    "MISSED": ("BOOLEAN", "MOD(N, 7) = 0"),
    "DAY": ("DATE", "DATEADD(day, MOD(N, 3650), '2015-01-01'::DATE)"),
    "UPDATED": ("TIMESTAMP_NTZ(6)", "DATEADD(second, MOD(N, 300000000), '2015-01-01'::TIMESTAMP_NTZ)"),
}


class CountingCursor(psycopg.Cursor[Any]):
    """Counts what is sent, without BEGIN, COMMIT and savepoints of `transaction()`."""

    sent: ClassVar[Counter[str]] = Counter()

    def execute(self, *args: Any, **options: Any) -> Any:
        """One statement."""
        self.sent["statements"] += 1
        return super().execute(*args, **options)

    def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:
        """As many statements as there are rows."""
        rows = list(params_seq)
        self.sent["statements"] += len(rows)
        super().executemany(query, rows, **options)

    def copy(self, *args: Any, **options: Any) -> Any:
        """One COPY, whatever its rows."""
        self.sent["statements"] += 1
        return super().copy(*args, **options)


class CountedWorld(World):
    """A World whose sessions with PostgreSQL are counted, too."""

    @contextmanager
    def target(self) -> Iterator[psycopg.Connection[Any]]:
        """As the tasks open it."""
        with open_postgres(self.dsn) as connection:
            yield connection


def open_postgres(dsn: str) -> psycopg.Connection[Any]:
    """A counted session."""
    return psycopg.connect(dsn, autocommit=True, options="-c timezone=UTC", cursor_factory=CountingCursor)


@dataclass
class Steps:
    """What each step took."""

    found: dict[str, dict[str, float]] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[dict[str, float]]:
        """Time it; the dict takes what else there is to say."""
        sent, cpu, start = CountingCursor.sent["statements"], time.process_time(), time.perf_counter()
        one: dict[str, float] = {}
        yield one
        one["seconds"] = time.perf_counter() - start
        one["cpu"] = time.process_time() - cpu
        one["statements"] = CountingCursor.sent["statements"] - sent
        self.found[name] = one


def fill_rows(world: World, table: str, rows: int) -> None:
    """A table of that many rows in the stand-in, a million at a time."""
    columns = ", ".join(f"{name} {kind}" for name, (kind, _) in COLUMNS.items())
    world.sql(f"CREATE OR REPLACE TABLE {table} ({columns})")
    values = ", ".join(value for _, value in COLUMNS.values())
    for start in range(0, rows, 1_000_000):
        count = min(1_000_000, rows - start)
        numbers = f"SELECT {start} + SEQ8() AS N FROM TABLE(GENERATOR(ROWCOUNT => {count}))"
        world.sql(f"INSERT INTO {table} SELECT {values} FROM ({numbers})")


def put_files(world: World, writer: Any, plan: Plan, files: int) -> list[StagedChunk]:
    """The files of a run as an unload would have written them: alike, `ROWS_OF_FILE` rows each."""
    buffer = io.BytesIO()
    pq.write_table(pa.table({"ID": pa.array(range(ROWS_OF_FILE))}), buffer, compression="snappy")
    data = buffer.getvalue()
    chunks = []
    for chunk in plan.chunks:
        query, staged = uuid.uuid4(), []
        for number in range((chunk.rows or 0) // ROWS_OF_FILE):
            name = f"data_{query}_{number % 8}_{number // 8}_0.snappy.parquet"
            key = plan.location.key(plan.chunk_path(chunk) + name)
            writer.put_object(Bucket=world.bucket, Key=key, Body=data)
            staged.append(StagedFile(key, len(data), ROWS_OF_FILE, chunk.index))
        chunks.append(StagedChunk(chunk.index, world.bucket, str(query), 1.0, tuple(staged), time.time()))
    if sum(len(chunk.files) for chunk in chunks) != files:
        raise RuntimeError("the plan's chunks do not hold whole files")
    return chunks


@dataclass
class WholeRun:
    """One run, driven step by step as the tasks do it."""

    world: World
    connection: psycopg.Connection[Any]
    steps: Steps = field(default_factory=Steps)

    def go(self, table: dict[str, Any], unload: Callable[[Plan], Sequence[StagedChunk]]) -> dict[str, Any]:
        """Plan, unload, manifest, files, load, verify, publish."""
        step = self.steps.step
        with step("plan") as said:
            plan = self.world.plan(table)
        said["xcom"] = len(json.dumps(list_unload_tasks(self.connection, plan)))
        with step("unload") as said:
            chunks = unload(plan)
        said["xcom"] = max(len(json.dumps(to_json(chunk))) for chunk in chunks)
        with step("manifest"):
            looked = [look_for_chunks(self.world.s3, (chunk,)).chunks[0] for chunk in chunks]
        xcoms = [json.dumps(to_json(chunk)) for chunk in looked]
        self.steps.found["manifest"]["xcom"] = max(map(len, xcoms))
        with step("files") as said:
            registered = self._register(plan, [from_json(StagedChunk, json.loads(one)) for one in xcoms])
        said["xcom"] = len(json.dumps(registered.load_tasks()))
        with step("load"):
            self._load(plan, registered)
        with step("verify, counts alone"):
            verify_run(self.connection, replace(plan, fingerprint_rows=0), snowflake=self.world.session)
        if plan.verify != "counts":
            with step("verify"):
                verify_run(self.connection, plan, snowflake=self.world.session)
        with step("publish"):
            result = publish_run(self.connection, plan)
        return {
            "rows": plan.source_rows,
            "files": registered.files,
            "bytes": registered.bytes,
            "unload_tasks": len(chunks),
            "load_tasks": len(registered.batches),
            "published": result["rows_after"],
            "index_seconds": result["index_seconds"],
            "steps": self.steps.found,
        }

    def _register(self, plan: Plan, chunks: list[StagedChunk]) -> RegisteredFiles:
        return register_files(
            self.connection, plan, chunks, s3=lambda: self.world.s3, snowflake=self.world.session
        )

    def _load(self, plan: Plan, registered: RegisteredFiles) -> None:
        job = loading.build_load_job(plan, os.environ["SNOWMELT_SANDBOX_S3_REGION"])
        for batch in registered.batches:
            files = ledger_files.read_batch(self.connection, plan.run_id, batch.index)
            loading.load_files(self.connection, self.world.s3, files, job)


@contextmanager
def open_world(dsn: str) -> Iterator[World]:
    """A schema of the stand-in's for this run alone, dropped afterwards. The sandbox's settings are in the environment."""
    from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook

    from sandbox.demo_data import surroundings

    hook = SnowflakeHook(snowflake_conn_id="snowflake_default", session_parameters=dict(SESSION_PARAMETERS))
    session, schema = hook.get_conn(), f"B{uuid.uuid4().hex[:10].upper()}"
    world = CountedWorld(
        session, s3_client("AIRFLOW_READER"), dsn, os.environ["SNOWMELT_SANDBOX_S3_BUCKET"], schema
    )
    world.sql(
        *surroundings(world.bucket), "CREATE DATABASE IF NOT EXISTS TESTS", f"CREATE SCHEMA TESTS.{schema}"
    )
    world.sql("USE DATABASE TESTS", f"USE SCHEMA {schema}")
    try:
        yield world
    finally:
        world.sql(f"DROP SCHEMA TESTS.{schema}")
        session.close()


def s3_client(user: str) -> Any:
    """The S3 stand-in with one of its users."""
    return boto3.client(
        "s3",
        endpoint_url=os.environ["SNOWMELT_SANDBOX_S3_ENDPOINT"],
        region_name=os.environ["SNOWMELT_SANDBOX_S3_REGION"],
        aws_access_key_id=os.environ[f"SNOWMELT_SANDBOX_{user}_ACCESS_KEY_ID"],
        aws_secret_access_key=os.environ[f"SNOWMELT_SANDBOX_{user}_SECRET_ACCESS_KEY"],
    )


def run_rows(world: World, connection: psycopg.Connection[Any], rows: int) -> dict[str, Any]:
    """A run over that many rows, unloaded by the stand-in."""
    fill_rows(world, "MANY", rows)
    table = {
        "source": "MANY",
        "target": "scale_rows",
        "mode": "full",
        "chunking_column": "ID",
        "chunk_rows": max(1_000, rows // 10),
    }
    return WholeRun(world, connection).go(table, world.unload)


def stage_files(world: World, files: int) -> tuple[dict[str, Any], Callable[[Plan], list[StagedChunk]]]:
    """A table of that many files' rows: its configuration, and files in place of its unload."""
    rows = files * ROWS_OF_FILE
    world.sql(
        "CREATE OR REPLACE TABLE FILED (ID NUMBER(18,0))",
        f"INSERT INTO FILED SELECT SEQ8() FROM TABLE(GENERATOR(ROWCOUNT => {rows}))",
    )
    of_chunk = -(-files // CHUNKS) * ROWS_OF_FILE
    table = {
        "source": "FILED",
        "target": f"scale_files_{hashlib.sha256(world.schema.encode()).hexdigest()[:8]}",
        "mode": "full",
        "chunking_column": "ID",
        "chunk_rows": of_chunk,
        "verify": "counts",
    }
    writer = s3_client("ADMIN")
    return table, lambda plan: put_files(world, writer, plan, files)


def run_files(world: World, connection: psycopg.Connection[Any], files: int) -> dict[str, Any]:
    """A run over that many files of ten rows."""
    table, unload = stage_files(world, files)
    return WholeRun(world, connection).go(table, unload)


def run_staged(world: World, connection: psycopg.Connection[Any], files: int) -> dict[str, Any]:
    """That many files and their manifest, as a run in mode `unload` leaves them; the parameters of a run in mode `load`."""
    table, unload = stage_files(world, files)
    plan = world.plan(table, mode="unload")
    chunks = look_for_chunks(world.s3, tuple(unload(plan))).chunks
    register_files(connection, plan, chunks, s3=lambda: world.s3, snowflake=world.session)
    source = plan.source
    return {
        "conf": {
            "source_database": source.database,
            "source_schema": source.schema,
            "source_table": source.table,
            "run_id": plan.run_id,
        }
    }


def run_compared(world: World, connection: psycopg.Connection[Any], rows: int) -> dict[str, Any]:
    """A table of that many rows that is copied, compared, damaged, compared again and repaired."""
    fill_rows(world, "MANY", rows)
    table = {
        "source": "MANY",
        "target": "scale_compared",
        "uniqueness_columns": ["ID"],
        "chunking_column": "ID",
        "chunk_rows": max(1_000, rows // 10),
    }
    steps = Steps()
    with steps.step("full"):
        world.run(table | {"mode": "full"})
    with steps.step("equal"):
        equal = world.plan(table | {"mode": "compare"}).comparison
    connection.execute(f"DELETE FROM public.scale_compared WHERE id % {rows // 10} = 7")
    connection.execute(f"UPDATE public.scale_compared SET note = 'other' WHERE id % {rows // 10} = 11")
    with steps.step("different"):
        different = world.plan(table | {"mode": "compare"}).comparison
    with steps.step("repair"):
        plan = world.plan(table | {"mode": "repair"})
        world.finish(plan, world.unload(plan))
    if equal is None or not equal.agrees or different is None:
        raise RuntimeError("the copy does not agree with its source")
    found = different.rows
    if (found.missing, found.changed, found.extra) != (10, 10, 0):
        raise RuntimeError(f"ten rows were deleted and ten changed; found: {different.describe()}")
    return {
        "rows": rows,
        "chunks": equal.chunks,
        "repaired_chunks": len(plan.chunks),
        "repaired_rows": plan.source_rows,
        "steps": steps.found,
    }


KINDS = {"compared": run_compared, "rows": run_rows, "files": run_files, "staged": run_staged}


def main() -> None:
    """One run; its target is dropped at the end."""
    given: dict[str, Any] = json.loads(sys.argv[1])
    with open_world(given["dsn"]) as world, open_postgres(given["dsn"]) as connection:
        before = resident("VmRSS")
        found = KINDS[given["kind"]](world, connection, given["count"])
        found["grown_mb"] = resident("VmHWM") - before
        for (name,) in connection.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE tablename LIKE 'scale\\_%%'"
        ).fetchall():
            connection.execute(f"DROP TABLE {name}")
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
