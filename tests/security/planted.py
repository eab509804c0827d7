"""Objects of the names that Snowmelt's SQL uses, planted in other schemas by somebody who waits for their call."""

from __future__ import annotations

from collections.abc import Iterable

import psycopg

#: Types that a planted function takes beside those of the system's function: a better match than "any" or a number that is cast.
_BETTER = ("smallint", "integer", "bigint", "numeric", "float8", "text", "varchar", "boolean", "bytea", "date", "time",
           "timestamp", "timestamptz", "jsonb", "uuid", "name", "oid", "text[]", "smallint[]", "record")  # fmt: skip

#: Called by every planted object: a sequence remembers it, even where the transaction is rolled back.
_TRAP = """
CREATE SEQUENCE trap.sprung;
CREATE FUNCTION trap.spring(name text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN PERFORM pg_catalog.nextval('trap.sprung'); RAISE EXCEPTION 'planted: %', name; END$$;
GRANT USAGE ON SCHEMA trap TO PUBLIC;
"""

#: Parameters: names, schema. Functions and aggregates with the signatures of the system's, and with better ones.
_FUNCTIONS = """
SELECT DISTINCT proname, prokind IN ('a', 'w'), pg_get_function_identity_arguments(oid), format_type(prorettype, NULL)
FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND proname = ANY (%s)
"""
_OPERATORS = """
SELECT oprname, format_type(oprleft, NULL), format_type(oprright, NULL), format_type(oprresult, NULL)
FROM pg_operator WHERE oprnamespace = 'pg_catalog'::regnamespace AND oprkind = 'b'
"""
_TYPES = "SELECT typname FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype = 'b' AND typcategory <> 'A'"
_RELATIONS = (
    "SELECT relname FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind IN ('r', 'v')"
)


def plant(admin: psycopg.Connection, schemas: Iterable[str], names: Iterable[str]) -> set[str]:
    """Plant in every schema; returns the names of functions that were planted.

    :param admin: a superuser's session in autocommit mode, its search_path pg_catalog alone.
    """
    admin.execute("CREATE SCHEMA trap")
    admin.execute(_TRAP)
    planted: set[str] = set()
    functions = admin.execute(_FUNCTIONS, (list(names),)).fetchall()
    operators = admin.execute(_OPERATORS).fetchall()
    types = [name for (name,) in admin.execute(_TYPES)]
    relations = [name for (name,) in admin.execute(_RELATIONS)]
    for schema in schemas:
        for name, aggregate, arguments, result in functions:
            signatures = [arguments, *_BETTER] if "," not in arguments else [arguments]
            for signature in signatures:
                planted |= _plant_function(admin, schema, name, signature, result, aggregate=aggregate)
        for name, left, right, result in operators:
            _plant_operator(admin, schema, name, left, right, result)
        for name in types:
            _attempt(
                admin,
                f'CREATE TYPE {schema}."{name}" AS (planted pg_catalog.int4)',
                f"CREATE FUNCTION {schema}.cast_{name}({schema}.\"{name}\") RETURNS text LANGUAGE plpgsql AS $$BEGIN PERFORM trap.spring('cast'); RETURN NULL; END$$",
                f'CREATE CAST ({schema}."{name}" AS pg_catalog.text) WITH FUNCTION {schema}.cast_{name}({schema}."{name}") AS IMPLICIT',
            )
        for name in relations:
            _attempt(
                admin,
                f"CREATE VIEW {schema}.\"{name}\" AS SELECT trap.spring('{name}')",
                f'GRANT SELECT ON {schema}."{name}" TO PUBLIC',
            )
    return planted


def sprung(admin: psycopg.Connection) -> bool:
    """Whether a planted object was called."""
    (called,) = admin.execute("SELECT is_called FROM trap.sprung").fetchone() or (True,)
    return bool(called)


def _plant_function(
    admin: psycopg.Connection, schema: str, name: str, arguments: str, result: str, *, aggregate: bool
) -> set[str]:
    if aggregate:
        types = arguments or "*"
        state = "" if arguments in {"", "*"} else f", {arguments}"
        made = _attempt(
            admin,
            f'CREATE OR REPLACE FUNCTION {schema}."step_{name}"(bigint{state}) RETURNS bigint LANGUAGE plpgsql '
            f"AS $$BEGIN PERFORM trap.spring('{name}'); RETURN 0; END$$",
            f'CREATE OR REPLACE AGGREGATE {schema}."{name}"({types}) (SFUNC = {schema}."step_{name}", STYPE = bigint)',
        )
    else:
        made = _attempt(
            admin,
            f'CREATE FUNCTION {schema}."{name}"({arguments}) RETURNS {result} LANGUAGE plpgsql '
            f"AS $$BEGIN PERFORM trap.spring('{name}'); END$$",
        )
    return {name} if made else set()


def _plant_operator(
    admin: psycopg.Connection, schema: str, name: str, left: str, right: str, result: str
) -> None:
    function = f"{schema}.operate"
    _attempt(
        admin,
        f"CREATE OR REPLACE FUNCTION {function}({left}, {right}) RETURNS {result} LANGUAGE plpgsql "
        "AS $$BEGIN PERFORM trap.spring('operator'); END$$",
    )
    _attempt(
        admin,
        f"CREATE OPERATOR {schema}.{name} (LEFTARG = {left}, RIGHTARG = {right}, FUNCTION = {function})",
    )


def _attempt(admin: psycopg.Connection, *statements: str) -> bool:
    """False: PostgreSQL allows no such object, to nobody."""
    try:
        with admin.transaction():
            for statement in statements:
                admin.execute(statement)  # type: ignore[call-overload]  # a made text
    except psycopg.Error:
        return False
    return True
