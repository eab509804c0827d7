"""Small files that mean much: each is loaded or refused within the memory of a load, with a limit of the address space around it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from snowmelt.errors import StagingError
from snowmelt.load.csv_records import MAX_RECORD_BYTES, split_records
from snowmelt.types.type_table import Form
from tests.load.load_world import column, open_world

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="the peak is read from Linux's /proc"
)

#: MiB beyond what is there before the load: resident at the peak, and address space in which the load has to succeed or to say why not.
RESIDENT, SPACE = 300, 1500
LOAD = """
import resource, sys
import boto3, psycopg, pyarrow.compute, pyarrow.parquet
from snowmelt.errors import StagingError
from snowmelt.load.file import load_file
from snowmelt.load.target import LoadColumn, LoadTarget
from snowmelt.types.type_names import PostgresType
from snowmelt.types.type_table import Form
from snowmelt.unload.manifest import StagedFile
def status(word):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(word))
dsn, endpoint, key_id, secret, bucket, key, size, rows, table = sys.argv[1:]
s3 = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id=key_id, aws_secret_access_key=secret)
s3.head_object(Bucket=bucket, Key=key)
target = LoadTarget("public", table, (LoadColumn("C", Form.TEXT, "c", PostgresType("text")),))
with psycopg.connect(dsn) as connection:
    before, said = status("VmHWM:"), "loaded"
    resource.setrlimit(resource.RLIMIT_AS, ((status("VmSize:") + SPACE) << 20,) * 2)
    try:
        with connection.transaction():
            load_file(connection, s3, StagedFile(key, int(size), int(rows), 0), target, bucket=bucket, run_id="r", claim=lambda cursor: True)
    except StagingError as error:
        said = f"refused: {error}"
    print(status("VmHWM:") - before)
    print(said)
""".replace("SPACE", str(SPACE))


@pytest.fixture
def load(sandbox, connection, postgres_dsn, s3_client, bucket, tmp_path):
    """Load a Parquet file in a process of its own: (MiB at the peak, what was said, rows and bytes in the table)."""
    made = open_world(connection, s3_client, bucket)
    target = made.table(column("C", Form.TEXT, "text"))

    def run(write, rows):
        path = tmp_path / "file.parquet"
        write(path)
        s3_client.upload_file(str(path), bucket, "bombs/file")
        env = sandbox.env
        arguments = [
            postgres_dsn,
            env["SNOWMELT_SANDBOX_S3_ENDPOINT"],
            env["SNOWMELT_SANDBOX_SNOWFLAKE_WRITER_ACCESS_KEY_ID"],
            env["SNOWMELT_SANDBOX_SNOWFLAKE_WRITER_SECRET_ACCESS_KEY"],
            bucket,
            "bombs/file",
            path.stat().st_size,
            rows,
            target.table,
        ]
        done = subprocess.run(
            [sys.executable, "-c", LOAD, *map(str, arguments)],
            env={**env, "PYTHONPATH": str(Path(__file__).parents[2] / "provider")},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        peak, said = done.stdout.split("\n", 1)
        found = connection.execute(f"SELECT count(*), sum(length(c)) FROM {target.name}").fetchone()
        return int(peak), said, found

    yield run
    connection.execute(f"DROP TABLE {target.name}")


@pytest.mark.parametrize(("length", "rows"), [(1_000_000, 2_000), (60_000, 30_000)])
def test_a_long_value_of_a_dictionary_in_every_row(load, length, rows):
    """A file of some kB, 2 GB once it is decoded."""
    indices = pa.array([0] * rows, pa.int32())
    table = pa.table({"C": pa.DictionaryArray.from_arrays(indices, pa.array(["x" * length, "y"]))})
    peak, said, found = load(lambda path: pq.write_table(table, path, compression="snappy"), rows)
    assert said.strip() == "loaded"
    assert found == (rows, rows * length)
    assert peak < RESIDENT


@pytest.mark.parametrize(("megabytes", "outcome"), [(40, "loaded"), (1000, "refused")])
def test_one_long_value(load, megabytes, outcome):
    table = pa.table({"C": pa.array(["x" * (megabytes << 20)], pa.large_string())})
    peak, said, _ = load(lambda path: pq.write_table(table, path, use_dictionary=False), 1)
    assert said.startswith(outcome), said
    assert peak < RESIDENT


def test_a_hundred_thousand_columns(load):
    table = pa.table({f"c{number}": [1] for number in range(100_000)})
    peak, said, _ = load(lambda path: pq.write_table(table, path), 1)
    assert "exclude columns" in said
    assert peak < RESIDENT


def test_deep_nesting(load):
    kind = pa.int32()
    for _ in range(500):
        kind = pa.list_(kind)
    table = pa.table({"C": pa.array([None], kind)})
    peak, said, _ = load(lambda path: pq.write_table(table, path), 1)
    assert "is not a whole Parquet file" in said
    assert peak < RESIDENT


def test_a_quote_that_is_never_closed():
    with pytest.raises(StagingError, match="as if a quote were never closed"):
        for _ in split_records(b'1,"a\n' if number == 0 else b"a\n" * 100_000 for number in range(1_000)):
            pass
    line = b'1,"' + b"a" * (1 << 20) + b'"\n'
    assert (
        sum(1 for _ in split_records(line for _ in range(2 * MAX_RECORD_BYTES >> 20)))
        == 2 * MAX_RECORD_BYTES >> 20
    )
