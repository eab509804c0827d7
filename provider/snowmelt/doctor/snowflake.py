"""The Snowflake side: the session, its role and its warehouse."""

from __future__ import annotations

from snowmelt.doctor import findings as remedies
from snowmelt.doctor.findings import Finding, Status, found
from snowmelt.drivers.snowflake import Connection, read_named_rows, read_rows
from snowmelt.errors import SnowmeltError
from snowmelt.rights.snowflake import SourceKind
from snowmelt.sql.names import TableName, snowflake_identifier, snowflake_literal

_WHO = "SELECT CURRENT_USER(), CURRENT_ROLE(), CURRENT_WAREHOUSE(), CURRENT_REGION(), CURRENT_VERSION()"


def read_role(session: Connection) -> str:
    """The session's role; `<role>` where it has none, as a remedy then shows it."""
    row = read_rows(session, "SELECT CURRENT_ROLE()", "Reading the session's role")[0]
    return str(row[0] or "<role>")


def check_session(session: Connection, conn_id: str) -> list[Finding]:
    """Who the session is, and what it lacks."""
    user, role, warehouse, region, version = read_rows(session, _WHO, "Asking Snowflake who is logged in")[0]
    check = "Snowflake session"
    lacks = [name for name, value in (("role", role), ("warehouse", warehouse)) if not value]
    if lacks:
        advice = "Set it in the connection's extra (or snowflake_unload.warehouse), or for the user."
        return [
            found(
                check,
                conn_id,
                Status.WRONG,
                f"logged in as {user} without {' and '.join(lacks)}. {advice}",
                remedies.set_defaults(str(user), lacks),
            )
        ]
    text = f"{user} with the role {role} and the warehouse {warehouse}, {region}, version {version}"
    return [found(check, conn_id, Status.OK, text)]


def check_warehouse(session: Connection, conn_id: str, size: str | None) -> Finding:
    """Whether the role may change the size of the session's warehouse, where `warehouse_size` is configured.

    MODIFY is asked for by setting a property to the value that it has: AUTO_RESUME, which no run changes.
    """
    check = "Warehouse"
    if size is None:
        return found(check, conn_id, Status.OK, "no warehouse_size is configured: USAGE is enough")
    name = str(read_rows(session, "SELECT CURRENT_WAREHOUSE()", "Reading the session's warehouse")[0][0])
    quoted = snowflake_identifier(name)
    remedy = remedies.grant_warehouse(name, read_role(session))
    doing = f"Trying to change {quoted}, for warehouse_size {size}"
    try:
        rows = read_named_rows(session, f"SHOW WAREHOUSES LIKE {snowflake_literal(name)}", doing)
        own = next((row for row in rows if row["name"] == name), None)
        if own is None:
            return found(check, name, Status.WRONG, "the role does not see the warehouse's size", remedy)
        value = "TRUE" if str(own["auto_resume"]).lower() == "true" else "FALSE"
        read_rows(session, f"ALTER WAREHOUSE {quoted} SET AUTO_RESUME = {value}", doing)
    except SnowmeltError as error:
        return found(check, name, Status.WRONG, error, remedy)
    return found(check, name, Status.OK, f"{own['size']}; the role may change it to {size}")


#: SHOW OBJECTS: a column that is Y, or a word of `kind`, and what that makes of an object.
_FLAGS = {
    "is_dynamic": SourceKind.DYNAMIC_TABLE,
    "is_external": SourceKind.EXTERNAL_TABLE,
    "is_iceberg": SourceKind.ICEBERG_TABLE,
}
_WORDS = {kind.words: kind for kind in SourceKind}


def read_kind(session: Connection, table: TableName) -> SourceKind | None:
    """What a source is, as far as the role sees it; None where it sees nothing of that name."""
    doing = f"Reading what {table} is"
    try:
        databases = read_named_rows(
            session, f"SHOW DATABASES LIKE {snowflake_literal(table.database)}", doing
        )
        own = next((row for row in databases if row["name"] == table.database), {})
        if str(own.get("kind", "")).upper() == "IMPORTED DATABASE":
            return SourceKind.IMPORTED
        schema = snowflake_identifier(table.database, table.schema)
        like = snowflake_literal(table.table)
        objects = read_named_rows(session, f"SHOW OBJECTS LIKE {like} IN SCHEMA {schema}", doing)
    except SnowmeltError:
        return None
    row = next((row for row in objects if row["name"] == table.table), None)
    if row is None:
        return None
    flagged = (kind for flag, kind in _FLAGS.items() if str(row.get(flag, "")).upper() in {"Y", "TRUE"})
    return next(flagged, None) or _WORDS.get(str(row["kind"]).upper(), SourceKind.TABLE)
