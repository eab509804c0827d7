"""Links that Airflow shows on a task instance."""

from __future__ import annotations

from snowmelt.links.consoles import S3FolderLink, SnowflakeQueryLink, store_link
from snowmelt.links.migration import MigrationLink

__all__ = ["MigrationLink", "S3FolderLink", "SnowflakeQueryLink", "store_link"]
