"""The aws_s3 extension's stand-in: PostgreSQL fetches CSV from S3 by itself, as RDS and Aurora do."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import boto3
import psycopg
import pytest
from psycopg import errors, sql

from tests.sandbox.sandbox_copy import Sandbox, copy_checkout

BUCKET = "snowmelt-staging"
CSV = '1,one\n2,"two, with ""quotes""\nand a line"\n3,\n'
ROWS = [(1, "one"), (2, 'two, with "quotes"\nand a line'), (3, None)]


@pytest.fixture(scope="module")
def env():
    with tempfile.TemporaryDirectory(prefix="snowmelt-aws-") as folder:
        Path(folder).chmod(0o755)
        sandbox = Sandbox(
            copy_checkout(Path(folder)), Path(folder) / "it's a state"
        )  # the path reaches a shell
        sandbox.run("up")
        yield sandbox.env_by_shell()
        sandbox.run("down", "--purge")


@pytest.fixture(scope="module")
def put(env):
    client = boto3.client(
        "s3", endpoint_url=env["SNOWMELT_SANDBOX_S3_ENDPOINT"], region_name="us-east-1",
        aws_access_key_id=env["SNOWMELT_SANDBOX_ADMIN_ACCESS_KEY_ID"],
        aws_secret_access_key=env["SNOWMELT_SANDBOX_ADMIN_SECRET_ACCESS_KEY"],
    )  # fmt: skip

    def put(key: str, body: str | bytes, **options: object) -> None:
        client.put_object(Bucket=BUCKET, Key=key, Body=body, **options)

    yield put
    client.close()


@pytest.fixture
def connection(env):
    """As the role `snowmelt`, which is no superuser and was granted the extension."""
    with psycopg.connect(env["SNOWMELT_SANDBOX_PG_DSN"]) as connection:
        connection.execute("CREATE SCHEMA work; SET search_path = work; CREATE TABLE t (id int, name text)")
        yield connection
        connection.rollback()


@pytest.fixture
def superuser(env):
    with psycopg.connect(env["SNOWMELT_SANDBOX_PG_SUPERUSER_DSN"], autocommit=True) as connection:
        yield connection


def load(
    connection, key, *, table="t", columns="", options="(format csv)", bucket=BUCKET, region="us-east-1"
):
    statement = "SELECT aws_s3.table_import_from_s3(%s, %s, %s, aws_commons.create_s3_uri(%s, %s, %s))"
    return connection.execute(statement, (table, columns, options, bucket, key, region)).fetchone()[0]


def rows(connection, table="t"):
    return connection.execute(sql.SQL("SELECT * FROM {} ORDER BY 1").format(sql.Identifier(table))).fetchall()


def test_import(connection, put):
    put("plain.csv", CSV)
    assert (
        load(connection, "plain.csv") == '3 rows imported into relation "t" from file plain.csv of 45 bytes'
    )
    assert rows(connection) == ROWS


def test_create_extension_as_on_rds(superuser, env):
    superuser.execute("DROP DATABASE IF EXISTS fresh")
    superuser.execute("CREATE DATABASE fresh")
    parts = psycopg.conninfo.conninfo_to_dict(env["SNOWMELT_SANDBOX_PG_SUPERUSER_DSN"]) | {"dbname": "fresh"}
    with psycopg.connect(**parts) as fresh:
        available = fresh.execute(
            "SELECT name FROM pg_available_extensions WHERE name LIKE 'aws%' ORDER BY 1"
        )
        assert available.fetchall() == [("aws_commons",), ("aws_s3",)]
        fresh.execute("CREATE EXTENSION aws_s3 CASCADE")
        signatures = fresh.execute(
            "SELECT pg_get_function_arguments(oid), pg_get_function_result(oid) FROM pg_proc"
            " WHERE proname = 'table_import_from_s3' ORDER BY pronargs"
        ).fetchall()
    assert signatures[:2] == [
        ("table_name text, column_list text, options text, s3_info aws_commons._s3_uri_1", "text"),
        (
            (
                "table_name text, column_list text, options text, s3_info aws_commons._s3_uri_1,"
                " credentials aws_commons._aws_credentials_1"
            ),
            "text",
        ),
    ]
    superuser.execute("DROP DATABASE fresh")


def test_in_the_callers_transaction(connection, put):
    put("plain.csv", CSV)
    put("broken.csv", CSV + "four,4\n")
    connection.execute("SAVEPOINT before")
    load(connection, "plain.csv")
    connection.execute("ROLLBACK TO before")
    assert rows(connection) == []
    with pytest.raises(errors.InvalidTextRepresentation), connection.transaction():
        load(connection, "broken.csv")
    assert rows(connection) == []
    assert connection.execute("SHOW search_path").fetchone() == ("work",)


@pytest.mark.parametrize(
    ("columns", "options", "body"),
    [
        ("", "(FORMAT csv, HEADER true)", "id,name\n1,one\n"),
        ("", "csv header", "id,name\n1,one\n"),
        ('name, "id"', "(format 'csv')", "one,1\n"),
        ("id,name", "(format text, delimiter '|')", "1|one\n"),
        ("", "(format csv, delimiter E'\\t', quote '''', null '\\N')", "1\t'one'\n"),
        ("", "", "1\tone\n"),
        ("", "(format csv, force_not_null (name), encoding 'UTF8')", "1,one\n"),
        ("", "(format csv, quote E'\\'')", "1,'one'\n"),
    ],
)
def test_options_and_columns(connection, put, columns, options, body):
    put("options.csv", body)
    load(connection, "options.csv", columns=columns, options=options)
    assert rows(connection) == [(1, "one")]


@pytest.mark.parametrize(
    "options",
    [
        "(format csv) WHERE pg_sleep(0) IS NULL",
        "(format csv); DROP TABLE t",
        "(format csv) -- ",
        "(format csv /* */)",
        "(format csv, null $$x$$)",
        "(format csv, null U&'\\0041')",
        "(format csv, null E'\\''); DROP TABLE t; --')",
        "(format csv, null 'a\\'); DROP TABLE t; --')",
        "(format csv, null 'open",
        '(format "open',
        "(format csv, null B'1')",
        "\x01",
    ],
)
def test_options_that_are_more_than_options(connection, put, options):
    put("plain.csv", CSV)
    with (
        pytest.raises(errors.InvalidParameterValue, match="aws_s3: options is not allowed here"),
        connection.transaction(),
    ):
        load(connection, "plain.csv", options=options)


@pytest.mark.parametrize(
    "columns", ["id) FROM STDIN", "id; DROP TABLE t", "id, 'x'", "(id)", "*", "id -- ", "1", 'E"id"']
)
def test_column_lists_that_are_more(connection, put, columns):
    put("plain.csv", CSV)
    with (
        pytest.raises(errors.InvalidParameterValue, match="column_list is not allowed here"),
        connection.transaction(),
    ):
        load(connection, "plain.csv", columns=columns)


HOSTILE_KEYS = [
    "$(touch {})",
    "`touch {}`",
    "'; touch {} #",
    '"; touch {} #',
    "a\nb; touch {}",
    "\\'; touch {}",
    "a b/é ü/𝄞+%41&?=#",
]


@pytest.mark.parametrize("key", HOSTILE_KEYS)
def test_hostile_keys_are_only_keys(connection, put, key):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        key = key.format(Path(folder) / "made")
        with pytest.raises(errors.ExternalRoutineException, match="HTTP 40"), connection.transaction():
            load(connection, key, bucket=key)
        if "\n" not in key:  # moto takes no line end in a key
            put(key, CSV)
            load(connection, key)
            assert rows(connection) == ROWS
        assert list(Path(folder).iterdir()) == []


def test_hostile_table_names(connection, put):
    put("plain.csv", CSV)
    for name in ('My "own" table', "t; DROP TABLE t", "Ünï.cödé'", "$(x)"):
        quoted = sql.Identifier("work", name).as_string(connection)
        connection.execute(sql.SQL("CREATE TABLE {} (id int, name text)").format(sql.Identifier(name)))
        assert load(connection, "plain.csv", table=quoted).startswith("3 rows imported into relation ")
        assert rows(connection, name) == ROWS
    for name in ("missing", "t; DROP TABLE t", 't FROM STDIN; DROP TABLE "t'):
        with (
            pytest.raises((errors.UndefinedTable, errors.SyntaxError, errors.InvalidName)),
            connection.transaction(),
        ):
            load(connection, "plain.csv", table=name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"key": "missing"}, r"HTTP 404\..*\nDETAIL:  NoSuchKey"),
        ({"bucket": "no-such-bucket"}, r"HTTP 404\..*\nDETAIL:  NoSuchBucket"),
        (
            {"region": "eu-west-1"},
            r"HTTP 400\..*\nDETAIL:  AuthorizationHeaderMalformed.*expecting 'us-east-1'",
        ),
    ],
)
def test_what_s3_refuses(connection, put, change, message):
    put("plain.csv", CSV)
    with pytest.raises(errors.ExternalRoutineException, match=message), connection.transaction():
        load(connection, **({"key": "plain.csv"} | change))
    assert connection.execute("SHOW search_path").fetchone() == ("work",)


def test_keys_given_in_sql(connection, put, env):
    put("plain.csv", CSV)
    statement = (
        "SELECT aws_s3.table_import_from_s3('t', '', '(format csv)', aws_commons.create_s3_uri(%s, 'plain.csv', 'us-east-1'),"
        " aws_commons.create_aws_credentials(%s, %s, %s))"
    )

    def load_as(user: str) -> str:
        prefix = f"SNOWMELT_SANDBOX_{user}"
        keys = [
            env.get(f"{prefix}_{part}", "")
            for part in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN")
        ]
        return connection.execute(statement, (BUCKET, *keys)).fetchone()[0]

    assert load_as("SESSION").startswith("3 rows imported")
    with (
        pytest.raises(errors.ExternalRoutineException, match=r"HTTP 403\. Permission denied"),
        connection.transaction(),
    ):
        load_as("NOBODY")


def test_gzip_only_when_declared(connection, put):
    packed = gzip.compress(b"1,one\n") + gzip.compress(b"2,two\n")
    put("packed.csv.gz", packed, ContentEncoding="gzip")
    put("undeclared.csv.gz", packed)
    assert load(connection, "packed.csv.gz") == (
        f'2 rows imported into relation "t" from file packed.csv.gz of {len(packed)} bytes'
    )
    assert rows(connection) == [(1, "one"), (2, "two")]
    with pytest.raises(
        errors.CharacterNotInRepertoire, match='invalid byte sequence for encoding "UTF8": 0x8b'
    ):
        load(connection, "undeclared.csv.gz")


def test_who_may_import(superuser, env, put):
    put("plain.csv", CSV)
    parts = psycopg.conninfo.conninfo_to_dict(env["SNOWMELT_SANDBOX_PG_DSN"])
    owner = psycopg.connect(**parts, autocommit=True)
    owner.execute("CREATE TABLE public.owned (id int, name text)")
    superuser.execute("CREATE ROLE other LOGIN PASSWORD 'other'")
    admin = psycopg.connect(
        **psycopg.conninfo.conninfo_to_dict(env["SNOWMELT_SANDBOX_PG_SUPERUSER_DSN"]) | {"dbname": "app"},
        autocommit=True,
    )
    other = psycopg.connect(**parts | {"user": "other", "password": "other"}, autocommit=True)
    try:
        with pytest.raises(errors.InsufficientPrivilege, match="permission denied for schema aws_"):
            load(other, "plain.csv", table="public.owned")
        admin.execute("GRANT USAGE ON SCHEMA aws_s3, aws_commons TO other")
        with pytest.raises(errors.InsufficientPrivilege, match="permission denied for function"):
            load(other, "plain.csv", table="public.owned")
        admin.execute("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA aws_s3, aws_commons TO other")
        with pytest.raises(errors.InsufficientPrivilege, match=r"permission denied for table public\.owned"):
            load(other, "plain.csv", table="public.owned")
        with pytest.raises(errors.InsufficientPrivilege, match="permission denied for table"):
            load(other, "plain.csv", table="pg_catalog.pg_authid")
        owner.execute("GRANT INSERT ON public.owned TO other")
        assert load(other, "plain.csv", table="public.owned").startswith("3 rows")
        with pytest.raises(errors.InsufficientPrivilege):
            other.execute("COPY public.owned FROM PROGRAM 'true'")
    finally:
        for connection in (other, owner):
            connection.close()
        admin.execute("DROP OWNED BY other; DROP ROLE other; DROP TABLE public.owned")
        admin.close()


def test_nothing_is_looked_up_in_the_callers_schemas(connection, put):
    put("plain.csv", CSV)
    connection.execute("""
        CREATE FUNCTION work.trap(text, text) RETURNS text LANGUAGE plpgsql AS
            $$ BEGIN RAISE 'trapped as %', current_user; END $$;
        CREATE OPERATOR work.|| (LEFTARG = text, RIGHTARG = text, FUNCTION = work.trap);
        CREATE FUNCTION work.format(text, VARIADIC text[]) RETURNS text LANGUAGE sql AS $$ SELECT work.trap('', '') $$;
        CREATE FUNCTION work.current_setting(text) RETURNS text LANGUAGE sql AS $$ SELECT work.trap('', '') $$;
        CREATE DOMAIN work.text AS pg_catalog.text CHECK (work.trap(VALUE, VALUE) IS NULL);
        SET search_path = work, pg_catalog;
    """)
    assert load(connection, "plain.csv").startswith("3 rows")
    assert connection.execute("SHOW search_path").fetchone() == ("work, pg_catalog",)


def test_the_servers_keys_are_its_own(env):
    home = Path(env["SNOWMELT_SANDBOX_PG_STATEMENT_LOG"]).parents[1]
    settings = home / "aws" / "settings.json"
    assert settings.stat().st_mode & 0o777 == 0o600
    assert json.loads(settings.read_text())["access_key"] == env["SNOWMELT_SANDBOX_RDS_IMPORT_ACCESS_KEY_ID"]


def test_the_program_streams(env, put):
    """60 MB, packed so well that their unpacking alone would fill the memory of a program that does not stream."""
    line = b"12345678," + b"x" * 90 + b"\n"
    put("large.csv", gzip.compress(line * 600_000, 1), ContentEncoding="gzip")
    home = Path(env["SNOWMELT_SANDBOX_PG_STATEMENT_LOG"]).parents[1] / "aws"
    nonce = "00000000-0000-0000-0000-000000000000"
    request = {
        "bucket": BUCKET,
        "key": "large.csv",
        "region": "us-east-1",
        "nonce": nonce,
        "credentials": None,
    }
    measure = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True);"
        " print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    command = [sys.executable, "-c", measure, home / "fetch", json.dumps(request).encode().hex()]
    peak = int(subprocess.run(command, capture_output=True, check=True).stdout)
    assert peak < 40_000  # kB; 20,000 measured
    assert json.loads((home / "answers" / nonce).read_text())["bytes"] < 1_000_000
