"""Which way a run's files go into PostgreSQL."""

from __future__ import annotations

from typing import Literal

from snowmelt.core.troubleshooting import Topic, see
from snowmelt.errors import ConfigurationError

LoadMethod = Literal["copy", "aws_s3"]


def choose_load_method(
    wished: str, file_format: str, compression: str, *, aws_s3_reason: str | None
) -> tuple[LoadMethod, str]:
    """The way, and why, for the log.

    :param wished: auto, copy or aws_s3.
    :param aws_s3_reason: why the server's aws_s3 extension cannot be used; None when it can.
    :raises ConfigurationError: aws_s3 is wished and cannot work.
    """
    if file_format == "parquet":
        if wished == "aws_s3":
            raise ConfigurationError(
                "load_method is aws_s3 and file_format is parquet: aws_s3.table_import_from_s3 takes what COPY takes, which Parquet is not. "
                'Set file_format to "csv", or load_method to "copy" or "auto".'
            )
        return "copy", "Parquet is decoded here and sent as binary COPY"
    if wished == "copy":
        return "copy", "CSV is streamed from S3 into COPY, as load_method says"
    if compression != "none":
        if wished == "aws_s3":
            raise ConfigurationError(
                f"load_method is aws_s3 and compression is {compression}: aws_s3 unpacks gzip only where the object carries "
                'Content-Encoding: gzip, which Snowflake does not set. Set compression to "none". '
                f"{see(Topic.GZIP_CONTENT_ENCODING)}"
            )
        return "copy", f"CSV with compression {compression} is streamed from S3 into COPY"
    if aws_s3_reason is not None:
        if wished == "aws_s3":
            raise ConfigurationError(
                f'load_method is aws_s3, and {aws_s3_reason}. Mend that, or set load_method to "copy" or "auto". '
                f"{see(Topic.AWS_S3_MISSING)}"
            )
        return "copy", f"CSV is streamed from S3 into COPY, since {aws_s3_reason}"
    return "aws_s3", "CSV is read from S3 by the server's own aws_s3 extension"
