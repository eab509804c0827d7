"""Whole migrations under the rights of docs/security.md and no others."""

from __future__ import annotations

import re
import uuid
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo

from snowmelt.errors import AccessError, SnowmeltError, TargetError
from tests.steps.runs import World

PAGE = Path(__file__).parents[2] / "docs" / "security.md"


def blocks(role: str) -> list[list[str]]:
    """The page's SQL blocks, statement by statement, for a role of another name."""
    found = re.findall(r"```sql\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return [
        [
            statement.strip()
            for statement in block.replace("snowmelt_loader", role).split(";")
            if statement.strip()
        ]
        for block in found
    ]


@pytest.fixture
def least(world, sandbox):
    """The world as the page's role sees it, and the page's statements."""
    role = f"loader_{uuid.uuid4().hex[:8]}"
    database = conninfo.conninfo_to_dict(world.dsn)["dbname"]
    base, tables, server = blocks(role)

    def admin(*statements):
        with psycopg.connect(sandbox.superuser_dsn(database), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    admin(*base, f"ALTER ROLE {role} PASSWORD '{role}'")
    dsn = conninfo.make_conninfo(world.dsn, user=role, password=role)
    made = World(world.snowflake, sandbox.s3("AIRFLOW_READER"), dsn, world.bucket, world.schema)
    made.sql("CREATE TABLE T (ID INT PRIMARY KEY, NAME VARCHAR)", "INSERT INTO T VALUES (1, 'a'), (2, 'b')")
    yield made, admin, tables, server
    admin(f"DROP OWNED BY {role} CASCADE")
    with psycopg.connect(sandbox.superuser_dsn(), autocommit=True) as connection:
        connection.execute(f"DROP OWNED BY {role} CASCADE")
    sandbox.drop_database(str(database))
    with psycopg.connect(sandbox.superuser_dsn(), autocommit=True) as connection:
        connection.execute(f"DROP ROLE {role}")


ENTRY = {"source": "T", "uniqueness_columns": ["ID"]}


def test_a_new_table_and_all_that_follows(least):
    world, _, _, _ = least
    for params in (
        {"mode": "full"},
        {"mode": "full", "publish": "swap"},
        {"mode": "full", "publish": "truncate"},
        {"mode": "catch_up", "watermark_column": "ID"},
        {"mode": "test", "row_limit": 1},
        {"mode": "full", "file_format": "csv", "load_method": "copy"},
    ):
        world.run(ENTRY, **params)
        assert world.query("SELECT count(*) FROM t") == [(2,)], params


def test_a_table_of_somebody_else_is_filled_in_place(least):
    world, admin, tables, _ = least
    admin("CREATE TABLE public.existing (id numeric(38,0) PRIMARY KEY, name text)")
    entry = ENTRY | {"target": "existing"}
    role = conninfo.conninfo_to_dict(world.dsn)["user"]
    with pytest.raises(SnowmeltError) as refused:
        world.plan(entry, mode="full", publish="truncate")
    for right in ("SELECT", "INSERT", "DELETE"):
        assert f'GRANT {right} ON TABLE "public"."existing" TO "{role}"' in str(refused.value)
    assert "GRANT UPDATE" not in str(refused.value)
    admin(*tables)
    world.run(entry, mode="full", publish="truncate")
    world.run(entry, mode="catch_up", watermark_column="ID")
    with pytest.raises(SnowmeltError) as refused:
        world.plan(entry, mode="full", publish="swap")
    assert f'ALTER TABLE "public"."existing" OWNER TO "{role}"' in str(refused.value)
    assert world.query("SELECT count(*) FROM existing") == [(2,)]
    world.run(entry | {"watermark_column": "ID", "deletes": "hard"})
    assert world.query("SELECT count(*) FROM existing") == [(2,)]
    world.execute("DELETE FROM public.existing")
    world.run(entry, mode="full", publish="append")
    assert world.query("SELECT count(*) FROM existing") == [(2,)]


def test_aws_s3(least):
    world, admin, _, server = least
    admin("CREATE EXTENSION aws_s3 CASCADE")
    with pytest.raises(SnowmeltError, match="may not use the extension aws_s3"):
        world.run(ENTRY, mode="full", file_format="csv", load_method="aws_s3")
    # Without the right, `auto` streams.
    world.run(ENTRY, mode="full", file_format="csv")
    admin(*server)
    world.run(ENTRY, mode="full", file_format="csv", load_method="aws_s3")
    assert world.query("SELECT count(*) FROM t") == [(2,)]


def test_it_may_no_more(least, sandbox):
    world, admin, _, _ = least
    admin("CREATE TABLE public.payroll (id int)", "CREATE SCHEMA closed")
    for statement in (
        "SELECT * FROM public.payroll",
        "CREATE TABLE closed.t (id int)",
        "CREATE SCHEMA another",
        "DROP TABLE public.payroll",
        "CREATE ROLE another",
        "COPY public.payroll FROM PROGRAM 'true'",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            world.execute(statement)
    for forbidden in (
        lambda: world.s3.put_object(Bucket=world.bucket, Key="x", Body=b"x"),
        lambda: world.s3.delete_object(Bucket=world.bucket, Key="x"),
    ):
        with pytest.raises(Exception, match="AccessDenied"):
            forbidden()


def test_the_ledger_is_refused_with_the_grant_that_mends_it(least):
    world, admin, _, _ = least
    admin("DROP SCHEMA snowmelt CASCADE")
    with pytest.raises((AccessError, TargetError), match="CREATE SCHEMA snowmelt AUTHORIZATION"):
        world.run(ENTRY, mode="full")
