"""The snapshot of a run: the instant that all its chunks read, where Snowflake has time travel for the source.

Shared and Marketplace databases, external tables and materialized views have none (docs.snowflake.com/en: user-guide/data-share-consumers,
user-guide/views-materialized). The number of that error is documented nowhere: whether AT is what Snowflake refuses is found by asking
for no row at all.
"""

from __future__ import annotations

import logging

from snowmelt.config.request import MigrationRequest
from snowmelt.drivers.snowflake import Connection, read_now, read_rows
from snowmelt.errors import AccessError, SourceError, Topic
from snowmelt.plan.facts import Snapshot
from snowmelt.plan.statistics import StatisticsQuestion
from snowmelt.sql.names import TableName
from snowmelt.unload.statements import build_source
from snowmelt.vocabulary import SnapshotRule

log = logging.getLogger(__name__)

_UNPINNED = "so chunks unloaded at different moments may differ by what changed in between"


def take_snapshot(session: Connection, request: MigrationRequest, question: StatisticsQuestion) -> Snapshot:
    """The instant that all chunks will read, and the statistics at it; without a snapshot, those of now and the reason.

    :raises SourceError: the source has no time travel, and the configuration requires a snapshot.
    """
    table, rule = request.source, SnapshotRule(request.policies.snapshot)
    doing = f"Counting the rows of {table}"
    if rule is SnapshotRule.OFF:
        note = f"no snapshot: the table's `snapshot` is off, {_UNPINNED}"
    else:
        now = read_now(session)
        try:
            rows = read_rows(session, question.sql(build_source(table.sql, now)), doing)
            return Snapshot(now, None, question.parse(rows[0]))
        except (AccessError, SourceError) as error:
            if not _is_refused(session, table, now):
                raise
            if rule is SnapshotRule.REQUIRED:
                raise SourceError(
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


def _is_refused(session: Connection, table: TableName, at: str) -> bool:
    """Whether it is the instant that Snowflake refuses, and nothing of the statement around it."""
    sql = f"SELECT 1 FROM {build_source(table.sql, at)} LIMIT 0"
    try:
        read_rows(session, sql, f"Reading {table} at {at}")
    except (AccessError, SourceError):
        return True
    return False
