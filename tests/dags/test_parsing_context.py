"""In a task's process the DAG file builds the DAG of that task alone: a task costs the same, however many tables there are."""

from __future__ import annotations

import json

import pytest

from snowmelt.config.file import parse_config
from snowmelt.dag_factory import build_table_dags

TABLES = [{"source": f"T{number}", "mode": "full"} for number in range(3)]
CONFIG = {
    "s3_staging": {"bucket": "bucket"},
    "snowflake_unload": {"stage_database": "U", "stage_schema": "S", "stage_name": "ST"},
    "sources": [{"source_name": "s", "source_database": "D", "source_schema": "S", "tables": TABLES}],
}


@pytest.mark.parametrize(
    ("task_of", "built"),
    [
        (None, ["migrate__s__t0", "migrate__s__t1", "migrate__s__t2"]),
        ("migrate__s__t1", ["migrate__s__t1"]),
        ("migrate_table", []),
    ],
)
def test_a_task_builds_its_own_dag_alone(monkeypatch, task_of, built):
    config = parse_config(json.dumps(CONFIG), {})
    if task_of:  # as Airflow's process of a task sets it
        monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", task_of)
    assert [dag.dag_id for dag in build_table_dags(config)] == built
