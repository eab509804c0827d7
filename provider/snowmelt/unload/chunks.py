"""Bounds: a value of an ordered Snowflake column, written as text by Snowflake and read back as a literal, exactly.

Chunks are cut at such bounds, and a watermark is one. The way there and back loses nothing: numbers with all digits,
times with nine, instants in UTC.

Chunks: a table's rows cut into intervals of one column, so that every row is in exactly one of them.

The bounds come from the data in ONE statement. The first interval is open below, the last open above, and the rows
whose key is NULL belong to exactly one chunk, whether the statistics saw any or not: the predicates cover every value
that the column can hold, not only those that were seen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from snowmelt.errors import ConfigurationError
from snowmelt.sql.names import snowflake_identifier, snowflake_literal
from snowmelt.types.target_types import uncollated
from snowmelt.types.type_names import SnowflakeType

_DAY = r"\d{4,5}-\d{2}-\d{2}"
_CLOCK = r"\d{2}:\d{2}:\d{2}\.\d{9}"


@dataclass(frozen=True, slots=True)
class _Order:
    """How the bounds of one type travel."""

    #: The expression that writes a value as text; {0} is the value.
    to_text: str
    #: What that text looks like; None: any text.
    shape: re.Pattern[str] | None
    #: Behind the text within the quotes, and behind the quotes.
    suffix: str = ""
    cast: str = ""
    #: A number that grows with the value; {0} is the value. Empty: there is none.
    place: str = ""


_EPOCH = "DATE_PART(EPOCH_MICROSECOND, {0})"
_INSTANT = _Order(
    "TO_VARCHAR(CONVERT_TIMEZONE('UTC', {0}), 'YYYY-MM-DD HH24:MI:SS.FF9')",
    re.compile(f"{_DAY} {_CLOCK}"),
    " +00:00",
    "::TIMESTAMP_TZ(9)",
    _EPOCH,
)
_ORDERS: dict[str, _Order] = {
    "NUMBER": _Order("TO_VARCHAR({0})", re.compile(r"-?\d+(\.\d+)?"), place="{0}"),
    "DATE": _Order(
        "TO_VARCHAR({0}, 'YYYY-MM-DD')",
        re.compile(_DAY),
        cast="::DATE",
        place="DATEDIFF(DAY, '1970-01-01'::DATE, {0})",
    ),
    "TIME": _Order(
        "TO_VARCHAR({0}, 'HH24:MI:SS.FF9')",
        re.compile(_CLOCK),
        cast="::TIME(9)",
        place="DATEDIFF(MICROSECOND, '00:00:00'::TIME, {0})",
    ),
    "TIMESTAMP_NTZ": _Order(
        "TO_VARCHAR({0}, 'YYYY-MM-DD HH24:MI:SS.FF9')",
        re.compile(f"{_DAY} {_CLOCK}"),
        cast="::TIMESTAMP_NTZ(9)",
        place=_EPOCH,
    ),
    "TIMESTAMP_LTZ": _INSTANT,
    "TIMESTAMP_TZ": _INSTANT,
    "VARCHAR": _Order("{0}", None),
}


def build_bound_text(type_: SnowflakeType, value: str) -> str:
    """The Snowflake expression that writes `value` (SQL) as the text of a bound."""
    return _ORDERS[type_.name].to_text.format(value)


def build_ordered(type_: SnowflakeType, value: str) -> str:
    """What is compared with the bounds of a type: the value, a text without its collation, which may hide case or accents."""
    return uncollated(value, type_) if type_.collation else value


def build_bound_literal(type_: SnowflakeType, text: str) -> str:
    """The literal of a bound's text.

    :raises ConfigurationError: the text is not such a value.
    """
    order = _ORDERS[type_.name]
    if order.shape is None:
        return snowflake_literal(text)
    if not order.shape.fullmatch(text):
        raise ConfigurationError(f"{text!r} is not a bound of type {type_.name}.")
    return text if type_.name == "NUMBER" else snowflake_literal(f"{text}{order.suffix}") + order.cast


def is_ordered(type_: SnowflakeType) -> bool:
    """Whether the values of a type have an exact order, so that a table can be cut by them."""
    return type_.name in _ORDERS


def check_ordered(type_: SnowflakeType, column: str, parameter: str) -> None:
    """Refuse a column whose values have no order that Snowmelt can cut by.

    :raises ConfigurationError: naming the parameter, the column and the types that can.
    """
    if not is_ordered(type_):
        raise ConfigurationError(
            f"{parameter} is {column!r}, a column of type {type_}, which has no exact order. "
            f"Choose a column of type {', '.join(_ORDERS)}."
        )


#: A map of tasks stays far below Airflow's max_map_length (1024): more chunks make no unload faster.
MAX_CHUNKS = 300
#: Above this many rows the bounds are not taken from all keys: a window over the distinct keys is the one step of the
#: query that a larger warehouse does not make faster.
KEYED_ROWS = 1_000_000
#: Buckets of equal width; many more than chunks, so that those of few rows can be put together.
FINE_BUCKETS = 10_000
#: A bound on a mapped task's label is cut here, in characters.
LABEL_BOUND = 24


@dataclass(frozen=True, slots=True)
class Chunk:
    """An interval of the chunking column."""

    #: Position, from 0; names the folder `chunk_<nnn>`.
    index: int
    #: The Snowflake predicate that selects its rows; empty when it is the whole table.
    predicate: str
    #: Rows at the snapshot as the bounds query counted them; None when it did not (sampled).
    rows: int | None
    #: What a person reads on the mapped task.
    label: str

    @property
    def folder(self) -> str:
        """The chunk's folder below the run's prefix."""
        return f"chunk_{self.index:03d}"


@dataclass(frozen=True, slots=True)
class ChunkKey:
    """The column that a table is cut by."""

    name: str
    type: SnowflakeType

    @property
    def sql(self) -> str:
        """The column as it is compared in a statement: by its bytes, whatever its collation."""
        return build_ordered(self.type, snowflake_identifier(self.name))


@dataclass(frozen=True, slots=True)
class Bucket:
    """A row of the bounds query: keys from `low` to `high`, as text. The row of the NULL keys has `low` None."""

    low: str | None
    high: str | None
    rows: int


def whole_table(rows: int) -> tuple[Chunk, ...]:
    """The one chunk of a table without a chunking column, or with few rows."""
    return (Chunk(0, "", rows, f"chunk 000: all {rows:,} rows"),)


def build_bounds_query(source: str, key: ChunkKey, *, where: str, chunk_rows: int, table_rows: int) -> str:
    """The one statement whose rows (low, high, rows) are the buckets, lowest first, the NULL keys' row first of all.

    Up to `KEYED_ROWS` rows it groups by the key. Beyond, numbers and times are grouped into `FINE_BUCKETS` of equal width between their
    0.5th and 99.5th percentile, with one more at either end, and those are put together; of texts a sample is grouped. Bounds need not
    cut evenly: the chunks cover all rows whatever they are.

    :param source: what is behind FROM: the quoted table with its AT clause.
    :param where: the run's filter as a Snowflake predicate, or empty.
    :param chunk_rows: rows aimed at; more where the table would need over `MAX_CHUNKS` chunks.
    :param table_rows: the rows that the filter selects.
    :raises ConfigurationError: the column's type has no order.
    """
    check_ordered(key.type, key.name, "chunking_column")
    sample = sample_percent(key, table_rows)
    rows_each = max(1, int(chunk_rows * (sample or 100.0) / 100.0))
    condition = f" WHERE ({where})" if where else ""
    low, high = build_bound_text(key.type, '"LOW"'), build_bound_text(key.type, '"HIGH"')
    if table_rows <= KEYED_ROWS or sample:
        sampled = f" SAMPLE BERNOULLI ({sample:g})" if sample else ""
        groups = f'"SNOWMELT_KEYS" AS (SELECT {key.sql} AS "P", {_ENDS.format(key.sql)} FROM {source}{sampled}{condition} GROUP BY 1)'
    else:
        groups = _build_fine_buckets(source, key, condition)
    return (
        f"WITH {groups}, "
        f'"SNOWMELT_SIZE" AS (SELECT GREATEST({rows_each}, CEIL(SUM("N") / {MAX_CHUNKS - 2})) AS "S" FROM "SNOWMELT_KEYS"), '
        '"SNOWMELT_RUNNING" AS (SELECT "LOW", "HIGH", "N", '
        'SUM("N") OVER (ORDER BY "P" ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - "N" AS "B" '
        'FROM "SNOWMELT_KEYS" WHERE "P" IS NOT NULL), '
        '"SNOWMELT_BUCKETS" AS (SELECT FLOOR("B" / "S") AS "I", MIN("LOW") AS "LOW", MAX("HIGH") AS "HIGH", SUM("N") AS "ROWS" '
        'FROM "SNOWMELT_RUNNING" CROSS JOIN "SNOWMELT_SIZE" GROUP BY 1 '
        'UNION ALL SELECT -1, NULL, NULL, "N" FROM "SNOWMELT_KEYS" WHERE "P" IS NULL) '
        f'SELECT {low} AS "LOW", {high} AS "HIGH", "ROWS" FROM "SNOWMELT_BUCKETS" ORDER BY "I"'
    )


_ENDS = 'MIN({0}) AS "LOW", MAX({0}) AS "HIGH", COUNT(*) AS "N"'


def _build_fine_buckets(source: str, key: ChunkKey, condition: str) -> str:
    """Two scans of one column, and a group for each bucket. Percentiles, for one value far away must not make all buckets but one empty."""
    place = f"CAST({_ORDERS[key.type.name].place.format(key.sql)} AS FLOAT)"
    first, last = '"SNOWMELT_FIRST"', '"SNOWMELT_LAST"'
    return (
        f'"SNOWMELT_ENDS" AS (SELECT APPROX_PERCENTILE({place}, 0.005) AS {first}, APPROX_PERCENTILE({place}, 0.995) AS {last} '
        f"FROM {source}{condition}), "
        f'"SNOWMELT_PLACES" AS (SELECT {key.sql} AS "K", '
        f'WIDTH_BUCKET({place}, {first}, IFF({last} > {first}, {last}, {first} + ABS({first}) + 1), {FINE_BUCKETS}) AS "P" '
        f'FROM {source} CROSS JOIN "SNOWMELT_ENDS"{condition}), '
        f'"SNOWMELT_KEYS" AS (SELECT "P", {_ENDS.format(chr(34) + "K" + chr(34))} FROM "SNOWMELT_PLACES" GROUP BY 1)'
    )


def sample_percent(key: ChunkKey, table_rows: int) -> float | None:
    """The share of rows that the bounds are taken from, in percent; None: all of them, so that the buckets' rows are exact."""
    if table_rows <= KEYED_ROWS or _ORDERS[key.type.name].place:
        return None
    return max(0.01, round(100.0 * KEYED_ROWS / table_rows, 2))


