"""What must not grow: tasks, XComs, statements a file, memory, and what a run reads of other runs. Counts, not seconds."""

from __future__ import annotations

import tracemalloc

import psycopg
import pyarrow as pa
import pytest

from benchmarks.parts import scale
from snowmelt.ledger import runs as ledger
from snowmelt.load.rejects import RejectPolicy
from snowmelt.steps.load import LoadJob, load_files
from snowmelt.types.type_table import Form
from snowmelt.vocabulary import Compression, FileFormat, LoadMethod
from tests.load.load_world import RUN, column, open_world, parquet_bytes
from tests.statement_log import StatementLog


@pytest.fixture
def connection(database):
    with psycopg.connect(database, autocommit=True) as opened:
        ledger.write_ledger(opened)
        yield opened


def test_a_hundred_thousand_files_are_three_hundred_tasks_and_small_xcoms(connection):
    tracemalloc.start()
    try:
        found = scale.measure(connection, 1_000_000_000, 100_000, 5_000_000)
    finally:
        tracemalloc.stop()
    assert (found["chunks"], found["load_tasks"]) == (200, 300)
    assert found["files_of_first_task"] < 340
    assert found["files_xcom"] < 50_000
    assert found["largest_unload_xcom"] < 120_000
    assert found["peak_mb"] < 300


def test_no_statement_reads_the_files_of_other_runs(connection):
    run_id = scale.fill_others(connection)
    for name, read in scale.explain_reads(connection, run_id).items():
        assert read["whole_table"] == [], name
        assert read["rows_read"] <= 5 * scale.OTHER_FILES, name
    assert scale.explain_reads(connection, run_id)["READ_BATCH"]["rows_read"] < 50
    assert scale.explain_reads(connection, run_id)["READ_CLAIM"]["rows_read"] <= 1


def test_a_file_costs_the_same_few_statements_however_many_there_are(connection, s3_client, bucket, sandbox):
    loads = open_world(connection, s3_client, bucket)
    target = loads.table(column("A", Form.INTEGER, "bigint"))
    files = []
    for number in range(12):
        data = parquet_bytes({"A": pa.array(range(number * 100, number * 100 + 100))})
        file = loads.put(data, 100, key=f"scale/{connection.info.dbname}/{number}.parquet")
        etag = s3_client.head_object(Bucket=bucket, Key=file.key)["ETag"].strip('"')
        files.append(type(file)(file.key, file.bytes, file.rows, 0, etag))
    job = LoadJob(
        RUN["run_id"],
        bucket,
        target,
        LoadMethod.COPY,
        FileFormat.PARQUET,
        Compression.SNAPPY,
        "us-east-1",
        RejectPolicy(),
    )
    log, pid = StatementLog(sandbox.env), connection.info.backend_pid

    def statements(some):
        log.skip()
        load_files(connection, s3_client, some, job)
        return sum(entry["pid"] == pid for entry in log.entries())

    few, many = statements(files[:2]), statements(files[2:])
    assert loads.count(target) == 1_200
    assert few > 2, "nothing was counted"
    assert many == few * 5
    assert few / 2 <= 12


def test_a_manifest_in_parts_is_written_and_read_again(world, monkeypatch):
    from snowmelt.unload import manifest as manifest_parts

    monkeypatch.setattr(manifest_parts, "PART_FILES", 2)
    world.sql(
        "CREATE TABLE MANY (ID NUMBER(9,0))",
        "INSERT INTO MANY SELECT SEQ4() FROM TABLE(GENERATOR(ROWCOUNT => 50))",
    )
    table = {"source": "MANY", "target": "many", "chunking_column": "ID", "chunk_rows": 10, "mode": "full"}
    plan = world.plan(table)
    world.finish(plan, world.unload(plan))
    prefix = plan.location.key(plan.path)
    names = [
        entry["Key"].removeprefix(prefix)
        for entry in world.s3.list_objects_v2(Bucket=world.bucket, Prefix=prefix)["Contents"]
    ]
    assert sorted(name for name in names if name.startswith("manifest")) == [
        "manifest.json",
        "manifest_part_000.json",
        "manifest_part_001.json",
        "manifest_part_002.json",
    ]
    again = world.run({"source": "MANY", "target": "again", "mode": "full"}, mode="load", run_id=plan.run_id)
    assert again
    assert world.query("SELECT count(*), sum(id) FROM again") == [(50, 1225)]
