"""The parameters of a run, as the trigger form, the command line and the API give them: names, kinds, defaults.

Names are typed as a person would: Snowflake's by Snowflake's rule (`dimpayer` and `DIMPAYER` are DIMPAYER, `"My Table"` is
My Table), PostgreSQL's by Snowmelt's (all upper case folds to lower, any other stays, quoted is exact).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field

from snowmelt.config import fields
from snowmelt.config.reading import Section
from snowmelt.config.sections import (
    DEFAULT_FILE_MB,
    FileFormatField,
    FileSizeField,
    FlagField,
    SnowflakeNameField,
)
from snowmelt.config.table import (
    DEFAULT_CHUNK_ROWS,
    DEFAULT_TARGET_SCHEMA,
    MOST_ROWS,
    ColumnsField,
    FilterField,
    LoadMethodField,
    ModeField,
    OptionalColumnField,
    PublishField,
    RowsField,
    TableConfig,
    TargetField,
    VerifyField,
)

if TYPE_CHECKING:
    from snowmelt.config.file import Config

#: Parameters that a person may clear: null then means none. For any other, null means the default.
CLEARABLE = frozenset(
    {
        "target_table",
        "source_filter",
        "chunking_column",
        "uniqueness_columns",
        "watermark_column",
        "row_limit",
        "run_id",
    }
)
#: What migrate_table cannot know by itself.
REQUIRED = ("source_database", "source_schema", "source_table")


class RequestParameters(Section):
    """The parameters of `migrate_table`, read."""

    source_database: SnowflakeNameField = Field(description="the database in Snowflake")
    source_schema: SnowflakeNameField = Field(description="the schema in Snowflake")
    source_table: SnowflakeNameField = Field(description="the table's name in Snowflake")
    target_schema: TargetField = DEFAULT_TARGET_SCHEMA
    #: None: the folded source name.
    target_table: Annotated[str | None, BeforeValidator(fields.optional(fields.target_name))] = None
    mode: ModeField = "full"
    source_filter: FilterField = None
    chunking_column: OptionalColumnField = None
    chunk_rows: RowsField = DEFAULT_CHUNK_ROWS
    uniqueness_columns: ColumnsField = ()
    watermark_column: OptionalColumnField = None
    publish: PublishField = "swap"
    #: None and 0: all rows.
    row_limit: Annotated[int | None, BeforeValidator(fields.optional(fields.whole_number(0, MOST_ROWS)))] = (
        None
    )
    file_format: FileFormatField = "parquet"
    load_method: LoadMethodField = "auto"
    max_file_size_mb: FileSizeField = DEFAULT_FILE_MB
    cleanup_after_load: FlagField = False
    verify: VerifyField = "fingerprint"
    reconcile_deletes: FlagField = False
    narrow_numbers: FlagField = False
    run_id: Annotated[str | None, BeforeValidator(fields.optional(fields.run_id))] = None


NAMES: tuple[str, ...] = tuple(RequestParameters.model_fields)
#: Parameters that are policies of a table, which a run may set otherwise.
POLICIES = ("verify", "reconcile_deletes")


def default_parameters(config: Config | None, table: TableConfig | None) -> dict[str, Any]:
    """What each parameter is when nobody says otherwise, as a person would type it.

    :param config: None: the file cannot be used; the product's own defaults are taken.
    :param table: the table of the DAG; None for `migrate_table`, whose `REQUIRED` are then missing.
    """
    defaults: dict[str, Any] = {
        name: field.get_default()
        for name, field in RequestParameters.model_fields.items()
        if not field.is_required()
    }
    if config is not None:
        staging = config.s3_staging
        defaults["file_format"] = staging.file_format
        defaults["max_file_size_mb"] = staging.max_file_size_mb
        defaults["cleanup_after_load"] = staging.cleanup_after_load
    if table is not None:
        defaults.update({name: getattr(table, name) for name in NAMES if name not in {"run_id", *POLICIES}})
        defaults.update({name: getattr(table.policies, name) for name in POLICIES})
        for name in REQUIRED:
            defaults[name] = fields.written_snowflake_name(defaults[name])
        for name in ("target_schema", "target_table"):
            defaults[name] = fields.written_target_name(defaults[name])
    defaults["uniqueness_columns"] = list(defaults["uniqueness_columns"])
    return {name: defaults[name] for name in NAMES if name in defaults}


def fill_parameters(parameters: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters with everything that was not given, or was left blank, at its default.

    A form gives null for a cleared field and may give blank lines in a list: both are nothing.
    """
    filled = dict(defaults)
    for name, value in parameters.items():
        cleaned = _clean(value)
        if cleaned is None and name in CLEARABLE:
            filled[name] = [] if name == "uniqueness_columns" else None
        elif cleaned is not None or name not in NAMES:
            filled[name] = cleaned
    return filled


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, (list, tuple)):
        return [
            item for item in value if item is not None and not (isinstance(item, str) and not item.strip())
        ]
    return value
