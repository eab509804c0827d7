"""The sections of the configuration file that hold for all tables.

Section `execution`: how hard a run may lean on Airflow and on PostgreSQL. Nothing here changes what is copied.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Field

from snowmelt.config.fields import (
    bucket_name,
    connection_id,
    file_size_mb,
    flag,
    one_of,
    optional,
    plain_text,
    snowflake_name,
    warehouse_size,
    whole_number,
)
from snowmelt.config.prefixes import DEFAULT_PATTERN, prefix_pattern
from snowmelt.config.reading import Section

FileFormat = Literal["parquet", "csv"]
Compression = Literal["snappy", "gzip", "none"]

DEFAULT_FILE_MB = 100

FileFormatField = Annotated[FileFormat, BeforeValidator(one_of(get_args(FileFormat)))]
CompressionField = Annotated[Compression | None, BeforeValidator(optional(one_of(get_args(Compression))))]
FileSizeField = Annotated[int, BeforeValidator(file_size_mb)]
FlagField = Annotated[bool, BeforeValidator(flag)]
SnowflakeNameField = Annotated[str, BeforeValidator(snowflake_name)]
OptionalSnowflakeNameField = Annotated[str | None, BeforeValidator(optional(snowflake_name))]
ConnectionField = Annotated[str, BeforeValidator(connection_id)]
OptionalConnectionField = Annotated[str | None, BeforeValidator(optional(connection_id))]


PrefixPatternField = Annotated[str, BeforeValidator(prefix_pattern)]
WarehouseSizeField = Annotated[str | None, BeforeValidator(optional(warehouse_size))]


class S3Staging(Section):
    """Section `s3_staging`: where the files stand in between, and what they are like."""

    #: The bucket's name, without s3://.
    bucket: Annotated[str, BeforeValidator(bucket_name)] = Field(description="the name of an S3 bucket")
    #: Folders of a table, with placeholders; ends in a slash.
    prefix_pattern: PrefixPatternField = DEFAULT_PATTERN
    file_format: FileFormatField = "parquet"
    #: None: the best for the format and the way of loading (`choose_compression`).
    compression: CompressionField = None
    #: The upper bound of a file, in MB of 1,048,576 bytes.
    max_file_size_mb: FileSizeField = DEFAULT_FILE_MB
    #: Whether the files of a run are removed once it is published and verified.
    cleanup_after_load: FlagField = False


class SnowflakeUnload(Section):
    """Section `snowflake_unload`: by which stage and warehouse Snowflake writes the files. Names as Snowflake stores them."""

    storage_integration: OptionalSnowflakeNameField = None
    stage_name: OptionalSnowflakeNameField = None
    stage_database: OptionalSnowflakeNameField = None
    stage_schema: OptionalSnowflakeNameField = None
    #: None: the connection's.
    warehouse: OptionalSnowflakeNameField = None
    #: The size it is set to for the unload; None: as it is.
    warehouse_size: WarehouseSizeField = None
    #: Seconds after which Snowflake cancels a statement of Snowmelt's; None: the account's own limit.
    statement_timeout_s: Annotated[int | None, BeforeValidator(optional(whole_number(1, 604_800)))] = None


class Connections(Section):
    """Section `connections`: ids of Airflow connections, which alone hold keys and passwords."""

    snowflake: ConnectionField = "snowflake_default"
    #: Reads the bucket, no more.
    aws: ConnectionField = "aws_default"
    postgres: ConnectionField = "postgres_default"
    #: May remove objects. None: Snowflake removes them through the stage.
    aws_cleanup: OptionalConnectionField = None


class ConnectionOverrides(Section):
    """A table's own `connections`; what is not given is as in the file's section."""

    snowflake: OptionalConnectionField = None
    aws: OptionalConnectionField = None
    postgres: OptionalConnectionField = None
    aws_cleanup: OptionalConnectionField = None

    def over(self, connections: Connections) -> Connections:
        """The connections of a table."""
        return connections.model_copy(update=self.model_dump(exclude_none=True))


def choose_compression(file_format: FileFormat, load_method: str, wished: Compression | None) -> Compression:
    """The compression of a run's files.

    Snappy for Parquet. None for CSV unless it is streamed for certain (load_method copy), where it is gzip: aws_s3
    reads gzip only with a Content-Encoding that Snowflake does not set. A wish that the format or aws_s3 cannot take is
    one for other files and is left aside.
    """
    if file_format == "csv" and load_method == "aws_s3":
        return "none"
    if wished is not None and wished in COMPRESSIONS[file_format]:
        return wished
    if file_format == "parquet":
        return "snappy"
    return "gzip" if load_method == "copy" else "none"


#: What Snowmelt can load again, of what Snowflake can write.
COMPRESSIONS: dict[FileFormat, tuple[Compression, ...]] = {
    "parquet": ("snappy", "none"),
    "csv": ("gzip", "none"),
}


DEFAULT_FINGERPRINT_ROWS = 50_000_000
#: Airflow keeps priorities in an integer of 32 bits, and adds those of the tasks downstream.
_MOST_PRIORITY = 1_000_000
_MOST_SECONDS = 7 * 24 * 3600

_Seconds = Annotated[int, BeforeValidator(whole_number(1, _MOST_SECONDS))]
_Tasks = Annotated[int | None, BeforeValidator(optional(whole_number(1, 1000)))]
_Pool = Annotated[str | None, BeforeValidator(optional(plain_text))]


class Execution(Section):
    """How the tasks of a table run. A table's own `execution` holds over the file's."""

    #: The Airflow pool of the unload and load tasks; None: Airflow's default pool.
    pool: _Pool = None
    #: Airflow's priority_weight of all tasks.
    priority: Annotated[int, BeforeValidator(whole_number(1, _MOST_PRIORITY))] = 1
    #: Unloads and loads of one run at the same time; None: as many as Airflow has room for.
    parallel_unloads: _Tasks = None
    parallel_loads: _Tasks = None
    #: Fingerprints are compared up to so many rows; beyond, and with 0, counts alone.
    fingerprint_rows: Annotated[int, BeforeValidator(whole_number(0, 10**15))] = DEFAULT_FINGERPRINT_ROWS
    #: Seconds that readers of the target can be kept waiting by a publish that itself waits for its lock.
    lock_timeout_s: _Seconds = 3
    #: Seconds from the first try for the lock to the last.
    lock_patience_s: _Seconds = 900
    #: Seconds that a swap waits for transactions which began before the load ended; 0: it does not.
    snapshot_wait_s: Annotated[int, BeforeValidator(whole_number(0, _MOST_SECONDS))] = 600
    #: max_parallel_maintenance_workers of an index build; None: the server's setting.
    index_workers: Annotated[int | None, BeforeValidator(optional(whole_number(0, 64)))] = None
    #: maintenance_work_mem of an index build, in MB; None: the server's setting.
    index_memory_mb: Annotated[int | None, BeforeValidator(optional(whole_number(1, 1_000_000)))] = None


class ExecutionOverrides(Section):
    """A table's own `execution`; what is not given is as in the file's section."""

    pool: _Pool = None
    priority: Annotated[int | None, BeforeValidator(optional(whole_number(1, _MOST_PRIORITY)))] = None
    parallel_unloads: _Tasks = None
    parallel_loads: _Tasks = None
    fingerprint_rows: Annotated[int | None, BeforeValidator(optional(whole_number(0, 10**15)))] = None
    lock_timeout_s: Annotated[int | None, BeforeValidator(optional(whole_number(1, _MOST_SECONDS)))] = None
    lock_patience_s: Annotated[int | None, BeforeValidator(optional(whole_number(1, _MOST_SECONDS)))] = None
    snapshot_wait_s: Annotated[int | None, BeforeValidator(optional(whole_number(0, _MOST_SECONDS)))] = None
    index_workers: Annotated[int | None, BeforeValidator(optional(whole_number(0, 64)))] = None
    index_memory_mb: Annotated[int | None, BeforeValidator(optional(whole_number(1, 1_000_000)))] = None

    def over(self, execution: Execution) -> Execution:
        """The execution of a table."""
        return execution.model_copy(update=self.model_dump(exclude_none=True))
