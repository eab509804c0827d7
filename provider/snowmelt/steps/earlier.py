"""Mode `load`: an earlier run is taken up, either to finish it or to load its files once more, elsewhere."""

from __future__ import annotations

import logging
from typing import Any

import psycopg

from snowmelt.config.parameters import POLICIES
from snowmelt.config.request import MigrationRequest
from snowmelt.errors import PlanChanged
from snowmelt.ledger.runs import read_published, read_run, write_resumed
from snowmelt.plan.plan import Plan
from snowmelt.publish.target import TargetTable
from snowmelt.sql.names import parse_table_name
from snowmelt.steps.plan_parts import PlanningSessions, RunIdentity, settle_common, settle_staged_columns
from snowmelt.unload.chunk import read_location
from snowmelt.unload.location import Location
from snowmelt.unload.manifest import MANIFEST_NAME, Manifest
from snowmelt.unload.staged import read_manifest
from snowmelt.vocabulary import Mode

log = logging.getLogger(__name__)


def find_unfinished(
    postgres: psycopg.Connection[Any], request: MigrationRequest, identity: RunIdentity
) -> Plan | None:
    """The plan of the run that mode `load` names, when it is of this table into this target and was never published.

    :raises PlanChanged: the rules for its columns, or its policies, are not what they were.
    """
    if request.mode != "load" or request.run_id is None:
        return None
    stored = read_run(postgres, request.run_id)
    if stored is None or read_published(postgres, request.run_id) is not None:
        return None
    plan = Plan.from_json(stored["plan"])
    if plan.mode not in {Mode.FULL, Mode.INCREMENTAL, Mode.LOAD} or (
        plan.source,
        plan.target_schema,
        plan.target_table,
    ) != (
        request.source,
        request.target_schema,
        request.target_table,
    ):
        return None
    before = MigrationRequest.from_json(stored["request"])
    chosen = {
        name: getattr(before.policies, name) for name in POLICIES
    }  # what the form of that run said stands
    now = before.model_copy(
        update={"columns": request.columns, "policies": request.policies.model_copy(update=chosen)}
    )
    changes = before.differences(now)
    if changes:
        raise PlanChanged(
            f"Run {request.run_id} was planned under another configuration, and a plan is kept: {'; '.join(changes)}. "
            "Put the old values back to finish this run, or start a new one."
        )
    log.info("Going on with run %s, which was begun as %s and is not published", request.run_id, plan.mode)
    write_resumed(postgres, request.run_id, identity.dag_id, identity.dag_run_id)
    return plan


def read_earlier_manifest(sessions: PlanningSessions, request: MigrationRequest) -> tuple[Location, Manifest]:
    """The manifest of the run that mode `load` names, and where it stands: below the stage's own path.

    :raises StagingError: there is none, or it cannot be understood.
    """
    location = read_location(
        sessions.snowflake,
        bucket=request.staging.bucket,
        stage=request.staging.stage,
        integration=request.staging.storage_integration or "",
    )
    key = location.key(f"{request.staging.prefix}run_{request.run_id}/{MANIFEST_NAME}")
    return location, read_manifest(sessions.s3(), location.bucket, key)


def plan_load(
    sessions: PlanningSessions,
    request: MigrationRequest,
    identity: RunIdentity,
    target: TargetTable | None,
) -> Plan:
    """The plan of a run that loads the files of an earlier unload, from its manifest alone."""
    location, manifest = read_earlier_manifest(sessions, request)
    columns = settle_staged_columns(request, manifest, target)
    return Plan(
        **settle_common(
            sessions, request, identity, columns, target, (manifest.file_format, manifest.compression)
        ),
        source=parse_table_name(manifest.source),
        location=location,
        path=manifest.path.removeprefix(location.base),  # its path was checked to be the folder it stands in
        file_format=manifest.file_format,
        compression=manifest.compression,
        where="",
        row_limit=0,
        snapshot=manifest.snapshot,
        snapshot_note=f"files of the unload {manifest.run_id}",
        source_rows=manifest.rows,
        chunks=(),
        watermark_column=None,
        watermark=None,
        watermark_before=None,
    )
