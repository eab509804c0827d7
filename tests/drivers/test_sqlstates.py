"""Every class of SQLSTATE is judged, and as the server raises it; only a server that did not answer is out of reach."""

from __future__ import annotations

import re

import psycopg
import pytest
from psycopg.errors import _sqlcodes as CODES

from snowmelt.drivers.postgres_errors import postgres_failures
from snowmelt.drivers.sqlstates import SQLSTATES, judge
from snowmelt.errors import (
    AccessError,
    ConfigurationError,
    SnowmeltError,
    StagingError,
    TargetError,
    TargetUnavailable,
    ValueRefused,
)

#: What a trigger or any statement may raise, and what becomes of it.
RAISED = {
    "02000": (TargetError, None),
    "03000": (TargetError, None),
    "08000": (TargetUnavailable, "postgres-unavailable"),
    "08006": (TargetUnavailable, "postgres-unavailable"),
    "08P01": (TargetError, None),
    "09000": (TargetError, "routine-failed"),
    "0A000": (TargetError, None),
    "0B000": (TargetError, None),
    "0F001": (TargetError, None),
    "0LP01": (AccessError, "postgres-grant"),
    "0P000": (ConfigurationError, "postgres-login"),
    "0Z002": (TargetError, "routine-failed"),
    "10608": (TargetError, "routine-failed"),
    "20000": (TargetError, "routine-failed"),
    "21000": (ValueRefused, "constraint"),
    "22001": (ValueRefused, "value-refused"),
    "22023": (ConfigurationError, None),
    "22P03": (TargetError, None),
    "22P04": (StagingError, "object-changed"),
    "23001": (ValueRefused, "constraint"),
    "23502": (ValueRefused, "masked-columns"),
    "23503": (ValueRefused, "constraint"),
    "23505": (ValueRefused, "constraint"),
    "23514": (ValueRefused, "constraint"),
    "23P01": (ValueRefused, "constraint"),
    "24000": (ConfigurationError, "pooler"),
    "25001": (TargetError, None),
    "25006": (TargetUnavailable, "postgres-unavailable"),
    "25P02": (TargetError, None),
    "25P03": (TargetUnavailable, "statement-timeout"),
    "25P04": (TargetUnavailable, "statement-timeout"),
    "26000": (ConfigurationError, "pooler"),
    "27000": (TargetError, "routine-failed"),
    "28000": (AccessError, "postgres-login"),
    "28P01": (AccessError, "postgres-login"),
    "2BP01": (TargetError, "dependent-objects"),
    "2D000": (TargetError, "routine-failed"),
    "2F005": (TargetError, "routine-failed"),
    "34000": (ConfigurationError, "pooler"),
    "38000": (TargetError, "routine-failed"),
    "39P01": (TargetError, "routine-failed"),
    "3B001": (TargetError, None),
    "3D000": (ConfigurationError, "postgres-login"),
    "3F000": (ConfigurationError, None),
    "40001": (TargetUnavailable, "lock-timeout"),
    "40002": (ValueRefused, "constraint"),
    "40P01": (TargetUnavailable, "lock-timeout"),
    "42501": (AccessError, "postgres-grant"),
    "42601": (TargetError, None),
    "42703": (TargetError, "target-changed"),
    "42804": (TargetError, "target-changed"),
    "42809": (TargetError, "target-changed"),
    "428C9": (TargetError, None),
    "42P01": (TargetError, "target-changed"),
    "42P05": (ConfigurationError, "pooler"),
    "42P07": (TargetError, "target-changed"),
    "44000": (ValueRefused, "constraint"),
    "53000": (TargetUnavailable, "postgres-unavailable"),
    "53100": (TargetError, "disk-full"),
    "53200": (TargetUnavailable, "postgres-unavailable"),
    "53300": (TargetUnavailable, "too-many-connections"),
    "53400": (TargetError, "disk-full"),
    "54000": (TargetError, "server-limit"),
    "54011": (TargetError, "server-limit"),
    "55000": (TargetError, "replica-identity"),
    "55006": (TargetUnavailable, "lock-timeout"),
    "55P02": (ConfigurationError, None),
    "55P03": (TargetUnavailable, "lock-timeout"),
    "55P04": (TargetError, None),
    "57000": (TargetUnavailable, "postgres-unavailable"),
    "57014": (TargetUnavailable, "statement-timeout"),
    "57P01": (TargetUnavailable, "postgres-unavailable"),
    "57P04": (ConfigurationError, "postgres-login"),
    "58000": (TargetUnavailable, "server-damaged"),
    "58030": (TargetUnavailable, "server-damaged"),
    "58P01": (TargetError, "server-damaged"),
    "72000": (TargetUnavailable, "lock-timeout"),
    "F0001": (TargetError, None),
    "HV000": (TargetError, "foreign-table"),
    "HV001": (TargetUnavailable, "postgres-unavailable"),
    "HV00N": (TargetUnavailable, "foreign-table"),
    "P0001": (TargetError, "routine-failed"),
    "P0004": (TargetError, "routine-failed"),
    "XX000": (TargetError, "server-damaged"),
    "XX001": (TargetError, "server-damaged"),
    "XX002": (TargetError, "server-damaged"),
    "ZZ123": (TargetError, None),
}


