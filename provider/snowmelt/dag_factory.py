"""The DAGs: `migrate_table` for any table, one for each configured table, and `migration_doctor`.

Those that copy have the same tasks and the same form:

    plan → unload [chunk] → manifest [chunk] → files → load [batch] → verify → publish → cleanup

What is built here depends on the configuration alone (connections, schedule, pool, how many tasks at once); what a task
does follows from the run's stored plan. All checks of the doctor run, whatever becomes of the others; the report comes last.
Nothing of it is retried: a failure is a finding.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Param, XComArg, get_parsing_context

from snowmelt.airflow.records import PUBLISHED, RunRecords
from snowmelt.airflow.retrying import RETRY_ARGUMENTS
from snowmelt.airflow.versions import CronTriggerTimetable, conf
from snowmelt.config.file import Config, parse_config
from snowmelt.config.form import build_form
from snowmelt.config.request import name_copy
from snowmelt.config.schedules import find_longest_gap
from snowmelt.config.sections import Execution
from snowmelt.config.table import TableConfig
from snowmelt.doctor.findings import CHECKS, DEAD_AFTER_HOURS
from snowmelt.errors import ConfigurationError
from snowmelt.operators.doctor import CheckedConfig, MigrationCheckOperator, MigrationDoctorReportOperator
from snowmelt.operators.plan import RUN_ID_KEY, MigrationFilesOperator, MigrationPlanOperator
from snowmelt.operators.postgres_load import S3ToPostgresLoadOperator
from snowmelt.operators.publish import (
    MigrationCleanupOperator,
    MigrationPublishOperator,
    MigrationVerifyOperator,
)
from snowmelt.operators.snowflake_unload import MigrationUnloadOperator
from snowmelt.operators.warehouse import WarehouseResizeOperator, WarehouseRestoreOperator
from snowmelt.sensors.s3_manifest import S3ManifestSensor

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Names the configuration file where it is not in include/config/ beside dags/.
CONFIG_VARIABLE = "SNOWMELT_CONFIG"

_LABEL = "{{ task.map_label }}"

TABLE_DOC = """
Copies one Snowflake table to PostgreSQL through S3. Each mapped task is one chunk or one file; clear a failed one and
only that is done again. The ledger (schema `snowmelt` in the target database) says what happened.
"""


def read_config(
    path: str | os.PathLike[str], environment: Mapping[str, str] | None = None, *, exactly: bool = False
) -> Config:
    """The configuration file; `SNOWMELT_CONFIG` in the environment names another one, else Airflow's option `[snowmelt] config_file`.

    :param exactly: take `path`, whatever those name.
    :raises ConfigurationError: it cannot be read, or is broken as a whole.
    """
    environment = os.environ if environment is None else environment
    other = environment.get(CONFIG_VARIABLE) or conf.get("snowmelt", "config_file", fallback=None)
    found = Path(path if exactly else other or path)
    try:
        text = found.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"The configuration {found} cannot be read: {error}. Set {CONFIG_VARIABLE} to its path, or create it."
        ) from error
    return parse_config(text, environment, origin=str(found))


def build_migrate_table(config: Config, *, default_args: Mapping[str, Any] | None = None) -> DAG:
    """`migrate_table`: any table, from the trigger form.

    :param default_args: for all its tasks, over Snowmelt's own: callbacks, owner, retries.
    """
    args = default_args or {}
    return _build("migrate_table", config, None, schedule=None, tags=["snowmelt"], default_args=args)


def build_table_dags(config: Config, *, default_args: Mapping[str, Any] | None = None) -> list[DAG]:
    """One DAG for each enabled table of the configuration, with its schedule.

    A task's process reads the DAG file again, and Airflow says for which DAG: then only that one is built, so that a task
    costs the same whether one table is configured or a thousand (each further DAG took 0.02 s of CPU).

    :param default_args: as of `build_migrate_table`.
    """
    args = default_args or {}
    wanted = get_parsing_context().dag_id
    return [
        _build(
            table.dag_id,
            config,
            table,
            schedule=table.schedule,
            tags=["snowmelt", table.source_name],
            default_args=args,
        )
        for table in config.tables
        if table.enabled and wanted in {None, table.dag_id}
    ]


def raise_broken(config: Config) -> None:
    """Raise one error for all tables whose configuration is broken; a DAG file of its own shows it as its import error.

    :raises ConfigurationError: with every fault of every such table.
    """
    if config.broken:
        faults = tuple(str(fault) for table in config.broken for fault in table.faults)
        raise ConfigurationError(
            f"{config.origin}: {len(config.broken)} tables have no DAG until this is corrected:", faults
        )


def _build(
    dag_id: str,
    config: Config,
    table: TableConfig | None,
    *,
    schedule: str | None,
    tags: list[str],
    default_args: Mapping[str, Any],
) -> DAG:
    execution = table.execution if table else config.execution
    connections = table.connections if table else config.connections
    records = RunRecords(connections.postgres, partial(name_copy, config, table))
    params = {name: Param(**field.param()) for name, field in build_form(config, table).items()}
    with DAG(
        dag_id=dag_id,
        schedule=_timetable(schedule) if schedule else None,
        catchup=False,
        max_active_runs=1 if table else 16,
        default_args={
            **RETRY_ARGUMENTS,
            "priority_weight": execution.priority,
            **default_args,
            **_add_callbacks(default_args, records.task_callbacks()),
        },
        # Airflow 3.3's `dags test` breaks where a DAG with required parameters has one; the doctor closes what is left of those.
        on_failure_callback=records.record_dag_failure if table else None,
        params=params,
        tags=tags,
        doc_md=TABLE_DOC,
        render_template_as_native_obj=False,
    ) as dag:
        _add_tasks(config, table, execution)
    return dag


def _add_tasks(config: Config, table: TableConfig | None, execution: Execution) -> None:
    connections = table.connections if table else config.connections
    snowflake: Any = {"snowflake_conn_id": connections.snowflake}
    aws: Any = {"aws_conn_id": connections.aws}
    postgres: Any = {"postgres_conn_id": connections.postgres}
    plan = MigrationPlanOperator(task_id="plan", config=config, table=table)
    run: Any = {"run_id": XComArg(plan, key=RUN_ID_KEY)}
    unload = MigrationUnloadOperator.partial(
        task_id="unload",
        map_index_template=_LABEL,
        **run,
        **snowflake,
        **aws,
        **postgres,
        **_room(execution.pool, execution.parallel_unloads),
    ).expand_kwargs(plan.output)
    manifest = S3ManifestSensor.partial(
        task_id="manifest", map_index_template=_LABEL, timeout=600, **aws
    ).expand(manifest=unload.output)
    # Mode `load` has nothing to unload, an empty table nothing to load: what follows a skipped map goes on.
    goes_on: Any = {"trigger_rule": "none_failed"}
    files = MigrationFilesOperator(
        task_id="files", chunks=manifest.output, **run, **snowflake, **aws, **postgres, **goes_on
    )
    load = S3ToPostgresLoadOperator.partial(
        task_id="load",
        map_index_template=_LABEL,
        **run,
        **aws,
        **postgres,
        **_room(execution.pool, execution.parallel_loads),
    ).expand_kwargs(files.output)
    verify = MigrationVerifyOperator(
        task_id="verify",
        **run, **snowflake, **postgres, **goes_on,
    )  # fmt: skip
    publish = MigrationPublishOperator(
        task_id="publish",
        execution=execution,
        expect_fresh_within=table.expect_fresh_within if table else None,
        outlets=[PUBLISHED],
        **run, **snowflake, **postgres, **goes_on,
    )  # fmt: skip
    cleanup = MigrationCleanupOperator(
        task_id="cleanup",
        aws_cleanup_conn_id=connections.aws_cleanup,
        **run, **snowflake, **postgres, **goes_on,
    )  # fmt: skip
    load >> verify >> publish >> cleanup
    if config.snowflake_unload.warehouse_size:
        resize = WarehouseResizeOperator(task_id="resize_warehouse", **run, **snowflake, **postgres)
        restore = WarehouseRestoreOperator(task_id="restore_warehouse", **run, **snowflake, **postgres)
        plan >> resize >> unload >> restore.as_teardown(setups=resize, on_failure_fail_dagrun=True)


def _timetable(schedule: str) -> CronTriggerTimetable:
    """Runs at each tick. Its data interval is what a backfill takes again; without a start date, a DAG that is switched on waits for the next tick."""
    return CronTriggerTimetable(schedule, timezone="UTC", interval=find_longest_gap(schedule))


def _room(pool: str | None, parallel: int | None) -> dict[str, Any]:
    """How many of the mapped tasks run at the same time."""
    room = {"pool": pool, "max_active_tis_per_dagrun": parallel}
    return {name: value for name, value in room.items() if value is not None}


def _add_callbacks(default_args: Mapping[str, Any], callbacks: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Our callbacks first, then those that the caller's default_args bring."""
    added = {}
    for name, callback in callbacks.items():
        given = default_args.get(name) or []
        added[name] = [callback, *(given if isinstance(given, (list, tuple)) else [given])]
    return added


