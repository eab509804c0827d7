"""Batches of a Parquet file as PostgreSQL's binary COPY takes them.

pgpq writes the bytes; which columns it may write as what is decided in casts.py. The internal column names are
positions, so a file's names never reach the encoder.

Source: PostgreSQL "COPY", Binary Format.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import pgpq
import pgpq.encoders
import pgpq.schema
import pyarrow as pa
import pyarrow.compute as pc

from snowmelt.core.load.casts import Cast, plan_cast
from snowmelt.core.load.target import LoadTarget
from snowmelt.errors import SchemaError


def build_binary_copy(target: LoadTarget) -> str:
    """The COPY statement, with an explicit column list."""
    return f"COPY {target.name} ({target.column_list}) FROM STDIN (FORMAT binary)"


@dataclass(frozen=True, slots=True)
class RowFault:
    """Why a row cannot go into the table: the first of its columns that does not fit."""

    #: The column's name in the file; empty where only the server could tell and did not.
    column: str
    reason: str


@dataclass(frozen=True, slots=True)
class EncodedBatch:
    """Part of a COPY stream."""

    data: bytes
    #: Rows that were put in.
    rows: int
    #: Index in the batch → why that row was left out.
    faults: dict[int, RowFault]


class BinaryEncoder:
    """Encodes the batches of one file: `header`, then each batch, then `footer`.

    :param target: where the columns go; the batches hold the columns of `file_columns`, in that order.
    :param schema: of the file.
    :param origin: the file's address, for messages.
    :param parse_json: see `plan_cast`.
    :raises SchemaError: a column is missing, extra, there twice, or of a type with no safe way; all of them are named.
    """

    def __init__(
        self, target: LoadTarget, schema: pa.Schema, origin: str, *, parse_json: bool = False
    ) -> None:
        self.casts = _plan_casts(target, schema, origin, parse_json=parse_json)
        self._schema = pa.schema([pa.field(str(index), cast.wire) for index, cast in enumerate(self.casts)])
        self._pgpq = pgpq.ArrowToPostgresBinaryEncoder.new_with_encoders(
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

    def encode(self, batch: pa.RecordBatch, set_aside: Mapping[int, RowFault]) -> EncodedBatch:
        """Cast and encode a batch, without the rows that do not fit and those named in `set_aside` (index in the batch)."""
        faults: dict[int, RowFault] = dict(set_aside)
        arrays = []
        for cast in self.casts:
            casted = cast.apply(batch.column(cast.column.file_name))
            arrays.append(casted.array)
            for row, reason in casted.refused.items():
                faults.setdefault(row, RowFault(cast.column.file_name, reason))
        wire = pa.record_batch(arrays, schema=self._schema)
        if faults:
            wire = wire.filter(pc.invert(pa.array([row in faults for row in range(len(wire))], pa.bool_())))
        return EncodedBatch(bytes(self._pgpq.write_batch(wire)), len(wire), faults)


def _plan_casts(target: LoadTarget, schema: pa.Schema, origin: str, *, parse_json: bool) -> tuple[Cast, ...]:
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
            cast = plan_cast(column, schema.field(column.file_name).type, parse_json=parse_json)
            if isinstance(cast, str):
                faults.append(cast)
            else:
                casts.append(cast)
    if faults:
        raise SchemaError(
            f"{origin} cannot be loaded into {target.schema}.{target.table}: its columns are not what was planned. "
            "Nothing was sent. Unload this run anew, or correct the plan.",
            tuple(faults),
        )
    return tuple(casts)


def _writer(cast: Cast, field: pa.Field) -> object:
    if cast.column.target_type.name == "jsonb":
        return pgpq.encoders.StringEncoderBuilder.new_with_output(field, pgpq.schema.Jsonb())
    return pgpq.ArrowToPostgresBinaryEncoder.infer_encoder(field)
