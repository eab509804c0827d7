"""The tables that are loaded: their Snowflake columns, and values made from a seed, the same each time.

The shapes are what a warehouse holds (a fact table, TPC-H's lineitem by its specification's distributions, a wide table,
long texts, decimals); the values are random, so nothing compresses better than it would there by being constant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from snowmelt.load.target import LoadColumn, LoadTarget
from snowmelt.types.column_plan import plan_columns
from snowmelt.types.columns import Column, ColumnRules, SourceColumn
from snowmelt.types.type_names import parse_snowflake_type
from snowmelt.vocabulary import FileFormat

#: From a random generator and the first and last row's numbers to the column's values.
Maker = Callable[[np.random.Generator, int, int], pa.Array]

_DAY_2015, _DAYS = 16_436, 3_650
_US_2015, _US = 1_420_070_400_000_000, 315_360_000_000_000


@dataclass(frozen=True, slots=True)
class MadeColumn:
    """A column of Snowflake's, and how its values are made."""

    name: str
    #: As DESCRIBE TABLE prints it.
    type: str
    make: Maker
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """A table that a benchmark loads."""

    name: str
    about: str
    made: tuple[MadeColumn, ...]

    def columns(self, narrow: dict[str, str] | None = None) -> tuple[Column, ...]:
        """The columns as the planner places them in a new table; `narrow`: source column → PostgreSQL type."""
        source = [SourceColumn(c.name, parse_snowflake_type(c.type), c.nullable) for c in self.made]
        return plan_columns(source, None, ColumnRules(type=narrow or {}), FileFormat.PARQUET).columns

    def target(self, schema: str, table: str, narrow: dict[str, str] | None = None) -> LoadTarget:
        """Where a load puts them."""
        return LoadTarget(schema, table, tuple(LoadColumn.of(column) for column in self.columns(narrow)))

    def selected(self) -> tuple[tuple[str, str], ...]:
        """What the unload selects: (name in the file, expression)."""
        return tuple((column.source, column.select) for column in self.columns())

    def rows(self, first: int, count: int) -> pa.Table:
        """Rows from the number `first`, in the Arrow types that Snowflake's unload declares."""
        random = np.random.default_rng((7, first))
        arrays = {}
        for column, (_, select) in zip(self.made, self.selected(), strict=True):
            arrays[column.name] = _staged(column.make(random, first, count), column.type, select)
        return pa.table(arrays)


def _staged(values: pa.Array, snowflake_type: str, select: str) -> pa.Array:
    """Numbers as the unload writes them: DECIMAL as declared, or the integer that the query casts to."""
    if not pa.types.is_int64(values.type):
        return values
    for word, arrow in (("SMALLINT", pa.int16()), ("INT", pa.int32()), ("BIGINT", pa.int64())):
        if select.endswith(f" AS {word})"):
            return values.cast(arrow)
    kind = parse_snowflake_type(snowflake_type)
    precision, scale = (kind.precision or 38, kind.scale or 0) if kind.name == "NUMBER" else (38, 0)
    low = values.fill_null(0).to_numpy()
    words = np.stack([low, low >> 63], axis=1)
    mask = values.buffers()[0] if values.null_count else None
    return pa.Array.from_buffers(
        pa.decimal128(precision, scale), len(values), [mask, pa.py_buffer(words)], values.null_count
    )


def _sparse(random: np.random.Generator, values: np.ndarray, nulls: float) -> pa.Array:
    return pa.array(values, mask=random.random(len(values)) < nulls if nulls else None)


def number(low: int, high: int, *, nulls: float = 0.0) -> Maker:
    """Whole (or unscaled) numbers, evenly between the two."""
    return lambda random, first, count: _sparse(random, random.integers(low, high, count), nulls)


def serial(_: np.random.Generator, first: int, count: int) -> pa.Array:
    """The row's number."""
    return pa.array(np.arange(first, first + count, dtype=np.int64))


def day(_low: int = 0, *, nulls: float = 0.0) -> Maker:
    """A date within ten years."""
    return lambda random, first, count: _sparse(
        random, (_DAY_2015 + random.integers(0, _DAYS, count)).astype(np.int32), nulls
    ).cast(pa.date32())


