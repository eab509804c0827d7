"""ALTER SESSION, SET, transactions."""

from __future__ import annotations

from sandbox.snowflake import errors
from sandbox.snowflake.catalog.parameters import KNOWN, parse_value
from sandbox.snowflake.catalog.results import SUCCESS, TCL, UNKNOWN, Result, status_result
from sandbox.snowflake.catalog.session import Transaction
from sandbox.snowflake.sql import changes
from sandbox.snowflake.sql.statement import Statement


def alter_session(statement: Statement) -> Result:
    scanner, session = statement.scanner(), statement.session
    scanner.expect("ALTER", "SESSION")
    if scanner.accept("SET"):
        options = scanner.options()
        if not options:
            raise scanner.unexpected()
        for name, value in options.items():
            if name == "AUTOCOMMIT":
                changes.commit(statement.store, session, statement.query.id)
            session.parameters.set(name, str(value))
    else:
        scanner.expect("UNSET")
        while not scanner.done:
            session.parameters.unset(scanner.next().text.upper())
            scanner.accept(",")
    return status_result(SUCCESS, UNKNOWN)


def alter_defaults(statement: Statement) -> Result:
    """ALTER ACCOUNT and ALTER USER: session parameters are kept, and hold for open sessions too; the rest is accepted."""
    scanner = statement.scanner()
    scanner.expect("ALTER")
    user = "" if scanner.next().text.upper() == "ACCOUNT" else scanner.identifier()
    statement.rights.require_account("MANAGE GRANTS")
    values = statement.store.catalog.session_defaults(user)
    if scanner.accept("SET"):
        for name, value in scanner.options().items():
            if name in KNOWN:
                values[name] = parse_value(name, str(value))
    elif scanner.accept("UNSET"):
        while not scanner.done:
            values.pop(scanner.next().text.upper(), None)
            scanner.accept(",")
    statement.store.save()
    return status_result(SUCCESS)


def begin(statement: Statement) -> Result:
    if statement.session.transaction is None:
        timezone = statement.session.parameters["TIMEZONE"]
        statement.session.transaction = Transaction(statement.store.cursor(timezone))
    return status_result(SUCCESS, TCL)


def commit(statement: Statement) -> Result:
    changes.commit(statement.store, statement.session, statement.query.id)
    return status_result(SUCCESS, TCL)


def rollback(statement: Statement) -> Result:
    changes.rollback(statement.session)
    return status_result(SUCCESS, TCL)


def unsupported(statement: Statement) -> Result:
    raise errors.NotImplementedHere(statement.scanner().peek().text.upper())
