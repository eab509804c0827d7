"""DDL for PostgreSQL: a table of planned columns, and columns that are added to one."""

from __future__ import annotations

from collections.abc import Sequence

from snowmelt.sql.names import postgres_identifier, postgres_literal
from snowmelt.types.columns import Column
from snowmelt.types.type_names import parse_postgres_type


def build_create_table(
    schema: str,
    table: str,
    columns: Sequence[Column],
    *,
    unlogged: bool = False,
    primary_key: bool = True,
    not_null: bool = True,
    comments: bool = True,
    if_not_exists: bool = False,
) -> list[str]:
    """CREATE TABLE, and a COMMENT ON COLUMN for each comment of the source.

    :param unlogged: for a staging table: not written to the WAL, lost in a crash.
    :param primary_key: whether the source's primary key, where it has one and all of it is copied, is made.
    :param not_null: whether the columns that take no NULL are made so.
    """
    lines = [f"    {_definition(column, not_null=not_null)}" for column in columns]
    key = sorted((column.primary_key, column.target) for column in columns if column.primary_key is not None)
    if primary_key and key:
        lines.append(f"    PRIMARY KEY ({', '.join(postgres_identifier(name) for _, name in key)})")
    words = f"CREATE {'UNLOGGED ' if unlogged else ''}TABLE {'IF NOT EXISTS ' if if_not_exists else ''}"
    create = f"{words}{postgres_identifier(schema, table)} (\n" + ",\n".join(lines) + "\n)"
    return [create, *(_comments(schema, table, columns) if comments else ())]


def build_add_columns(schema: str, table: str, columns: Sequence[Column]) -> list[str]:
    """ALTER TABLE that adds the columns, all of them nullable (the rows that are there have no value), and their comments.

    A column that another run has added meanwhile is left as it is. Nothing to add: no statement.
    """
    if not columns:
        return []
    lines = ",\n".join(
        f"    ADD COLUMN IF NOT EXISTS {_definition(column, not_null=False)}" for column in columns
    )
    return [f"ALTER TABLE {postgres_identifier(schema, table)}\n{lines}", *_comments(schema, table, columns)]


def _definition(column: Column, *, not_null: bool) -> str:
    kind = parse_postgres_type(column.target_type)
    return f"{postgres_identifier(column.target)} {kind}{' NOT NULL' if not_null and not column.nullable else ''}"


def _comments(schema: str, table: str, columns: Sequence[Column]) -> list[str]:
    return [
        f"COMMENT ON COLUMN {postgres_identifier(schema, table, column.target)} IS {postgres_literal(column.comment)}"
        for column in columns
        if column.comment
    ]
