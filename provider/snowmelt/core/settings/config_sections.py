"""The sections of the configuration file that hold for all tables."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Field

from snowmelt.core.settings.fields import (
    bucket_name,
    connection_id,
    file_size_mb,
    flag,
    one_of,
    optional,
    snowflake_name,
    warehouse_size,
    whole_number,
)
from snowmelt.core.settings.prefixes import DEFAULT_PATTERN, prefix_pattern
from snowmelt.core.settings.readings import Section

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
