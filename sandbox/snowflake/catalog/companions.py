"""What DuckDB's value of a column cannot hold, and the hidden columns beside the column that hold it.

DuckDB keeps an instant and microseconds. A TIMESTAMP_TZ's offset, and the nanoseconds below the microsecond of whatever
has more than six digits of a second, are in companions: small integers. Every query hands them on behind its
visible columns (see `projections`), and no client ever sees them.
"""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.snowflake.catalog.sftypes import TIMESTAMPS, SfType

#: A column of a statement could only hold it on purpose.
_SEPARATOR = "\x1fcompanion\x1f"
#: Digits of a second that DuckDB's own types keep.
DUCKDB_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Companion:
    """`key` names it: in an expression's meta, and behind the column's name in the hidden column's."""

    key: str
    duckdb: str


#: A TIMESTAMP_TZ's minutes east of UTC.
OFFSET = Companion("offset", "SMALLINT")
#: 0 to 999, NULL where the value is NULL; before 1970 too they are added to the microseconds.
NANOS = Companion("nanos", "SMALLINT")
COMPANIONS = (OFFSET, NANOS)
#: Where a table with change tracking keeps the id that a row has for all of its life.
ROW_ID = f"{_SEPARATOR}row_id"


def companions_of(kind: SfType | None) -> tuple[Companion, ...]:
    """Those that values of the type have."""
    if kind is None:
        return ()
    fine = kind.name in {"TIME", *TIMESTAMPS} and kind.digits > DUCKDB_DIGITS
    return ((OFFSET,) if kind.name == "TIMESTAMP_TZ" else ()) + ((NANOS,) if fine else ())


def hidden_column(name: str, companion: Companion) -> str:
    """Where a table keeps the companion of its column `name`."""
    return f"{name}{_SEPARATOR}{companion.key}"


def visible_column(hidden: str) -> str:
    """The column that a hidden one belongs to."""
    return hidden.split(_SEPARATOR, maxsplit=1)[0]


def hidden(name: str) -> bool:
    return _SEPARATOR in name


def free_name(name: str, companion: Companion, taken: set[str]) -> str:
    """A hidden column's name that no other of the query has; DuckDB ignores case."""
    found, number = hidden_column(name, companion), 1
    while found.lower() in taken:
        number += 1
        found = f"{hidden_column(name, companion)}{_SEPARATOR}{number}"
    taken.add(found.lower())
    return found
