"""Planning a run: read the facts, decide the plan, store it in the ledger once."""

from __future__ import annotations

import logging
from typing import Any

import psycopg

from snowmelt.config.form import POLICIES
from snowmelt.config.request import MigrationRequest
from snowmelt.drivers.snowflake import read_now
from snowmelt.errors import ConfigurationError, PlanChanged
from snowmelt.ledger.files import read_staged_chunks
from snowmelt.ledger.runs import (
    is_current,
    read_published,
    read_run,
    write_ledger,
    write_resumed,
    write_run,
)
from snowmelt.plan import decide
from snowmelt.plan.facts import (
    RunIdentity,
)
from snowmelt.plan.plan import Plan, parse_plan
from snowmelt.steps.compared import compare_planned
from snowmelt.steps.planning_facts import PlanningSessions, read_facts, read_tables
from snowmelt.steps.source import planning_again
from snowmelt.steps.staged_facts import read_staged_facts
from snowmelt.vocabulary import Mode

log = logging.getLogger(__name__)

#: Runs that a new run in mode `load` finishes when they were not published.
_RESUMED_MODES = frozenset({Mode.FULL, Mode.INCREMENTAL, Mode.CHANGES, Mode.REPAIR, Mode.LOAD})


def plan_run(sessions: PlanningSessions, request: MigrationRequest, identity: RunIdentity) -> Plan:
    """The run's plan: the stored one where there is one, else a new one, stored before it is returned.

    A run in mode `load` that names an unfinished run of this ledger gets that run's own plan, and goes on with it.

    :raises PlanChanged: the run was planned under another configuration; both values are named.
    :raises ConfigurationError, SchemaError, SourceError: with everything that stops it.
    """
    write_ledger(sessions.postgres)
    stored = read_run(sessions.postgres, identity.run_id)
    if stored is None:
        unfinished = find_unfinished(sessions.postgres, request, identity)
        if unfinished is not None:
            return unfinished
        plan = _make_plan(sessions, request, identity)
        for part in reversed(plan.parts):  # the run itself last: what is found stored is stored whole
            stored = write_run(sessions.postgres, _ledger_row(part, request, identity))
    stored = stored or {}
    changes = MigrationRequest.from_json(stored["request"]).differences(request)
    if changes:
        raise PlanChanged(
            f"Run {identity.run_id} was planned under another configuration, and a plan is kept: {'; '.join(changes)}. "
            "Put the old values back to finish this run, or start a new one."
        )
    return parse_plan(stored["plan"], stored["request"])


def preview_plan(sessions: PlanningSessions, request: MigrationRequest, identity: RunIdentity) -> Plan:
    """The plan that a run would have now; nothing is stored, and the ledger is not made.

    :raises ConfigurationError, SchemaError, SourceError: with everything that would stop the run.
    """
    if is_current(sessions.postgres):
        return _make_plan(sessions, request, identity)
    with sessions.postgres.transaction(force_rollback=True):
        write_ledger(sessions.postgres)
        return _make_plan(sessions, request, identity)


def read_plan(postgres: psycopg.Connection[Any], run_id: str) -> Plan:
    """The stored plan of a run.

    :raises ConfigurationError: the ledger does not know the run.
    """
    stored = read_run(postgres, run_id)
    if stored is None:
        raise ConfigurationError(
            f"The ledger of database {postgres.info.dbname!r} has no run {run_id!r}. Clear the task `plan` of this DAG run, "
            "or check that all tasks use the same PostgreSQL connection."
        )
    return parse_plan(stored["plan"], stored["request"])


def list_unload_tasks(postgres: psycopg.Connection[Any], plan: Plan) -> list[dict[str, Any]]:
    """{chunk, label} of each unload task; none where the run's files are registered already, and in mode `load`."""
    if read_staged_chunks(postgres, plan.run_id, plan.location.bucket):
        log.info("The files of run %s are registered already: nothing is unloaded", plan.run_id)
        return []
    return [{"chunk": chunk.index, "label": chunk.label} for part in plan.parts for chunk in part.chunks]


def find_unfinished(
    postgres: psycopg.Connection[Any], request: MigrationRequest, identity: RunIdentity
) -> Plan | None:
    """The plan of the run that mode `load` names, when it is of this table into this target and was never published.

    :raises PlanChanged: the rules for its columns, or its policies, are not what they were.
    """
    if Mode(request.mode) is not Mode.LOAD or request.run_id is None:
        return None
    stored = read_run(postgres, request.run_id)
    if stored is None or read_published(postgres, request.run_id) is not None:
        return None
    plan = parse_plan(stored["plan"], stored["request"])
    planned = (plan.source, plan.target_schema, plan.target_table)
    asked = (request.source, request.target_schema, request.target_table)
    if plan.mode not in _RESUMED_MODES or planned != asked:
        return None
    before = MigrationRequest.from_json(stored["request"])
    # What the form of that run said is kept.
    chosen = {name: getattr(before.policies, name) for name in POLICIES}
    policies = request.policies.model_copy(update=chosen)
    changes = before.differences(before.model_copy(update={"columns": request.columns, "policies": policies}))
    if changes:
        raise PlanChanged(
            f"Run {request.run_id} was planned under another configuration, and a plan is kept: {'; '.join(changes)}. "
            "Put the old values back to finish this run, or start a new one."
        )
    log.info("Resuming run %s, which began as %s and is not published", request.run_id, plan.mode)
    write_resumed(postgres, request.run_id, identity.dag_id, identity.dag_run_id)
    return plan


def _ledger_row(plan: Plan, request: MigrationRequest, identity: RunIdentity) -> dict[str, Any]:
    return {
        "run_id": plan.run_id,
        "dag_id": identity.dag_id,
        "dag_run_id": identity.dag_run_id,
        "mode": plan.mode,
        "source": str(plan.source),
        "target": plan.target,
        "snapshot": plan.snapshot,
        "snapshot_note": plan.snapshot_note,
        "request": request.to_json(),
        "fingerprint": request.fingerprint(),
        "plan": plan.to_json(),
        "source_rows": plan.source_rows,
    }


def _make_plan(sessions: PlanningSessions, request: MigrationRequest, identity: RunIdentity) -> Plan:
    """Read the facts, then decide."""
    if Mode(request.mode) is Mode.LOAD:
        plan = decide.plan_load(identity, request, read_staged_facts(sessions, request))
    else:
        at = read_now(sessions.snowflake)
        request, tables = read_tables(sessions, request)
        with planning_again(request.source):
            request, facts = read_facts(sessions, request, identity, tables, at)
        plan = decide.plan_migration(identity, request, facts)
        if plan.mode.compares:
            plan = compare_planned(sessions.snowflake, sessions.postgres, plan)
    if plan.copies:
        log.info("Its %s files are loaded by %s", plan.file_format, plan.load_method)
    return plan
