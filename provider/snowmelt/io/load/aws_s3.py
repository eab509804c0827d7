"""Whether the server can import from S3 by itself."""

from __future__ import annotations

from typing import Any

import psycopg

from snowmelt.core.quoting import postgres_identifier

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
    missing = "the extension aws_s3 is not installed (CREATE EXTENSION aws_s3 CASCADE)"
    usable, there = connection.execute(_READ_SCHEMAS).fetchone() or (0, 0)
    if there < _SCHEMAS:
        return missing
    exists, allowed = True, False
    if usable == _SCHEMAS:
        exists, allowed = connection.execute(_READ_FUNCTION).fetchone() or (False, False)
    if not exists:
        return missing
    if not allowed:
        role = postgres_identifier(connection.info.user)
        return f"the role {role} may not use the extension aws_s3 (GRANT USAGE ON SCHEMA aws_s3, aws_commons TO {role}; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA aws_s3 TO {role})"
    return None
