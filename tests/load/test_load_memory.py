"""Memory does not grow with the file: eight times the rows, the same peak."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from snowmelt.types.type_table import Form
from tests.load.load_world import column, open_world

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux's /proc"),
]

GROUP_ROWS, COLUMNS = 50_000, 10
LOAD = """
import sys
import boto3, psycopg
from snowmelt.load.target import LoadColumn, LoadTarget
from snowmelt.unload.manifest import StagedFile
from snowmelt.types.type_names import PostgresType
from snowmelt.types.type_table import Form
from snowmelt.load.file import load_file
def peak():
    # not ru_maxrss: Linux carries it over an exec, so that it would begin at the peak of the tests' own process
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
dsn, endpoint, key_id, secret, bucket, key, size, rows, table, columns = sys.argv[1:]
s3 = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id=key_id, aws_secret_access_key=secret)
file = StagedFile(key, int(size), int(rows), 0)
s3.head_object(Bucket=bucket, Key=key)
target = LoadTarget("public", table, tuple(
    LoadColumn(f"C{n}", Form.INTEGER, f"c{n}", PostgresType("bigint")) for n in range(int(columns))))
with psycopg.connect(dsn) as connection:
    before = peak()
    with connection.transaction():
        load_file(connection, s3, file, target, bucket=bucket, run_id="r", claim=lambda cursor: True)
    print((peak() - before) // 1024)
"""


def test_eight_times_the_file(sandbox, connection, postgres_dsn, s3_client, bucket, tmp_path):
    world = open_world(connection, s3_client, bucket)
    target = world.table(*(column(f"C{number}", Form.INTEGER, "bigint") for number in range(COLUMNS)))
    connection.execute(f"ALTER TABLE {target.name} SET UNLOGGED")
    table = random_numbers()
    peaks = []
    # The smaller file fills the pipeline already. It is loaded twice: how full, depends on which of the two threads is faster.
    for groups in (8, 8, 64):
        path = tmp_path / "file.parquet"
        with pq.ParquetWriter(path, table.schema, use_dictionary=False) as writer:
            for _ in range(groups):
                writer.write_table(table)
        s3_client.upload_file(str(path), bucket, f"memory/{groups}")
        size, rows = path.stat().st_size, groups * GROUP_ROWS
        peaks.append(load_apart(sandbox, postgres_dsn, bucket, f"memory/{groups}", size, rows, target.table))
    assert size > 90_000_000
    assert min(peaks) > 10, "a load takes some memory: this measured nothing"
    assert max(peaks) < 250
    assert peaks[2] < max(peaks[:2]) * 1.4 + 10
    connection.execute(f"DROP TABLE {target.name}")


def random_numbers():
    random = np.random.default_rng(7)
    return pa.table(
        {
            f"C{number}": pa.array(random.integers(-(2**63), 2**63 - 1, GROUP_ROWS))
            for number in range(COLUMNS)
        }
    )


def load_apart(sandbox, dsn, bucket, key, size, rows, table):
    """The peak beyond what is there before the load, in MiB, in a process of its own."""
    env = sandbox.env
    arguments = [
        dsn,
        env["SNOWMELT_SANDBOX_S3_ENDPOINT"],
        env["SNOWMELT_SANDBOX_SNOWFLAKE_WRITER_ACCESS_KEY_ID"],
        env["SNOWMELT_SANDBOX_SNOWFLAKE_WRITER_SECRET_ACCESS_KEY"],
        bucket,
        key,
        size,
        rows,
        table,
        COLUMNS,
    ]
    provider = str(Path(__file__).parents[2] / "provider")
    done = subprocess.run(
        [sys.executable, "-c", LOAD, *map(str, arguments)],
        env={**env, "PYTHONPATH": provider},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)
