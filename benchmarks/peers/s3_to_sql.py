"""Airflow's own S3ToSqlOperator: download, parse, INSERT row by row. Runs in .venv; on a share of the rows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pyarrow.parquet as pq
from airflow.providers.amazon.aws.transfers.s3_to_sql import S3ToSqlOperator

from benchmarks.peers.contender import run

ROWS = 20_000


def _rows(path: str) -> Iterator[tuple[Any, ...]]:
    left = ROWS
    for batch in pq.ParquetFile(path).iter_batches(5_000):
        if left <= 0:
            return
        yield from zip(*(column.to_pylist() for column in batch.slice(0, left).columns), strict=True)
        left -= batch.num_rows


def load(dsn: str, path: str, schema: str, table: str, rows: int) -> int:
    """The object's key is in the environment; the whole object is downloaded first."""
    operator = S3ToSqlOperator(
        task_id="load",
        s3_bucket=os.environ["SNOWMELT_SANDBOX_S3_BUCKET"],
        s3_key=os.environ["SNOWMELT_BENCH_KEY"],
        table=f"{schema}.{table}",
        parser=_rows,
        commit_every=ROWS,
        sql_conn_id="postgres_default",
        aws_conn_id="aws_default",
    )
    operator.execute({})
    return min(ROWS, rows)


run(load)
