"""The rows of a Parquet file as binary COPY takes them: decoded, cast and encoded a batch at a time, in one thread."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pyarrow as pa

from snowmelt.core.load.binary_copy import BinaryEncoder, CastedBatch, build_binary_copy
from snowmelt.core.load.casts import show_of
from snowmelt.core.load.rejects import RejectedRow, RejectedRows, RowFault, keep_value
from snowmelt.core.load.target import LoadTarget
from snowmelt.errors import StagingError
from snowmelt.io.load.copy_stream import Ahead, Piece, send_copy
from snowmelt.io.load.parquet import ParquetSource
from snowmelt.io.load.rows import ProgressCall
from snowmelt.io.load.s3_object import S3Object
from snowmelt.io.load.server_fault import ServerFault


class ParquetRows:
    """The rows of one Parquet file.

    :param expected_rows: as the manifest says.
    :param rejected: takes the rows that do not fit their columns, or raises.
    """

    def __init__(
        self, source: S3Object, expected_rows: int, target: LoadTarget, rejected: RejectedRows
    ) -> None:
        self._source = source
        self._expected_rows = expected_rows
        self._rejected = rejected
        self.origin = source.origin
        self.target = target
        self.statement = build_binary_copy(target)

    def send(self, cursor: psycopg.Cursor[Any], progress: ProgressCall = None) -> int:
        """Send the whole file by one COPY; the rows that the server counted.

        :raises SchemaError: a column has no safe way in; no COPY was begun.
        :raises StagingError: the file is damaged, or the server counted other rows than were sent.
        """
        parquet, encoder = self._open(self._source)
        pieces = Ahead(self._pieces(parquet, encoder), on_leave=self._source.close)
        sent = send_copy(cursor, self.statement, pieces, progress)
        if cursor.rowcount != sent.rows:
            raise StagingError(
                f"{self.origin}: {sent.rows:,} rows were sent, PostgreSQL counted {cursor.rowcount:,}. Nothing was committed."
            )
        return sent.rows

    def blocks(self) -> Iterator[ParquetBlock]:
        """The batches of the file, read anew; rows that do not fit their columns go to `rejected`."""
        parquet, encoder = self._open(self._source.reopened())
        for before, batch in parquet.batches(encoder.file_columns):
            casted = encoder.cast(batch)
            self._set_aside(before, batch, casted)
            yield ParquetBlock(encoder, batch, casted, before)

    def _open(self, source: S3Object) -> tuple[ParquetSource, BinaryEncoder]:
        parquet = ParquetSource(source, self._expected_rows)
        return parquet, BinaryEncoder(self.target, parquet.schema, self.origin)

    def _pieces(self, parquet: ParquetSource, encoder: BinaryEncoder) -> Iterator[Piece]:
        """The bytes of the COPY, its header and footer included."""
        yield Piece(encoder.header())
        for before, batch in parquet.batches(encoder.file_columns):
            casted = encoder.cast(batch)
            self._set_aside(before, batch, casted)
            yield Piece(encoder.encode(casted.wire), len(casted.wire))
        yield Piece(encoder.footer())

    def _set_aside(self, before: int, batch: pa.RecordBatch, casted: CastedBatch) -> None:
        for index, fault in sorted(casted.faults.items()):
            self._rejected.add(_describe(batch, before, index, fault))


@dataclass(frozen=True, slots=True)
class ParquetBlock:
    """One batch: its rows that fit their columns."""

    encoder: BinaryEncoder
    batch: pa.RecordBatch
    casted: CastedBatch
    #: Rows of the file before the batch.
    before: int

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self.casted.wire)

    def encode(self, start: int, stop: int) -> bytes:
        """A whole COPY of the rows from `start` to before `stop`."""
        return self.encoder.encode_alone(self.casted.wire.slice(start, stop - start))

    def guess(self, fault: ServerFault, start: int) -> int:
        """Which row the server refused: binary COPY counts rows."""
        return start + fault.line - 1

    def describe(self, index: int, fault: ServerFault) -> RejectedRow:
        """A row that was refused alone, as it is set aside."""
        return _describe(self.batch, self.before, self.casted.index_of(index), fault.fault)


def _describe(batch: pa.RecordBatch, before: int, index: int, fault: RowFault) -> RejectedRow:
    row = {name: keep_value(show_of(batch.column(name).slice(index, 1))) for name in batch.schema.names}
    return RejectedRow(before + index + 1, fault.column, fault.reason, row)
