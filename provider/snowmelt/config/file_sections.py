"""The sections that hold for all tables, read: the models where they are right, and in any case their right fields."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from snowmelt.config.conflicts import find_conflicts
from snowmelt.config.faults import Fault, Place
from snowmelt.config.reading import Reading, Show, read_model
from snowmelt.config.sections import Connections, Execution, Forms, S3Staging, SnowflakeUnload
from snowmelt.config.settings import SectionT

_STAGE_PARTS = ("stage_name", "stage_database", "stage_schema")


@dataclass(frozen=True, slots=True)
class FileSections:
    """What is in the file beside `sources`."""

    staging: Reading[S3Staging]
    unload: Reading[SnowflakeUnload]
    connections: Reading[Connections]
    execution: Reading[Execution]
    forms: Reading[Forms]

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Everything that is wrong in them."""
        readings = (self.staging, self.unload, self.connections, self.execution, self.forms)
        return (
            *(fault for reading in readings for fault in reading.faults),
            *_staging_conflicts(self.staging.good),
            *_stage_conflicts(self.unload.good),
        )


def read_sections(document: Mapping[str, Any], known_faults: Collection[Place], show: Show) -> FileSections:
    """Read the sections; one that is missing is read as an empty one."""

    def read(model: type[SectionT], key: str) -> Reading[SectionT]:
        return read_model(model, document.get(key, {}), (key,), known_faults=known_faults, show=show)

    return FileSections(
        read(S3Staging, "s3_staging"),
        read(SnowflakeUnload, "snowflake_unload"),
        read(Connections, "connections"),
        read(Execution, "execution"),
        read(Forms, "forms"),
    )


def _staging_conflicts(staging: Mapping[str, Any]) -> list[Fault]:
    keys = ("compression", "file_format")
    return find_conflicts({key: staging[key] for key in keys if key in staging}, ("s3_staging",))


def _stage_conflicts(unload: Mapping[str, Any]) -> list[Fault]:
    place = "snowflake_unload"
    if not {*_STAGE_PARTS, "storage_integration"} <= unload.keys():
        return []
    given = [part for part in _STAGE_PARTS if unload[part]]
    if given:
        return [
            Fault((place, part), "nothing", f"all of {', '.join(_STAGE_PARTS)}", "Give it.")
            for part in _STAGE_PARTS
            if part not in given
        ]
    if not unload["storage_integration"]:
        return [
            Fault(
                (place, "stage_name"),
                "neither a stage nor a storage_integration",
                "the external stage that the unload writes to",
                "Make a stage with the storage integration (docs/setup.md) and name it here.",
            )
        ]
    return []