def instant(*, nulls: float = 0.0) -> Maker:
    """Microseconds since 1970, within ten years, with all six digits."""
    return lambda random, first, count: _sparse(random, _US_2015 + random.integers(0, _US, count), nulls)


def chosen(words: list[str], *, nulls: float = 0.0) -> Maker:
    """One of a few texts."""
    pool = np.array(words, dtype=object)
    return lambda random, first, count: pa.array(
        pool[random.integers(0, len(pool), count)],
        pa.string(),
        mask=random.random(count) < nulls if nulls else None,
    )


def flag(random: np.random.Generator, first: int, count: int) -> pa.Array:
    """True or false."""
    return pa.array(random.random(count) < 0.5)


def double(random: np.random.Generator, first: int, count: int) -> pa.Array:
    """A measure."""
    return pa.array(random.normal(100.0, 25.0, count))


def text(low: int, high: int) -> Maker:
    """Words of a small language, between `low` and `high` characters together."""
    pool = np.frombuffer(_language(), np.uint8)

    def make(random: np.random.Generator, first: int, count: int) -> pa.Array:
        lengths = random.integers(low, high + 1, count).astype(np.int32)
        starts = random.integers(0, len(pool) - high, count)
        ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        places = np.arange(ends[-1]) + np.repeat(starts - ends[:-1], lengths)
        buffers = [None, pa.py_buffer(ends), pa.py_buffer(np.ascontiguousarray(pool[places]))]
        return pa.Array.from_buffers(pa.string(), count, buffers)

    return make


def _language() -> bytes:
    random = np.random.default_rng(11)
    letters = np.array(list("etaoinshrdlucmfwypvbgk"))
    words = ["".join(letters[random.integers(0, 22, random.integers(2, 10))]) for _ in range(2_000)]
    return " ".join(words[place] for place in random.zipf(1.3, 400_000) % 2_000).encode()


STATES = [f"STATE_{index:02d}" for index in range(50)]
FACT = Table(
    "fact",
    "a fact table: 21 columns of ids, dates, instants, amounts, flags and codes",
    (
        MadeColumn("VISIT_CALL_ID", "NUMBER(18,0)", serial, nullable=False),
        MadeColumn("VISIT_ID", "NUMBER(18,0)", number(10**9, 10**10)),
        MadeColumn("AGENCY_ID", "NUMBER(9,0)", number(1, 3_000)),
        MadeColumn("CAREGIVER_ID", "NUMBER(18,0)", number(1, 900_000, nulls=0.02)),
        MadeColumn("PATIENT_ID", "NUMBER(18,0)", number(1, 4_000_000)),
        MadeColumn("PAYER_ID", "NUMBER(9,0)", number(1, 500, nulls=0.05)),
        MadeColumn("VISIT_DATE", "DATE", day(), nullable=False),
        MadeColumn("SCHEDULED_START", "TIMESTAMP_NTZ(6)", instant()),
        MadeColumn("SCHEDULED_END", "TIMESTAMP_NTZ(6)", instant()),
        MadeColumn("CALL_IN", "TIMESTAMP_NTZ(6)", instant(nulls=0.2)),
        MadeColumn("CALL_OUT", "TIMESTAMP_NTZ(6)", instant(nulls=0.2)),
        MadeColumn("MINUTES", "NUMBER(9,0)", number(0, 1_440)),
        MadeColumn("BILLED", "NUMBER(12,2)", number(0, 100_000)),
        MadeColumn("PAID", "NUMBER(12,2)", number(0, 100_000, nulls=0.3)),
        MadeColumn("RATE", "NUMBER(10,4)", number(100_000, 900_000)),
        MadeColumn("SCORE", "FLOAT", double),
        MadeColumn("IS_MISSED", "BOOLEAN", flag),
        MadeColumn("IS_MANUAL", "BOOLEAN", flag),
        MadeColumn("STATE", "VARCHAR(20)", chosen(STATES)),
        MadeColumn(
            "REASON", "VARCHAR(100)", chosen(["Late", "No show", "Phone", "GPS", "Manual"], nulls=0.6)
        ),
        MadeColumn("UPDATED_AT", "TIMESTAMP_TZ(6)", instant(), nullable=False),
    ),
)
LINEITEM = Table(
    "lineitem",
    "TPC-H's lineitem: 16 columns, with the types of Snowflake's own sample",
    (
        MadeColumn("L_ORDERKEY", "NUMBER(38,0)", serial, nullable=False),
        MadeColumn("L_PARTKEY", "NUMBER(38,0)", number(1, 2_000_001), nullable=False),
        MadeColumn("L_SUPPKEY", "NUMBER(38,0)", number(1, 100_001), nullable=False),
        MadeColumn("L_LINENUMBER", "NUMBER(38,0)", number(1, 8), nullable=False),
        MadeColumn("L_QUANTITY", "NUMBER(12,2)", number(1, 51), nullable=False),
        MadeColumn("L_EXTENDEDPRICE", "NUMBER(12,2)", number(90_000, 10_500_000), nullable=False),
        MadeColumn("L_DISCOUNT", "NUMBER(12,2)", number(0, 11), nullable=False),
        MadeColumn("L_TAX", "NUMBER(12,2)", number(0, 9), nullable=False),
        MadeColumn("L_RETURNFLAG", "VARCHAR(1)", chosen(["A", "N", "R"]), nullable=False),
        MadeColumn("L_LINESTATUS", "VARCHAR(1)", chosen(["F", "O"]), nullable=False),
        MadeColumn("L_SHIPDATE", "DATE", day(), nullable=False),
        MadeColumn("L_COMMITDATE", "DATE", day(), nullable=False),
        MadeColumn("L_RECEIPTDATE", "DATE", day(), nullable=False),
        MadeColumn(
            "L_SHIPINSTRUCT",
            "VARCHAR(25)",
            chosen(["DELIVER IN PERSON", "COLLECT COD", "NONE", "TAKE BACK RETURN"]),
            nullable=False,
        ),
        MadeColumn(
            "L_SHIPMODE",
            "VARCHAR(10)",
            chosen(["REG AIR", "AIR", "RAIL", "SHIP", "TRUCK", "MAIL", "FOB"]),
            nullable=False,
        ),
        MadeColumn("L_COMMENT", "VARCHAR(44)", text(10, 43), nullable=False),
    ),
)


