"""A Parquet file in S3 as the bytes of a binary COPY: decoded, cast and encoded a batch at a time, in one thread.

Row group by row group with Arrow's pre-buffer, which fetches a group in few large ranges (without it, measured five
times slower). A row group of more than `PREBUFFER_BYTES` is read through a small buffer for each column instead, so
that memory stays bounded whatever the file holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from snowmelt.core.binary_copy import BinaryEncoder, RowFault
from snowmelt.core.casts import show_of
from snowmelt.core.load_target import LoadTarget
from snowmelt.core.rejects import RejectedRow, RejectedRows, keep_value
from snowmelt.errors import StagingError
from snowmelt.io.copy_stream import Piece
from snowmelt.io.s3_object import ObjectFile, S3Object

#: Rows of a batch: 8,192 kept a batch in the processor's caches and was the fastest; fewer where rows are wide.
BATCH_ROWS = 8_192
BATCH_BYTES = 8 << 20
#: Compressed bytes of a row group up to which it is fetched whole; the default max_file_size_mb stays below.
PREBUFFER_BYTES = 104 << 20
#: Bytes of all columns' buffers together, where a row group is not fetched whole.
BUFFER_BYTES = 64 << 20
_SMALLEST_BUFFER = 64 << 10


class ParquetSource:
    """One Parquet file, open for reading.

    :raises StagingError: it is no whole Parquet file, or does not hold the manifest's rows.
    """

    def __init__(self, source: S3Object, expected_rows: int) -> None:
        self._object = source
        if source.size == 0:
            raise StagingError(f"{source.origin} is empty, which no Parquet file is. Unload this run anew.")
        with self._corruption():
            self._whole = self._open(pre_buffer=True, buffer_size=0)
        self.metadata = self._whole.metadata
        self.schema: pa.Schema = self._whole.schema_arrow
        if self.metadata.num_rows != expected_rows:
            raise StagingError(
                f"{source.origin} holds {self.metadata.num_rows:,} rows, the manifest says {expected_rows:,}. "
                "Unload this run anew."
            )

    def batches(self, columns: list[str]) -> Iterator[tuple[int, pa.RecordBatch]]:
        """All batches in the file's order, each with the number of rows before it."""
        before = 0
        for group in range(self.metadata.num_row_groups):
            shape = self.metadata.row_group(group)
            if not shape.num_rows:
                continue
            reader = self._reader(shape)
            row_bytes = max(1, shape.total_byte_size // shape.num_rows)
            size = max(1, min(BATCH_ROWS, BATCH_BYTES // row_bytes))
            with self._corruption():
                for batch in reader.iter_batches(
                    size, row_groups=[group], columns=columns, use_threads=False
                ):
                    yield before, batch
                    before += len(batch)
        if before != self.metadata.num_rows:
            raise StagingError(
                f"{self._object.origin}: its footer promises {self.metadata.num_rows:,} rows, its row groups hold {before:,}."
            )

    def read_row(self, number: int, fault: RowFault) -> RejectedRow:
        """One row (from 1), to show it together with its fault. Reads the file up to it."""
        for before, batch in self.batches(self.schema.names):
            if number <= before + len(batch):
                return RejectedRow(number, fault.column, fault.reason, row_of(batch, number - before - 1))
        return RejectedRow(number, fault.column, fault.reason, {})

    def _reader(self, shape: Any) -> pq.ParquetFile:
        compressed = sum(shape.column(index).total_compressed_size for index in range(shape.num_columns))
        if compressed <= PREBUFFER_BYTES:
            return self._whole
        buffer = max(_SMALLEST_BUFFER, BUFFER_BYTES // shape.num_columns)
        return self._open(pre_buffer=False, buffer_size=buffer, metadata=self.metadata)

    def _open(self, **options: Any) -> pq.ParquetFile:
        file = pa.PythonFile(ObjectFile(self._object), mode="r")
        return pq.ParquetFile(file, page_checksum_verification=True, **options)

    @contextmanager
    def _corruption(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError) as error:
            raise StagingError(
                f"{self._object.origin} is no whole Parquet file: {error}. Unload this run anew."
            ) from error


def encode_parquet(
    source: ParquetSource,
    origin: str,
    target: LoadTarget,
    rejected: RejectedRows,
    *,
    set_aside: Mapping[int, RowFault] | None = None,
    parse_json: bool = False,
) -> Iterator[Piece]:
    """The bytes of the COPY, its header and footer included.

    :param rejected: takes the rows that are left out, or raises.
    :param set_aside: rows (from 1) that the server has refused before.
    """
    encoder = BinaryEncoder(target, source.schema, origin, parse_json=parse_json)
    refused_before = set_aside or {}
    yield Piece(encoder.header())
    for before, batch in source.batches(encoder.file_columns):
        here = {
            number - before - 1: fault
            for number, fault in refused_before.items()
            if before < number <= before + len(batch)
        }
        encoded = encoder.encode(batch, here)
        for index, fault in sorted(encoded.faults.items()):
            rejected.add(RejectedRow(before + index + 1, fault.column, fault.reason, row_of(batch, index)))
        yield Piece(encoded.data, encoded.rows)
    yield Piece(encoder.footer())


def row_of(batch: pa.RecordBatch, index: int) -> dict[str, Any]:
    """One row as JSON can say it, by the file's names."""
    return {name: keep_value(show_of(batch.column(name).slice(index, 1))) for name in batch.schema.names}
