"""The rows of a CSV file as COPY takes them: streamed from S3 by us, or fetched by the server itself through aws_s3."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg

from snowmelt.core.load.csv_copy import build_csv_copy
from snowmelt.core.load.csv_records import (
    CsvBlock,
    find_codec,
    find_undecodable,
    gather_blocks,
    parse_record,
    split_records,
)
from snowmelt.core.load.rejects import RejectedRow, keep_value
from snowmelt.core.load.target import LoadTarget
from snowmelt.io.load.copy_stream import Ahead, send_copy
from snowmelt.io.load.csv import S3Uri, check_importable, import_csv, read_csv
from snowmelt.io.load.rows import ProgressCall
from snowmelt.io.load.s3_object import S3Object
from snowmelt.io.load.server_fault import ServerFault


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
        """The records of the file, read anew, a megabyte at a time."""
        pieces = read_csv(self._source.reopened(), self._compression)
        for block in gather_blocks(split_records(piece.data for piece in pieces)):
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
        return RejectedRow(self.block.number + index, column, fault.fault.reason, row)
