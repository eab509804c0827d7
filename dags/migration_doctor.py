"""The Airflow DAG `migration_doctor`: what is set up wrongly, and how to fix it."""

from __future__ import annotations

from pathlib import Path

from snowmelt import build_doctor, read_config

dag = build_doctor(read_config(Path(__file__).parents[1] / "include/config/s3copyconfig.json"))
