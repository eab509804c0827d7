"""Whether the server can import from S3 by itself."""

from __future__ import annotations

from typing import Any

import psycopg

_READ_USABLE = """
SELECT p.oid IS NOT NULL,
       coalesce(has_function_privilege(p.oid, 'EXECUTE'), false)
         AND coalesce(has_schema_privilege(to_regnamespace('aws_s3')::oid, 'USAGE'), false)
         AND coalesce(has_schema_privilege(to_regnamespace('aws_commons')::oid, 'USAGE'), false)
FROM (SELECT to_regprocedure('aws_s3.table_import_from_s3(text,text,text,aws_commons._s3_uri_1)')::oid AS oid) AS p
"""


def aws_s3_reason(connection: psycopg.Connection[Any]) -> str | None:
    """Why `aws_s3.table_import_from_s3` cannot be used over this connection; None when it can."""
    if connection.execute(
        "SELECT to_regnamespace('aws_s3') IS NULL OR to_regtype('aws_commons._s3_uri_1') IS NULL"
    ).fetchone() == (True,):
        return "the extension aws_s3 is not installed (CREATE EXTENSION aws_s3 CASCADE)"
    row = connection.execute(_READ_USABLE).fetchone()
    if row is None or not row[0]:
        return "the extension aws_s3 is not installed (CREATE EXTENSION aws_s3 CASCADE)"
    if not row[1]:
        role = connection.info.user
        return f'the role "{role}" may not use the extension aws_s3 (GRANT USAGE ON SCHEMA aws_s3, aws_commons TO "{role}"; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA aws_s3 TO "{role}")'
    return None
