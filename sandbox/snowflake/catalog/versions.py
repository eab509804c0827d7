"""Time travel: which rows a table had at a time, and keeping them when it changes.

An insert only appends, so the rows before it are the first n of the same storage. Everything else (UPDATE, DELETE,
MERGE, TRUNCATE, ALTER, CREATE OR REPLACE) writes a new storage and leaves the old one as the version.
"""

from __future__ import annotations

from copy import deepcopy

from sandbox.snowflake import errors
from sandbox.snowflake.catalog.catalog import Table, Version
from sandbox.snowflake.catalog.names import quote

#: Kept per table, of the versions and of the rows in their storages; older times answer as beyond the retention.
KEPT_VERSIONS = 100
KEPT_ROWS = 5_000_000


def table_at(table: Table, moment: float, written: str, now: float) -> tuple[str, Table]:
    """The FROM item that gives the rows of that moment, and the table as it was described then.

    A moment ahead of Snowflake's clock is refused (docs.snowflake.com/en/sql-reference/constructs/at-before).
    """
    if moment > now:
        raise errors.future_data(written)
    if moment < max(table.created, table.history_from) or moment < now - table.retention_seconds:
        raise errors.no_time_travel(written)
    for version in table.versions:
        if version.until > moment:
            return _version(table, version)
    return current(table)


def table_before(table: Table, query_id: str, started: float, written: str, now: float) -> tuple[str, Table]:
    """As it was just before that statement."""
    for version in table.versions:
        if version.query_id == query_id:
            if version.until < now - table.retention_seconds:
                raise errors.no_time_travel(written)
            return _version(table, version)
    return table_at(table, started, written, now)


def current(table: Table) -> tuple[str, Table]:
    return quote(table.storage), table


def _version(table: Table, version: Version) -> tuple[str, Table]:
    described = Table(
        name=table.name,
        kind=table.kind,
        columns=version.columns,
        created=table.created,
        storage=version.storage,
    )
    if version.rows is None:
        return quote(version.storage), described
    return f"(SELECT * FROM {quote(version.storage)} WHERE rowid < {version.rows})", described


def _bounded(versions: list[Version], oldest: float) -> list[Version]:
    """The newest that fit; the last one in any case."""
    kept: list[Version] = []
    seen: set[str] = set()
    rows = 0
    for version in reversed(versions):
        if version.storage not in seen:
            seen.add(version.storage)
            rows += version.size
        if kept and (version.until < oldest or len(kept) == KEPT_VERSIONS or rows > KEPT_ROWS):
            break
        kept.append(version)
    return kept[::-1]


def keep(table: Table, rows: int | None, size: int, until: float, query_id: str) -> set[str]:
    """Remember the table as it is (before the change that becomes visible at `until`); the storages now unused."""
    if table.retention_days == 0:
        dropped = {v.storage for v in table.versions}
        table.versions.clear()
        table.history_from = until
    else:
        tracked = table.tracked_since is not None
        version = Version(table.storage, rows, until, query_id, deepcopy(table.columns), size, tracked)
        table.versions.append(version)
        kept = _bounded(table.versions, until - table.retention_seconds)
        dropped = {v.storage for v in table.versions} - {v.storage for v in kept}
        if len(kept) < len(table.versions):
            table.history_from = table.versions[len(table.versions) - len(kept) - 1].until
        table.versions[:] = kept
    return dropped - {table.storage}
