"""The extension aws_s3: whether it can be used, the options of an import by the server itself, and what it answers.

Source: Amazon RDS "Importing data from Amazon S3".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import psycopg

from snowmelt.errors import StagingError
from snowmelt.rights.postgres import CREATE_AWS_S3, aws_s3_grants, grant_statements
from snowmelt.unload.statements import COPY_OPTIONS

#: `table_import_from_s3` answers in words; stand-ins may answer with the number alone.
_IMPORTED = re.compile(
    r"(?P<rows>\d+)(?: rows imported into relation .* from file .* of (?P<bytes>\d+) bytes)?", re.DOTALL
)


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


def build_aws_s3_options() -> str:
    """The `options` argument of `aws_s3.table_import_from_s3`: COPY's own text in parentheses."""
    return f"({COPY_OPTIONS})"


@dataclass(frozen=True, slots=True)
class Imported:
    """What `aws_s3.table_import_from_s3` said that it did."""

    rows: int
    #: None where the answer was the bare number of rows.
    bytes: int | None


def parse_imported(answer: object) -> Imported:
    """The rows and bytes of `87701673 rows imported into relation "t" from file x.csv of 6539180310 bytes`.

    :raises StagingError: when the answer says neither; the transaction must then be rolled back.
    """
    match = _IMPORTED.fullmatch(str(answer).strip())
    if match is None:
        raise StagingError(
            f"aws_s3.table_import_from_s3 answered {str(answer)[:200]!r}, from which no row count can be read. "
            "Nothing was committed; load with load_method copy."
        )
    return Imported(int(match["rows"]), int(match["bytes"]) if match["bytes"] else None)
