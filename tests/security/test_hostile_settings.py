"""Whatever a role and a database are set to, a copy is exact: every session is pinned after it has connected."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import psycopg
import pytest
from psycopg import conninfo, sql

from snowmelt.drivers.postgres import PAGE, PINNED, TASK, open_session

#: A value for each pinned setting that would change a result, or end the session.
HOSTILE = {
    "array_nulls": "off",
    "bytea_output": "escape",
    "client_encoding": "LATIN1",
    "client_min_messages": "debug5",
    "DateStyle": "German, DMY",
    "default_transaction_deferrable": "on",
    "default_transaction_isolation": "serializable",
    "exit_on_error": "on",
    "extra_float_digits": "-15",
    "IntervalStyle": "iso_8601",
    "quote_all_identifiers": "on",
    "restrict_nonsystem_relation_kind": "view, foreign-table",
    "row_security": "on",
    "search_path": "nowhere",
    "standard_conforming_strings": "off",
    "TimeZone": "Australia/Lord_Howe",
    "transform_null_equals": "on",
    "idle_in_transaction_session_timeout": "20ms",
    "idle_session_timeout": "2s",
    "lock_timeout": "1ms",
    "statement_timeout": "2s",
    "transaction_timeout": "2s",
    "tcp_keepalives_count": "1",
    "tcp_keepalives_idle": "1",
    "tcp_keepalives_interval": "1",
    "tcp_user_timeout": "1s",
}
ENTRY = {
    "source": "T",
    "uniqueness_columns": ["ID"],
    "watermark_column": "CHANGED",
    "chunking_column": "ID",
    "chunk_rows": 2,
}
ROW = (1, dt.datetime(2026, 5, 4, 1, 2, 3, 4), Decimal("0.1000"), 0.1, dt.date(2026, 4, 5), dt.time(1, 2, 3, 4), "back\\slash é",
       b"\x00\xff", {"a": "\u00e9"}, dt.datetime(2026, 5, 4, 3, 2, 3, 4, dt.UTC))  # fmt: skip


@pytest.fixture
def filled(world):
    world.sql(
        "CREATE TABLE T (ID NUMBER(9,0) NOT NULL, CHANGED TIMESTAMP_NTZ(6), N NUMBER(20,4), F FLOAT, D DATE, TM TIME(6), "
        "TXT VARCHAR(100), BIN BINARY, V VARIANT, TZ TIMESTAMP_TZ(6), PRIMARY KEY (ID))",
        *(
            f"INSERT INTO T SELECT {number}, '2026-05-04 01:02:03.000004'::TIMESTAMP_NTZ, 0.1, 0.1, '2026-04-05'::DATE, "
            "'01:02:03.000004'::TIME, 'back\\\\slash é', TO_BINARY('00FF', 'HEX'), PARSE_JSON('{\"a\": \"é\"}'), "
            "'2026-05-04 05:02:03.000004 +02:00'::TIMESTAMP_TZ"
            for number in range(1, 6)
        ),
    )
    return world


@pytest.fixture(params=["ROLE", "DATABASE"])
def hostile(filled, sandbox, request):
    """The settings in force for the loader's role in this database alone, or for the database."""
    parts = conninfo.conninfo_to_dict(filled.dsn)
    role, database = sql.Identifier(str(parts["user"])), sql.Identifier(str(parts["dbname"]))
    whom = (
        sql.SQL("ROLE {} IN DATABASE {}").format(role, database)
        if request.param == "ROLE"
        else sql.SQL("DATABASE {}").format(database)
    )
    with psycopg.connect(sandbox.superuser_dsn(), autocommit=True) as admin:
        known = {name for (name,) in admin.execute("SELECT name FROM pg_settings")}
        for name, value in HOSTILE.items():
            if name in known:
                admin.execute(
                    sql.SQL("ALTER {} SET {} = {}").format(
                        whom,
                        sql.Identifier(name),
                        sql.SQL(", ").join(map(sql.Literal, value.split(", ")))
                        if name == "search_path"
                        else sql.Literal(value),
                    )
                )
    return filled


def show(connection, names):
    return {
        name: connection.execute(sql.SQL("SHOW {}").format(sql.Identifier(name))).fetchone()[0]
        for name in names
    }


def test_every_setting_is_pinned_against_a_hostile_one(hostile):
    assert set(HOSTILE) == set(PINNED)
    with psycopg.connect(hostile.dsn, autocommit=True) as careless:
        before = show(careless, PINNED)
    for kind in (TASK, PAGE):
        with open_session(lambda: psycopg.connect(hostile.dsn), kind, "Opening") as connection:
            after = show(connection, kind.pinned)
        assert [name for name in PINNED if before[name] == after[name]] == [], (before, after)
        assert after["application_name"] == kind.name
        assert after["search_path"] == "pg_catalog, pg_temp"


@pytest.mark.parametrize(
    "runs",
    [
        [{"mode": "full", "publish": "swap"}, {"mode": "full", "publish": "swap"}],
        [{"mode": "full", "publish": "replace"}, {"mode": "full", "publish": "replace"}],
        [{"mode": "full"}, {"mode": "incremental", "deletes": "hard"}],
        [{"mode": "full", "file_format": "csv", "load_method": "copy"}],
    ],
    ids=["swap", "replace", "incremental", "csv"],
)
def test_a_whole_copy_is_exact(hostile, runs):
    for params in runs:
        hostile.run(ENTRY, **params)
    with hostile.target() as connection:
        rows = connection.execute("SELECT * FROM public.t ORDER BY id").fetchall()
    assert rows == [(number, *ROW[1:]) for number in range(1, 6)]
