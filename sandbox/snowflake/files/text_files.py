"""CSV and JSON files: DuckDB writes each row's line, Python only packs them."""

from __future__ import annotations

import bz2
import gzip
import zlib
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from sandbox.snowflake import errors
from sandbox.snowflake.catalog.companions import Companion
from sandbox.snowflake.catalog.names import literal, quote
from sandbox.snowflake.catalog.results import ResultColumn
from sandbox.snowflake.catalog.sftypes import SEMI_STRUCTURED, SfType
from sandbox.snowflake.files.file_formats import Format
from sandbox.snowflake.rewriting import casts
from sandbox.snowflake.rewriting.expressions import annotated, reference
from sandbox.snowflake.rewriting.functions import Formats

#: types whose fields are enclosed when FIELD_OPTIONALLY_ENCLOSED_BY is set
_ENCLOSED = {"TEXT", "BINARY", "UUID", "GEOGRAPHY", "GEOMETRY", "VECTOR", *SEMI_STRUCTURED}


def build_csv_line(
    columns: list[ResultColumn],
    keys: list[str],
    beside: list[dict[Companion, str]],
    form: Format,
    formats: Formats,
) -> str:
    """An SQL expression over `keys` that is one record, its delimiter included; `beside`: the companions' keys."""
    given = replace(
        formats,
        date=form.date_format or formats.date,
        time=form.time_format or formats.time,
        ntz=form.timestamp_format or formats.ntz,
        ltz=form.timestamp_format or formats.ltz,
        tz=form.timestamp_format or formats.tz,
    )
    fields = [
        _field(key, column.type, companions, form, given)
        for key, column, companions in zip(keys, columns, beside, strict=True)
    ]
    joined = f" || {literal(form.field_delimiter)} || ".join(fields)
    return f"{joined} || {literal(form.record_delimiter)}"


def _field(key: str, kind: SfType, beside: dict[Companion, str], form: Format, formats: Formats) -> str:
    text = _escaped(_text(key, kind, beside, form, formats), kind, form)
    null = form.null_if[0] if form.null_if else ""
    return f"coalesce({text}, {literal(null)})"


def _text(key: str, kind: SfType, beside: dict[Companion, str], form: Format, formats: Formats) -> str:
    column = annotated(reference(key), kind, {c: reference(k) for c, k in beside.items()})
    if kind.name in SEMI_STRUCTURED:
        return f"SF_TO_JSON({quote(key)})"
    if kind.name == "BINARY" and form.binary_format != "HEX":
        return f"to_base64({quote(key)})" if form.binary_format == "BASE64" else f"decode({quote(key)})"
    return casts.to_text(formats, column).sql(dialect="duckdb")


def _escaped(text: str, kind: SfType, form: Format) -> str:
    enclosing = form.field_optionally_enclosed_by
    if enclosing is not None and kind.name in _ENCLOSED:
        if form.escape is not None:
            inner = _prefixed(text, [form.escape, enclosing], form.escape)
        else:
            inner = f"replace({text}, {literal(enclosing)}, {literal(enclosing * 2)})"
        return f"{literal(enclosing)} || {inner} || {literal(enclosing)}"
    escape = form.escape if form.escape is not None else form.escape_unenclosed_field
    if escape is None or kind.name not in _ENCLOSED:
        return text
    return _prefixed(
        text, [escape, form.field_delimiter, *dict.fromkeys(form.record_delimiter + "\n\r")], escape
    )


def _prefixed(text: str, specials: list[str], escape: str) -> str:
    for special in dict.fromkeys(s for s in specials if s):
        text = f"replace({text}, {literal(special)}, {literal(escape + special)})"
    return text


def build_csv_header(columns: list[ResultColumn], form: Format) -> bytes:
    enclosing = form.field_optionally_enclosed_by or ""
    names = [
        enclosing + c.name.replace(enclosing, enclosing * 2) + enclosing if enclosing else c.name
        for c in columns
    ]
    return (form.field_delimiter.join(names) + form.record_delimiter).encode()


def build_json_line(columns: list[ResultColumn], keys: list[str]) -> str:
    if len(columns) != 1 or columns[0].type.name not in SEMI_STRUCTURED:
        text = "JSON file format can produce one and only one column of type variant or object or array. Use CSV file format if you want to load more than one column."
        raise errors.compilation(2104, "0A000", text)
    return f"SF_TO_JSON({quote(keys[0])}) || '\n'"


class TextFile:
    """One CSV or JSON file being written."""

    def __init__(self, path: Path, form: Format, header: bytes, limit: int) -> None:
        self.path = path
        self.rows = 0
        self.limit = limit
        self._file = path.open("wb")
        self._packed = _packer(self._file, form)
        if header:
            self._packed.write(header)

    @property
    def size(self) -> int:
        return self._file.tell()

    @property
    def full(self) -> bool:
        return self.rows > 0 and self.size >= self.limit * 0.92

    def add(self, batch: pa.RecordBatch) -> None:
        for piece in _bytes(batch.column(0)):
            self._packed.write(piece)
        self.rows += batch.num_rows

    def close(self) -> int:
        if self._packed is not self._file:
            self._packed.close()
        self._file.close()
        return self.path.stat().st_size


def _bytes(lines: pa.Array) -> list[Any]:
    """The lines one after the other: an Arrow string column's own buffer."""
    lines = lines.cast(pa.large_string()) if not pa.types.is_large_string(lines.type) else lines
    if lines.null_count:
        lines = lines.drop_null()
    if len(lines) == 0:
        return []
    _, offsets, data = lines.buffers()
    bounds = pa.Array.from_buffers(pa.int64(), len(lines) + 1, [None, offsets], offset=lines.offset)
    start, end = bounds[0].as_py(), bounds[len(lines)].as_py()
    return [memoryview(data)[start:end]] if data is not None else []


class _Deflate:
    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._packer = file, zlib.compressobj(4)

    def write(self, data: Any) -> None:
        self._file.write(self._packer.compress(data))

    def close(self) -> None:
        self._file.write(self._packer.flush())


def _packer(file: IO[bytes], form: Format) -> Any:
    match form.compression:
        case "NONE":
            return file
        case "BZ2":
            return bz2.BZ2File(file, "wb", compresslevel=5)
        case "ZSTD":
            return pa.CompressedOutputStream(pa.PythonFile(file, "wb"), "zstd")
        case "DEFLATE":
            return _Deflate(file)
    return gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=4, mtime=0)
