"""The snapshot of a run: the instant that all its chunks read, where Snowflake has time travel for the source.

Shared and Marketplace databases, external tables and materialized views have none (docs.snowflake.com/en: user-guide/data-share-consumers,
user-guide/views-materialized). The number of that error is documented nowhere: whether AT is what Snowflake refuses is found by asking
for no row at all. The instant is the one at which the planning began: what was committed before is in it, and it is in the past when it is
read, for a server of Snowflake's may be a little behind the one that gave the time.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from snowmelt.config.request import MigrationRequest
from snowmelt.drivers.snowflake import Connection, read_now, read_rows
from snowmelt.drivers.snowflake_errors import NO_TIME_TRAVEL
from snowmelt.errors import AccessError, ConfigurationError, SourceError, SourceUnavailable, Topic
from snowmelt.plan.facts import Snapshot
from snowmelt.plan.statistics import StatisticsQuestion
from snowmelt.sql.names import TableName
from snowmelt.unload.statements import build_source
from snowmelt.vocabulary import SnapshotRule

log = logging.getLogger(__name__)

#: Seconds between the tries of an instant that Snowflake has not reached.
_PAUSES = (1.0, 2.0, 4.0)
_UNPINNED = "so chunks unloaded at different moments may differ by what changed in between"


def take_snapshot(
    session: Connection, request: MigrationRequest, question: StatisticsQuestion, at: str
) -> Snapshot:
    """The instant that all chunks will read, and the statistics at it; without a snapshot, those of now and the reason.

    :param at: Snowflake's time when the planning began: rows committed before are in the snapshot, and by now it is in the past.
    :raises ConfigurationError: the source has no time travel, and the configuration requires a snapshot.
    """
    table, rule = request.source, SnapshotRule(request.policies.snapshot)
    doing = f"Counting the rows of {table}"
    if rule is SnapshotRule.OFF:
        note = f"no snapshot: the table's `snapshot` is off, {_UNPINNED}"
    else:
        try:
            rows = _read_past(session, question.sql(build_source(table.sql, at)), doing)
            return Snapshot(at, None, question.parse(rows[0]))
        except (AccessError, SourceError) as error:
            if not _is_refused(session, table):
                raise
            if rule is SnapshotRule.REQUIRED:
                raise ConfigurationError(
                    f"{table} has no time travel, and the table's `snapshot` is required. Nothing was unloaded. Raise its retention, copy a "
                    f"table that has time travel, or set `snapshot` to auto. {error}",
                    topic=None if error.topic is Topic.TIME_TRAVEL else Topic.TIME_TRAVEL,
                    code=error.code,
                    query_id=error.query_id,
                ) from error
            note = f"no snapshot: {table} has no time travel, {_UNPINNED}"
            log.warning("Snowflake refuses time travel: %s", error)
    log.warning("%s", note)
    rows = read_rows(session, question.sql(table.sql), doing)
    return Snapshot(None, note, question.parse(rows[0]))


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
