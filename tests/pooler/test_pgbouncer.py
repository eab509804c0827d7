"""Whole copies through PgBouncer as it is installed; what its transaction pooling cannot do is said when a session is opened."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
import pytest

from snowmelt.drivers.postgres import CONNECT_ARGUMENTS, PAGE, PINNED, TASK, open_session
from snowmelt.drivers.postgres_errors import postgres_failures
from snowmelt.errors import ConfigurationError

pytestmark = pytest.mark.alone

ENTRY = {
    "source": "T",
    "uniqueness_columns": ["ID"],
    "watermark_column": "ID",
    "chunking_column": "ID",
    "chunk_rows": 100,
}
RUNS = [
    {"mode": "full", "publish": "swap"},
    {"mode": "full", "publish": "replace"},
    {"mode": "incremental", "deletes": "hard"},
    {"mode": "full", "file_format": "csv", "load_method": "copy"},
]
IGNORED = "ignore_startup_parameters = options,extra_float_digits"


def opened(dsn, kind=TASK):
    return open_session(lambda: psycopg.connect(dsn, **CONNECT_ARGUMENTS), kind, "Opening a session")


@pytest.mark.parametrize(
    "rest", [(), (IGNORED,), ("server_round_robin = 1",)], ids=["as installed", "ignoring", "round robin"]
)
def test_whole_copies_in_session_mode(run_world, bouncer, rest):
    run_world.sql(
        "CREATE TABLE T (ID NUMBER(9,0) NOT NULL, NAME VARCHAR, AT TIMESTAMP_NTZ(6), PRIMARY KEY (ID))",
        "INSERT INTO T SELECT SEQ4(), 'é ' || SEQ4(), '2026-01-02 03:04:05.000006'::TIMESTAMP_NTZ FROM TABLE(GENERATOR(ROWCOUNT => 300))",
    )
    with bouncer("session", 10, *rest) as dsn:
        world = replace(run_world, dsn=dsn)
        for params in RUNS:
            world.run(ENTRY, **params)
            assert run_world.query("SELECT count(*), min(name) FROM public.t") == [(300, "é 0")]

        # Many at once: no name of a prepared statement meets another's.
        def ask(number):
            with opened(dsn) as connection:
                return [connection.execute("SELECT %s::int", (number,)).fetchone()[0] for _ in range(20)]

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(ask, range(8))) == [[number] * 20 for number in range(8)]


def test_a_session_of_the_pooler_is_pinned(bouncer):
    with bouncer("session") as dsn:
        for kind in (TASK, PAGE):
            with opened(dsn, kind) as connection:
                for name in ("search_path", "TimeZone", "statement_timeout", "application_name"):
                    assert connection.execute(f"SHOW {name}").fetchone() == (kind.pinned[name],), name
    assert PINNED["search_path"] == "pg_catalog, pg_temp"


@pytest.mark.parametrize("mode", ["transaction", "statement"])
@pytest.mark.parametrize("size", [1, 10])
@pytest.mark.parametrize("rest", [(), ("server_round_robin = 1",)], ids=["last", "round robin"])
def test_what_keeps_no_settings_is_refused_when_a_session_is_opened(bouncer, mode, size, rest):
    with bouncer(mode, size, *rest) as dsn:
        with pytest.raises(ConfigurationError, match="transaction or statement pooling") as refused:
            opened(dsn)
        assert str(refused.value).endswith("#pooler")


def test_a_pool_of_one_session_is_enough(bouncer):
    with bouncer("session", 1) as dsn, opened(dsn) as connection:
        assert connection.execute("SHOW search_path").fetchone() == ("pg_catalog, pg_temp",)


def test_options_of_the_connection_are_named_where_the_pooler_refuses_them(bouncer):
    with bouncer("session") as dsn:
        with pytest.raises(ConfigurationError, match="remove `options` from the extra") as refused:
            with postgres_failures("Opening a session"):
                psycopg.connect(dsn, options="-c statement_timeout=1")
        assert str(refused.value).endswith("#pooler")
