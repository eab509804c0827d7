"""DuckDB's postgres extension: INSERT … SELECT from the Parquet file, by binary COPY."""

from __future__ import annotations

import duckdb

from benchmarks.peers.contender import run


def load(dsn: str, path: str, schema: str, table: str, rows: int) -> None:
    """Needs the extension, which DuckDB fetches from its own site."""
    duckdb.execute("INSTALL postgres")
    duckdb.execute("LOAD postgres")
    duckdb.execute(f"ATTACH '{dsn}' AS pg (TYPE postgres)")
    duckdb.execute(f'INSERT INTO pg."{schema}"."{table}" SELECT * FROM \'{path}\'')


run(load)
