"""The state of each target, in the ledger: which copy filled it, and how far. Written in the publish transaction alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from snowmelt.json_values import from_json, to_json
from snowmelt.state import Owner, Scope, TargetIdentity, TargetState

READ_STATE = """
SELECT run_id, target_oid, target_filenode, scope, rows, missing, snapshot, differs
FROM snowmelt.target_state WHERE (target, owner) = (%s, %s)
"""
READ_OWNERS = """
SELECT owner, run_id, scope->>'source' FROM snowmelt.target_state WHERE (target, target_oid) = (%s, %s) ORDER BY owner
"""
WRITE_STATE = """
INSERT INTO snowmelt.target_state (target, owner, run_id, target_oid, target_filenode, scope, rows, missing, snapshot)
VALUES (%(target)s, %(owner)s, %(run_id)s, %(oid)s, %(filenode)s, %(scope)s, %(rows)s, %(missing)s, %(snapshot)s)
ON CONFLICT (target, owner) DO UPDATE
SET (run_id, target_oid, target_filenode, scope, rows, missing, snapshot, differs, published_at)
  = (excluded.run_id, excluded.target_oid, excluded.target_filenode, excluded.scope, excluded.rows, excluded.missing,
     excluded.snapshot, '', clock_timestamp())
"""
#: The file of a partitioned table, which has none, is 0.
READ_IDENTITY = """
SELECT c.oid, coalesce(pg_relation_filenode(c.oid), 0) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE (n.nspname, c.relname) = (%s, %s)
"""


READ_SET_ASIDE = (
    "SELECT key FROM snowmelt.set_aside_key WHERE (target, owner) = (%s, %s) ORDER BY key LIMIT %s"
)
FORGET_SET_ASIDE = """
DELETE FROM snowmelt.set_aside_key WHERE (target, owner) = (%s, %s)
    AND key IN (SELECT key FROM snowmelt.set_aside_key WHERE (target, owner) = (%s, %s) ORDER BY key LIMIT %s)
"""
WRITE_SET_ASIDE = """
INSERT INTO snowmelt.set_aside_key (target, owner, key, run_id) VALUES (%s, %s, %s, %s)
ON CONFLICT (target, owner, key) DO UPDATE SET run_id = excluded.run_id
"""

#: A backfill changes the rows of a target, and nothing else of its state.
WRITE_ROWS = "UPDATE snowmelt.target_state SET rows = %s WHERE (target, owner) = (%s, %s)"
WRITE_DIFFERS = "UPDATE snowmelt.target_state SET differs = %s WHERE (target, owner) = (%s, %s)"
DELETE_STATE = "DELETE FROM snowmelt.target_state WHERE (target, owner) = (%s, %s)"


def read_state(
    connection: psycopg.Connection[Any] | psycopg.Cursor[Any], target: str, owner: str
) -> TargetState | None:
    """What the last published run left in the target; None where no run of this ledger has filled it.

    :param target: schema.table, as the plan names it.
    :param owner: the predicate for the rows that are the copy's own; empty: all.
    """
    row = connection.execute(READ_STATE, (target, owner)).fetchone()
    if row is None:
        return None
    run_id, oid, filenode, scope, rows, missing, snapshot, differs = row
    return TargetState(
        run_id=run_id,
        target=TargetIdentity(oid=oid, filenode=filenode),
        scope=from_json(Scope, scope),
        rows=rows,
        missing=missing,
        snapshot=snapshot,
        differs=differs,
    )


def read_owners(
    session: psycopg.Connection[Any] | psycopg.Cursor[Any], target: str, oid: int
) -> tuple[Owner, ...]:
    """The copies that filled the target, as it is now.

    :param oid: of the target: rows of a table that was dropped since belong to nobody.
    """
    return tuple(
        Owner(rows=rows, run_id=run_id, source=source)
        for rows, run_id, source in session.execute(READ_OWNERS, (target, oid))
    )


def write_state(cursor: psycopg.Cursor[Any], target: str, owner: str, state: TargetState) -> None:
    """Record what this publish leaves behind, in its own transaction."""
    cursor.execute(
        WRITE_STATE,
        {
            "target": target,
            "owner": owner,
            "run_id": state.run_id,
            "oid": state.target.oid,
            "filenode": state.target.filenode,
            "scope": Jsonb(to_json(state.scope)),
            "rows": state.rows,
            "missing": state.missing,
            "snapshot": state.snapshot,
        },
    )


def write_rows(cursor: psycopg.Cursor[Any], target: str, owner: str, rows: int) -> None:
    """Record the rows that a backfill leaves."""
    cursor.execute(WRITE_ROWS, (rows, target, owner))


def write_differs(cursor: psycopg.Cursor[Any], target: str, owner: str, differs: str) -> None:
    """Record what a comparison of the whole table has found."""
    cursor.execute(WRITE_DIFFERS, (differs, target, owner))


def delete_state(cursor: psycopg.Cursor[Any], target: str, owner: str) -> None:
    """Delete the state: it is no longer known what the target, or the owner's rows, are a copy of."""
    cursor.execute(DELETE_STATE, (target, owner))


def read_set_aside(
    session: psycopg.Connection[Any] | psycopg.Cursor[Any], target: str, owner: str, limit: int
) -> tuple[dict[str, str], ...]:
    """Keys of rows that are kept out of the target: source name → value as text."""
    return tuple(row[0] for row in session.execute(READ_SET_ASIDE, (target, owner, limit)))


def forget_set_aside(cursor: psycopg.Cursor[Any], target: str, owner: str, limit: int | None) -> int:
    """Delete the keys that `read_set_aside` gave, which were copied again; returns how many.

    :param limit: None: all of them.
    """
    cursor.execute(FORGET_SET_ASIDE, (target, owner, target, owner, limit))
    return cursor.rowcount


def write_set_aside(
    cursor: psycopg.Cursor[Any], target: str, owner: str, keys: Sequence[Mapping[str, str]], run_id: str
) -> None:
    """Record keys of rows that this publish leaves out, in its own transaction."""
    cursor.executemany(WRITE_SET_ASIDE, [(target, owner, Jsonb(dict(key)), run_id) for key in keys])


def read_identity(
    session: psycopg.Connection[Any] | psycopg.Cursor[Any], schema: str, table: str
) -> TargetIdentity | None:
    """Which table the target is now; None where there is none."""
    row = session.execute(READ_IDENTITY, (schema, table)).fetchone()
    return None if row is None else TargetIdentity(oid=row[0], filenode=row[1])
