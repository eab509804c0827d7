"""Canonical values: one text for a value, written alike by Snowflake and by PostgreSQL, byte for byte.

A row's canonical text is its columns' tokens in a row. A token is either closed by `|`, which no such token holds, or
says its own length, so that no two rows have the same text. NULL is an empty token; an empty text is not.

| kind | token of a value | of NULL |
| --- | --- | --- |
| integer, date, time, instant | the number, `|` (dates in days, times in microseconds) | `|` |
| boolean | `t` or `f` | `n` |
| decimal | the number with all digits of its scale, `|` | `|` |
| float | `class:whole:part:part|`, four integers that give the 64-bit float and nothing else; `nan|`, `inf|`, `-inf|` | `|` |
| text | its octets in UTF-8, `:`, the text; beyond `LONGEST` octets the text's MD5 | `:` |
| bytes | its octets, `:`, lower-case hexadecimal digits; beyond `LONGEST` octets the digits' MD5 | `:` |
| uuid, integers | the text, `|` | `|` |
| json | what it is (`{`, `[`, `"`, `t`, `f`, `n` or `0`) and how many quotes and commas it holds, `|` | `|` |
| presence | `1|` | `|` |
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum, auto

from snowmelt.types.columns import Column
from snowmelt.types.type_names import parse_postgres_type, parse_snowflake_type
from snowmelt.types.type_table import Comparison, row_of

#: Digits that may be added up: Snowflake's sum has 38, which leaves twelve for the rows.
SUMMED_DIGITS = 26


#: What is not in the row's hash to the letter.
APPROXIMATE = frozenset({Comparison.JSON, Comparison.PRESENCE})


class Detail(Enum):
    """What a fingerprint's statement computes beside the number of rows."""

    #: The rows' hash. It decides whether two tables are the same.
    ROWS = auto()
    #: The rows' hash over short tokens, of the columns of a table that no one statement takes.
    LINK = auto()
    #: The rows' hash, and of each column the measures and a hash of its own: they say where two tables differ, at three times the cost.
    COLUMNS = auto()


class Measure(StrEnum):
    """What is computed over all values of a column."""

    COUNT = "count"  #: values that are not NULL
    LOW = "low"  #: the least value; of texts and bytes the fewest octets
    HIGH = "high"
    TOTAL = "total"  #: the exact sum; of texts and bytes of their octets
    LARGE = "large"  #: numbers that are left out of the sum, because it might pass 38 digits
    NAN = "nan"
    INFINITE = "inf"
    NEGATIVE_INFINITE = "-inf"


@dataclass(frozen=True, slots=True)
class Side:
    """A column as one of the two databases computes it; SQL expressions."""

    #: Computed once a row, by alias; nothing where the token's parts read the table themselves.
    inner: tuple[tuple[str, str], ...]
    #: The parts of the token, over the aliases. Each may be NULL in PostgreSQL, where `concat` takes it as empty.
    token: tuple[str, ...]
    #: Aggregates over the aliases; each gives a text.
    measures: tuple[tuple[Measure, str], ...]
    #: Computed once a row, step by step, each step from the aliases of `inner` and of the steps before.
    derived: tuple[tuple[tuple[str, str], ...], ...] = ()


@dataclass(frozen=True, slots=True)
class NumberedColumn:
    """A column with its place, from 0: its aliases are SM_C<place>, SM_K<place>, SM_F<place>."""

    column: Column
    place: int
    kind: Comparison
    #: The Snowflake expression of what is compared: an integer for times and instants, and so on.
    value: str

    @property
    def alias(self) -> str:
        """The alias of its value."""
        return f"SM_C{self.place}"

    @property
    def second(self) -> str:
        """The alias of what is computed beside it: a float's class."""
        return f"SM_K{self.place}"

    @property
    def third(self) -> str:
        """The alias of what is computed from these: a float moved into class 0."""
        return f"SM_F{self.place}"

    @property
    def digits(self) -> tuple[int, int]:
        """Digits before and after the point that the source type holds."""
        source = parse_snowflake_type(self.column.source_type)
        scale = source.scale or 0
        return (source.precision or 0) - scale, scale

    @property
    def summed_below(self) -> str | None:
        """The bound, as a literal, below which numbers go into the sum; None: all do."""
        before, scale = self.digits
        if before + scale <= SUMMED_DIGITS:
            return None
        power = SUMMED_DIGITS - scale
        return "1" + "0" * power if power >= 0 else "0." + "0" * (-power - 1) + "1"


