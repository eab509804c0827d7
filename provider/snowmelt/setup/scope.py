"""What a configuration touches, in the order of the file: the least that rights have to be given for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from snowmelt.config.file import Config
from snowmelt.config.table import TableConfig


@dataclass(frozen=True, slots=True)
class SetupScope:
    """The configuration's enabled tables, and what they share."""

    config: Config
    tables: tuple[TableConfig, ...]

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return self.config.s3_staging.bucket

    @property
    def head(self) -> str:
        """The folders in front of the prefix pattern's first placeholder, `snowmelt/` or empty: all keys are below it."""
        fixed = self.config.s3_staging.prefix_pattern.partition("{")[0]
        return fixed[: fixed.rfind("/") + 1]

    @property
    def has_stage(self) -> bool:
        """Whether an external stage is configured; else the integration writes straight into the bucket."""
        return self.config.snowflake_unload.stage_name is not None

    @property
    def uses_aws_s3(self) -> bool:
        """Whether a table may be loaded by the server's aws_s3 extension, which takes CSV alone."""
        return any(table.file_format == "csv" and table.load_method != "copy" for table in self.tables)

    @property
    def target_schemas(self) -> tuple[str, ...]:
        """The schemas of PostgreSQL that are loaded into."""
        return _distinct(table.target_schema for table in self.tables)

    @property
    def snowflake_connections(self) -> tuple[str, ...]:
        """Ids of Airflow connections, the file's own first; likewise the next three."""
        return self._connections("snowflake")

    @property
    def aws_connections(self) -> tuple[str, ...]:
        """They read the bucket."""
        return self._connections("aws")

    @property
    def cleanup_connections(self) -> tuple[str, ...]:
        """They remove objects; none where Snowflake does it."""
        return self._connections("aws_cleanup")

    @property
    def postgres_connections(self) -> tuple[str, ...]:
        """They load and publish."""
        return self._connections("postgres")

    def _connections(self, kind: str) -> tuple[str, ...]:
        sections = (self.config.connections, *(table.connections for table in self.tables))
        return _distinct(getattr(section, kind) for section in sections if getattr(section, kind))


def plan_scope(config: Config) -> SetupScope:
    """The scope of a configuration: enabled tables only, broken ones left out."""
    return SetupScope(config, tuple(table for table in config.tables if table.enabled))


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
