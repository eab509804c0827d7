"""COPY INTO <table> FROM @stage: Parquet by column name, CSV by position; no transformations."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from sandbox.snowflake import errors
from sandbox.snowflake.catalog import results, sftypes
from sandbox.snowflake.catalog.catalog import Table
from sandbox.snowflake.catalog.names import quote
from sandbox.snowflake.catalog.results import Result, rows_result
from sandbox.snowflake.files.file_formats import Format, resolve_format
from sandbox.snowflake.files.locations import resolve
from sandbox.snowflake.rewriting.scanner import Scanner
from sandbox.snowflake.rewriting.scopes import Output
from sandbox.snowflake.sql.changes import changing
from sandbox.snowflake.sql.definitions import read_names
from sandbox.snowflake.sql.inserting import build_insert
from sandbox.snowflake.sql.reading import Translation
from sandbox.snowflake.sql.statement import Statement


def copy_into_table(statement: Statement) -> Result:
    scanner = statement.scanner()
    scanner.expect("COPY", "INTO")
    reader = statement.reader()
    name = reader.place(scanner.name(), "COPY")
    table = reader.find(name, privilege="INSERT")
    reader.rights.require_warehouse()
    named = read_names(scanner) if scanner.peek().text == "(" else None
    scanner.expect("FROM")
    location = resolve(statement, _reference(scanner))
    options = scanner.options()
    form = resolve_format(statement, options.get("FILE_FORMAT"), location.stage)
    files = options.get("FILES")
    keys = [o.key for o in statement.objects.list(location.bucket, location.prefix)]
    if files is not None:
        prefix = (
            location.prefix if location.prefix.endswith("/") or not location.prefix else location.prefix + "/"
        )
        keys = [prefix + str(f) for f in files]
    rows: list[tuple[Any, ...]] = []
    with changing(statement, name, appends=True) as change:
        for index, key in enumerate(keys):
            data = _read(statement.objects.read(location.bucket, key), form, len(named or table.columns))
            columns = named or _columns(table, data, form)
            register = f"v_load_{index}"
            change.connection.register(register, data)
            picked = ", ".join(quote(c) for c in data.column_names[: len(columns)])
            outputs = [Output(c, None) for c in columns]
            sql = build_insert(
                reader,
                change.connection,
                change.table,
                columns,
                Translation(f"SELECT {picked} FROM {register}", outputs),
            )
            change.connection.execute(sql).fetchall()
            change.connection.unregister(register)
            rows.append(
                (
                    location.url(key),
                    "LOADED",
                    data.num_rows,
                    data.num_rows,
                    1,
                    0,
                    None,
                    None,
                    None,
                    None,
                )
            )
    number, text = sftypes.number(), sftypes.TEXT
    header = [("file", text), ("status", text), ("rows_parsed", number), ("rows_loaded", number), ("error_limit", number),
              ("errors_seen", number), ("first_error", text), ("first_error_line", number),
              ("first_error_character", number), ("first_error_column_name", text)]  # fmt: skip
    return rows_result(header, rows, results.COPY)


def _reference(scanner: Scanner) -> str:
    token = scanner.next()
    if token.kind == "stage":
        return token.text
    if token.kind == "string":
        scanner.at -= 1
        return scanner.string()
    raise errors.NotImplementedHere("COPY INTO a table from a query")


def _columns(table: Table, data: pa.Table, form: Format) -> list[str]:
    if form.type != "PARQUET":
        return [c.name for c in table.columns]
    known = {c.name.lower(): c.name for c in table.columns}
    return [known[n.lower()] if n.lower() in known else _unknown(n) for n in data.column_names]


def _unknown(name: str) -> str:
    raise errors.SnowflakeError(100066, "22000", f"Column '{name}' of the file is not in the table.")


def _read(body: bytes, form: Format, width: int) -> pa.Table:
    """A file's rows; every CSV field as text, to be converted by Snowflake's rules."""
    if form.type == "PARQUET":
        return pq.read_table(io.BytesIO(body))
    if form.type != "CSV":
        raise errors.NotImplementedHere(f"loading {form.type}")
    source = pa.py_buffer(body)
    stream: Any = pa.BufferReader(source)
    if body[:2] == b"\x1f\x8b":
        stream = pa.CompressedInputStream(stream, "gzip")
    names = [f"c{i}" for i in range(width)]
    return pacsv.read_csv(
        stream,
        read_options=pacsv.ReadOptions(column_names=names, skip_rows=form.skip_header),
        parse_options=pacsv.ParseOptions(
            delimiter=form.field_delimiter,
            quote_char=form.field_optionally_enclosed_by or False,
            newlines_in_values=True,
        ),
        convert_options=pacsv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=list(form.null_if),
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
