"""Narrow numbers: smallint, integer or bigint for a whole number whose values fit, where its declared digits would need more.

Snowflake's INT and BIGINT are NUMBER(38,0), whose own place is numeric(38,0): twice the bytes of a bigint, and slower to
load, index and join. The range of the values is read once, with the source statistics. Each value is still checked while loading.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from snowmelt.sql.names import postgres_identifier
from snowmelt.types.columns import Column, TargetColumn
from snowmelt.types.type_names import PostgresType
from snowmelt.types.type_table import Form

#: First and last number of each type; PostgreSQL "Numeric types".
_LIMITS = {bits: (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (16, 32, 64)}
_BITS = {"smallint": 16, "integer": 32, "bigint": 64}


@dataclass(frozen=True, slots=True)
class Range:
    """The smallest and the largest value of a column; None where it has none."""

    low: int | None
    high: int | None


def find_measured(columns: Iterable[Column], chosen: Iterable[str] = ()) -> dict[str, str]:
    """Source column → expression, of the whole numbers whose range the source statistics ask for.

    :param chosen: source columns whose type the configuration says: they are left as they are.
    """
    left = frozenset(chosen)
    return {
        column.source: column.value
        for column in columns
        if column.form is Form.INTEGER
        and (column.checked or column.target_type != "smallint")
        and column.source not in left
    }


def plan_narrow(ranges: Mapping[str, Range]) -> dict[str, str]:
    """Source column → the smallest type that takes its values; a column without values keeps its own."""
    return {
        source: name
        for source, found in ranges.items()
        if found.low is not None and (name := _smallest(found)) is not None
    }


def _smallest(found: Range) -> str | None:
    return next((name for name in _BITS if _fits(found, name)), None)


def _fits(found: Range, name: str) -> bool:
    low, high = _LIMITS[_BITS[name]]
    return found.low is None or (low <= found.low and (found.high or 0) <= high)


def find_outgrown(
    columns: Iterable[Column],
    targets: Iterable[TargetColumn],
    ranges: Mapping[str, Range],
    table: tuple[str, str],
) -> tuple[str, ...]:
    """Why values do not fit into the columns of the existing target, each with the ALTER that would take them."""
    types = {target.name: target.type for target in targets}
    faults = []
    for column in columns:
        kind, found = types.get(column.target), ranges.get(column.source)
        if kind is None or found is None or kind.name not in _BITS or _fits(found, kind.name):
            continue
        wider = PostgresType(_smallest(found) or "numeric")
        faults.append(
            f'"{column.source}" has values from {found.low:,} to {found.high:,}, and "{column.target}" of the target is {kind}. '
            f"ALTER TABLE {postgres_identifier(*table)} ALTER COLUMN {postgres_identifier(column.target)} TYPE {wider}; would take them."
        )
    return tuple(faults)
