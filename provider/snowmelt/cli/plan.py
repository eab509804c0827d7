"""`airflow snowmelt plan TABLE`: what a run would do now, without doing it."""

from __future__ import annotations

import argparse
import json
import uuid
from typing import TYPE_CHECKING, Any

from snowmelt.cli.configuration import answering, find_table, read_configuration, use_airflow_connections
from snowmelt.errors import ConfigurationError, SnowmeltError

if TYPE_CHECKING:
    from snowmelt.config.file import Config
    from snowmelt.config.table import TableConfig
    from snowmelt.ledger.reports import EarlierCopy
    from snowmelt.plan.plan import Plan


def run_plan(arguments: argparse.Namespace) -> None:
    """Plan a run of a table and print it; exits with 1 and the reasons where it would stop."""
    with answering() as out:
        try:
            config = read_configuration(arguments.config)
            table = find_table(config, arguments.table)
            parameters = _read_parameters(arguments.parameter or ())
            use_airflow_connections()
            plan, earlier = _plan(config, table, parameters)
        except SnowmeltError as error:
            raise SystemExit(str(error)) from error
        described = describe_plan(plan, earlier)
        if arguments.json:
            out.write(json.dumps(described, ensure_ascii=False, indent=1) + "\n")
            return
        statements = described.pop("statements")
        width = max(map(len, described))
        out.writelines(f"{name:{width}}  {_show(value)}\n" for name, value in described.items())
        for place, statement in enumerate(statements if arguments.sql else statements[:1]):
            out.write(f"\n-- the unload of chunk {place} of {len(statements)}\n{statement};\n")


def _read_parameters(given: tuple[str, ...] | list[str]) -> dict[str, Any]:
    """`name=value` each, as the trigger form has them; a value that is JSON is taken as that."""
    parameters: dict[str, Any] = {}
    for text in given:
        name, mark, value = text.partition("=")
        if not mark:
            raise ConfigurationError(f"{text!r} is no parameter: write name=value, such as mode=full.")
        try:
            parameters[name] = json.loads(value)
        except ValueError:
            parameters[name] = value
    return parameters


def _plan(config: Config, table: TableConfig, parameters: dict[str, Any]) -> tuple[Plan, EarlierCopy | None]:
    from snowmelt.airflow.sessions import postgres_session, s3_client, snowflake_session
    from snowmelt.config.request import parse_request
    from snowmelt.ledger.reports import read_earlier
    from snowmelt.ledger.runs import is_current
    from snowmelt.plan.facts import RunIdentity
    from snowmelt.steps.planning import preview_plan
    from snowmelt.steps.planning_facts import PlanningSessions

    request = parse_request(parameters, config, table)
    identity = RunIdentity(
        f"preview_{uuid.uuid4().hex[:8]}",
        table.dag_id,
        "preview",
        fingerprint_rows=table.execution.fingerprint_rows,
    )
    with (
        postgres_session(request.connections.postgres) as postgres,
        snowflake_session(
            request.connections.snowflake,
            warehouse=request.staging.warehouse,
            tag="snowmelt plan",
            timeout=request.staging.statement_timeout_s,
        ) as snowflake,
    ):
        sessions = PlanningSessions(snowflake, postgres, lambda: s3_client(request.connections.aws))
        plan = preview_plan(sessions, request, identity)
        earlier = read_earlier(postgres, str(plan.source), plan.target) if is_current(postgres) else None
    return plan, earlier


def describe_plan(plan: Plan, earlier: EarlierCopy | None) -> dict[str, Any]:
    """What a person asks of a plan, as plain JSON values.

    :param earlier: the last published copy of the same table: what a row took then is what it is expected to take now.
    """
    from snowmelt.plan.plan import build_unload_request
    from snowmelt.unload.chunk import build_statement

    share = None if earlier is None else plan.source_rows / earlier.rows
    requests = [build_unload_request(plan, chunk.index) for part in plan.parts for chunk in part.chunks]
    return {
        "source": str(plan.source),
        "target": plan.target,
        "mode": plan.mode.value,
        "publish": plan.publish.value if plan.publish else None,
        "rows": plan.source_rows,
        "chunks": len(plan.chunks),
        "columns": len(plan.columns),
        "added_columns": list(plan.added_columns),
        "snapshot": plan.snapshot,
        "snapshot_note": plan.snapshot_note,
        "source_policies": plan.source_policies,
        "filter": plan.where or None,
        "watermark": plan.watermark,
        "watermark_before": plan.watermark_before,
        "file_format": plan.file_format.value,
        "compression": plan.compression.value,
        "load_method": plan.load_method.value,
        "expected_files": _scale(None if earlier is None else earlier.files, share),
        "expected_bytes": _scale(None if earlier is None else earlier.bytes, share),
        "expected_seconds": _scale(None if earlier is None else earlier.seconds, share),
        "statements": [build_statement(one, plan.location, one.columns or ()) for one in requests],
    }


def _scale(value: float | None, share: float | None) -> int | None:
    return None if value is None or share is None else round(value * share)


def _show(value: object) -> str:
    if value is None or value == []:
        return "-"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
