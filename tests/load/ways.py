"""The three ways of a table into PostgreSQL, and what each leaves there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from tests.conftest import Sandbox
from tests.steps.runs import World

#: Parameters of a run. CSV that is streamed is compressed with gzip.
WAYS: Mapping[str, Mapping[str, str]] = {
    "parquet": {"file_format": "parquet", "load_method": "copy"},
    "csv": {"file_format": "csv", "load_method": "copy"},
    "aws_s3": {"file_format": "csv", "load_method": "aws_s3"},
}


def allow_aws_s3(world: World, sandbox: Sandbox) -> None:
    """Give the world's target database the extension, and its owner the right to call it."""
    database, owner = (conninfo_to_dict(world.dsn)[key] for key in ("dbname", "user"))
    with psycopg.connect(sandbox.superuser_dsn(database), autocommit=True) as admin:
        admin.execute("CREATE EXTENSION IF NOT EXISTS aws_s3 CASCADE")
        admin.execute(f'GRANT USAGE ON SCHEMA aws_s3, aws_commons TO "{owner}"')
        admin.execute(f'GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA aws_s3, aws_commons TO "{owner}"')


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def column_types(world: World, table: str) -> list[tuple[str, str, bool]]:
    """(name, type as format_type prints it, NOT NULL) of each column of a table in public, in order."""
    return world.query(
        "SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute "
        f"WHERE attrelid = to_regclass('public.' || quote_ident('{table}')) AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
    )


def only_in(world: World, one: str, other: str) -> list[tuple[Any, ...]]:
    """Rows of one table that the other does not have, as often as it has them."""
    return world.query(
        f"SELECT t::text FROM public.{one} AS t EXCEPT ALL SELECT t::text FROM public.{other} AS t"
    )
