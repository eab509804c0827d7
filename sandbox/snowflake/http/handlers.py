"""Running one statement: which handler does it, by its first words, and what becomes of its errors."""

from __future__ import annotations

import re

from sandbox.snowflake import errors
from sandbox.snowflake.catalog.results import Result
from sandbox.snowflake.files import external_tables, integrations, load, stages, unload
from sandbox.snowflake.rewriting.scanner import Scanner, split_statements
from sandbox.snowflake.sql import (
    alter_table,
    describe,
    dml,
    explain,
    grants,
    namespaces,
    policies,
    session_statements,
    show,
    tables,
)
from sandbox.snowflake.sql.selects import run_query
from sandbox.snowflake.sql.statement import Handler, Statement


def _copy(statement: Statement) -> Result:
    scanner = Scanner(statement.text)
    scanner.expect("COPY", "INTO")
    into_location = scanner.peek().kind in {"stage", "string"}
    return (unload.copy_into_location if into_location else load.copy_into_table)(statement)


def _query(statement: Statement) -> Result:
    tree = statement.parse()
    integrations.answer_validations(statement, tree)
    explain.answer_clustering(statement, tree)
    return run_query(statement, tree)


_CREATE = r"CREATE (OR REPLACE )?"
_POLICY = r"(MASKING|ROW ACCESS|PROJECTION|AGGREGATION) POLICY "
_DESC = r"DESC(RIBE)? "

HANDLERS: list[tuple[str, Handler]] = [
    (r"(SELECT|WITH|\(|VALUES) ?", _query),
    (r"COPY INTO ", _copy),
    (r"INSERT ", dml.insert),
    (r"UPDATE ", dml.update),
    (r"DELETE ", dml.delete),
    (r"MERGE ", dml.merge),
    (r"TRUNCATE ", dml.truncate),
    (r"ALTER SESSION ", session_statements.alter_session),
    (r"(BEGIN|START TRANSACTION) ", session_statements.begin),
    (r"COMMIT ", session_statements.commit),
    (r"ROLLBACK ", session_statements.rollback),
    (r"USE ", namespaces.use),
    (r"EXPLAIN ", explain.explain),
    (_CREATE + r"((TRANSIENT|TEMP|TEMPORARY|LOCAL|GLOBAL|VOLATILE|DYNAMIC) )*TABLE ", tables.create_table),
    (_CREATE + r"EXTERNAL TABLE ", external_tables.create),
    (_CREATE + r"((SECURE|TEMP|TEMPORARY|RECURSIVE|LOCAL|MATERIALIZED) )*VIEW ", tables.create_view),
    (_CREATE + r"((TEMP|TEMPORARY) )?STAGE ", stages.create),
    (_CREATE + r"((TEMP|TEMPORARY) )?FILE FORMAT ", stages.create_file_format),
    (_CREATE + r"STORAGE INTEGRATION ", integrations.create),
    (_CREATE + r"(TRANSIENT )?DATABASE ", namespaces.create_database),
    (_CREATE + r"(TRANSIENT )?SCHEMA ", namespaces.create_schema),
    (_CREATE + r"WAREHOUSE ", namespaces.create_warehouse),
    (_CREATE + r"ROLE ", grants.create_role),
    (_CREATE + r"USER ", grants.create_user),
    (_CREATE + _POLICY, policies.create),
    (_CREATE + r"TAG ", policies.create_tag),
    (r"ALTER (TABLE|VIEW) ", alter_table.alter),
    (r"ALTER STAGE ", stages.alter),
    (r"ALTER (STORAGE )?INTEGRATION ", integrations.alter),
    (r"ALTER WAREHOUSE ", namespaces.alter_warehouse),
    (r"ALTER (USER|ACCOUNT) ", session_statements.alter_defaults),
    (r"ALTER (ROLE|DATABASE|SCHEMA) ", namespaces.accepted),
    (r"ALTER " + _POLICY, policies.alter),
    (r"ALTER TAG ", policies.alter_tag),
    (r"COMMENT ", alter_table.comment_on),
    (r"DROP ((EXTERNAL|DYNAMIC) )?(TABLE|VIEW) ", tables.drop),
    (r"DROP (TAG |" + _POLICY + ")", policies.drop),
    (r"DROP STAGE ", stages.drop),
    (r"DROP FILE FORMAT ", stages.drop_file_format),
    (r"DROP (STORAGE )?INTEGRATION ", integrations.drop),
    (r"DROP DATABASE ", namespaces.drop_database),
    (r"DROP SCHEMA ", namespaces.drop_schema),
    (r"DROP WAREHOUSE ", namespaces.drop_warehouse),
    (r"DROP (USER|ROLE) ", grants.drop),
    (r"GRANT ", grants.grant),
    (r"REVOKE ", grants.revoke),
    (r"(LIST|LS) ", stages.list_files),
    (r"(REMOVE|RM) ", stages.remove_files),
    (_DESC + r"(STORAGE )?INTEGRATION ", integrations.describe),
    (_DESC + r"STAGE ", stages.describe),
    (_DESC, describe.describe_table),
    (r"SHOW (TERSE )?(TABLES|VIEWS|OBJECTS) ", show.tables),
    (r"SHOW (TERSE )?SCHEMAS ", show.schemas),
    (r"SHOW (TERSE )?DATABASES ", show.databases),
    (r"SHOW STAGES ", stages.show_all),
    (r"SHOW (STORAGE )?INTEGRATIONS ", integrations.show_all),
    (r"SHOW WAREHOUSES ", show.warehouses),
    (r"SHOW ROLES ", show.roles),
    (r"SHOW (FUTURE )?GRANTS ", grants.show_grants),
    (r"SHOW PARAMETERS ", show.parameters),
    (r"SHOW (PRIMARY|UNIQUE|IMPORTED|EXPORTED) KEYS ", describe.keys),
    (r"SHOW COLUMNS ", describe.columns),
    (r"SHOW (MASKING|ROW ACCESS|PROJECTION|AGGREGATION) POLICIES ", policies.show_all),
    (r"SHOW (STREAMS|TASKS|PIPES|SEQUENCES) ", show.empty),
    (
        r"(SET|UNSET|CALL|EXECUTE|PUT|GET|UNDROP|CREATE|ALTER|DROP|SHOW) ",
        session_statements.unsupported,
    ),
]


