"""Move tables from Snowflake to PostgreSQL through Amazon S3, as an Apache Airflow provider."""

from __future__ import annotations

__version__ = "0.1.0"
