"""A Parquet file in S3, decoded a batch at a time.

Row group by row group, each fetched whole and the next one meanwhile. A row group of more than `GROUP_BYTES` is read
through a small buffer for each column instead, so that memory stays bounded whatever the file holds.

The rows of a Parquet file as binary COPY takes them: decoded, cast and encoded a batch at a time, in one thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from snowmelt.errors import StagingError
from snowmelt.load.binary_copy import BinaryEncoder, CastedBatch, build_binary_copy
from snowmelt.load.casts import show_of
from snowmelt.load.copy_stream import Ahead, Piece, send_copy
from snowmelt.load.rejects import RejectedRow, RejectedRows, RowFault, keep_value
from snowmelt.load.rows import ProgressCall, ServerFault
from snowmelt.load.s3_object import HeldFile, ObjectFile, ReadAhead, S3Object, StreamedFile
from snowmelt.load.staged_hash import StagedHash
from snowmelt.load.target import LoadTarget

#: Rows of a batch: 8,192 kept a batch in the processor's caches and was the fastest; fewer where rows are wide.
BATCH_ROWS = 8_192
BATCH_BYTES = 8 << 20
#: Compressed bytes of row groups that are held at a time; beyond, a row group is streamed. A file of the default size
#: fits whatever its row groups are.
GROUP_BYTES = 96 << 20
#: Bytes of all columns' blocks together, where a row group is streamed; as much again is read ahead.
BLOCK_BYTES = 32 << 20
_SMALLEST_BLOCK = 64 << 10
#: Decoded bytes of a batch at most, where a dictionary may repeat a long value in each row.
DECODED_BYTES = 32 << 20
#: The longest value. Decoded, encoded and sent it takes some four times its size.
MAX_VALUE_BYTES = 64 << 20
#: The largest footer: its metadata takes ten times as much. 1,600 columns (PostgreSQL's limit) in 65 row groups.
MAX_FOOTER_BYTES = 16 << 20


class FooterFile(ObjectFile):
    """Reads the footer, and no more than a footer can have."""

    def _fetch(self, start: int, end: int) -> bytes | memoryview | pa.Buffer:
        if end - start > MAX_FOOTER_BYTES:
            raise StagingError(
                f"{self.origin} has a footer of {end - start:,} bytes; at most {MAX_FOOTER_BYTES:,} are read. It has too many columns or row "
                "groups: exclude columns, or unload smaller files (max_file_size_mb)."
            )
        return super()._fetch(start, end)


@dataclass(frozen=True, slots=True)
class _Group:
    number: int
    #: (start, end) of each column's bytes in the file.
    chunks: tuple[tuple[int, int], ...]
    #: Rows to decode at a time.
    batch_rows: int

    @property
    def span(self) -> tuple[int, int]:
        return min(start for start, _ in self.chunks), max(end for _, end in self.chunks)

    @property
    def bytes(self) -> int:
        return self.span[1] - self.span[0]


def _group(number: int, shape: Any) -> _Group:
    chunks = []
    for chunk in (shape.column(index) for index in range(shape.num_columns)):
        start = chunk.dictionary_page_offset if chunk.has_dictionary_page else chunk.data_page_offset
        chunks.append((start, start + chunk.total_compressed_size))
    row_bytes = max(1, shape.total_byte_size // shape.num_rows)
    return _Group(number, tuple(chunks), max(1, min(BATCH_ROWS, BATCH_BYTES // row_bytes)))


class ParquetSource:
    """One Parquet file, open for reading.

    :raises StagingError: it is not a whole Parquet file, or does not hold the manifest's rows.
    """

    def __init__(self, source: S3Object, expected_rows: int) -> None:
        self._object = source
        if source.size == 0:
            raise StagingError(f"{source.origin} is empty, which no Parquet file is. Unload this run again.")
        with self._corruption():
            self.metadata = self._open(FooterFile(source)).metadata
            self.schema: pa.Schema = self.metadata.schema.to_arrow_schema()
        if self.metadata.num_rows != expected_rows:
            raise StagingError(
                f"{source.origin} holds {self.metadata.num_rows:,} rows, the manifest says {expected_rows:,}. "
                "Unload this run again."
            )
        shapes = [self.metadata.row_group(group) for group in range(self.metadata.num_row_groups)]
        self._groups = [_group(number, shape) for number, shape in enumerate(shapes) if shape.num_rows]
        self._refuse_long_values(shapes)

    def batches(self, columns: list[str]) -> Iterator[tuple[int, pa.RecordBatch]]:
        """All batches in the file's order, each with the number of rows before it."""
        before = 0
        with ReadAhead(self._object) as ahead:
            for index, group in enumerate(self._groups):
                file, block = self._file(ahead, group, self._groups[index + 1 : index + 2])
                with self._corruption():
                    rows = self._limit_rows(ahead, group, columns)
                    for batch in self._open(file, block).iter_batches(
                        rows, row_groups=[group.number], columns=columns, use_threads=False
                    ):
                        yield before, batch
                        before += len(batch)
        if before != self.metadata.num_rows:
            raise StagingError(
                f"{self._object.origin}: its footer promises {self.metadata.num_rows:,} rows, its row groups hold {before:,}."
            )

    def _refuse_long_values(self, shapes: list[Any]) -> None:
        for chunk in (shape.column(index) for shape in shapes for index in range(shape.num_columns)):
            if chunk.num_values and chunk.total_uncompressed_size // chunk.num_values > MAX_VALUE_BYTES:
                raise StagingError(
                    f'{self._object.origin}: values of "{chunk.path_in_schema}" have {chunk.total_uncompressed_size // chunk.num_values:,} '
                    f"bytes; at most {MAX_VALUE_BYTES:,} are loaded. Exclude the column, or filter these rows out."
                )

    def _limit_rows(self, ahead: ReadAhead, group: _Group, columns: list[str]) -> int:
        """Rows to decode at a time: fewer where the longest values of the dictionaries, in every row of a batch, would not fit."""
        shape = self.metadata.row_group(group.number)
        repeated = [
            chunk.path_in_schema
            for chunk in (shape.column(index) for index in range(shape.num_columns))
            if chunk.has_dictionary_page
            and chunk.physical_type == "BYTE_ARRAY"
            and chunk.path_in_schema in columns
            and chunk.total_uncompressed_size * group.batch_rows > DECODED_BYTES
        ]
        if not repeated:
            return group.batch_rows
        block = _SMALLEST_BLOCK if group.bytes > GROUP_BYTES else 0
        reader = self._open(HeldFile(self._object, ahead), block, repeated)
        first = next(reader.iter_batches(1, row_groups=[group.number], columns=repeated, use_threads=False))
        longest = sum(_longest(column) for column in first.columns)
        return max(1, min(group.batch_rows, DECODED_BYTES // max(1, longest)))

    def _file(self, ahead: ReadAhead, group: _Group, following: list[_Group]) -> tuple[ObjectFile, int]:
        """The file that the group is read by, and the bytes of a block where it is streamed."""
        if group.bytes > GROUP_BYTES:
            ahead.hold([])
            block = max(_SMALLEST_BLOCK, BLOCK_BYTES // len(group.chunks))
            return StreamedFile(self._object, ahead, list(group.chunks), block), block
        fitting = [each for each in following if group.bytes + each.bytes <= GROUP_BYTES]
        ahead.hold([each.chunks for each in (group, *fitting)])
        return HeldFile(self._object, ahead), 0

    def _open(
        self, file: ObjectFile, buffer_size: int = 0, as_dictionaries: list[str] | None = None
    ) -> pq.ParquetFile:
        metadata = getattr(self, "metadata", None)
        return pq.ParquetFile(
            pa.PythonFile(file, mode="r"),
            metadata=metadata,
            buffer_size=buffer_size,
            read_dictionary=as_dictionaries,
            pre_buffer=False,
            page_checksum_verification=True,
        )

    @contextmanager
    def _corruption(self) -> Iterator[None]:
        try:
            yield
        except MemoryError:  # Arrow's own is an ArrowException, too, and says nothing of the file
            raise
        except (pa.ArrowException, OSError) as error:
            raise StagingError(
                f"{self._object.origin} is not a whole Parquet file: {error}. Unload this run again."
            ) from error


def _longest(column: pa.Array) -> int:
    """Bytes of the longest value in a column's dictionary."""
    values = column.dictionary if isinstance(column, pa.DictionaryArray) else column
    return int(pc.max(pc.binary_length(values)).as_py() or 0)


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
        self._hash = StagedHash(target.hashed)
        self.origin = source.origin
        self.target = target
        self.statement = build_binary_copy(target)

    @property
    def staged_hash(self) -> int | None:
        """Of the rows that were read, those set aside included; None where it is not asked for."""
        return self._hash.value if self.target.hashed else None

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
        """The batches of the file, read again; rows that do not fit their columns go to `rejected`."""
        parquet, encoder = self._open(self._source.reopened())
        for before, batch, casted in self._batches(parquet, encoder):
            yield ParquetBlock(encoder, batch, casted, before)

    def _open(self, source: S3Object) -> tuple[ParquetSource, BinaryEncoder]:
        parquet = ParquetSource(source, self._expected_rows)
        return parquet, BinaryEncoder(self.target, parquet.schema, self.origin)

    def _pieces(self, parquet: ParquetSource, encoder: BinaryEncoder) -> Iterator[Piece]:
        """The bytes of the COPY, its header and footer included."""
        yield Piece(encoder.header())
        for _, _, casted in self._batches(parquet, encoder):
            yield Piece(encoder.encode(casted.wire), len(casted.wire))
        yield Piece(encoder.footer())

    def _batches(
        self, parquet: ParquetSource, encoder: BinaryEncoder
    ) -> Iterator[tuple[int, pa.RecordBatch, CastedBatch]]:
        """The whole file from its start: the rows before a batch, the batch, and its rows that fit their columns."""
        self._hash = StagedHash(self.target.hashed)
        for before, batch in parquet.batches(encoder.file_columns):
            casted = encoder.cast(batch)
            self._set_aside(before, batch, casted)
            if self.target.hashed:
                self._hash.add(batch)
            yield before, batch, casted

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
