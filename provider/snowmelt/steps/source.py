"""The source's side of a run: a larger warehouse for the unload, and the snapshot that all its chunks read.

The warehouse gets its old size back afterwards, whatever happens: the size is in the ledger before anything is changed. Several runs may
share a warehouse: the last one to end restores it, and a run that died a day ago no longer counts.

The snapshot is an instant, where Snowflake has time travel for the source. Shared and Marketplace databases, external tables and
materialized views have none (docs.snowflake.com/en: user-guide/data-share-consumers, user-guide/views-materialized). The number of that
error is documented nowhere: whether AT is what Snowflake refuses is found by asking for no row at all. The instant is the one at which
the planning began: what was committed before is in it, and it is in the past when it is read, for a server of Snowflake's may be a
little behind the one that gave the time.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from snowmelt.config.fields import WAREHOUSE_SIZES, warehouse_size
from snowmelt.config.request import MigrationRequest
from snowmelt.drivers.postgres_errors import postgres_failures
from snowmelt.drivers.snowflake import Connection, naming_grants, read_named_rows, read_now, read_rows
from snowmelt.drivers.snowflake_errors import NO_TIME_TRAVEL
from snowmelt.errors import AccessError, ConfigurationError, SourceError, SourceUnavailable, Topic
from snowmelt.ledger import leftovers as ledger
from snowmelt.plan.facts import Snapshot, StatisticsQuestion
from snowmelt.rights.snowflake import warehouse_grants
from snowmelt.sql.names import TableName, snowflake_identifier, snowflake_literal
from snowmelt.unload.statements import build_source, build_tracking_probe
from snowmelt.vocabulary import Mode, SnapshotRule

log = logging.getLogger(__name__)

CURRENT_WAREHOUSE = "SELECT CURRENT_WAREHOUSE()"


def build_show_warehouse(name: str) -> str:
    """SHOW WAREHOUSES for names like this one; `_` and `%` in it match more, so the answer is looked through by name."""
    return f"SHOW WAREHOUSES LIKE {snowflake_literal(name)}"


def build_resize(name: str, size: str) -> str:
    """ALTER WAREHOUSE; running queries end at the old size.

    :raises ConfigurationError: not a size of Snowflake's.
    """
    if size not in WAREHOUSE_SIZES:
        raise ConfigurationError(
            f"{size!r} is not a warehouse size; it is one of {', '.join(WAREHOUSE_SIZES)}."
        )
    return f"ALTER WAREHOUSE {snowflake_identifier(name)} SET WAREHOUSE_SIZE = {snowflake_literal(size)}"


def parse_size(text: str) -> str:
    """The size as SHOW WAREHOUSES prints it (`X-Small`, `2X-Large`) → as ALTER WAREHOUSE takes it."""
    return warehouse_size(text)


def resize_warehouse(
    postgres: psycopg.Connection[Any], snowflake: Connection, run_id: str, wanted: str
) -> dict[str, str]:
    """Set the session's warehouse to a size, and record which it had. Safe to repeat.

    :raises ConfigurationError: the session has no warehouse.
    :raises AccessError: the role cannot see the warehouse, or lacks MODIFY on it.
    """
    doing = f"Resizing the warehouse of run {run_id} to {wanted}"
    name = read_rows(snowflake, CURRENT_WAREHOUSE, doing)[0][0]
    if not name:
        raise ConfigurationError(
            f"{doing}: the session has no warehouse. Set `warehouse` in the Snowflake connection or snowflake_unload.warehouse."
        )
    with postgres_failures(doing), postgres.transaction(), postgres.cursor() as cursor:
        cursor.execute(ledger.LOCK_WAREHOUSE, (name,))
        row = cursor.execute(ledger.READ_ORIGINAL_SIZE, (name,)).fetchone()
        with naming_grants(snowflake, warehouse_grants(name, resized=True)):
            original = row[0] if row else _read_size(snowflake, name, doing)
        cursor.execute(ledger.WRITE_RESIZED, (name, run_id, original))
    with naming_grants(snowflake, warehouse_grants(name, resized=True)):
        read_rows(snowflake, build_resize(name, wanted), doing)
    log.info("Warehouse %s: %s → %s for this unload", name, original, wanted)
    return {"warehouse": name, "original": original, "size": wanted}


def restore_warehouse(postgres: psycopg.Connection[Any], snowflake: Connection, run_id: str) -> str | None:
    """Set the warehouse back when no other run needs it; returns the size, None when there was nothing to do. Safe to repeat."""
    doing = f"Restoring the warehouse of run {run_id}"
    with postgres_failures(doing), postgres.transaction(), postgres.cursor() as cursor:
        mine = cursor.execute(ledger.READ_RESIZED, (run_id,)).fetchone()
        if mine is None:
            return None
        name, original = mine
        cursor.execute(ledger.LOCK_WAREHOUSE, (name,))
        cursor.execute(ledger.DELETE_RESIZED, (name, run_id))
        if cursor.execute(ledger.READ_ORIGINAL_SIZE, (name,)).fetchone() is not None:
            log.info("Warehouse %s stays as it is: another run unloads by it", name)
            return None
        read_rows(
            snowflake, build_resize(name, original), doing
        )  # fails: the row stays, and a retry finds it
    log.info("Warehouse %s: back to %s", name, original)
    return str(original)


def read_warehouse_size(
    snowflake: Connection, name: str | None, doing: str = "Reading the warehouse"
) -> str | None:
    """The size of a warehouse, as ALTER WAREHOUSE takes it; None where the role does not see it."""
    rows = read_named_rows(snowflake, build_show_warehouse(name), doing) if name else ()
    return next((parse_size(str(row["size"])) for row in rows if row["name"] == name), None)


def _read_size(snowflake: Connection, name: str, doing: str) -> str:
    size = read_warehouse_size(snowflake, name, doing)
    if size is None:
        raise AccessError(
            f"{doing}: the role does not see the size of the warehouse {name!r}; or leave warehouse_size out."
        )
    return size


#: Seconds between the tries of an instant that Snowflake has not reached.
_PAUSES = (1.0, 2.0, 4.0)
_UNPINNED = "so chunks unloaded at different moments may differ by what changed in between"


def take_snapshot(
    session: Connection,
    request: MigrationRequest,
    question: StatisticsQuestion,
    at: str,
    changes_since: str | None = None,
) -> Snapshot:
    """The instant that all chunks will read, and the statistics at it; without a snapshot, those of now and the reason.

    :param at: Snowflake's time when the planning began: rows committed before are in the snapshot, and by now it is in the past.
    :param changes_since: the question is about what has changed since then.
    :raises ConfigurationError: the source has no time travel, and the configuration requires a snapshot.
    """
    table = request.source
    rule = SnapshotRule.REQUIRED if needs_snapshot(request) else SnapshotRule(request.policies.snapshot)
    doing = f"Counting the rows of {table}"
    if rule is SnapshotRule.OFF:
        note = f"no snapshot: the table's `snapshot` is off, {_UNPINNED}"
    else:
        try:
            rows = _read_past(session, question.sql(build_source(table.sql, at, changes_since)), doing)
            return Snapshot(at, None, question.parse(rows[0]))
        except (AccessError, SourceError) as error:
            if not _is_refused(session, table):
                raise
            if rule is SnapshotRule.REQUIRED:
                raise _missing_snapshot(request, error) from error
            note = f"no snapshot: {table} has no time travel, {_UNPINNED}"
            log.warning("Snowflake refuses time travel: %s", error)
    log.warning("%s", note)
    rows = read_rows(session, question.sql(table.sql), doing)
    return Snapshot(None, note, question.parse(rows[0]))


def read_past(session: Connection, request: MigrationRequest, sql: str, doing: str) -> list[tuple[Any, ...]]:
    """Rows of a statement that reads the source at the snapshot, for a run that needs one.

    :raises ConfigurationError: the source has no time travel.
    """
    try:
        return _read_past(session, sql, doing)
    except (AccessError, SourceError) as error:
        if not _is_refused(session, request.source):
            raise
        raise _missing_snapshot(request, error) from error


def _missing_snapshot(request: MigrationRequest, error: AccessError | SourceError) -> ConfigurationError:
    if needs_snapshot(request):
        why = f"mode {request.mode}{' with publish append' if request.appends else ''} needs a snapshot"
        remedy = "or choose mode full"
    else:
        why, remedy = "the table's `snapshot` is required", "or set `snapshot` to auto"
    return ConfigurationError(
        f"{request.source} has no time travel, and {why}. Nothing was unloaded. Raise its retention, copy a table that has time travel, "
        f"{remedy}. {error}",
        topic=None if error.topic is Topic.TIME_TRAVEL else Topic.TIME_TRAVEL,
        code=error.code,
        query_id=error.query_id,
    )


def needs_snapshot(request: MigrationRequest) -> bool:
    """Whether a run goes on from exactly where the last one ended, which needs an instant that all of it was read at."""
    return Mode(request.mode) is Mode.CHANGES or request.appends


def find_untracked(session: Connection, table: TableName, at: str, since: str | None = None) -> str | None:
    """Why Snowflake cannot tell what has changed between two instants, in its own words; None: it can.

    It is asked for no row at all. The number of the error is documented for dynamic tables alone.

    :param since: None: it is asked whether changes are tracked at `at`.
    """
    sql = build_tracking_probe(table.sql, at, since)
    try:
        _read_past(session, sql, f"Reading what has changed in {table}")
    except (AccessError, SourceError) as error:
        return str(error)
    return None


def _read_past(session: Connection, sql: str, doing: str) -> list[tuple[Any, ...]]:
    """Rows at the snapshot: a server of Snowflake's that has not reached it yet is waited for."""
    for pause in _PAUSES:
        try:
            return read_rows(session, sql, doing)
        except SourceUnavailable as error:
            if error.topic is not Topic.TIME_TRAVEL:
                raise
            log.info("Waiting for the snapshot: %s", error)
            time.sleep(pause)
    return read_rows(session, sql, doing)


def _is_refused(session: Connection, table: TableName) -> bool:
    """Whether Snowflake refuses any instant of the source: this one is of now, and nothing is asked of the rows."""
    sql = f"SELECT 1 FROM {build_source(table.sql, read_now(session))} LIMIT 0"
    try:
        _read_past(session, sql, f"Reading {table} at Snowflake's present")
    except (AccessError, SourceError):
        return True
    return False


@contextmanager
def planning_again(table: TableName) -> Iterator[None]:
    """Let a source that was created again while it was planned be planned again: nothing depends on the instant yet."""
    try:
        yield
    except SourceError as error:
        if error.code != NO_TIME_TRAVEL:
            raise
        raise SourceUnavailable(
            f"{table}, or a table that it reads, was created again while the run was planned. It is planned again. {error}",
            code=error.code,
            query_id=error.query_id,
        ) from error
