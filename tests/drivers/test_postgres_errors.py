"""What psycopg really raises, provoked on the real server, and what a person then reads."""

from __future__ import annotations

import threading
import time

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from snowmelt.drivers.postgres_errors import postgres_failures
from snowmelt.errors import AccessError, ConfigurationError, TargetError, TargetUnavailable, ValueRefused


def raised(call):
    with pytest.raises(Exception) as caught, postgres_failures("Loading s3://b/k into t"):
        call()
    error = caught.value
    assert str(error).startswith("Loading s3://b/k into t: PostgreSQL ")
    assert "\n" not in str(error)
    return error


@pytest.fixture
def table(connection):
    connection.execute(
        "DROP TABLE IF EXISTS failing; CREATE TABLE failing (id integer PRIMARY KEY, name text NOT NULL, CHECK (id < 100)); INSERT INTO failing VALUES (1, 'one')"
    )
    yield "failing"
    connection.execute("DROP TABLE failing")


STATEMENTS = [
    ("INSERT INTO failing VALUES (1, 'two')", ValueRefused, "23505", "constraint"),
    ("INSERT INTO failing VALUES (100, 'two')", ValueRefused, "23514", "constraint"),
    ("INSERT INTO failing VALUES (2, NULL)", ValueRefused, "23502", "masked-columns"),
    ("INSERT INTO failing VALUES (3000000000, 'x')", ValueRefused, "22003", "value-refused"),
    ("SELECT 1/0", ValueRefused, "22012", "value-refused"),
    ("SET statement_timeout = 50; SELECT pg_sleep(5)", TargetUnavailable, "57014", "statement-timeout"),
    (
        "BEGIN; SET LOCAL idle_in_transaction_session_timeout = 50; SELECT 1",
        TargetUnavailable,
        "25P03",
        "statement-timeout",
    ),
    ("COPY (SELECT generate_series(1, 200000)) TO '/dev/full'", TargetError, "53100", "disk-full"),
    (
        "SET temp_file_limit = '1MB'; SET work_mem = '64kB'; SELECT count(*) FROM (SELECT * FROM generate_series(1, 500000) AS g ORDER BY random()) AS s",
        TargetError,
        "53400",
        "disk-full",
    ),
    ("SET transaction_read_only = on; CREATE TABLE no (a int)", TargetUnavailable, "25006", "postgres-unavailable"),
    ("SELECT pg_terminate_backend(pg_backend_pid())", TargetUnavailable, "57P01", "postgres-unavailable"),
    ("SET ROLE nobody_at_all; SELECT 1", ConfigurationError, "22023", None),
    ("CREATE TABLE nowhere.t (a int)", ConfigurationError, "3F000", None),
    ("SELECT * FROM not_there", TargetError, "42P01", "target-changed"),
    ("SELEKT", TargetError, "42601", None),
    ("SELECT aws_s3.table_import_from_s3('t')", ConfigurationError, "3F000", "aws-s3-missing"),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "family", "state", "anchor"), STATEMENTS, ids=lambda value: str(value)[:40])
def test_a_statement_that_fails(postgres_dsn, table, sql, family, state, anchor):
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:

        def run():
            connection.execute(sql)
            if state == "25P03":
                time.sleep(0.5)
                connection.execute("SELECT 1")

        error = raised(run)
    assert type(error) is family, error
    assert f"PostgreSQL answered {state}: " in str(error)
    assert ("It is retried." in str(error)) is (family is TargetUnavailable)
    if anchor:
        assert str(error).endswith(f"See docs/troubleshooting.md#{anchor}")


def test_a_lock_that_another_session_holds(postgres_dsn, table, connection):
    with psycopg.connect(postgres_dsn) as holder:
        holder.execute("LOCK TABLE failing")
        connection.execute("SET lock_timeout = 100")
        error = raised(lambda: connection.execute("SELECT * FROM failing"))
    assert type(error) is TargetUnavailable
    assert "Another session holds a lock" in str(error)
    assert str(error).endswith("It is retried. See docs/troubleshooting.md#lock-timeout")


