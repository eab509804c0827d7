"""The PostgreSQL side: session, ledger, aws_s3."""

from __future__ import annotations

from typing import Any

import psycopg

from snowmelt.doctor import findings as remedies
from snowmelt.doctor.findings import Finding, Remedy, Status, found
from snowmelt.drivers.postgres_errors import postgres_failures
from snowmelt.errors import SnowmeltError
from snowmelt.ledger.runs import write_ledger
from snowmelt.load.aws_s3 import aws_s3_reason
from snowmelt.rights.postgres import LEDGER_RIGHTS

Connection = psycopg.Connection[Any]

_READ_SERVER = """
SELECT current_user, current_database(), current_setting('server_version_num')::int, current_setting('server_encoding'),
       pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on',
       (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
"""

#: Tables of the ledger on which the role lacks a right. Parameter: the rights.
_READ_LACKING = """
SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = to_regnamespace('snowmelt') AND c.relkind = 'r'
  AND EXISTS (SELECT FROM unnest(%s::text[]) AS privilege WHERE NOT has_table_privilege(c.oid, privilege)) ORDER BY 1
"""
_HAS_EXTENSION = "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'aws_s3')"


def check_session(connection: Connection, conn_id: str) -> list[Finding]:
    """Who and where the session is, and whether it can write."""
    check = "PostgreSQL session"
    with postgres_failures("Asking PostgreSQL who is logged in"):
        row = connection.execute(_READ_SERVER).fetchone()
    role, database, version, encoding, read_only, superuser = row or ("", "", 0, "", False, False)
    where = f"{role} on {database}, version {version // 10000}.{version % 10000}"
    if read_only:
        advice = Remedy("Airflow", ("Let the connection point to the writer, not to a replica.",))
        return [found(check, conn_id, Status.WRONG, f"{where}: the server only reads", advice)]
    if encoding != "UTF8":
        advice = Remedy("PostgreSQL", ("Create the target database with ENCODING 'UTF8'.",))
        return [found(check, conn_id, Status.WRONG, f"{where}: the encoding is {encoding}", advice)]
    if superuser:
        advice = Remedy("Airflow", ("Give the connection a role of its own: see docs/security.md.",))
        return [found(check, conn_id, Status.ATTENTION, f"{where}: a superuser, which no copy needs", advice)]
    return [found(check, conn_id, Status.OK, where)]


def check_ledger(connection: Connection, conn_id: str) -> list[Finding]:
    """Whether the ledger can be made, or written: it is made in a transaction that is rolled back."""
    role = connection.info.user
    try:
        with (
            postgres_failures("Making the ledger (schema snowmelt), and undoing it"),
            connection.transaction(force_rollback=True),
        ):
            write_ledger(connection)
            tables = connection.execute(_READ_LACKING, (list(LEDGER_RIGHTS.table),))
            lacking = [str(name) for (name,) in tables]
            if lacking:
                text = f"the role {role} may not read and write {', '.join(lacking)}"
                return [
                    found("Ledger", conn_id, Status.WRONG, text, remedies.grant_ledger(role, exists=True))
                ]
    except SnowmeltError as error:
        exists = connection.execute("SELECT to_regnamespace('snowmelt') IS NOT NULL").fetchone() == (True,)
        return [found("Ledger", conn_id, Status.WRONG, error, remedies.grant_ledger(role, exists=exists))]
    return [found("Ledger", conn_id, Status.OK, f"{role} may keep it in the schema snowmelt")]


def check_aws_s3(connection: Connection, conn_id: str, *, needed: bool) -> list[Finding]:
    """Whether the extension can be used; only wrong where the configuration says `load_method` aws_s3."""
    reason = aws_s3_reason(connection)
    if reason is None:
        return [found("aws_s3", conn_id, Status.OK, "the role may use the extension")]
    installed = connection.execute(_HAS_EXTENSION).fetchone() == (True,)
    remedy = remedies.grant_aws_s3(connection.info.user, installed=installed)
    if needed:
        return [found("aws_s3", conn_id, Status.WRONG, reason, remedy)]
    text = f"{reason}; no table asks for it, and CSV is streamed instead"
    return [found("aws_s3", conn_id, Status.OK, text)]
