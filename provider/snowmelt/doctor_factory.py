"""The DAG `migration_doctor`: every connection, right and assumption checked, and what mends what is missing.

All checks run, whatever becomes of the others; the report comes last. Nothing is retried: a failure is a finding.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import DAG, Param

from snowmelt.core.doctor.checks import CHECKS, DEAD_AFTER_HOURS
from snowmelt.core.settings.config import Config
from snowmelt.operators.doctor import CheckedConfig, MigrationCheckOperator, MigrationDoctorReportOperator

DOCTOR_DOC = """
Checks every connection and right that the configuration needs, and says how to mend what is missing: look at the log
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
        description="A run of which nothing was heard for so long is dead. Longer than your longest file takes to load.",
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