def comparison_of(column: Column) -> Comparison:
    """How the column's values are compared, by its source type and the type that they went into."""
    row = row_of(parse_snowflake_type(column.source_type))
    return row.compared_into.get(parse_postgres_type(column.target_type).name, row.compared)


#: A float is cut at powers of two into integers below 2^49, fifteen digits: each of the steps (a product with a power
#: of two, TRUNC, a difference, the cast of such an integer) is exact in any database with IEEE 754 floats. Class 0, the
#: floats from 2^-46 (1.4e-14) to 2^49 (5.6e14), and 0, is computed without any power; class k is 95 k binary places on.
FLOAT_PART = 2**49
FLOAT_LEAST = 2**46
FLOAT_CLASS_BITS = 95
FLOAT_CLASSES = 11


def float_class(value: str, finite: str) -> str:
    """The class of a float, -11 to 11; NULL for NULL, NaN and the infinities. The same text for both databases.

    :param finite: a predicate that is true for what is not NaN and not infinite.
    """
    bits = FLOAT_CLASS_BITS
    large = " ".join(f"WHEN ABS({value})<POWER(2,{49 + bits * k}) THEN {k}" for k in range(1, FLOAT_CLASSES))
    small = " ".join(
        f"WHEN ABS({value})>=POWER(2,{-46 - bits * k}) THEN {-k}" for k in range(1, FLOAT_CLASSES)
    )
    return (
        f"CASE WHEN NOT ({finite}) THEN NULL WHEN {value} = 0 THEN 0 "
        f"WHEN ABS({value}) < {FLOAT_PART} AND ABS({value}) * {FLOAT_LEAST} >= 1 THEN 0 "
        f"WHEN ABS({value}) >= {FLOAT_PART} THEN CASE {large} ELSE {FLOAT_CLASSES} END "
        f"WHEN ABS({value}) > 0 THEN CASE {small} ELSE {-FLOAT_CLASSES} END END"
    )


def float_parts(value: str) -> tuple[str, str, str]:
    """Three expressions for a float of class 0: its whole part and twice the next 49 binary places, each an integral float."""
    whole = f"TRUNC({value})"
    next_places = f"({value} - {whole}) * {FLOAT_PART}"
    return whole, f"TRUNC({next_places})", f"TRUNC(({next_places} - TRUNC({next_places})) * {FLOAT_PART})"


def float_link(value: str) -> tuple[str, str, str, str]:
    """A float in short, where its exact token would be too long: two predicates, and integral floats for what fulfils them.

    Below 2^49 these are the whole part and the next 49 binary places, so floats that differ by more than 2^-49 differ here.
    From there to 2^95 it is the whole part of the float divided by 2^46. The same text for both databases.
    """
    whole = f"TRUNC({value})"
    places = f"TRUNC(({value} - {whole}) * {FLOAT_PART})"
    return (
        f"ABS({value}) < {FLOAT_PART}",
        whole,
        places,
        f"TRUNC({value} * POWER(2, -46))",
    )


def float_scaled(value: str, class_: str) -> str:
    """A float of any class moved into class 0, in two steps, neither of which leaves the range of floats; NULL without a class."""
    return f"{value} * POWER(2, -47 * {class_}) * POWER(2, -48 * {class_})"
