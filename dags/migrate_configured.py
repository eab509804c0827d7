"""The Airflow DAGs `migrate__<source_name>__<target>`: one for each table of include/config/s3copyconfig.json."""

from __future__ import annotations

from pathlib import Path

from snowmelt import build_table_dags, read_config

for dag in build_table_dags(read_config(Path(__file__).parents[1] / "include/config/s3copyconfig.json")):
    globals()[dag.dag_id] = dag
