"""Random schemas and values: written as Parquet and as CSV, loaded each way, read back by psycopg in its binary format.

The oracle shares nothing with the loader: values are Python's, pyarrow and the tests' own writer of CSV write them, and
psycopg's own decoders read them. HYPOTHESIS_PROFILE=long tries 5,000 tables instead of 200.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snowmelt.types.type_table import Form
from tests.load.csv_text import csv_bytes, gzipped, quoted, write_bytes, write_moment, write_plain
from tests.load.load_world import column, open_world, parquet_bytes

TABLES = 5000 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 200
EPOCH = dt.datetime(1970, 1, 1)
MICROSECOND = dt.timedelta(microseconds=1)
#: What Python's datetime holds; PostgreSQL's own range is wider, and its ends are tried elsewhere.
FIRST_US, LAST_US = (dt.datetime.min - EPOCH) // MICROSECOND, (dt.datetime.max - EPOCH) // MICROSECOND
FIRST_DAY, LAST_DAY = -719_162, 2_932_896


def unchanged(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Kind:
    """A random column: how it is staged, where it goes, its values as staged and as PostgreSQL must give them back."""

    form: Form
    target: str
    arrow: pa.DataType
    values: st.SearchStrategy
    expected: Callable[[Any], Any] = unchanged

    def csv(self, value: Any) -> str:
        """The value as it stands in a CSV file."""
        if self.form in {Form.DATE, Form.TIME_US, Form.EPOCH_US}:
            return write_moment(self.expected(value))
        if self.form is Form.BYTES:
            return write_bytes(value)
        if self.form is Form.VECTOR:
            return quoted(value.replace("[", "{").replace("]", "}"))
        return quoted(value) if isinstance(value, str) else write_plain(value)


def integers(arrow, bits, target_bits, target):
    bits = min(bits, target_bits)
    values = st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return st.just(Kind(Form.INTEGER, target, arrow, values, Decimal if target == "numeric" else int))


@st.composite
def decimals(draw):
    digits = draw(st.integers(1, 38))
    scale = draw(st.integers(0, min(37, digits)))
    kept = draw(st.integers(scale, 37))
    wide = draw(st.booleans())
    arrow = pa.decimal256(digits + 10, scale) if wide else pa.decimal128(digits, scale)
    unscaled = st.one_of(
        st.integers(-(10**digits) + 1, 10**digits - 1),
        st.integers(0, digits - 1).map(lambda power: 10**power),
        st.integers(0, digits).map(lambda power: 10**power - 1),
    )
    target = draw(st.sampled_from(["numeric", f"numeric({digits - scale + kept},{kept})"]))
    return Kind(Form.DECIMAL, target, arrow, unscaled.map(lambda number: Decimal(f"{number}E-{scale}")))


#: What CSV, COPY or JSON could take for its own.
PIECES = (
    '"',
    ",",
    "\\",
    "\\N",
    "\\.",
    "\n",
    "\r",
    "\r\n",
    "\t",
    " ",
    "NULL",
    "{",
    "}",
    "'",
    "\ufeff",
    "🎈",
    "é",
    "x",
)
text = st.one_of(
    st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=30),
    st.lists(st.sampled_from(PIECES), max_size=7).map("".join),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(-1e10, 1e10) | text,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(text, children, max_size=3),
    max_leaves=5,
)
float32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
KINDS = st.one_of(
    integers(pa.int8(), 8, 16, "smallint"),
    integers(pa.int64(), 64, 32, "integer"),
    integers(pa.int32(), 32, 64, "bigint"),
    integers(pa.int64(), 64, 64, "bigint"),
    integers(pa.int64(), 64, 64, "numeric"),
    decimals(),
    st.just(
        Kind(Form.INTEGER, "bigint", pa.decimal128(38, 0), st.integers(-(2**63), 2**63 - 1).map(Decimal), int)
    ),
    st.just(Kind(Form.DOUBLE, "double precision", pa.float64(), st.floats())),
    st.just(Kind(Form.BOOLEAN, "boolean", pa.bool_(), st.booleans())),
    st.just(
        Kind(
            Form.DATE,
            "date",
            pa.date32(),
            st.integers(FIRST_DAY, LAST_DAY),
            lambda day: dt.date(1970, 1, 1) + dt.timedelta(day),
        )
    ),
    st.just(
        Kind(
            Form.TIME_US,
            "time",
            pa.int64(),
            st.integers(0, 86_399_999_999),
            lambda us: (EPOCH + us * MICROSECOND).time(),
        )
    ),
    st.just(
        Kind(
            Form.EPOCH_US,
            "timestamp",
            pa.int64(),
            st.integers(FIRST_US, LAST_US),
            lambda us: EPOCH + us * MICROSECOND,
        )
    ),
    st.just(
        Kind(
            Form.EPOCH_US,
            "timestamptz",
            pa.decimal128(38, 0),
            st.integers(FIRST_US, LAST_US).map(Decimal),
            lambda us: (EPOCH + int(us) * MICROSECOND).replace(tzinfo=dt.UTC),
        )
    ),
    st.sampled_from([pa.string(), pa.large_string(), pa.dictionary(pa.int16(), pa.string())]).flatmap(
        lambda arrow: st.sampled_from(["text", "varchar(30)"]).map(
            lambda target: Kind(Form.TEXT, target, arrow, text)
        )
    ),
    st.booleans().map(
        lambda ascii_only: Kind(
            Form.JSON,
            "jsonb",
            pa.string(),
            json_values.map(lambda value: json.dumps(value, ensure_ascii=ascii_only)),
            json.loads,
        )
    ),
    st.just(Kind(Form.UUID, "uuid", pa.string(), st.uuids().map(str), uuid.UUID)),
    st.just(Kind(Form.BYTES, "bytea", pa.binary(), st.binary(max_size=30))),
    st.just(
        Kind(
            Form.VECTOR,
            "real[]",
            pa.string(),
            st.lists(float32, min_size=1, max_size=4).map(json.dumps),
            json.loads,
        )
    ),
    st.just(
        Kind(
            Form.VECTOR,
            "integer[]",
            pa.string(),
            st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=4).map(json.dumps),
            json.loads,
        )
    ),
)


@st.composite
def tables(draw):
    rows = draw(st.integers(0, 12))
    columns = []
    for _ in range(draw(st.integers(1, 6))):
        kind, nullable = draw(KINDS), draw(st.booleans())
        values = st.none() | kind.values if nullable else kind.values
        columns.append((kind, nullable, draw(st.lists(values, min_size=rows, max_size=rows))))
    return rows, columns, draw(st.integers(1, 5))


def same(kind: Kind, found: Any, expected: Any) -> bool:
    if kind.form is Form.JSON:  # jsonb's numbers are decimals: 0.0 and -0.0 are one
        return found == expected
    if isinstance(expected, float):
        return struct.pack("<d", found) == struct.pack("<d", expected) or (
            found != found and expected != expected
        )
    if isinstance(expected, Decimal):
        return found == expected and isinstance(found, Decimal)
    return found == expected and type(found) is type(expected)


@pytest.fixture(scope="module")
def world(postgres_dsn, s3_client, bucket):
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS aws_s3 CASCADE")
        connection.execute("SET synchronous_commit = off")
        yield open_world(connection, s3_client, bucket)


def staged(columns, group: int):
    """(file's name, its bytes, how it is loaded) of the same values for each way."""
    arrays = {}
    for number, (kind, _, values) in enumerate(columns):
        array = pa.array(values, pa.int32() if kind.arrow == pa.date32() else kind.arrow)
        arrays[f"C{number}"] = array.view(kind.arrow) if kind.arrow == pa.date32() else array
    yield "data_0.parquet", parquet_bytes(arrays, row_group_size=group), {}
    text = csv_bytes(
        [[None if value is None else kind.csv(value) for value in values] for kind, _, values in columns]
    )
    yield "data_0.csv.gz", gzipped(text), {"file_format": "csv", "compression": "gzip"}
    yield "data_0.csv", text, {"file_format": "csv", "method": "aws_s3", "region": "us-east-1"}


def load_and_read(world, targets, rows: int, name: str, data: bytes, options: dict[str, Any]):
    """The rows of a new table after the load, in the order they were stored."""
    target = world.table(*targets)
    try:
        file = world.put(data, rows, key=f"round_trip/{name}")
        assert world.load(file, target, claim=lambda cursor: True, **options).rows == rows
        with world.connection.cursor(binary=True) as cursor:
            return cursor.execute(f"SELECT * FROM {target.name} ORDER BY ctid").fetchall()
    finally:
        world.connection.execute(f"DROP TABLE {target.name}")


@settings(
    max_examples=TABLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(table=tables())
def test_any_table_arrives_as_it_was_by_every_way(world, table):
    rows, columns, group = table
    targets = [
        column(f"C{number}", kind.form, kind.target, nullable=nullable)
        for number, (kind, nullable, _) in enumerate(columns)
    ]
    expected = [
        [None if value is None else kind.expected(value) for value in values] for kind, _, values in columns
    ]
    for name, data, options in staged(columns, group):
        found = load_and_read(world, targets, rows, name, data, options)
        assert len(found) == rows, name
        for number, (kind, _, _) in enumerate(columns):
            for row in range(rows):
                assert same(kind, found[row][number], expected[number][row]), (
                    name,
                    kind,
                    found[row][number],
                    expected[number][row],
                )
