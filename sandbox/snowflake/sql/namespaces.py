"""Databases, schemas, warehouses: CREATE, ALTER, DROP, USE."""

from __future__ import annotations

import time
from typing import Any

from sandbox.snowflake import errors
from sandbox.snowflake.catalog.catalog import Catalog, Database, Schema, Warehouse
from sandbox.snowflake.catalog.names import ObjectName, show
from sandbox.snowflake.catalog.results import SUCCESS, USE, Result, status_result
from sandbox.snowflake.catalog.rights import OWNERSHIP
from sandbox.snowflake.rewriting.scanner import Scanner
from sandbox.snowflake.sql import changes, grants
from sandbox.snowflake.sql.statement import Statement

_DROPPED = "Drop statement executed successfully (object already dropped)."
_SIZES = {"XSMALL": "X-Small", "SMALL": "Small", "MEDIUM": "Medium", "LARGE": "Large", "XLARGE": "X-Large",
          "XXLARGE": "2X-Large", "X2LARGE": "2X-Large", "XXXLARGE": "3X-Large", "X3LARGE": "3X-Large",
          "X4LARGE": "4X-Large", "2XLARGE": "2X-Large", "3XLARGE": "3X-Large", "4XLARGE": "4X-Large",
          "5XLARGE": "5X-Large", "6XLARGE": "6X-Large", "X5LARGE": "5X-Large", "X6LARGE": "6X-Large"}  # fmt: skip


def _schema_of(statement: Statement, parts: list[str]) -> tuple[str, str]:
    if len(parts) > 1:
        return parts[0], parts[1]
    if statement.session.database is None:
        raise errors.no_database("this statement")
    return statement.session.database, parts[0]


def _head(scanner: Scanner, *kind: str) -> tuple[bool, bool]:
    """CREATE [OR REPLACE] [TRANSIENT] kind [IF NOT EXISTS]: (replace, unless)."""
    scanner.expect("CREATE")
    replace = scanner.accept("OR", "REPLACE")
    scanner.accept("TRANSIENT")
    scanner.expect(*kind)
    return replace, scanner.accept("IF", "NOT", "EXISTS")


def create_database(statement: Statement) -> Result:
    changes.commit(statement.store, statement.session, statement.query.id)
    scanner = statement.scanner()
    replace, unless = _head(scanner, "DATABASE")
    name = scanner.identifier()
    catalog = statement.store.catalog
    statement.rights.require_account("CREATE DATABASE")
    with catalog.lock:
        if name in catalog.databases and not replace:
            if unless:
                return status_result(f"{show(name)} already exists, statement succeeded.")
            raise errors.already_exists(show(name))
        share = scanner.name()[-1] if scanner.accept("FROM", "SHARE") else None
        options = scanner.options()
        now = time.time()
        database = Database(
            name, now, str(options.get("COMMENT", "")), int(options.get("DATA_RETENTION_TIME_IN_DAYS", 1))
        )
        database.schemas["PUBLIC"] = Schema("PUBLIC", now)
        if share is not None:  # the share of a database bears its name; it shows what is in it
            database.imported, database.schemas = True, catalog.database(share).schemas
        if old := catalog.databases.get(name):
            _discard(statement, [] if old.imported else list(old.schemas.values()))
        statement.rights.settle(database)
        catalog.databases[name] = database
    statement.session.database, statement.session.schema = name, "PUBLIC"
    statement.store.save()
    return status_result(f"Database {show(name)} successfully created.")


def create_schema(statement: Statement) -> Result:
    changes.commit(statement.store, statement.session, statement.query.id)
    scanner = statement.scanner()
    replace, unless = _head(scanner, "SCHEMA")
    database, name = _schema_of(statement, scanner.name())
    catalog = statement.store.catalog
    _require_database(statement, database, "CREATE SCHEMA")
    with catalog.lock:
        schemas = catalog.database(database).schemas
        if name in schemas and not replace:
            if unless:
                return status_result(f"{show(name)} already exists, statement succeeded.")
            raise errors.already_exists(show(name))
        scanner.accept("WITH", "MANAGED", "ACCESS")
        options = scanner.options()
        if name in schemas:
            _discard(statement, [schemas[name]])
        retention = int(options.get("DATA_RETENTION_TIME_IN_DAYS", catalog.database(database).retention_days))
        schemas[name] = Schema(name, time.time(), str(options.get("COMMENT", "")), retention)
        statement.rights.settle(schemas[name], database)
    statement.session.database, statement.session.schema = database, name
    statement.store.save()
    return status_result(f"Schema {show(name)} successfully created.")


