"""polars' write_database by its ADBC engine."""

from __future__ import annotations

import polars as pl

from benchmarks.peers.contender import run


def load(dsn: str, path: str, schema: str, table: str, rows: int) -> None:
    """The whole frame in memory, appended."""
    frame = pl.read_parquet(path).rename(str.lower)
    frame.write_database(f"{schema}.{table}", dsn, if_table_exists="append", engine="adbc")


run(load)
