"""The first publish of a merge: its staging table becomes the target, so it must hold one row for each key already."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from snowmelt.core.publish.rows import build_count, build_delete_surplus
from snowmelt.core.publish.staging import LOCK_NAME, build_mark
from snowmelt.core.publish.statements import Duplicates, PublishMethod, PublishRequest
from snowmelt.io.publish.rows import refuse_keys
from snowmelt.io.publish.staging import read_mark
from snowmelt.io.publish.target import read_details

log = logging.getLogger(__name__)


def settle_keys(connection: psycopg.Connection[Any], request: PublishRequest) -> None:
    """Refuse keys that a merge would refuse, and take out the rows that the last of their key overrules. Safe to repeat.

    How many went is kept in the staging table's mark, in the same transaction: the publish counts them with the others.
    Nothing is done for another method, and where the target is there.

    :raises ValueRefused: a key is NULL, or stands in several rows that no watermark tells apart.
    """
    if request.method is not PublishMethod.MERGE:
        return
    with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(LOCK_NAME, (f"{request.schema}.{request.staging}",))
        present = read_details(cursor, request.schema, request.staging)
        if present is None:  # the publish tells
            return
        mark = read_mark(present, request.schema, request.staging, request.run_id, request.table)
        counted = cursor.execute(build_count(request.schema, request.staging)).fetchone()
        if mark.kind != "new" or mark.surplus or counted != (request.expected_rows,):
            return
        refuse_keys(cursor, request)
        if request.duplicates is not Duplicates.LAST:
            return
        cursor.execute(build_delete_surplus(request))
        surplus = cursor.rowcount
        cursor.execute(build_mark(request.schema, request.staging, replace(mark, surplus=surplus)))
    if surplus:
        log.info(
            "%s rows were taken out of the new table: of keys that stood in several rows the last one stays",
            f"{surplus:,}",
        )
