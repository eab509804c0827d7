"""Airflow DAGs: a configured table's, one made of the three operators by themselves, one that waits for the first one's manifest."""

from __future__ import annotations

import os

from airflow.sdk import DAG

from snowmelt.dag_factory import build_table_dags, read_config
from snowmelt.operators.postgres_load import S3ToPostgresLoadOperator
from snowmelt.operators.snowflake_unload import SnowflakeUnloadToS3Operator
from snowmelt.plan.plan import plan_run_id
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

with DAG("waiting", schedule=None, params={"manifest": ""}) as waiting:
    S3ManifestSensor(task_id="whole", manifest="{{ params.manifest }}")

if __name__ == "__main__":
    manifest = ""
    for dag in (configured, alone, waiting):
        for task in dag.tasks:
            (task.partial_kwargs if task.is_mapped else vars(task))["retries"] = 0
        run = dag.test(run_conf={"manifest": manifest} if dag is waiting else None)
        print(f"@@@ {dag.dag_id} {run.state}", flush=True)
        if dag is configured:
            folder = f"ANALYTICS/BI/DIMPAYER/run_{plan_run_id(dag.dag_id, run.run_id)}"
            manifest = f"s3://{os.environ['SNOWMELT_SANDBOX_S3_BUCKET']}/{folder}/manifest.json"
