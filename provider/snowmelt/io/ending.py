"""The end of a run: its files removed where that is wished, its row in the ledger closed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from decimal import Decimal
from typing import Any

import psycopg

from snowmelt.core.unload.manifest import MANIFEST_NAME
from snowmelt.core.unload.manifest_parts import name_parts
from snowmelt.core.unload.plan import Plan
from snowmelt.core.unload.statements import build_remove
from snowmelt.io.failures.s3 import s3_failures
from snowmelt.io.ledger import read_report, read_staged, write_finished
from snowmelt.io.snowflake import Connection, read_rows
from snowmelt.io.unload.planning import read_plan

#: S3 deletes at most this many objects by one request.
_DELETE_BATCH = 1000


def remove_staged(
    postgres: psycopg.Connection[Any],
    run_id: str,
    *,
    snowflake: Callable[[], AbstractContextManager[Connection]],
    s3: Callable[[], Any] | None,
) -> int:
    """Remove the run's files; the manifest goes with them. Only after the publish, and never those of another run.

    Nothing is removed of a run in mode `load`: the files belong to the unload that made them.

    :param s3: gives a client that may delete; None: Snowflake removes through the stage.
    :returns: objects removed.
    """
    plan = read_plan(postgres, run_id)
    report = read_report(postgres, run_id)
    published = report is not None and report["outcome"] in {"published", "tested"}
    if not published or plan.mode == "load":
        return 0
    if s3 is not None:
        return _remove_by_python(s3(), plan, [file.key for file in read_staged(postgres, run_id)])
    with snowflake() as session:
        return len(
            read_rows(
                session, build_remove(plan.location, plan.path), f"Removing the staged files of run {run_id}"
            )
        )


def _remove_by_python(client: Any, plan: Plan, keys: list[str]) -> int:
    bucket, prefix = plan.location.bucket, plan.location.key(plan.path)
    manifest = (MANIFEST_NAME, *name_parts(len(keys)))
    named = [key for key in keys if key.startswith(prefix)] + [f"{prefix}{name}" for name in manifest]
    for start in range(0, len(named), _DELETE_BATCH):
        part = named[start : start + _DELETE_BATCH]
        with s3_failures(f"Removing {len(part)} objects below s3://{bucket}/{prefix}"):
            client.delete_objects(
                Bucket=bucket, Delete={"Objects": [{"Key": key} for key in part], "Quiet": True}
            )
    return len(named)


def end_run(postgres: psycopg.Connection[Any], run_id: str) -> dict[str, Any]:
    """Note the end, and return the run's report as plain JSON values."""
    with postgres.transaction():
        write_finished(postgres, run_id)
    report = read_report(postgres, run_id) or {}
    return {name: _plain(value) for name, value in report.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return int(value) if isinstance(value, Decimal) else value
