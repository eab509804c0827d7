"""The Airflow DAG `migrate_table`: copy any Snowflake table to PostgreSQL, from the trigger form."""

from __future__ import annotations

from pathlib import Path

from snowmelt import build_migrate_table, read_config

dag = build_migrate_table(read_config(Path(__file__).parents[1] / "include/config/s3copyconfig.json"))
