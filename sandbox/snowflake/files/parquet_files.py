"""Parquet files as an unload writes them: types by declaration or by value, real row groups."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sandbox.snowflake import errors
from sandbox.snowflake.catalog import results
from sandbox.snowflake.catalog.results import ResultColumn
from sandbox.snowflake.catalog.sftypes import SEMI_STRUCTURED, TIMESTAMPS

#: Arrow bytes in a row group at most.
ROW_GROUP_BYTES = 64 * 1024 * 1024
_INTEGERS = {"TINYINT": pa.int8(), "SMALLINT": pa.int16(), "INT": pa.int32(), "BIGINT": pa.int64()}


def refuse(columns: list[ResultColumn]) -> None:
    """What Snowflake refuses to write to Parquet."""
    for column in columns:
        if column.type.name in {"TIMESTAMP_TZ", "TIMESTAMP_LTZ"}:
            text = (
                "Error encountered when unloading to PARQUET: TIMESTAMP_TZ and LTZ types are not supported for "
                f"unloading to Parquet. value get: {column.type.name}"
            )
            raise errors.SnowflakeError(100171, "22000", text)
        if column.type.name == "VECTOR":
            raise errors.NotImplementedHere("unloading a VECTOR to Parquet")


class Shape:
    """How result columns become Parquet columns.

    `narrow`: the physical type follows the values of each file (ENABLE_UNLOAD_PHYSICAL_TYPE_OPTIMIZATION).
    `explicit`: casts written at the top of the query (BIGINT, …) by position; they fix an integer type.
    """

    def __init__(
        self,
        columns: list[ResultColumn],
        *,
        header: bool,
        narrow: bool,
        millis: bool,
        explicit: dict[int, str],
    ):
        self.columns = columns
        self.names = [c.name if header else f"_COL_{i}" for i, c in enumerate(columns)]
        self.narrow = narrow
        self.millis = millis
        self.explicit = explicit

    def table(self, batch: pa.RecordBatch) -> pa.Table:
        """A batch in logical types (not narrowed)."""
        arrays = [self._column(batch.column(i), i) for i in range(len(self.columns))]
        return pa.Table.from_arrays(arrays, names=self.names)

    def _column(self, array: pa.Array, index: int) -> pa.Array:
        kind = self.columns[index].type
        if isinstance(array, pa.ExtensionArray):
            array = array.storage
        if kind.name == "NUMBER":
            if index in self.explicit:
                return array.cast(_INTEGERS[self.explicit[index]])
            return array.cast(pa.decimal128(kind.precision or 38, kind.scale or 0))
        if kind.name in TIMESTAMPS:
            return array.cast(pa.timestamp("ms" if self.millis else "us"), safe=False)
        if kind.name == "TIME":
            return array.cast(pa.time64("us")).cast(
                pa.time32("ms") if self.millis else pa.time64("us"), safe=False
            )
        if kind.name == "FLOAT":
            return array.cast(pa.float64())
        if kind.name == "UUID":
            return results.uuid_text(array)
        if kind.name in {"TEXT", *SEMI_STRUCTURED, "GEOGRAPHY", "GEOMETRY"}:
            return array.cast(pa.string())
        return array

    def narrowed(self, table: pa.Table) -> pa.Table:
        """Numbers in the smallest type that takes all values of this file."""
        arrays = []
        for index, column in enumerate(table.columns):
            arrays.append(
                _narrow(column) if pa.types.is_decimal(column.type) and index not in self.explicit else column
            )
        return pa.Table.from_arrays(arrays, names=table.column_names)


def _narrow(column: pa.ChunkedArray) -> pa.ChunkedArray:
    bounds = pc.min_max(column).as_py()
    if bounds["min"] is None:
        return column.cast(pa.int8()) if column.type.scale == 0 else column
    top = max(abs(bounds["min"]), abs(bounds["max"]))
    if column.type.scale == 0:
        for target in (pa.int8(), pa.int16(), pa.int32(), pa.int64()):
            if top < 1 << (target.bit_width - 1):
                return column.cast(target)
        return column.cast(pa.decimal128(len(str(int(top))), 0))
    digits = len(str(int(top.scaleb(column.type.scale))))
    return column.cast(pa.decimal128(max(digits, column.type.scale), column.type.scale))


class ParquetFile:
    """One file being written. `size` is what it has on disk so far, or is guessed to have."""

    def __init__(self, path: Path, shape: Shape, codec: str, limit: int, ratio: float) -> None:
        self.path, self.shape, self.codec = path, shape, codec
        self.rows = 0
        self.limit = limit
        self.ratio = ratio  # bytes on disk per Arrow byte, learnt from earlier row groups
        self._pending: list[pa.Table] = []
        self._held = 0
        self._written = 0
        self._written_arrow = 0
        self._groups = 1
        self._writer: pq.ParquetWriter | None = None

    @property
    def size(self) -> int:
        return self._written + int(self._held * self.ratio)

    @property
    def full(self) -> bool:
        """Whether another piece might pass the limit; the footer grows with columns and row groups."""
        footer = 2_000 + 400 * len(self.shape.names) * self._groups
        return self.rows > 0 and self.size + footer + self.limit / 10 >= self.limit

    def add(self, batch: pa.RecordBatch) -> None:
        table = self.shape.table(batch)
        self._pending.append(table)
        self._held += table.nbytes
        self.rows += batch.num_rows
        group = min(ROW_GROUP_BYTES, max(int(self.limit / 4 / self.ratio), 1))
        if not self.shape.narrow and self._held >= group:
            self._flush()

    def _flush(self) -> None:
        if not self._pending:
            return
        table = pa.concat_tables(self._pending)
        if self.shape.narrow:
            table = self.shape.narrowed(table)
        if self._writer is None:
            codec = None if self.codec == "none" else self.codec
            self._writer = pq.ParquetWriter(
                self.path, table.schema, compression=codec or "NONE", version="1.0", store_schema=False
            )
        rows = max(int(table.num_rows * min(1.0, ROW_GROUP_BYTES / max(table.nbytes, 1))), 1)
        self._writer.write_table(table, row_group_size=rows)
        self._groups += 1
        self._written = self.path.stat().st_size
        self._written_arrow += self._held
        self.ratio = max(self._written / max(self._written_arrow, 1), 0.01)
        self._pending, self._held = [], 0

    def close(self) -> int:
        """Finish it; its size in bytes."""
        self._flush()
        if self._writer is not None:
            self._writer.close()
        return self.path.stat().st_size
