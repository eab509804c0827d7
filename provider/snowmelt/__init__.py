"""Move tables from Snowflake to PostgreSQL through Amazon S3, as an Apache Airflow provider.

What is named here is public; everything else may change with any version. A name is imported when it is first used, so that a
DAG file pays only for what it takes.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snowmelt.airflow.records import read_run_report
    from snowmelt.dag_factory import (
        build_doctor,
        build_migrate_table,
        build_table_dags,
        raise_broken,
        read_config,
    )
    from snowmelt.operators.postgres_load import S3ToPostgresLoadOperator
    from snowmelt.operators.snowflake_unload import SnowflakeUnloadToS3Operator
    from snowmelt.sensors.s3_manifest import S3ManifestSensor

__version__ = "0.1.0"

__all__ = [
    "S3ManifestSensor",
    "S3ToPostgresLoadOperator",
    "SnowflakeUnloadToS3Operator",
    "__version__",
    "build_doctor",
    "build_migrate_table",
    "build_table_dags",
    "raise_broken",
    "read_config",
    "read_run_report",
]

#: Name → the module that defines it.
_MODULES = {
    "S3ManifestSensor": "snowmelt.sensors.s3_manifest",
    "S3ToPostgresLoadOperator": "snowmelt.operators.postgres_load",
    "SnowflakeUnloadToS3Operator": "snowmelt.operators.snowflake_unload",
    "build_doctor": "snowmelt.dag_factory",
    "build_migrate_table": "snowmelt.dag_factory",
    "build_table_dags": "snowmelt.dag_factory",
    "raise_broken": "snowmelt.dag_factory",
    "read_config": "snowmelt.dag_factory",
    "read_run_report": "snowmelt.airflow.records",
}


def __getattr__(name: str) -> Any:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(module), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
