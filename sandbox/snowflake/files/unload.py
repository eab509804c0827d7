"""COPY INTO <location>: a query's rows into files on S3."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
from sqlglot import exp

from sandbox.snowflake import errors
from sandbox.snowflake.catalog import results, sftypes
from sandbox.snowflake.catalog.companions import hidden
from sandbox.snowflake.catalog.names import quote
from sandbox.snowflake.catalog.results import Result, ResultColumn, rows_result
from sandbox.snowflake.files.file_formats import Format
from sandbox.snowflake.files.parquet_files import ParquetFile, Shape, refuse
from sandbox.snowflake.files.text_files import TextFile, build_csv_header, build_csv_line, build_json_line
from sandbox.snowflake.files.unload_options import Unload, parse_unload
from sandbox.snowflake.sql.faults import as_error, files_before_failure
from sandbox.snowflake.sql.reading import Reader
from sandbox.snowflake.sql.selects import output_columns, printed_columns, run_query
from sandbox.snowflake.sql.statement import Statement

#: Parallel writers of one statement, as the middle number in the files' names shows (a small warehouse has 8).
THREADS = 8
BATCH_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Written:
    name: str
    size: int
    rows: int


def copy_into_location(statement: Statement) -> Result:
    unload = parse_unload(statement)
    tree = statement.parse(unload.query)
    if unload.validate:
        return run_query(statement, tree)
    if not isinstance(tree, exp.Query):
        raise errors.syntax(1, 0, unload.query[:20])
    location = unload.location
    if (
        not unload.overwrite
        and not unload.include_query_id
        and statement.objects.exists(location.bucket, location.prefix)
    ):
        text = (
            f"Files already existing at the unload destination: {location.written}. "
            "Use overwrite option to force unloading."
        )
        raise errors.SnowflakeError(1030, "22000", text)
    explicit = _explicit_integers(tree)
    reader = statement.reader()
    translation = reader.translate(tree, carry=True)
    connection = statement.connection
    statement.query.interruptible(connection.interrupt)
    relation = connection.sql(translation.sql)
    columns = output_columns(translation.outputs, relation)
    with tempfile.TemporaryDirectory(prefix="unload-") as folder:
        writer = _Writer(statement, unload, Path(folder))
        if unload.form.type == "PARQUET":
            refuse(columns)
            keys = [f"k{i}" for i in range(len(relation.columns))]
            visible = [k for k, n in zip(keys, relation.columns, strict=True) if not hidden(n)]
            kept = ", ".join(printed_columns(reader.formats(), visible, columns))
            aliases = ", ".join(quote(k) for k in keys)
            sql = f"SELECT {kept} FROM ({translation.sql}) AS q({aliases})"
            parameters = statement.session.parameters
            shape = Shape(
                columns,
                header=unload.header,
                narrow=parameters.flag("ENABLE_UNLOAD_PHYSICAL_TYPE_OPTIMIZATION"),
                millis=parameters.flag("UNLOAD_PARQUET_TIME_TIMESTAMP_MILLIS"),
                explicit=explicit,
            )
            writer.write_parquet(_batches(connection, sql), shape)
        else:
            sql = _line_query(reader, unload.form, columns, relation, translation.sql)
            header = (
                build_csv_header(columns, unload.form) if unload.header and unload.form.type == "CSV" else b""
            )
            writer.write_text(_batches(connection, sql), header)
        written = writer.finish()
    statement.query.bytes_scanned = writer.input_bytes
    statement.query.unloaded = sum(file.rows for file in written)
    return _answer(unload, written, writer.input_bytes)


def _answer(unload: Unload, written: list[Written], input_bytes: int) -> Result:
    number = sftypes.number()
    if unload.detailed:
        columns = [("FILE_NAME", sftypes.TEXT), ("FILE_SIZE", number), ("ROW_COUNT", number)]
        return rows_result(columns, [(w.name, w.size, w.rows) for w in written], results.UNKNOWN)
    row = (sum(w.rows for w in written), input_bytes, sum(w.size for w in written))
    return rows_result(
        [(n, number) for n in ("rows_unloaded", "input_bytes", "output_bytes")], [row], results.UNKNOWN
    )


_TOP_CASTS = {
    exp.DataType.Type.TINYINT: "TINYINT", exp.DataType.Type.SMALLINT: "SMALLINT",
    exp.DataType.Type.INT: "INT", exp.DataType.Type.BIGINT: "BIGINT",
}  # fmt: skip


def _explicit_integers(tree: exp.Expression) -> dict[int, str]:
    """Positions whose value is cast to an integer type right in the SELECT list."""
    if not isinstance(tree, exp.Select) or any(e.is_star for e in tree.expressions):
        return {}
    found = {}
    for index, projection in enumerate(tree.expressions):
        inner = projection.this if isinstance(projection, exp.Alias) else projection
        if isinstance(inner, exp.Cast) and inner.to.this in _TOP_CASTS:
            found[index] = _TOP_CASTS[inner.to.this]
    return found


def _line_query(
    reader: Reader, form: Format, columns: list[ResultColumn], relation: duckdb.DuckDBPyRelation, sql: str
) -> str:
    physical = list(relation.columns)
    keys = [f"k{i}" for i in range(len(physical))]
    shown = [k for k, n in zip(keys, physical, strict=True) if not hidden(n)]
    beside = [{c: keys[physical.index(name)] for c, name in column.hidden.items()} for column in columns]
    if form.type == "JSON":
        line = build_json_line(columns, shown, reader.formats())
    else:
        line = build_csv_line(columns, shown, beside, form, reader.formats())
    aliases = ", ".join(quote(k) for k in keys)
    return f"SELECT {line} AS line FROM ({sql}) AS q({aliases})"


def _batches(connection: duckdb.DuckDBPyConnection, sql: str) -> Iterator[pa.RecordBatch]:
    for batch in connection.sql(sql).to_arrow_reader(BATCH_ROWS):
        if batch.num_rows:
            yield batch


class _Writer:
    """Files one after the other, each uploaded while the next is written."""

    def __init__(self, statement: Statement, unload: Unload, folder: Path) -> None:
        self.statement, self.unload, self.folder = statement, unload, folder
        self.input_bytes = 0
        self._count = 0
        self._uploads: list[Future[Written]] = []
        self._pool = ThreadPoolExecutor(2)
        self._fault = files_before_failure(statement.query)

    def key(self, index: int) -> str:
        prefix = self.unload.location.prefix
        base = prefix + ("data" if not prefix or prefix.endswith("/") else "")
        if self.unload.single:
            return base
        if self.unload.include_query_id:
            base += f"_{self.statement.query.id}"
        return f"{base}_0_{index % THREADS}_{index // THREADS}{self.unload.form.extension}"

    def write_parquet(self, batches: Iterator[pa.RecordBatch], shape: Shape) -> None:
        file, ratio = None, 1.0
        for batch in batches:
            self.statement.query.check()
            self.input_bytes += batch.nbytes
            for piece in self._pieces(batch, ratio):
                if file is None:
                    path = self.folder / str(self._count)
                    file = ParquetFile(
                        path, shape, self.unload.form.parquet_codec, self.unload.max_file_size, ratio
                    )
                file.add(piece)
                if file.full:
                    self._close(file)
                    file, ratio = None, file.ratio
        if file is not None:
            self._close(file)

    def write_text(self, batches: Iterator[pa.RecordBatch], header: bytes) -> None:
        file = None
        for batch in batches:
            self.statement.query.check()
            self.input_bytes += batch.nbytes
            for piece in self._pieces(batch, 1.0):
                if file is None:
                    path = self.folder / str(self._count)
                    file = TextFile(path, self.unload.form, header, self.unload.max_file_size)
                file.add(piece)
                if file.full:
                    self._close(file)
                    file = None
        if file is not None:
            self._close(file)

    def _pieces(self, batch: pa.RecordBatch, ratio: float) -> Iterator[pa.RecordBatch]:
        """Slices of a batch that are small beside the file size asked for."""
        limit = max(int(self.unload.max_file_size / 12 / max(ratio, 0.01)), 1)
        rows = max(int(batch.num_rows * min(1.0, limit / max(batch.nbytes, 1))), 1)
        for start in range(0, batch.num_rows, rows):
            yield batch.slice(start, rows)

    def _close(self, file: ParquetFile | TextFile) -> None:
        size = file.close()
        if self.unload.single and self._count:
            text = (
                f"Max file size ({self.unload.max_file_size}) exceeded for unload single file mode. "
                "Please increase max file size or disable single file mode."
            )
            raise errors.SnowflakeError(100160, "22000", text)
        key = self.key(self._count)
        self._count += 1
        self._uploads.append(self._pool.submit(self._upload, file.path, key, size, file.rows))
        if self._fault is not None and self._count >= self._fault.after:
            self.finish()
            raise as_error(self._fault)

    def _upload(self, path: Path, key: str, size: int, rows: int) -> Written:
        location = self.unload.location
        self.statement.query.check()
        self.statement.objects.upload(path, location.bucket, key, location.acl)
        path.unlink()
        return Written(location.relative(key), size, rows)

    def finish(self) -> list[Written]:
        try:
            return [f.result() for f in self._uploads]
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)
