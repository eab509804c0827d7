"""Many loads at once over few connections, and one large file in little memory."""

from __future__ import annotations

import multiprocessing
import os
import resource
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from psycopg.conninfo import conninfo_to_dict

from snowmelt.ledger.runs import write_ledger, write_run
from snowmelt.load.rejects import RejectPolicy
from snowmelt.steps.load import LoadJob
from snowmelt.types.type_table import Form
from snowmelt.unload.manifest import StagedFile
from tests.load.load_world import RUN, column, open_world, parquet_bytes

pytestmark = pytest.mark.faults

ROWS = 20_000


@pytest.fixture
def many(sandbox, database):
    """A ledger, a table maker and files in S3."""
    with psycopg.connect(database, autocommit=True) as connection:
        write_ledger(connection)
        write_run(connection, RUN)
        yield open_world(connection, sandbox.s3(), sandbox.bucket)


def put(world, count, start=0):
    files = []
    for number in range(start, start + count):
        ids = pa.array(range(number * ROWS, (number + 1) * ROWS), pa.int64())
        data = parquet_bytes({"ID": ids, "NAME": pa.array([f"name {i.as_py()}" for i in ids])})
        files.append(replace(world.put(data, ROWS, key=f"many/{os.getpid()}/{number}.parquet"), etag=None))
    return [
        replace(file, etag=world.s3.head_object(Bucket=world.bucket, Key=file.key)["ETag"].strip('"'))
        for file in files
    ]


def job(world, target):
    return LoadJob("r1", world.bucket, target, "copy", "parquet", "none", "us-east-1", RejectPolicy())


COLUMNS = (column("ID", Form.INTEGER, "bigint"), column("NAME", Form.TEXT, "text"))


