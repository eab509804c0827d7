"""What a load of existing files goes by: their manifest, the run that unloaded them, and the target."""

from __future__ import annotations

from typing import Any

import psycopg

from snowmelt.config.request import MigrationRequest
from snowmelt.errors import StagingError
from snowmelt.ledger.reports import find_run, list_runs
from snowmelt.ledger.runs import read_run
from snowmelt.plan import decide
from snowmelt.plan.facts import (
    StagedFacts,
    UnloadFacts,
)
from snowmelt.plan.plan import parse_plan
from snowmelt.publish.obstacles import plan_intent
from snowmelt.publish.target import refuse_obstacles
from snowmelt.sql.names import TableName
from snowmelt.steps.planning_facts import (
    PlanningSessions,
    read_stage_location,
    read_target_facts,
    refuse_owned_rows,
)
from snowmelt.unload.manifest import MANIFEST_NAME
from snowmelt.unload.staged import manifest_exists, read_manifest
from snowmelt.vocabulary import FileFormat, Mode


def describe_runs(
    postgres: psycopg.Connection[Any], run_id: str, source: TableName, schema: str, table: str
) -> str:
    """What a run id is that a user gave, and which runs there are of the table, as one sentence each."""
    wanted = list_runs(postgres, source=str(source), target=f"{schema}.{table}", limit=10)
    known = find_run(postgres, run_id)
    text = f"The ledger has that run as one of {known[0]} into {known[1]} ({known[2]}). " if known else ""
    if not wanted:
        return f"{text}The ledger has no run of {source}."
    return f"{text}Runs of {source} in the ledger: {', '.join(wanted)}."


def read_staged_facts(sessions: PlanningSessions, request: MigrationRequest) -> StagedFacts:
    """The manifest of the run that mode `load` names, and the target.

    :raises StagingError: there is no manifest, or it cannot be understood.
    """
    location = read_stage_location(sessions.snowflake, request)
    key = location.key(f"{request.staging.prefix}run_{request.run_id}/{MANIFEST_NAME}")
    client = sessions.s3()
    if not manifest_exists(client, location.bucket, key):
        raise StagingError(
            f"There is no s3://{location.bucket}/{key}: the run {request.run_id!r} unloaded no files of {request.source}, or they were "
            f"removed. {describe_runs(sessions.postgres, request.run_id or '', request.source, request.target_schema, request.target_table)}"
        )
    manifest = read_manifest(client, location.bucket, key)
    target = read_target_facts(sessions.postgres, request, FileFormat(manifest.file_format))
    refuse_owned_rows(request, target, manifest.source)
    facts = StagedFacts(manifest, location, target, _read_unload(sessions.postgres, manifest.run_id))
    refuse_obstacles(
        sessions.postgres, plan_intent(request, decide.plan_manifest_columns(request, manifest, target))
    )
    return facts


def _read_unload(postgres: psycopg.Connection[Any], run_id: str) -> UnloadFacts | None:
    """What the ledger knows of the run that unloaded the files; None where that says not which rows they are."""
    stored = read_run(postgres, run_id)
    if stored is None or "plan_version" not in stored["plan"]:
        return None
    plan = parse_plan(stored["plan"], stored["request"])
    whole = plan.mode in {Mode.FULL, Mode.UNLOAD}
    if not (whole or plan.mode is Mode.INCREMENTAL):
        return None
    return UnloadFacts(run_id, plan.where, plan.filter_subqueries, whole)
