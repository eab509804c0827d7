"""How a run's files get into PostgreSQL: the one rule that planning and the load operator call. What aws_s3 takes: vocabulary.py."""

from __future__ import annotations

from snowmelt.errors import ConfigurationError, Topic
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
