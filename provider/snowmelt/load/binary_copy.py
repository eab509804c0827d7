"""Batches of a Parquet file as PostgreSQL's binary COPY takes them.

pgpq writes the bytes; which columns it may write as what is decided in casts.py. The internal column names are
positions, so a file's names never reach the encoder.

Source: PostgreSQL "COPY", Binary Format.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pgpq
import pgpq.encoders
import pgpq.schema
import pyarrow as pa
import pyarrow.compute as pc

from snowmelt.errors import SchemaError
from snowmelt.load.casts import Cast, plan_cast
from snowmelt.load.rejects import RowFault
from snowmelt.load.target import LoadTarget


def build_binary_copy(target: LoadTarget) -> str:
    """The COPY statement, with an explicit column list. Texts are UTF-8, whatever the session's or the server's encoding."""
    return f"COPY {target.name} ({target.column_list}) FROM STDIN (FORMAT binary, ENCODING 'UTF8')"


@dataclass(frozen=True, slots=True)
class CastedBatch:
    """A batch of a file as the encoder takes it: the rows that fit, and why others do not."""

    #: Without the rows that do not fit.
    wire: pa.RecordBatch
    #: Index in the file's batch → why that row was left out: the first of its columns that does not fit.
    faults: dict[int, RowFault]

    def index_of(self, row: int) -> int:
        """Index in the file's batch of the wire's row."""
        for fault in sorted(self.faults):
            if fault > row:
                break
            row += 1
        return row


class BinaryEncoder:
    """Encodes the batches of one file: `header`, then each batch, then `footer`.

    :param target: where the columns go; the batches hold the columns of `file_columns`, in that order.
    :param schema: of the file.
    :param origin: the file's address, for messages.
    :raises SchemaError: a column is missing, extra, there twice, or of a type with no safe way; all of them are named.
    """

    def __init__(self, target: LoadTarget, schema: pa.Schema, origin: str) -> None:
        self.casts = _plan_casts(target, schema, origin)
        self._schema = pa.schema([pa.field(str(index), cast.wire) for index, cast in enumerate(self.casts)])
        self._pgpq = self._new()

    def _new(self) -> Any:
        return pgpq.ArrowToPostgresBinaryEncoder.new_with_encoders(
            self._schema,
            {field.name: _writer(cast, field) for cast, field in zip(self.casts, self._schema, strict=True)},
        )

    @property
    def file_columns(self) -> list[str]:
        """Names in the file, in the order of the COPY."""
        return [cast.column.file_name for cast in self.casts]

    def header(self) -> bytes:
        """The signature; once, first."""
        return bytes(self._pgpq.write_header())

    def footer(self) -> bytes:
        """The end marker, with whatever pgpq still holds back; once, last."""
        return bytes(self._pgpq.finish())

    def cast(self, batch: pa.RecordBatch) -> CastedBatch:
        """The batch's rows that fit, in the types that are encoded, and the faults of the others."""
        faults: dict[int, RowFault] = {}
        arrays = []
        for cast in self.casts:
            casted = cast.apply(batch.column(cast.column.file_name))
            arrays.append(casted.array)
            for row, reason in casted.refused.items():
                faults.setdefault(row, RowFault(cast.column.file_name, reason))
        wire = pa.record_batch(arrays, schema=self._schema)
        if faults:
            wire = wire.filter(pc.invert(pa.array([row in faults for row in range(len(wire))], pa.bool_())))
        return CastedBatch(wire, faults)

    def encode(self, wire: pa.RecordBatch) -> bytes:
        """The next part of the stream that `header` began."""
        return bytes(self._pgpq.write_batch(wire))

    def encode_alone(self, wire: pa.RecordBatch) -> bytes:
        """A whole stream of these rows, header and footer included."""
        alone = self._new()
        return bytes(alone.write_header()) + bytes(alone.write_batch(wire)) + bytes(alone.finish())


def _plan_casts(target: LoadTarget, schema: pa.Schema, origin: str) -> tuple[Cast, ...]:
    found = Counter(schema.names)
    planned = {column.file_name for column in target.columns}
    faults = [f"{name}: {count} times in the file" for name, count in found.items() if count > 1]
    faults += [f"{name}: in the file, not planned" for name in schema.names if name not in planned]
    casts = []
    for column in target.columns:
        if column.file_name not in found:
            faults.append(f"{column.file_name}: planned for {column.target}, not in the file")
            continue
        if found[column.file_name] == 1:
            cast = plan_cast(column, schema.field(column.file_name).type)
            if isinstance(cast, str):
                faults.append(cast)
            else:
                casts.append(cast)
    if faults:
        raise SchemaError(
            f"{origin} cannot be loaded into {target.schema}.{target.table}: its columns are not what was planned. "
            "Nothing was sent. Unload this run again, or correct the plan.",
            tuple(faults),
        )
    return tuple(casts)


def _writer(cast: Cast, field: pa.Field) -> object:
    if cast.column.target_type.name == "jsonb":
        return pgpq.encoders.StringEncoderBuilder.new_with_output(field, pgpq.schema.Jsonb())
    return pgpq.ArrowToPostgresBinaryEncoder.infer_encoder(field)