DOCTOR_DOC = """
Checks every connection and right that the configuration needs, and says how to repair what is missing: look at the log
of the task `report`. It writes a few rows below `doctor_<id>/` in the bucket and removes them; nothing else is changed,
unless `remove_leftovers` is set.
"""
_PARAMS = {
    "remove_leftovers": Param(
        default=False,
        type="boolean",
        title="Remove leftovers",
        section="Leftovers of dead runs",
        description="Drop staging tables, end transactions, cancel queries and remove test files of dead runs. A dropped "
        "staging table cannot be resumed.",
    ),
    "dead_after_hours": Param(
        default=DEAD_AFTER_HOURS,
        type="integer",
        minimum=1,
        maximum=24 * 365,
        title="Dead after (hours)",
        section="Leftovers of dead runs",
        description="A run without any progress for this long counts as dead. Set it longer than the longest file takes to load.",
    ),
}


def build_doctor(config: Config) -> DAG:
    """`migration_doctor`, without a schedule."""
    checked = CheckedConfig(config.origin, config)
    tables = [{"dag_id": table.dag_id} for table in config.tables if table.enabled]
    with DAG(
        dag_id="migration_doctor",
        schedule=None,
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=1,
        default_args={"retries": 0},
        params=dict(_PARAMS),
        tags=["snowmelt"],
        doc_md=DOCTOR_DOC,
        render_template_as_native_obj=False,
    ) as dag:
        report = MigrationDoctorReportOperator(task_id="report", tasks=list(CHECKS), trigger_rule="all_done")
        for check, asks in CHECKS.items():
            doc = "\n".join(f"- {name}: {question}?" for name, question in asks.items())
            if check == "table":
                task: Any = MigrationCheckOperator.partial(
                    task_id=check,
                    config=checked,
                    check=check,
                    doc_md=doc,
                    map_index_template="{{ task.map_label }}",
                ).expand_kwargs(tables)
            else:
                task = MigrationCheckOperator(task_id=check, config=checked, check=check, doc_md=doc)
            task >> report
    return dag
