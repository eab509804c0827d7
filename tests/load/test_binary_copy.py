from __future__ import annotations

import pyarrow as pa
import pytest

from snowmelt.errors import SchemaError
from snowmelt.load.binary_copy import BinaryEncoder, build_binary_copy
from snowmelt.load.rejects import RowFault
from snowmelt.load.target import LoadColumn, LoadTarget
from snowmelt.types.type_names import parse_postgres_type
from snowmelt.types.type_table import Form


def target(*columns):
    return LoadTarget(
        "bi",
        "orders",
        tuple(
            LoadColumn(name, form, name.lower(), parse_postgres_type(type_)) for name, form, type_ in columns
        ),
    )


ID_NOTE = target(("ID", Form.INTEGER, "integer"), ("NOTE", Form.TEXT, "text"))


def test_the_statement_lists_its_columns():
    assert build_binary_copy(ID_NOTE) == (
        'COPY "bi"."orders" ("id", "note") FROM STDIN (FORMAT binary, ENCODING \'UTF8\')'
    )


def test_the_bytes_of_one_row():
    encoder = BinaryEncoder(ID_NOTE, pa.schema([("NOTE", pa.string()), ("ID", pa.int64())]), "s3://b/k")
    batch = pa.record_batch({"NOTE": ["é"], "ID": [258]})
    data = encoder.header() + encoder.encode(encoder.cast(batch).wire) + encoder.footer()
    assert data == (
        b"PGCOPY\n\xff\r\n\x00" + bytes(8) + b"\x00\x02" + b"\x00\x00\x00\x04\x00\x00\x01\x02"
        b"\x00\x00\x00\x02\xc3\xa9" + b"\xff\xff"
    )


def test_all_faults_of_a_schema_at_once():
    schema = pa.schema(
        [
            ("ID", pa.float64()),
            ("NEW", pa.int64()),
            ("TWICE", pa.int64()),
            ("TWICE", pa.int64()),
        ]
    )
    wanted = target(
        ("ID", Form.INTEGER, "integer"), ("TWICE", Form.INTEGER, "integer"), ("GONE", Form.TEXT, "text")
    )
    with pytest.raises(SchemaError) as raised:
        BinaryEncoder(wanted, schema, "s3://b/k")
    assert str(raised.value).startswith("s3://b/k cannot be loaded into bi.orders")
    assert raised.value.faults == (
        "TWICE: 2 times in the file",
        "NEW: in the file, not planned",
        "ID: Arrow double, staged as integer, has no safe way into id integer",
        "GONE: planned for gone, not in the file",
    )


def test_bad_rows_are_left_out_and_the_others_stay():
    encoder = BinaryEncoder(ID_NOTE, pa.schema([("ID", pa.int64()), ("NOTE", pa.string())]), "s3://b/k")
    batch = pa.record_batch({"ID": [1, 2**40, 3, 4, 2**41], "NOTE": ["a", "b", "c\x00", "d", "\x00"]})
    header = encoder.header()
    casted = encoder.cast(batch)
    assert casted.faults == {
        1: RowFault("ID", "out of range for integer"),
        2: RowFault("NOTE", "holds a NUL character (0x00)"),
        4: RowFault("ID", "out of range for integer"),
    }
    assert [casted.index_of(row) for row in range(len(casted.wire))] == [0, 3]
    first = b"\x00\x02\x00\x00\x00\x04\x00\x00\x00\x01\x00\x00\x00\x01a"
    second = b"\x00\x02\x00\x00\x00\x04\x00\x00\x00\x04\x00\x00\x00\x01d"
    assert (header + encoder.encode(casted.wire) + encoder.footer())[19:] == first + second + b"\xff\xff"
    # and some of them by a stream of their own, as often as is asked
    for _ in range(2):
        assert encoder.encode_alone(casted.wire.slice(1, 1)) == header + second + b"\xff\xff"
