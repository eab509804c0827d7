"""What a configuration touches, in the order of the file: the least that rights have to be given for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from snowmelt.config.file import Config
from snowmelt.config.table import TableConfig
from snowmelt.errors import ConfigurationError
from snowmelt.publish.rights import alters_target, publish_rights
from snowmelt.rights.iam import StagedPlace, fixed_folders
from snowmelt.rights.postgres import TargetRights
from snowmelt.rights.snowflake import SourceKind
from snowmelt.setup.facts import SetupFacts
from snowmelt.sql.names import TableName
from snowmelt.vocabulary import FileFormat, LoadMethod, Mode

#: The name of the integration where the configuration gives none.
_INTEGRATION = "SNOWMELT_S3"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SetupScope:
    """The configuration's enabled tables, and what they share."""

    config: Config
    facts: SetupFacts
    tables: tuple[TableConfig, ...]

    @property
    def place(self) -> StagedPlace:
        """Where the staged files are."""
        staging = self.config.s3_staging
        return StagedPlace(
            staging.bucket,
            fixed_folders(staging.prefix_pattern),
            self.facts.partition,
            self.facts.kms_key_arn,
            foreign=self.facts.foreign_bucket,
        )

    @property
    def integration(self) -> str:
        """The storage integration's name."""
        return self.config.snowflake_unload.storage_integration or _INTEGRATION

    @property
    def stage(self) -> tuple[str, str, str] | None:
        """Database, schema and name of the stage; None where the integration writes straight into the bucket."""
        unload = self.config.snowflake_unload
        if not (unload.stage_database and unload.stage_schema and unload.stage_name):
            return None
        return unload.stage_database, unload.stage_schema, unload.stage_name

    @property
    def warehouse(self) -> str:
        """The configured warehouse, or the one that is made."""
        return self.config.snowflake_unload.warehouse or self.facts.warehouse

    @property
    def resizes_warehouse(self) -> bool:
        """Whether runs change the warehouse's size."""
        return self.config.snowflake_unload.warehouse_size is not None

    @property
    def sources(self) -> tuple[tuple[TableName, SourceKind], ...]:
        """What is read, each once, with its kind."""
        kinds = self.facts.source_kinds
        names = _distinct(table.source for table in self.tables)
        return tuple(
            (
                name,
                kinds.get((name.database,))
                or kinds.get((name.database, name.schema, name.table), SourceKind.TABLE),
            )
            for name in names
        )

    @property
    def uses_aws_s3(self) -> bool:
        """Whether a table may be loaded by the server's aws_s3 extension, which takes CSV alone."""
        return any(
            FileFormat(table.file_format) is FileFormat.CSV
            and LoadMethod(table.load_method) is not LoadMethod.COPY
            for table in self.loaded
        )

    @property
    def loaded(self) -> tuple[TableConfig, ...]:
        """The tables that are loaded into PostgreSQL: all but those that are only unloaded."""
        return tuple(table for table in self.tables if Mode(table.mode) is not Mode.UNLOAD)

    @property
    def target_schemas(self) -> tuple[str, ...]:
        """The schemas of PostgreSQL that are loaded into."""
        return _distinct(table.target_schema for table in self.loaded)

    def connections(self, kind: str) -> tuple[str, ...]:
        """Ids of Airflow connections of one kind (snowflake, aws, aws_cleanup, postgres), the file's own first."""
        sections = (self.config.connections, *(table.connections for table in self.tables))
        return _distinct(getattr(section, kind) for section in sections if getattr(section, kind))


def plan_scope(config: Config, facts: SetupFacts) -> SetupScope:
    """The scope of a configuration: enabled tables only, broken ones left out.

    :raises ConfigurationError: a kind is given for a source that is not configured.
    """
    scope = SetupScope(config, facts, tuple(table for table in config.tables if table.enabled))
    known = {parts for name, _ in scope.sources for parts in _names(name)}
    unknown = [".".join(parts) for parts in facts.source_kinds if parts not in known]
    if unknown:
        raise ConfigurationError(
            "A kind is given for sources that no enabled table of the configuration reads:", tuple(unknown)
        )
    return scope


def target_rights(table: TableConfig) -> TargetRights | None:
    """What the table's own DAG needs on an existing target; a run from the trigger form may need more.

    :returns: None where nothing is loaded.
    """
    rights = publish_rights(table)
    return rights.owned() if rights and alters_target(table) else rights


def _names(name: TableName) -> tuple[tuple[str, ...], ...]:
    return (name.database,), (name.database, name.schema, name.table)


def _distinct(names: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(names))
