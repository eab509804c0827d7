"""Puts files into S3 and loads them into new tables: what the load's tests share."""

from __future__ import annotations

import gzip
import io
import itertools
from dataclasses import dataclass
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq

from snowmelt.ledger.runs import write_ledger, write_run
from snowmelt.load.file import LoadResult, load_file
from snowmelt.load.target import LoadColumn, LoadTarget
from snowmelt.sql.names import postgres_identifier
from snowmelt.types.type_names import parse_postgres_type
from snowmelt.types.type_table import Form
from snowmelt.unload.manifest import StagedFile
from snowmelt.vocabulary import FileFormat, LoadMethod

_numbers = itertools.count()

RUN = {
    **dict.fromkeys(("dag_id", "dag_run_id", "snapshot", "snapshot_note")),
    "run_id": "r1",
    "mode": "full",
    "source": "A.B.T",
    "target": "public.t",
    "request": {},
    "fingerprint": "f",
    "plan": {},
    "source_rows": 0,
}


def column(
    name: str, form: Form, target_type: str, *, nullable: bool = True, text_limit: int | None = None
) -> LoadColumn:
    return LoadColumn(name, form, name.lower(), parse_postgres_type(target_type), nullable, text_limit)


def parquet_bytes(columns: dict[str, pa.Array], **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, **options)
    return sink.getvalue()


@dataclass(frozen=True)
class Way:
    """One of the ways in, and how a file for it is made from the columns' values."""

    name: str
    options: dict[str, Any]

    def __str__(self) -> str:
        return self.name

    @property
    def is_csv(self) -> bool:
        return self.options.get("file_format") == "csv"

    def put(self, world: LoadWorld, columns: dict[str, pa.Array]) -> StagedFile:
        rows = len(next(iter(columns.values())))
        if not self.is_csv:
            return world.put(parquet_bytes(columns), rows)
        text = csv_bytes(columns)
        return world.put(gzip.compress(text) if self.options["compression"] == "gzip" else text, rows)


PARQUET = Way("parquet", {})
STREAMED = Way("csv streamed", {"file_format": "csv", "compression": "gzip"})
IMPORTED = Way(
    "csv by aws_s3",
    {"file_format": "csv", "compression": "none", "method": "aws_s3", "region": "us-east-1"},
)
WAYS = (PARQUET, STREAMED, IMPORTED)


def csv_bytes(columns: dict[str, pa.Array]) -> bytes:
    """Numbers as they are, texts in quotes, NULL as a bare \\N: what Snowflake writes, by the test's own hand."""
    lines = zip(*(map(_cell, array.to_pylist()) for array in columns.values()), strict=True)
    return b"".join(b",".join(line) + b"\n" for line in lines)


def _cell(value: Any) -> bytes:
    if value is None:
        return b"\\N"
    if isinstance(value, (str, bytes)):
        data = value.encode() if isinstance(value, str) else value
        return b'"' + data.replace(b'"', b'""') + b'"'
    return str(value).encode()


@dataclass
class LoadWorld:
    """One connection with an empty ledger, one bucket."""

    connection: psycopg.Connection
    s3: Any
    bucket: str

    def put(self, data: bytes, rows: int, *, key: str = "", **options: Any) -> StagedFile:
        key = key or f"load/{next(_numbers)}/data_0.parquet"
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=data, **options)
        return StagedFile(key, len(data), rows, 0)

    def table(self, *columns: LoadColumn) -> LoadTarget:
        target = LoadTarget("public", f"t{next(_numbers)}", columns)
        definitions = ", ".join(
            f"{postgres_identifier(each.target)} {each.target_type}{'' if each.nullable else ' NOT NULL'}"
            for each in columns
        )
        self.connection.execute(f"CREATE TABLE {target.name} ({definitions})")
        return target

    def load(self, file: StagedFile, target: LoadTarget, **options: Any) -> LoadResult:
        options = {"claim": claim(file.key), "bucket": self.bucket, "run_id": "r1", **options}
        for name, word in (("method", LoadMethod), ("file_format", FileFormat)):
            if name in options:
                options[name] = word(options[name])
        with self.connection.transaction():
            return load_file(self.connection, self.s3, file, target, **options)

    def install_aws_s3(self) -> None:
        self.connection.execute("CREATE EXTENSION IF NOT EXISTS aws_s3 CASCADE")

    def texts(self, target: LoadTarget) -> list[tuple[str | None, ...]]:
        """The rows as PostgreSQL prints them, in the order they were stored."""
        columns = ", ".join(f"{postgres_identifier(each.target)}::text" for each in target.columns)
        return self.connection.execute(f"SELECT {columns} FROM {target.name} ORDER BY ctid").fetchall()

    def count(self, target: LoadTarget) -> int:
        return self.connection.execute(f"SELECT count(*) FROM {target.name}").fetchone()[0]

    def rejected(self, file: StagedFile) -> list[tuple[Any, ...]]:
        return self.connection.execute(
            'SELECT row_number, column_name, reason, "row" FROM snowmelt.rejected_row WHERE s3_key = %s ORDER BY 1',
            (file.key,),
        ).fetchall()


def claim(key: str):
    """A ledger of one column."""

    def claim_once(cursor: psycopg.Cursor) -> bool:
        cursor.execute("INSERT INTO claimed VALUES (%s) ON CONFLICT DO NOTHING", (key,))
        return cursor.rowcount == 1

    return claim_once


def open_world(connection: psycopg.Connection, s3: Any, bucket: str) -> LoadWorld:
    connection.execute("SET timezone = 'UTC'")
    write_ledger(connection)
    write_run(connection, RUN)
    connection.execute("CREATE TABLE IF NOT EXISTS claimed (s3_key text PRIMARY KEY)")
    return LoadWorld(connection, s3, bucket)
