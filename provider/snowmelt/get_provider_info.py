"""What Airflow asks the distribution about itself."""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """The provider's metadata, in the form of Airflow's provider_info.schema.json."""
    return {
        "package-name": "airflow-provider-snowmelt",
        "name": "Snowmelt",
        "description": "Move tables from Snowflake to PostgreSQL through Amazon S3: exactly once, verified, resumable.",
        "integrations": [
            {
                "integration-name": "Snowmelt",
                "external-doc-url": "https://docs.snowflake.com/en/sql-reference/sql/copy-into-location",
                "tags": ["service"],
            }
        ],
        "operators": [
            {
                "integration-name": "Snowmelt",
                "python-modules": [
                    "snowmelt.operators.doctor",
                    "snowmelt.operators.plan",
                    "snowmelt.operators.postgres_load",
                    "snowmelt.operators.publish",
                    "snowmelt.operators.snowflake_unload",
                    "snowmelt.operators.warehouse",
                ],
            }
        ],
        "extra-links": [
            "snowmelt.airflow.links.S3FolderLink",
            "snowmelt.airflow.links.SnowflakeQueryLink",
            "snowmelt.airflow.links.MigrationLink",
        ],
        "sensors": [{"integration-name": "Snowmelt", "python-modules": ["snowmelt.sensors.s3_manifest"]}],
        "triggers": [{"integration-name": "Snowmelt", "python-modules": ["snowmelt.airflow.triggers"]}],
        "config": {
            "snowmelt": {
                "description": "Snowmelt: tables from Snowflake to PostgreSQL through S3.",
                "options": {
                    "config_file": {
                        "description": "What is copied: the path of the configuration. Without it each DAG file names its own, "
                        "include/config/s3copyconfig.json beside dags/. The variable SNOWMELT_CONFIG goes before it.\n",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "/opt/airflow/include/config/s3copyconfig.json",
                        "default": None,
                    }
                },
            }
        },
        "cli": ["snowmelt.cli.definition.get_snowmelt_cli_commands"],
    }