def raised(call) -> SnowmeltError:
    with pytest.raises(SnowmeltError) as caught, postgres_failures("Publishing public.t"):
        call()
    return caught.value


@pytest.fixture(scope="module")
def session(postgres_dsn):
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize("state", RAISED)
def test_a_code_is_judged_as_the_server_raises_it(session, state):
    family, anchor = RAISED[state]
    error = raised(lambda: session.execute(f"DO $$ BEGIN RAISE 'secret' USING ERRCODE = '{state}'; END $$"))
    assert (type(error), error.code) == (family, state)
    assert (None if error.topic is None else error.topic.value) == anchor
    assert f"PostgreSQL answered {state}: " in str(error)
    assert "PostgreSQL could not be reached" not in str(error)
    assert ("It is retried." in str(error)) is (family is TargetUnavailable)


def test_every_class_of_postgresql_has_a_judgement():
    classes = {code[:2] for code in CODES if re.fullmatch("(?=.*[0-9])[0-9A-Z]{5}", code)}
    assert classes <= set(SQLSTATES)
    assert classes <= {state[:2] for state in RAISED}
    assert len(classes) > 40


def test_a_code_is_judged_before_its_class():
    assert judge("53100").family is TargetError
    assert judge("53999").family is TargetUnavailable


REAL = [
    (
        "CREATE TABLE long_keys (note text); CREATE INDEX long_note ON long_keys (note); INSERT INTO long_keys SELECT string_agg(md5(n::text), '') FROM generate_series(1, 110) AS n",
        "54000", "server-limit", {"constraint": "long_note", "table": "public.long_keys"},
    ),
    (
        "CREATE TABLE replicated (id int); INSERT INTO replicated VALUES (1); CREATE PUBLICATION p FOR TABLE replicated; UPDATE replicated SET id = 2",
        "55000", "replica-identity", {},
    ),
    ("CREATE TABLE viewed (id int); CREATE VIEW seen AS SELECT * FROM viewed; DROP TABLE viewed", "2BP01", "dependent-objects", {}),
    ("CREATE TABLE g (id int GENERATED ALWAYS AS IDENTITY); INSERT INTO g VALUES (1)", "428C9", None, {}),
    ("CREATE VIEW v AS SELECT 1 AS a; TRUNCATE v", "42809", "target-changed", {}),
    ("CREATE TABLE twice (id int); CREATE TABLE twice (id int)", "42P07", "target-changed", {}),
    ("EXECUTE never_prepared", "26000", "pooler", {}),
    ("VACUUM pg_class; SELECT 1", "25001", None, {}),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "state", "anchor", "facts"), REAL, ids=[case[1] for case in REAL])
def test_what_the_server_itself_refuses_after_everything_was_loaded_is_not_tried_again(
    session, sql, state, anchor, facts
):
    error = raised(lambda: session.execute(sql))
    assert (error.code, type(error) is TargetUnavailable) == (state, False), error
    assert (None if error.topic is None else error.topic.value) == anchor
    assert {name: getattr(error, name) for name in facts} == facts


def test_a_failed_transaction_says_that_the_first_error_is_the_cause(session):
    def run():
        with session.transaction():
            try:
                session.execute("SELECT 1/0")
            except psycopg.Error:
                session.execute("SELECT 1")

    error = raised(run)
    assert (type(error), error.code) == (TargetError, "25P02")
    assert "the first error in the log is the cause" in str(error)


def test_only_a_server_that_did_not_answer_is_out_of_reach(postgres_dsn):
    error = raised(lambda: psycopg.connect(postgres_dsn, port=9, connect_timeout=5))
    assert "PostgreSQL could not be reached" in str(error)
    assert error.code is None


@pytest.mark.parametrize("level", ["ROLE", "DATABASE"])
def test_a_role_that_is_set_to_read_only_is_told_from_a_standby(database, sandbox, monkeypatch, level):
    from psycopg.conninfo import conninfo_to_dict

    from snowmelt.airflow.sessions import postgres_session

    parts = conninfo_to_dict(database)
    name = parts["user" if level == "ROLE" else "dbname"]
    url = (
        f"postgresql://{parts['user']}:{parts['password']}@{parts['host']}:{parts['port']}/{parts['dbname']}"
    )
    monkeypatch.setenv("AIRFLOW_CONN_READ_ONLY", url)
    with psycopg.connect(sandbox.superuser_dsn(), autocommit=True) as superuser:
        superuser.execute(f'ALTER {level} "{name}" SET default_transaction_read_only = on')
        try:
            with pytest.raises(AccessError) as caught, postgres_session("read_only"):
                pass
        finally:
            superuser.execute(f'ALTER {level} "{name}" RESET default_transaction_read_only')
    assert caught.value.code == "25006"
    assert "default_transaction_read_only is on" in str(caught.value)
    assert str(caught.value).endswith("#read-only")
    with postgres_session("read_only") as connection:
        assert connection.execute("SHOW transaction_read_only").fetchone() == ("off",)