def load_all(world, dsn, work, s3, patience=300):
    """Each (file, job) in a thread of its own, all at once; a full server is met as Airflow meets it: by another try."""
    from snowmelt.drivers.postgres_errors import postgres_failures
    from snowmelt.errors import TargetUnavailable
    from snowmelt.steps.load import load_files

    tries, errors = [], []
    meet = threading.Barrier(len(work))

    def run(file, each):
        meet.wait()
        end = time.monotonic() + patience
        while True:
            tries.append(file.key)
            try:
                with postgres_failures("Opening a session"):
                    connection = psycopg.connect(dsn, autocommit=True)
                try:
                    load_files(connection, s3, [file], each)
                finally:
                    connection.close()
            except TargetUnavailable as error:
                if time.monotonic() > end:
                    errors.append(error)
                    return
                time.sleep(0.2 + 0.3 * (hash(file.key) % 7) / 7)
            except Exception as error:
                errors.append(error)
                return
            else:
                return

    threads = [threading.Thread(target=run, args=each) for each in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(patience + 60)
    assert errors == []
    return len(tries)


def check(connection, target, ids):
    found = connection.execute(
        f"SELECT count(*), count(DISTINCT id), min(id), max(id), count(*) FILTER (WHERE name <> 'name ' || id) FROM {target.name}"
    ).fetchone()
    assert found == (len(ids), len(ids), ids[0], ids[-1], 0)


def test_forty_loads_into_one_table_over_twelve_connections(many, sandbox, database):
    target = many.table(*COLUMNS)
    many.connection.execute(f"ALTER TABLE {target.name} ADD PRIMARY KEY (id)")
    files = put(many, 20)
    name = conninfo_to_dict(database)["dbname"]
    with psycopg.connect(sandbox.superuser_dsn(), autocommit=True) as superuser:
        superuser.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT 12')
        work = [(file, job(many, target)) for file in files + files]  # each file by two workers
        tries = load_all(many, database, work, many.s3)
        deadlocks = superuser.execute(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = %s", (name,)
        ).fetchone()
    assert deadlocks == (0,)
    check(many.connection, target, range(20 * ROWS))
    assert many.connection.execute("SELECT count(*) FROM snowmelt.loaded_file").fetchone() == (20,)
    print(f"{tries} tries for 40 loads")


def test_eight_tables_at_once(many, sandbox, database):
    targets = [many.table(*COLUMNS) for _ in range(8)]
    work = []
    for number, target in enumerate(targets):
        work += [(file, job(many, target)) for file in put(many, 4, start=number * 4)]
    name = conninfo_to_dict(database)["dbname"]
    with psycopg.connect(sandbox.superuser_dsn(), autocommit=True) as superuser:
        superuser.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT 10')
        load_all(many, database, work, many.s3)
    for number, target in enumerate(targets):
        check(many.connection, target, range(number * 4 * ROWS, (number + 1) * 4 * ROWS))


GROUP_ROWS, GROUPS, WIDTH = 250_000, 50, 11
#: Bytes of address space beyond what a process has taken before it loads.
ROOM = 300 << 20


def resident(kind: str = "VmRSS") -> float:
    """MB of this process."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith(f"{kind}:")) / 1024


def load_large(dsn, s3, file, target, bucket, room, channel):
    """In a process of its own: the load, with `room` bytes of address space beyond what its imports and connections took."""
    import boto3
    import pgpq  # noqa: F401
    import pyarrow.parquet  # noqa: F401

    from snowmelt.steps.load import load_files

    with psycopg.connect(dsn, autocommit=True) as connection:
        client = boto3.client("s3", **s3)
        client.head_object(Bucket=bucket, Key=file.key)
        job = LoadJob("r1", bucket, target, "copy", "parquet", "none", "us-east-1", RejectPolicy())
        before = resident()
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * os.sysconf("SC_PAGE_SIZE") + room
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        load_files(connection, client, [file], job)
    channel.send((before, resident("VmHWM")))
    channel.close()


def test_a_file_of_a_gigabyte_in_less_than_300_mb(many, sandbox, database, tmp_path, monkeypatch):
    """Row groups of some 20 MB, as Snowflake writes them.

    The kernel refuses address space beyond; of what glibc only reserves, 64 MB a thread, there is one piece.
    """
    path = tmp_path / "large.parquet"
    values = np.random.default_rng(3).integers(0, 2**62, (WIDTH, GROUP_ROWS))
    table = pa.table({f"C{number}": pa.array(values[number]) for number in range(WIDTH)})
    with pq.ParquetWriter(path, table.schema, use_dictionary=False) as writer:
        for _ in range(GROUPS):
            writer.write_table(table)
    size, rows = path.stat().st_size, GROUP_ROWS * GROUPS
    assert size > 1_000_000_000
    many.s3.upload_file(str(path), many.bucket, "many/large.parquet")
    path.unlink()
    etag = many.s3.head_object(Bucket=many.bucket, Key="many/large.parquet")["ETag"].strip('"')
    target = many.table(*(column(f"C{number}", Form.INTEGER, "bigint") for number in range(WIDTH)))
    many.connection.execute(f"ALTER TABLE {target.name} SET UNLOGGED")
    env = sandbox.env
    s3 = {
        "endpoint_url": env["SNOWMELT_SANDBOX_S3_ENDPOINT"],
        "region_name": env["SNOWMELT_SANDBOX_S3_REGION"],
        "aws_access_key_id": env["SNOWMELT_SANDBOX_AIRFLOW_READER_ACCESS_KEY_ID"],
        "aws_secret_access_key": env["SNOWMELT_SANDBOX_AIRFLOW_READER_SECRET_ACCESS_KEY"],
    }
    monkeypatch.setenv("MALLOC_ARENA_MAX", "1")
    fresh = multiprocessing.get_context("spawn")
    ours, theirs = fresh.Pipe()
    file = StagedFile("many/large.parquet", size, rows, 0, etag)
    worker = fresh.Process(target=load_large, args=(database, s3, file, target, many.bucket, ROOM, theirs))
    worker.start()
    theirs.close()
    try:
        before, peak = ours.recv()
    finally:
        worker.join(60)
        many.s3.delete_object(Bucket=many.bucket, Key="many/large.parquet")
    print(f"{size / 1e9:.2f} GB, {rows:,} rows: {before:.0f} MB before, {peak:.0f} MB at the peak")
    assert many.count(target) == rows
    assert peak < 300
