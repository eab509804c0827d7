"""The rows of a CSV file as COPY takes them: streamed from S3 and decompressed here, or fetched by the server through aws_s3.

Sources: Amazon RDS "Importing data from Amazon S3" (aws_s3.table_import_from_s3; gzip only under `Content-Encoding: gzip`).
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pyarrow as pa

from snowmelt.errors import ConfigurationError, StagingError, Topic
from snowmelt.load.aws_s3 import Imported, build_aws_s3_options, parse_imported
from snowmelt.load.copy_stream import Ahead, Piece, send_copy
from snowmelt.load.csv_records import (
    CsvBlock,
    collect_blocks,
    find_codec,
    find_undecodable,
    parse_record,
    split_records,
)
from snowmelt.load.rejects import RejectedRow, keep_value
from snowmelt.load.rows import ProgressCall, ServerFault
from snowmelt.load.s3_object import S3Object
from snowmelt.load.target import LoadTarget
from snowmelt.types.type_table import BEYOND_YEARS
from snowmelt.unload.statements import COPY_OPTIONS

#: Bytes of a GET, and of what is decompressed at a time.
FETCH_BYTES = 8 << 20
PIECE_BYTES = 1 << 20
_GZIP_WINDOW = 31

#: All parts are parameters: no name, key or option is in the statement's text.
IMPORT_FROM_S3 = "SELECT aws_s3.table_import_from_s3(%s, %s, %s, aws_commons.create_s3_uri(%s, %s, %s))"


def build_csv_copy(target: LoadTarget) -> str:
    """The COPY statement that takes the dialect from the client, with an explicit column list."""
    return f"COPY {target.name} ({target.column_list}) FROM STDIN ({COPY_OPTIONS})"


def read_csv(source: S3Object, compression: str) -> Iterator[Piece]:
    """The file's text in pieces, as COPY takes it.

    :param compression: none, gzip or zstd.
    :raises StagingError: the compressed file is cut short or damaged.
    """
    if compression == "none":
        for piece in source.read_pieces(PIECE_BYTES):
            yield Piece(piece.to_pybytes())
    elif compression == "gzip":
        for data in _gunzip(source.read_pieces(FETCH_BYTES), source.origin):
            yield Piece(data)
    elif compression == "zstd":
        for data in _unzstd(source):
            yield Piece(data)
    else:
        raise ConfigurationError(
            f"{source.origin}: CSV cannot be read under the compression {compression!r}; choose none, gzip or zstd."
        )


def _gunzip(pieces: Iterable[pa.Buffer], origin: str) -> Iterator[bytes]:
    decoder = zlib.decompressobj(_GZIP_WINDOW)
    started = False
    try:
        for piece in pieces:
            data = piece.to_pybytes()
            while data:
                if decoder.eof:  # another member of the same file
                    decoder = zlib.decompressobj(_GZIP_WINDOW)
                started = True
                out = decoder.decompress(data, PIECE_BYTES)
                data = decoder.unconsumed_tail or (decoder.unused_data if decoder.eof else b"")
                if out:
                    yield out
            while not decoder.eof and (out := decoder.decompress(b"", PIECE_BYTES)):
                yield out
    except zlib.error as error:
        raise StagingError(f"{origin} is not a whole gzip file: {error}. Unload this run again.") from error
    if started and not decoder.eof:
        raise StagingError(f"{origin} is not a whole gzip file: it is cut short. Unload this run again.")


class _Forward(io.RawIOBase):
    """The object from the front to the end, as a stream."""

    def __init__(self, source: S3Object) -> None:
        super().__init__()
        self._pieces = source.read_pieces(FETCH_BYTES)
        self._left = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if not self._left:
            self._left = next(self._pieces, pa.py_buffer(b"")).to_pybytes()
        size = len(self._left) if size < 0 else size
        data, self._left = self._left[:size], self._left[size:]
        return data


def _unzstd(source: S3Object) -> Iterator[bytes]:
    stream = pa.CompressedInputStream(pa.PythonFile(_Forward(source), mode="r"), "zstd")
    try:
        while data := stream.read(PIECE_BYTES):
            yield data
    except (pa.ArrowException, OSError) as error:
        raise StagingError(
            f"{source.origin} is not a whole zstd file: {error}. Unload this run again."
        ) from error


def check_importable(source: S3Object, compression: str) -> None:
    """Refuse what aws_s3 would misread.

    :raises StagingError: compressed, and not marked as S3 needs it for aws_s3.
    """
    if compression == "none" or (compression == "gzip" and source.content_encoding == "gzip"):
        return
    raise StagingError(
        f"{source.origin} is compressed ({compression}) and its Content-Encoding is {source.content_encoding!r}: aws_s3 reads "
        f"gzip only under `Content-Encoding: gzip`. Unload with compression none, or load with load_method copy.",
        topic=Topic.GZIP_CONTENT_ENCODING,
    )


@dataclass(frozen=True, slots=True)
class S3Uri:
    """Where the server finds a file."""

    bucket: str
    key: str
    region: str


def import_csv(cursor: Any, target: LoadTarget, uri: S3Uri) -> Imported:
    """Let the server fetch the file and copy it, in the caller's transaction.

    :param cursor: a psycopg cursor.
    """
    parameters = (
        target.name,
        target.column_list,
        build_aws_s3_options(),
        uri.bucket,
        uri.key,
        uri.region,
    )
    answer = cursor.execute(IMPORT_FROM_S3, parameters).fetchone()
    return parse_imported(answer[0] if answer else None)


class CsvRows:
    """The rows of one CSV file.

    :param compression: none, gzip or zstd.
    :param uri: where the server finds the file, to fetch it itself; None: it is streamed from here.
    """

    def __init__(
        self, source: S3Object, target: LoadTarget, compression: str, uri: S3Uri | None = None
    ) -> None:
        self._source = source
        self._compression = compression
        self._uri = uri
        self._codec: str | None = None
        self.origin = source.origin
        self.target = target
        self.statement = build_csv_copy(target)
        #: A CSV file passes through as bytes, or does not pass here at all.
        self.staged_hash: int | None = None

    def send(self, cursor: psycopg.Cursor[Any], progress: ProgressCall = None) -> int:
        """Send the whole file by one COPY, or let the server import it; the rows that the server counted.

        :raises StagingError: compressed in a way that aws_s3 would misread, or an answer of its without a count.
        """
        self._codec = find_codec(cursor.connection.info.parameter_status("server_encoding"))
        if self._uri is not None:
            check_importable(self._source, self._compression)
            return import_csv(cursor, self.target, self._uri).rows
        pieces = Ahead(read_csv(self._source, self._compression), on_leave=self._source.close)
        send_copy(cursor, self.statement, pieces, progress)
        return cursor.rowcount

    def blocks(self) -> Iterator[CsvRowsBlock]:
        """The records of the file, read again, a megabyte at a time."""
        pieces = read_csv(self._source.reopened(), self._compression)
        for block in collect_blocks(split_records(piece.data for piece in pieces)):
            yield CsvRowsBlock(block, self.target, self._codec)


@dataclass(frozen=True, slots=True)
class CsvRowsBlock:
    """A megabyte of records."""

    block: CsvBlock
    target: LoadTarget
    #: Python's name of the server's encoding; None where it has none.
    codec: str | None

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self.block.records)

    def encode(self, start: int, stop: int) -> bytes:
        """A whole COPY of the records from `start` to before `stop`."""
        return b"".join(record.data for record in self.block.records[start:stop])

    def guess(self, fault: ServerFault, start: int) -> int:
        """Which record the server probably refused: it counts lines."""
        return self.block.guess(fault.line, start)

    def describe(self, index: int, fault: ServerFault) -> RejectedRow:
        """A record that was refused alone, as it is set aside."""
        values = parse_record(self.block.records[index], self.target.columns)
        column = fault.fault.column or (find_undecodable(values, self.codec) if fault.undecodable else "")
        row = {name: keep_value(value) for name, value in values.items()}
        reason = fault.fault.reason
        if str(row.get(column)).endswith(BEYOND_YEARS):
            reason = f"it{BEYOND_YEARS}; {reason}"
        return RejectedRow(self.block.number + index, column, reason, row)
