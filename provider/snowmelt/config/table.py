"""A table's `columns`: which are copied, under what name and type, and what stands in for them.

A source and a table as the file gives them, and the table as the rest of Snowmelt sees it: everything settled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field

from snowmelt.config import fields
from snowmelt.config.fields import column_name, refuse, target_name
from snowmelt.config.reading import Section
from snowmelt.config.sections import (
    Compression,
    CompressionField,
    ConnectionOverrides,
    Connections,
    Execution,
    ExecutionOverrides,
    FileFormat,
    FlagField,
    SnowflakeNameField,
)
from snowmelt.errors import SchemaError
from snowmelt.sql.names import TableName
from snowmelt.sql.text import find_text_faults
from snowmelt.vocabulary import OnChange

if TYPE_CHECKING:
    from snowmelt.types.columns import ColumnRules


def _postgres_type(value: Any) -> str:
    from snowmelt.types.type_names import parse_postgres_type

    expected = "a type of PostgreSQL, such as numeric(18,2)"
    if not isinstance(value, str):
        raise refuse(expected)
    try:
        return str(parse_postgres_type(value))
    except SchemaError as error:
        raise refuse(expected, str(error)) from None


def _snowflake_type(value: Any) -> str:
    from snowmelt.types.type_names import parse_snowflake_type

    expected = "the Snowflake type of the expression's result, such as VARCHAR(64)"
    if not isinstance(value, str):
        raise refuse(expected)
    try:
        return str(parse_snowflake_type(value))
    except SchemaError as error:
        raise refuse(expected, str(error)) from None


def _expression(value: Any) -> str:
    expected = 'one Snowflake expression, such as SHA2("Name")'
    if not isinstance(value, str) or not value.strip():
        raise refuse(expected)
    faults = find_text_faults(value.strip())
    if faults:
        raise refuse(expected, f"It holds {faults[0]}")
    return value.strip()


def _unlike(value: Any) -> Any:
    if value is None:
        return ()
    if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
        seen = [item.strip() for item in value]
        twice = next((item for place, item in enumerate(seen) if item in seen[:place]), None)
        if twice is not None:
            raise refuse("each column once", f'"{twice}" is there more than once.')
    return value


ColumnField = Annotated[str, BeforeValidator(column_name)]
OptionalColumnField = Annotated[
    str | None, BeforeValidator(lambda value: None if value is None else column_name(value))
]
ColumnsField = Annotated[tuple[ColumnField, ...], BeforeValidator(_unlike)]


class Mask(Section):
    """What is copied in place of a column."""

    #: A Snowflake expression over columns of the same table.
    expression: Annotated[str, BeforeValidator(_expression)] = Field(description="one Snowflake expression")
    #: The Snowflake type of its result.
    type: Annotated[str, BeforeValidator(_snowflake_type)] = Field(
        description="the Snowflake type of the result"
    )


class ColumnsConfig(Section):
    """The rules for a table's columns. Source columns are named to the letter, or as Snowflake reads them."""

    #: Only these are copied; all where empty.
    include: ColumnsField = ()
    exclude: ColumnsField = ()
    #: Source column → target column, to the letter.
    rename: dict[ColumnField, Annotated[str, BeforeValidator(target_name)]] = Field(default_factory=dict)
    #: Source column → PostgreSQL type.
    type: dict[ColumnField, Annotated[str, BeforeValidator(_postgres_type)]] = Field(default_factory=dict)
    mask: dict[ColumnField, Mask] = Field(default_factory=dict)
    #: TIMESTAMP_TZ columns whose offset goes into a second column, `<target>_offset`, in minutes.
    keep_offset: ColumnsField = ()
    #: Columns of an existing target that no source column fills.
    target_only: Annotated[
        tuple[Annotated[str, BeforeValidator(target_name)], ...], BeforeValidator(_unlike)
    ] = ()

    def rules(self) -> ColumnRules:
        """The rules as the planning of columns takes them."""
        from snowmelt.types.columns import ColumnRules, MaskRule

        return ColumnRules(
            include=self.include,
            exclude=self.exclude,
            rename=dict(self.rename),
            type=dict(self.type),
            mask={name: MaskRule(mask.expression, mask.type) for name, mask in self.mask.items()},
            keep_offset=self.keep_offset,
            target_only=self.target_only,
        )