def test_a_deadlock(postgres_dsn, connection):
    connection.execute("DROP TABLE IF EXISTS d; CREATE TABLE d (id int); INSERT INTO d VALUES (1), (2)")
    errors = []
    with psycopg.connect(postgres_dsn) as first, psycopg.connect(postgres_dsn) as second:
        for each in (first, second):
            each.execute("SET deadlock_timeout = 100")
        first.execute("UPDATE d SET id = id WHERE id = 1")
        second.execute("UPDATE d SET id = id WHERE id = 2")

        def cross(session, number):
            try:
                with postgres_failures("Publishing"):
                    session.execute("UPDATE d SET id = id WHERE id = %s", (number,))
            except TargetUnavailable as error:
                errors.append(str(error))
                session.rollback()

        threads = [threading.Thread(target=cross, args=pair) for pair in ((first, 2), (second, 1))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert len(errors) == 1
    assert "40P01" in errors[0]
    assert errors[0].endswith("#lock-timeout")
    connection.execute("DROP TABLE d")


def test_a_missing_grant(database, sandbox):
    with psycopg.connect(database, autocommit=True) as connection:
        error = raised(lambda: connection.execute("SELECT * FROM pg_authid"))
    assert type(error) is AccessError
    assert "42501" in str(error)
    assert str(error).endswith("#postgres-grant")


CONNECTIONS = [
    ({"password": "wrong"}, AccessError, "postgres-login"),
    ({"user": "nobody_at_all"}, AccessError, "postgres-login"),
    ({"dbname": "no_such"}, ConfigurationError, "postgres-login"),
    ({"port": "9"}, TargetUnavailable, "postgres-unavailable"),
    ({"host": "no.such.host.invalid"}, TargetUnavailable, "postgres-unavailable"),
]


@pytest.mark.parametrize(("change", "family", "anchor"), CONNECTIONS, ids=lambda value: str(value)[:30])
def test_a_connection_that_never_was(database, change, family, anchor):
    error = raised(lambda: psycopg.connect(make_conninfo(database, **change), connect_timeout=10))
    assert type(error) is family, error
    assert str(error).endswith(f"#{anchor}")


def test_no_connection_left(database, connection):
    name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    connection.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT 1')
    with psycopg.connect(database):
        error = raised(lambda: psycopg.connect(database))
    assert type(error) is TargetUnavailable
    assert "raise max_connections" in str(error)
    assert str(error).endswith("#too-many-connections")


def test_a_server_that_dies_in_the_midst(postgres_dsn, connection):
    """The backend is ended while a COPY is under way; the connection is broken for whatever follows."""
    with psycopg.connect(postgres_dsn, autocommit=True) as loading:
        loading.execute("CREATE TEMP TABLE c (a text)")

        def copy():
            with loading.cursor() as cursor, cursor.copy("COPY c FROM STDIN") as stream:
                stream.write("x\n")
                connection.execute("SELECT pg_terminate_backend(%s, 10000)", (loading.info.backend_pid,))
                for _ in range(2000):
                    stream.write("y\n" * 20000)

        first = raised(copy)
        again = raised(lambda: loading.execute("SELECT 1"))
    assert type(first) is TargetUnavailable, first
    assert type(again) is TargetUnavailable, again


def test_bytes_that_are_no_binary_copy_are_not_tried_again(connection):
    connection.execute("CREATE TEMP TABLE b (a bigint)")

    def copy():
        with connection.cursor() as cursor, cursor.copy("COPY b FROM STDIN (FORMAT binary)") as stream:
            stream.write(b"PGCOPY\n\xff\r\n\x00" + bytes(8) + b"\x00\x01\x00\x00\x00\x04abcd")

    error = raised(copy)
    assert type(error) in {TargetError, ValueRefused}, error
