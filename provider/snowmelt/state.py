"""The state of a target: which copy filled it, how far, and what has changed since.

A watermark alone says "rows up to here are in the target". That holds for one target, one source, one filter and one set of
columns only. So the state names them all, and the next run compares each with what it finds. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snowmelt.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetIdentity:
    """Which table the target is, as PostgreSQL sees it."""

    #: pg_class.oid: a dropped and re-created table has another one.
    oid: int
    #: pg_relation_filenode: TRUNCATE gives a new one (so do VACUUM FULL and CLUSTER, which keep the rows).
    filenode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which rows and columns of which source a run copies."""

    #: DATABASE.SCHEMA.TABLE, quoted where needed.
    source: str
    #: When the source was created, as Snowflake prints it; None where it does not say.
    created_on: str | None
    #: The source_filter, or an empty text.
    source_filter: str
    #: Target column → the Snowflake expression of its value: the quoted column, or its mask.
    columns: Mapping[str, str]
    #: Source names, in their order.
    unique_key: tuple[str, ...]
    watermark_column: str | None
    #: Since all rows were copied or compared, the changed ones were found by the watermark: it may have missed some.
    by_watermark: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetState:
    """What the last published run left behind."""

    run_id: str
    target: TargetIdentity
    scope: Scope
    #: Rows of the target after the publish.
    rows: int
    #: Rows of the source at the snapshot that a policy kept out of the target (quarantine), which may have their older versions.
    missing: int
    #: The instant that the run read, as Snowflake printed it; None without time travel.
    snapshot: str | None
    #: What a comparison of the whole table has found since; empty: nothing.
    differs: str = ""


@dataclass(frozen=True, slots=True)
class LastCompared:
    """The last run that compared the whole target with its source, or copied all of it."""

    #: Since it started.
    days: float
    #: Runs that were published since.
    runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetNow:
    """The target as planning finds it."""

    identity: TargetIdentity
    #: Its rows now; None where they were not counted.
    rows: int | None


@dataclass(frozen=True, slots=True)
class Change:
    """One difference from the state."""

    what: str
    before: str
    now: str

    def __str__(self) -> str:
        return f"{self.what}: {self.before} → {self.now}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A copy that filled a target, or the rows of it that are its own."""

    #: The predicate for its rows; empty: all.
    rows: str
    #: Its last published run, and that run's source.
    run_id: str
    source: str


def find_other_owners(owners: Sequence[Owner], rows: str, source: str) -> tuple[Owner, ...]:
    """Those copies whose rows a run would replace, delete or count as its own.

    :param rows: the predicate for the run's own rows; empty: all.
    :param source: of the run.
    """
    return tuple(
        owner
        for owner in owners
        if (owner.rows == rows and owner.source != source)
        or (owner.rows != rows and not (owner.rows and rows))
    )


def refuse_other_owners(others: Sequence[Owner], target: str, rows: str, source: str) -> None:
    """Stop before anything is unloaded.

    :raises ConfigurationError: there are others; all are named.
    """
    if others:
        raise ConfigurationError(
            f"{target} holds rows of other copies, and this one, of {source}, would take "
            f"{f'those where {rows}' if rows else 'all of it'} as its own. Nothing was unloaded. Name another target; or give each of them "
            "its own rows (owned_rows or columns.source_tag); or set on_change to full, and these rows become this copy's.",
            tuple(
                f"rows of {owner.source}{f' where {owner.rows}' if owner.rows else ''}, by run {owner.run_id}"
                for owner in others
            ),
        )


def find_changes(state: TargetState, scope: Scope, target: TargetNow) -> tuple[Change, ...]:
    """Every change that makes the state that of another copy: a run may not go on from it.

    A target whose rows were rewritten (VACUUM FULL) is the same target; one that has other rows is not.
    """
    return (*_target_changes(state, target), *_scope_changes(state.scope, scope))


def _target_changes(state: TargetState, target: TargetNow) -> Iterator[Change]:
    if state.differs:
        yield Change("rows of the target", "the source's", f"others, as a comparison found: {state.differs}")
    if target.identity.oid != state.target.oid:
        yield Change(
            "target table", "the one that was filled", "another one of that name: it was created again"
        )
    if target.rows is not None and target.rows != state.rows:
        emptied = target.identity.filenode != state.target.filenode and target.rows < state.rows
        how = " (it was truncated or rewritten)" if emptied else ""
        yield Change("rows of the target", f"{state.rows:,}", f"{target.rows:,}{how}")


def _scope_changes(before: Scope, now: Scope) -> Iterator[Change]:
    if before.source != now.source:
        yield Change("source", before.source, now.source)
    elif before.created_on and now.created_on and before.created_on != now.created_on:
        yield Change("source table created on", before.created_on, now.created_on)
    if before.source_filter != now.source_filter:
        yield Change("source_filter", before.source_filter or "none", now.source_filter or "none")
    if before.unique_key and before.unique_key != now.unique_key:
        yield Change("uniqueness_columns", _names(before.unique_key), _names(now.unique_key))
    if before.watermark_column != now.watermark_column and before.watermark_column is not None:
        yield Change("watermark_column", before.watermark_column, now.watermark_column or "none")
    yield from _column_changes(before, now)


def _column_changes(before: Scope, now: Scope) -> Iterator[Change]:
    """A column that is no longer copied is no longer the copy's: it changes nothing about the others."""
    for name in sorted(now.columns):
        if name not in before.columns:
            yield Change(f'column "{name}"', "not copied", "copied: it is NULL in the rows of earlier runs")
        elif before.columns[name] != now.columns[name]:
            yield Change(f'mask or expression of column "{name}"', before.columns[name], now.columns[name])


def describe_difference(published: Mapping[str, Any] | None) -> str:
    """What the whole target and its source differ in, after a publish; empty when they do not, or were not counted.

    :param published: what the ledger keeps of the publish (`run.publish_result`).
    """
    whole = (published or {}).get("whole_target") or {}
    missing, extra = int(whole.get("missing") or 0), int(whole.get("extra") or 0)
    changed, set_aside = int(whole.get("changed") or 0), int(whole.get("set_aside") or 0)
    if not missing and not extra and not changed and not set_aside:
        return ""
    reason = whole.get("reason") or "no reason is recorded"
    if whole.get("compared") == "values":  # which says what differs
        return str(reason)
    found = (
        (missing, f"{missing:,} rows of the source are missing"),
        (extra, f"{extra:,} rows more than the source"),
        (changed, f"{changed:,} rows are older than the source's"),
        (set_aside, f"{set_aside:,} rows that were set aside may be missing or have older values"),
    )
    what = ", ".join(text for count, text in found if count)
    return f"{what}: {reason}"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "none"


def describe_ways_on(target: str) -> str:
    """What a user can do about a run that may not go on from the state."""
    return (
        f"Run mode repair once, which compares {target} with its source and copies what differs, or mode full, which copies all rows; or set "
        "on_change to repair or full, and the run does so by itself; or undo the change."
    )


def refuse_changes(changes: tuple[Change, ...], target: str, run_id: str) -> None:
    """Stop before anything is unloaded.

    :raises ConfigurationError: there are changes; all are named with both values.
    """
    if changes:
        raise ConfigurationError(
            f"{target} is not as run {run_id}, the last one published, left it. An incremental copy would leave it incomplete. "
            f"Nothing was unloaded. {describe_ways_on(target)}",
            tuple(map(str, changes)),
        )
