"""How a run's files get into PostgreSQL, and what a file is loaded into.

The method: the one rule that planning and the load operator call (what aws_s3 takes: `vocabulary.py`). The target: a table, and for each of
its columns the column of the file that fills it.
"""

from __future__ import annotations

from dataclasses import dataclass

from snowmelt.errors import ConfigurationError, Topic
from snowmelt.sql.names import postgres_identifier
from snowmelt.types.columns import Column
from snowmelt.types.type_names import PostgresType, parse_postgres_type
from snowmelt.types.type_table import Form
from snowmelt.vocabulary import Compression, FileFormat, LoadMethod


def choose_load_method(
    requested: LoadMethod, file_format: FileFormat, compression: Compression, *, aws_s3_reason: str | None
) -> LoadMethod:
    """`copy` or `aws_s3`; `auto` is aws_s3 wherever that can be.

    :param aws_s3_reason: why the server's aws_s3 extension cannot be used; None when it can.
    :raises ConfigurationError: aws_s3 is requested and cannot work.
    """
    if requested is LoadMethod.COPY:
        return LoadMethod.COPY
    obstacle = LoadMethod.AWS_S3.find_obstacle(file_format, compression)
    if obstacle is None and aws_s3_reason is None:
        return LoadMethod.AWS_S3
    if requested is LoadMethod.AUTO:
        return LoadMethod.COPY
    if obstacle is None:
        raise ConfigurationError(
            f'load_method is aws_s3, and {aws_s3_reason}. Correct that, or set load_method to "copy" or "auto".',
            topic=Topic.AWS_S3_MISSING,
        )
    raise ConfigurationError(
        f"load_method is aws_s3 with file_format {file_format} and compression {compression}: {obstacle}. "
        f'Set file_format to "csv" and compression to "none", or load_method to "copy" or "auto".',
        topic=Topic.GZIP_CONTENT_ENCODING,
    )


@dataclass(frozen=True, slots=True)
class LoadColumn:
    """One column on its way from a staged file into a table."""

    #: Its name in the file (Parquet, or the CSV header), to the letter.
    file_name: str
    #: How its values are written in the file.
    form: Form
    #: Its name in the table, to the letter, and its type there.
    target: str
    target_type: PostgresType
    #: False where the table says NOT NULL.
    nullable: bool = True
    #: CSV: a text of more characters than these ends with a mark that is not its own; None: no text does.
    text_limit: int | None = None

    @classmethod
    def of(cls, column: Column) -> LoadColumn:
        """The planned column on its way into the table."""
        return cls(
            column.source,
            column.form,
            column.target,
            parse_postgres_type(column.target_type),
            column.nullable,
            column.text_limit,
        )


@dataclass(frozen=True, slots=True)
class LoadTarget:
    """The table that a file is copied into: the staging table of a run, or any table of a single operator."""

    schema: str
    table: str
    #: In the order of the COPY; every column of the file is here once.
    columns: tuple[LoadColumn, ...]
    #: Those of the staged hash (types/staged_hash.py); none: it is not computed.
    hashed: tuple[LoadColumn, ...] = ()

    @property
    def name(self) -> str:
        """The quoted name, `"bi"."orders"`."""
        return postgres_identifier(self.schema, self.table)

    @property
    def column_list(self) -> str:
        """The quoted columns, `"id", "Visit Id"`."""
        return ", ".join(postgres_identifier(column.target) for column in self.columns)
