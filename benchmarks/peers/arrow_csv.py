"""pyarrow's CSV writer into COPY, a batch at a time."""

from __future__ import annotations

import io

import psycopg
import pyarrow.csv as pc
import pyarrow.parquet as pq

from benchmarks.peers.contender import run


def load(dsn: str, path: str, schema: str, table: str, rows: int) -> None:
    """One COPY (FORMAT csv)."""
    options = pc.WriteOptions(include_header=False)
    with (
        psycopg.connect(dsn) as connection,
        connection.cursor() as cursor,
        cursor.copy(f'COPY "{schema}"."{table}" FROM STDIN (FORMAT csv)') as copy,
    ):
        for batch in pq.ParquetFile(path).iter_batches(65_536):
            sink = io.BytesIO()
            pc.write_csv(batch, sink, options)
            copy.write(sink.getbuffer())


run(load)