def _require_database(statement: Statement, name: str, privilege: str) -> None:
    found = statement.store.catalog.database(name)
    statement.rights.require(found, privilege, show(name), errors.missing("Database", show(name)))


def _discard(statement: Statement, schemas: list[Schema]) -> None:
    tables = [t for s in schemas for t in s.tables.values()]
    storages = {t.storage for t in tables} | {v.storage for t in tables for v in t.versions}
    statement.store.discard(storages - {""})


def drop_database(statement: Statement) -> Result:
    scanner = statement.scanner()
    scanner.expect("DROP", "DATABASE")
    if_exists = scanner.accept("IF", "EXISTS")
    name = scanner.identifier()
    catalog = statement.store.catalog
    if name not in catalog.databases and if_exists:
        return status_result(_DROPPED)
    _require_database(statement, name, OWNERSHIP)
    with catalog.lock:
        old = catalog.database(name)
        _discard(statement, [] if old.imported else list(old.schemas.values()))
        del catalog.databases[name]
    if statement.session.database == name:
        statement.session.database = statement.session.schema = None
    statement.store.save()
    return status_result(f"{show(name)} successfully dropped.")


def drop_schema(statement: Statement) -> Result:
    scanner = statement.scanner()
    scanner.expect("DROP", "SCHEMA")
    if_exists = scanner.accept("IF", "EXISTS")
    database, name = _schema_of(statement, scanner.name())
    catalog = statement.store.catalog
    if if_exists and name not in getattr(catalog.databases.get(database), "schemas", {}):
        return status_result(_DROPPED)
    statement.rights.require_schema(ObjectName(database, name, ""), OWNERSHIP)
    with catalog.lock:
        _discard(statement, [catalog.schema(database, name)])
        del catalog.databases[database].schemas[name]
    if (statement.session.database, statement.session.schema) == (database, name):
        statement.session.schema = None
    statement.store.save()
    return status_result(f"{show(name)} successfully dropped.")


def use(statement: Statement) -> Result:
    scanner, session, catalog = statement.scanner(), statement.session, statement.store.catalog
    scanner.expect("USE")
    if scanner.accept("ROLE"):
        grants.use_role(statement, scanner.identifier())
    elif scanner.accept("SECONDARY", "ROLES"):
        grants.use_secondary_roles(statement, scanner)
    elif scanner.accept("WAREHOUSE"):
        name = scanner.identifier()
        if not statement.rights.usable_warehouse(name):
            raise errors.not_there()
        session.warehouse = name
    elif scanner.accept("SCHEMA"):
        database, name = _schema_of(statement, scanner.name())
        statement.rights.enter(database, name)
        catalog.schema(database, name)
        session.database, session.schema = database, name
    else:
        scanner.accept("DATABASE")
        parts = scanner.name()
        statement.rights.enter(*parts[:2])
        if len(parts) == 2:
            catalog.schema(*parts)
            session.database, session.schema = parts
        else:
            set_database(catalog, session, parts[0])
    return status_result(SUCCESS, USE)


def set_database(catalog: Catalog, session: Any, name: str) -> None:
    schemas = catalog.database(name).schemas
    session.database = name
    session.schema = "PUBLIC" if "PUBLIC" in schemas else None


# -- warehouses