def plan_chunks(
    buckets: list[Bucket], key: ChunkKey, *, chunk_rows: int, exact: bool = True
) -> tuple[Chunk, ...]:
    """Cut at each bucket's lower bound: (…, b1), [b1, b2), … [bn, …). Every value and NULL falls into exactly one.

    NULL keys go with the first interval, or get a chunk of their own, the first, once they would fill half of one.
    """
    nulls = sum(bucket.rows for bucket in buckets if bucket.low is None)
    intervals = [bucket for bucket in buckets if bucket.low is not None]
    if not intervals:
        return (Chunk(0, "", nulls if exact else None, f"chunk 000: {key.name} is NULL everywhere"),)

    own_null_chunk = nulls > 0 and nulls * 2 >= chunk_rows and len(intervals) < MAX_CHUNKS - 1
    chunks: list[Chunk] = []
    if own_null_chunk:
        chunks.append(
            Chunk(0, f"{key.sql} IS NULL", nulls if exact else None, f"chunk 000: {key.name} is NULL")
        )
    for place, bucket in enumerate(intervals):
        low = "" if place == 0 else f"{key.sql} >= {build_bound_literal(key.type, str(bucket.low))}"
        last = place == len(intervals) - 1
        high = "" if last else f"{key.sql} < {build_bound_literal(key.type, str(intervals[place + 1].low))}"
        terms = " AND ".join(term for term in (low, high) if term)
        with_nulls = place == 0 and not own_null_chunk
        rows = bucket.rows + (nulls if with_nulls else 0)
        if place == 0 and own_null_chunk:
            predicate = terms or f"{key.sql} IS NOT NULL"
        elif place == 0:
            predicate = f"({terms} OR {key.sql} IS NULL)" if terms else ""
        else:
            predicate = terms
        index = len(chunks)
        until = "end" if last else _short(str(intervals[place + 1].low))
        since = "start" if place == 0 else _short(str(bucket.low))
        chunks.append(
            Chunk(
                index, predicate, rows if exact else None, f"chunk {index:03d}: {key.name} {since} … {until}"
            )
        )
    return tuple(chunks)


def _short(text: str) -> str:
    text = re.sub(r"\.0+$|(\.\d*?[1-9])0+$", r"\1", text) if re.fullmatch(r"[\d :.-]+", text) else text
    return text if len(text) <= LABEL_BOUND else f"{text[: LABEL_BOUND - 1]}…"
