"""dlt with Arrow tables, Parquet loader files and ADBC behind its postgres destination."""

from __future__ import annotations

import os
import tempfile

import dlt
import pyarrow.parquet as pq

from benchmarks.peers.contender import run


def load(dsn: str, path: str, schema: str, table: str, rows: int) -> None:
    """Into a table of dlt's own making in the same schema: it takes no existing one without its columns."""
    os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "LOAD__WORKERS": "2", "NORMALIZE__WORKERS": "2"}

    @dlt.resource(name=f"{table}_dlt", write_disposition="append")
    def staged():  # noqa: ANN202 - dlt's own way
        yield from (batch for batch in pq.ParquetFile(path).iter_batches(262_144))

    with tempfile.TemporaryDirectory() as folder:
        pipeline = dlt.pipeline(
            "bench",
            pipelines_dir=folder,
            destination=dlt.destinations.postgres(dsn),
            dataset_name=f"{schema}_dlt",
        )
        pipeline.run(staged(), loader_file_format="parquet").raise_on_failed_jobs()


run(load)
