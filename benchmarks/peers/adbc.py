"""ADBC's PostgreSQL driver: adbc_ingest of record batches by binary COPY."""

from __future__ import annotations

import adbc_driver_postgresql.dbapi as adbc
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.peers.contender import run


def load(dsn: str, path: str, schema: str, table: str, rows: int) -> None:
    """Append by name; its names are the table's."""
    file = pq.ParquetFile(path)
    names = [name.lower() for name in file.schema_arrow.names]
    arrow = pa.schema([field.with_name(name) for field, name in zip(file.schema_arrow, names, strict=True)])
    batches = (batch.rename_columns(names) for batch in file.iter_batches(65_536))
    with adbc.connect(dsn) as connection, connection.cursor() as cursor:
        reader = pa.RecordBatchReader.from_batches(arrow, batches)
        cursor.adbc_ingest(table, reader, mode="append", db_schema_name=schema)
        connection.commit()


run(load)
