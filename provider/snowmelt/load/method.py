"""Which way a run's files go into PostgreSQL.

Whether the server can import from S3 by itself.
"""

from __future__ import annotations

from typing import Any, Literal

import psycopg

from snowmelt.errors import ConfigurationError, Topic, see
from snowmelt.rights.postgres import CREATE_AWS_S3, aws_s3_grants, grant_statements

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


#: Asked first: without USAGE the names of the function and its type cannot even be looked up.
_READ_SCHEMAS = """
SELECT count(*) FILTER (WHERE has_schema_privilege(oid, 'USAGE')), count(*)
FROM pg_namespace WHERE nspname IN ('aws_s3', 'aws_commons')
"""
_READ_FUNCTION = """
SELECT p.oid IS NOT NULL, coalesce(has_function_privilege(p.oid, 'EXECUTE'), false)
FROM (SELECT to_regprocedure('aws_s3.table_import_from_s3(text,text,text,aws_commons._s3_uri_1)')::oid AS oid) AS p
"""
_SCHEMAS = 2


def aws_s3_reason(connection: psycopg.Connection[Any]) -> str | None:
    """Why `aws_s3.table_import_from_s3` cannot be used over this connection; None when it can."""
    missing = f"the extension aws_s3 is not installed ({CREATE_AWS_S3})"
    usable, there = connection.execute(_READ_SCHEMAS).fetchone() or (0, 0)
    if there < _SCHEMAS:
        return missing
    exists, allowed = True, False
    if usable == _SCHEMAS:
        exists, allowed = connection.execute(_READ_FUNCTION).fetchone() or (False, False)
    if not exists:
        return missing
    if not allowed:
        role = connection.info.user
        statements = "; ".join(grant_statements(aws_s3_grants(), role))
        return f"the role {role} may not use the extension aws_s3 ({statements})"
    return None