Mode = Literal["full", "catch_up", "unload", "load", "test"]
Publish = Literal["swap", "truncate", "append"]
LoadMethod = Literal["auto", "copy", "aws_s3"]
BadRows = Literal["reject", "quarantine"]
Nanoseconds = Literal["refuse", "truncate"]
SchemaDrift = Literal["fail", "add_columns"]
LongNames = Literal["refuse", "shorten"]
Duplicates = Literal["last", "refuse"]
Verify = Literal["fingerprint", "counts"]

DEFAULT_CHUNK_ROWS = 5_000_000
MOST_ROWS = 10**15
DEFAULT_SCHEDULE = "0 2 * * *"
DEFAULT_QUARANTINE_LIMIT = 1000
DEFAULT_TARGET_SCHEMA = "public"
DEFAULT_DELETE_PERCENT = 10
DEFAULT_SHRINK_PERCENT = 50


def _filter(value: Any) -> str | None:
    expected = "one Snowflake predicate, as it would stand behind WHERE"
    if value is None:
        return None
    if not isinstance(value, str):
        raise fields.refuse(expected)
    text = value.strip()
    if not text:
        return None
    faults = find_text_faults(text, subqueries=True)  # whether they are allowed is another field's say
    if faults:
        advice = "Leave the word WHERE out." if text[:5].upper() == "WHERE" else f"It holds {faults[0]}"
        raise fields.refuse(expected, advice)
    return text


ModeField = Annotated[Mode, BeforeValidator(fields.one_of(get_args(Mode)))]
PublishField = Annotated[Publish, BeforeValidator(fields.one_of(get_args(Publish)))]
LoadMethodField = Annotated[LoadMethod, BeforeValidator(fields.one_of(get_args(LoadMethod)))]
FilterField = Annotated[str | None, BeforeValidator(_filter)]
RowsField = Annotated[int, BeforeValidator(fields.whole_number(1, MOST_ROWS))]
VerifyField = Annotated[Verify, BeforeValidator(fields.one_of(get_args(Verify)))]
TargetField = Annotated[str, BeforeValidator(fields.target_name)]
_ScheduleField = Annotated[str | None, BeforeValidator(fields.optional(fields.schedule))]
_OptionalFormat = Annotated[
    FileFormat | None, BeforeValidator(fields.optional(fields.one_of(get_args(FileFormat))))
]


class Policies(Section):
    """What happens to what does not fit by itself."""

    #: A row that PostgreSQL cannot hold: the load fails, or the row is set aside in snowmelt.rejected_row.
    bad_rows: Annotated[BadRows, BeforeValidator(fields.one_of(get_args(BadRows)))] = "reject"
    #: Rows set aside per run before it fails all the same.
    quarantine_limit: RowsField = DEFAULT_QUARANTINE_LIMIT
    #: Digits of a second beyond the sixth, which PostgreSQL does not have.
    nanoseconds: Annotated[Nanoseconds, BeforeValidator(fields.one_of(get_args(Nanoseconds)))] = "refuse"
    #: A source column that the existing target does not have.
    schema_drift: Annotated[SchemaDrift, BeforeValidator(fields.one_of(get_args(SchemaDrift)))] = "fail"
    #: A name of more than 63 bytes.
    long_names: Annotated[LongNames, BeforeValidator(fields.one_of(get_args(LongNames)))] = "refuse"
    #: How far a catch-up reaches back behind the last watermark: seconds, days of a DATE, or units of a NUMBER. None: an
    #: hour, a day, nothing.
    watermark_overlap: Annotated[
        int | None, BeforeValidator(fields.optional(fields.whole_number(0, 10**12)))
    ] = None
    #: Catch-up: one key in several rows of a delta. The row of the greatest watermark wins, or the run is refused.
    duplicates: Annotated[Duplicates, BeforeValidator(fields.one_of(get_args(Duplicates)))] = "last"
    #: Catch-up: rows whose key the target has are left as they are.
    inserts_only: FlagField = False
    #: Catch-up: remove rows whose key the source no longer has.
    reconcile_deletes: FlagField = False
    #: A run that would remove more than this share of the target, in percent, is refused.
    max_delete_percent: Annotated[int, BeforeValidator(fields.whole_number(0, 100))] = DEFAULT_DELETE_PERCENT
    #: Append and catch-up: drop the target's plain indexes first and build them again afterwards.
    defer_indexes: FlagField = False
    #: What has to agree before anything is published.
    verify: VerifyField = "fingerprint"
    #: Incremental: what happens where the target or its configuration is not as the last published run left it.
    on_change: Annotated[OnChange, BeforeValidator(fields.one_of(tuple(OnChange)))] = OnChange.FAIL
    #: A full run that would leave less than the rest of the target's rows is refused: percent that it may shrink by.
    max_shrink_percent: Annotated[int, BeforeValidator(fields.whole_number(0, 100))] = DEFAULT_SHRINK_PERCENT
    #: The watermark column may be a text, whose order is that of its bytes.
    text_watermark: FlagField = False
    #: The source_filter may ask other objects by subqueries.
    filter_subqueries: FlagField = False


