"""Where a value of a Snowflake type may go in PostgreSQL: the default type of a new column, the verdict on an existing one.

Sources: PostgreSQL "Numeric types" (a numeric of a smaller scale rounds), "Character types" (varchar(n) holds at most
10485760 characters; character(n) pads), "Date/Time types" (timestamp(p) rounds).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from snowmelt.types.type_names import PostgresType, SnowflakeType
from snowmelt.types.type_table import INTEGER_DIGITS, MICROSECOND_DIGITS, Form, TypeRow, row_of


class Outcome(StrEnum):
    """What may happen to the values on their way into a column."""

    SAFE = "safe"  #: every value fits
    CHECKED = "checked"  #: each value is checked while loading; one that does not fit is refused
    REFUSED = "refused"  #: there is no way in that keeps every value


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome for one source type and one target type, and why."""

    outcome: Outcome
    #: Empty when safe. Otherwise what can go wrong, and when refused what to do.
    reason: str = ""


def default_target(source: SnowflakeType) -> PostgresType:
    """The PostgreSQL type for a new column; every value of the source type fits into it."""
    row = row_of(source)
    return row.default(source) if row.default else PostgresType(row.targets[0])


_SAFE = Verdict(Outcome.SAFE)


def allowed_target(source: SnowflakeType, target: PostgresType) -> Verdict:
    """Whether a column of the source type may go into a column of the target type."""
    row = row_of(source)
    if target.name not in row.targets:
        return Verdict(Outcome.REFUSED, _no_way(source, row, target))
    if row.form in {Form.INTEGER, Form.DECIMAL}:
        return _into_number(source, target)
    if row.form is Form.TEXT:
        return _into_text(source, target)
    if row.form in {Form.EPOCH_US, Form.TIME_US} and target.arguments:
        return _into_seconds(source, target)
    if row.form is Form.VECTOR and target != default_target(source):
        return Verdict(Outcome.REFUSED, _no_way(source, row, target))
    return _SAFE


def _into_text(source: SnowflakeType, target: PostgresType) -> Verdict:
    if not target.arguments or target.arguments[0] >= (source.length or 0):
        return _SAFE
    return Verdict(
        Outcome.CHECKED, f"a text longer than {target.arguments[0]} characters is refused while loading"
    )


def _into_seconds(source: SnowflakeType, target: PostgresType) -> Verdict:
    if target.arguments[0] >= min(source.precision or 0, MICROSECOND_DIGITS):
        return _SAFE
    whole = PostgresType(target.name)
    return Verdict(
        Outcome.REFUSED,
        f"{target} would round away digits of the second that {source} holds; make the target {whole}",
    )


def _into_number(source: SnowflakeType, target: PostgresType) -> Verdict:
    precision, scale = source.precision or 0, source.scale or 0
    if target.name == "numeric":
        if not target.arguments:
            return _SAFE
        digits, fraction = target.arguments
        if fraction < scale:
            return Verdict(
                Outcome.REFUSED,
                f"{target} would round {source}; make the target {default_target(source)} or numeric",
            )
        room = digits - fraction
    else:
        room = INTEGER_DIGITS[target.name]
    if room >= precision - scale:
        return _SAFE
    return Verdict(Outcome.CHECKED, f"a number that does not fit into {target} is refused while loading")


_WHY_NOT = {
    (Form.DOUBLE, "real"): "it keeps 24 of the 53 bits",
    (Form.TEXT, "character"): "it pads with spaces",
    (Form.EPOCH_US, "timestamp with time zone"): "the source names no time zone",
    (Form.EPOCH_US, "timestamp without time zone"): "the instant would be lost",
}


def _no_way(source: SnowflakeType, row: TypeRow, target: PostgresType) -> str:
    why = _WHY_NOT.get((row.form, target.name), "not every value would be kept")
    takes = " or ".join(dict.fromkeys((str(default_target(source)), *_other_targets(source, row))))
    return (
        f"{source} has no safe way into {target}: {why}. Make the target {takes}, or convert it in Snowflake by an expression under "
        "columns.mask"
    )


def _other_targets(source: SnowflakeType, row: TypeRow) -> tuple[str, ...]:
    if row.form is Form.VECTOR:
        return ()
    return tuple(
        name for name in row.targets if allowed_target(source, PostgresType(name)).outcome is Outcome.SAFE
    )