def run(statement: Statement) -> Result:
    """Run it to its end; raises SnowflakeError and nothing else."""
    try:
        count = len(split_statements(statement.text))
        if count != 1:
            if count == 0:
                raise errors.SnowflakeError(900, "42601", "SQL compilation error:\nEmpty SQL statement.")
            text = f"Actual statement count {count} did not match the desired statement count 1."
            raise errors.SnowflakeError(8, "0A000", text)
        statement.text = split_statements(statement.text)[0]
        handler = find_handler(statement)
        statement.query.check()
        result = handler(statement)
        statement.query.check()
        limit = statement.session.parameters.number("ROWS_PER_RESULTSET")  # 0: no limit
        if limit:
            result.table = result.table.slice(0, limit)
        return result
    except Exception as error:
        reason = statement.query.stop_reason
        translated = errors.from_driver(error)
        if reason is not None and (translated.errno == 604 or statement.query.stop.is_set()):
            raise reason from None
        raise translated from error


def find_handler(statement: Statement) -> Handler:
    words = [t.text.upper() for t in statement.scanner().tokens[:6]]
    if not words:
        raise errors.syntax(1, 0, "<EOF>")
    for pattern, handler in HANDLERS:
        if _matches(pattern, words):
            return handler
    first = statement.scanner().peek()
    raise errors.syntax(1, 0, first.text)


def _matches(pattern: str, words: list[str]) -> bool:
    """A pattern is words; (A|B) is a choice, ? behind a word makes it optional."""
    return re.match(pattern, " ".join(words) + " ") is not None