class SourceEntry(Section):
    """One of `sources[]` as the file gives it; its tables are read one by one."""

    source_name: Annotated[str, BeforeValidator(fields.plain_text)] = Field(
        description="a short name for this source; it stands in the ids of its DAGs"
    )
    enabled: FlagField = True
    source_database: SnowflakeNameField = Field(description="the database in Snowflake")
    source_schema: SnowflakeNameField = Field(description="the schema in Snowflake")
    target_schema: TargetField = DEFAULT_TARGET_SCHEMA
    #: For its tables that give none themselves.
    schedule: _ScheduleField = DEFAULT_SCHEDULE
    tables: tuple[Any, ...] = Field(description="a list of tables")


class TableEntry(Policies):
    """One of `tables[]` as the file gives it; what is None is settled from the source or the file's sections."""

    source: SnowflakeNameField = Field(description="the table's name in Snowflake")
    #: None: the folded source name.
    target: Annotated[str | None, BeforeValidator(fields.optional(fields.target_name))] = None
    enabled: FlagField = True
    #: None: catch_up when there is a watermark_column, else full.
    mode: Annotated[Mode | None, BeforeValidator(fields.optional(fields.one_of(get_args(Mode))))] = None
    source_filter: FilterField = None
    chunking_column: OptionalColumnField = None
    chunk_rows: RowsField = DEFAULT_CHUNK_ROWS
    uniqueness_columns: ColumnsField = ()
    watermark_column: OptionalColumnField = None
    publish: PublishField = "swap"
    #: Rows of a run in mode test.
    row_limit: Annotated[int | None, BeforeValidator(fields.optional(fields.whole_number(1, MOST_ROWS)))] = (
        None
    )
    load_method: LoadMethodField = "auto"
    #: None: as in s3_staging; so are the next three.
    file_format: _OptionalFormat = None
    compression: CompressionField = None
    max_file_size_mb: Annotated[int | None, BeforeValidator(fields.optional(fields.file_size_mb))] = None
    cleanup_after_load: Annotated[bool | None, BeforeValidator(fields.optional(fields.flag))] = None
    #: Whole numbers of a new table get the smallest type that takes their values.
    narrow_numbers: FlagField = False
    columns: ColumnsConfig = ColumnsConfig()
    schedule: _ScheduleField = None
    connections: ConnectionOverrides = ConnectionOverrides()
    execution: ExecutionOverrides = ExecutionOverrides()


class TableConfig(Section):
    """A configured table, complete."""

    #: Where it stands in the file: `sources[0].tables[2]`.
    path: str
    dag_id: str
    source_name: str
    #: To the letter, as Snowflake stores them.
    source_database: str
    source_schema: str
    source_table: str
    #: To the letter, as PostgreSQL stores them.
    target_schema: str
    target_table: str
    #: Whether both the source and the table are.
    enabled: bool
    #: Cron or preset, in UTC; None: only when triggered.
    schedule: str | None
    mode: Mode
    source_filter: str | None
    chunking_column: str | None
    #: Rows aimed at in a chunk; without a chunking_column there is one chunk.
    chunk_rows: int
    uniqueness_columns: tuple[str, ...]
    watermark_column: str | None
    publish: Publish
    row_limit: int | None
    load_method: LoadMethod
    file_format: FileFormat
    #: As wished; `choose_compression` settles it.
    compression: Compression | None
    max_file_size_mb: int
    cleanup_after_load: bool
    narrow_numbers: bool
    columns: ColumnsConfig
    policies: Policies
    connections: Connections
    execution: Execution

    @property
    def source(self) -> TableName:
        """The table in Snowflake."""
        return TableName(self.source_database, self.source_schema, self.source_table)