def _warehouse(warehouse: Warehouse, options: dict[str, Any]) -> None:
    for key, value in options.items():
        match key:
            case "WAREHOUSE_SIZE":
                size = _SIZES.get(str(value).upper().replace("-", ""))
                if size is None:
                    raise errors.compilation(
                        1008, "22023", f"invalid value [{value}] for parameter 'WAREHOUSE_SIZE'"
                    )
                warehouse.size = size
            case "AUTO_SUSPEND":
                warehouse.auto_suspend = int(value) if str(value).isdigit() else 0
            case "AUTO_RESUME":
                warehouse.auto_resume = str(value).upper() == "TRUE"
            case "INITIALLY_SUSPENDED":
                warehouse.state = "SUSPENDED" if str(value).upper() == "TRUE" else "STARTED"
            case "COMMENT":
                warehouse.comment = str(value)


def create_warehouse(statement: Statement) -> Result:
    scanner = statement.scanner()
    replace, unless = _head(scanner, "WAREHOUSE")
    name = scanner.identifier()
    scanner.accept("WITH")
    options = scanner.options()
    catalog = statement.store.catalog
    statement.rights.require_account("CREATE WAREHOUSE")
    if name in catalog.warehouses and not replace:
        if unless:
            return status_result(f"{show(name)} already exists, statement succeeded.")
        raise errors.already_exists(show(name))
    made = Warehouse(name, created=time.time())
    _warehouse(made, options)
    statement.rights.settle(made)
    catalog.warehouses[name] = made
    statement.session.warehouse = name
    statement.store.save()
    return status_result(f"Warehouse {show(name)} successfully created.")


def alter_warehouse(statement: Statement) -> Result:
    scanner = statement.scanner()
    scanner.expect("ALTER", "WAREHOUSE")
    if_exists = scanner.accept("IF", "EXISTS")
    words = {"SET", "SUSPEND", "RESUME", "ABORT", "RENAME", "UNSET"}
    named = not (scanner.peek().kind == "word" and scanner.peek().text.upper() in words)
    name = scanner.identifier() if named else statement.session.warehouse
    found = statement.store.catalog.warehouses.get(name or "")
    if found is None:
        if if_exists:
            return status_result(SUCCESS)
        raise errors.missing("Warehouse", show(name or ""))
    privilege = "MODIFY" if scanner.looking_at("SET") or scanner.looking_at("UNSET") else "OPERATE"
    privilege = OWNERSHIP if scanner.looking_at("RENAME") else privilege
    statement.rights.require(
        found, privilege, show(found.name), errors.missing("Warehouse", show(found.name))
    )
    if scanner.accept("SET"):
        _warehouse(found, scanner.options())
    elif scanner.accept("SUSPEND"):
        if found.state == "SUSPENDED":
            raise errors.SnowflakeError(
                90064, "22000", f"Invalid state. Warehouse '{show(found.name)}' cannot be suspended."
            )
        found.state = "SUSPENDED"
    elif scanner.accept("RESUME"):
        unless = scanner.accept("IF", "SUSPENDED")
        if found.state == "STARTED" and not unless:
            raise errors.SnowflakeError(
                90063, "22000", f"Invalid state. Warehouse '{show(found.name)}' cannot be resumed."
            )
        found.state = "STARTED"
    elif scanner.accept("ABORT", "ALL", "QUERIES"):
        for query in statement.queries.running():
            if query.warehouse == found.name and query is not statement.query:
                query.cancel(errors.cancelled())
    statement.store.save()
    return status_result(SUCCESS)


def drop_warehouse(statement: Statement) -> Result:
    scanner = statement.scanner()
    scanner.expect("DROP", "WAREHOUSE")
    if_exists = scanner.accept("IF", "EXISTS")
    name = scanner.identifier()
    if name not in statement.store.catalog.warehouses:
        if if_exists:
            return status_result(_DROPPED)
        raise errors.missing("Warehouse", show(name))
    found = statement.store.catalog.warehouses[name]
    statement.rights.require(found, OWNERSHIP, show(name), errors.missing("Warehouse", show(name)))
    del statement.store.catalog.warehouses[name]
    statement.store.save()
    return status_result(f"{show(name)} successfully dropped.")


def accepted(statement: Statement) -> Result:
    """A statement of an administrator of which nothing is kept here."""
    statement.rights.require_account("MANAGE GRANTS")
    return status_result(SUCCESS)