def _wide(index: int) -> MadeColumn:
    makers: tuple[tuple[str, Maker], ...] = (
        ("NUMBER(18,0)", number(0, 10**9, nulls=0.3)),
        ("NUMBER(12,2)", number(0, 10**7, nulls=0.3)),
        ("VARCHAR(40)", chosen(STATES, nulls=0.5)),
        ("TIMESTAMP_NTZ(6)", instant(nulls=0.7)),
        ("BOOLEAN", flag),
    )
    kind, maker = makers[index % len(makers)]
    return MadeColumn(f"C{index:03d}", kind, maker)


WIDE = Table("wide", "250 columns, a third of the values NULL", tuple(_wide(index) for index in range(250)))
TEXTS = Table(
    "texts",
    "five columns of text, up to 4,000 characters",
    (
        MadeColumn("ID", "NUMBER(18,0)", serial, nullable=False),
        MadeColumn("TITLE", "VARCHAR(200)", text(20, 120)),
        MadeColumn("BODY", "VARCHAR(16777216)", text(200, 1_500)),
        MadeColumn("NOTE", "VARCHAR(4000)", text(0, 300)),
        MadeColumn("CODE", "VARCHAR(20)", chosen(STATES)),
    ),
)
DECIMALS = Table(
    "decimals",
    "a key and 15 columns of NUMBER(38,0), (18,4) and (30,10)",
    (
        MadeColumn("ID", "NUMBER(38,0)", serial, nullable=False),
        *(MadeColumn(f"N{index}", "NUMBER(38,0)", number(0, 10**12)) for index in range(5)),
        *(MadeColumn(f"A{index}", "NUMBER(18,4)", number(-(10**11), 10**11)) for index in range(5)),
        *(MadeColumn(f"B{index}", "NUMBER(30,10)", number(-(10**17), 10**17)) for index in range(5)),
    ),
)
TABLES = {table.name: table for table in (FACT, LINEITEM, WIDE, TEXTS, DECIMALS)}
