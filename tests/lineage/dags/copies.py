"""Two Airflow DAGs: a configured table's, and one made of the three operators by themselves."""

from __future__ import annotations

import os

from airflow.sdk import DAG

from snowmelt.dag_factory import build_table_dags, read_config
from snowmelt.operators.postgres_load import S3ToPostgresLoadOperator
from snowmelt.operators.snowflake_unload import SnowflakeUnloadToS3Operator
from snowmelt.sensors.s3_manifest import S3ManifestSensor

(configured,) = build_table_dags(read_config(os.environ["SNOWMELT_CONFIG"]))

with DAG("alone", schedule=None) as alone:
    unload = SnowflakeUnloadToS3Operator(
        task_id="unload",
        source="ANALYTICS.BI.DIMPAYER",
        stage="UTIL.STAGING.SNOWMELT_STAGE",
        path="mine/payers/{{ ts_nodash }}/",
        poll_interval=0.2,
    )
    staged = S3ManifestSensor(task_id="staged", manifest=unload.output)
    load = S3ToPostgresLoadOperator(task_id="load", manifest=unload.output, table="public.lineage_alone")
    staged >> load

if __name__ == "__main__":
    for dag in (configured, alone):
        for task in dag.tasks:
            (task.partial_kwargs if task.is_mapped else vars(task))["retries"] = 0
        run = dag.test()
        print(f"@@@ {dag.dag_id} {run.state}", flush=True)
