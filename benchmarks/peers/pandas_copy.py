"""pandas with the COPY callable that its documentation shows for to_sql, 100,000 rows at a time."""

from __future__ import annotations

import csv
import io

import pandas as pd
import sqlalchemy

from benchmarks.peers.contender import run


def _copy(table, connection, keys, rows) -> None:  # noqa: ANN001 - pandas' own interface
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    buffer.seek(0)
    columns = ", ".join(f'"{key}"' for key in keys)
    with connection.connection.cursor() as cursor:
        cursor.copy_expert(f'COPY "{table.schema}"."{table.name}" ({columns}) FROM STDIN WITH CSV', buffer)


def load(dsn: str, path: str, schema: str, table: str, rows: int) -> None:
    """Arrow-backed columns, so that no decimal becomes a float."""
    frame = pd.read_parquet(path, dtype_backend="pyarrow").rename(columns=str.lower)
    engine = sqlalchemy.create_engine(dsn.replace("postgresql://", "postgresql+psycopg2://"))
    frame.to_sql(
        table, engine, schema=schema, if_exists="append", index=False, method=_copy, chunksize=100_000
    )


run(load)
