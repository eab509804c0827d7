"""No DAG: Airflow shows the tables whose configuration is broken as this file's import error; the others are not touched."""

from __future__ import annotations

from pathlib import Path

from snowmelt import raise_broken, read_config

raise_broken(read_config(Path(__file__).parents[1] / "include/config/s3copyconfig.json"))
