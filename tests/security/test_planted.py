"""A role that may create objects in `public`, or in the target's schema, gets none of them called by the loader."""

from __future__ import annotations

import re

import psycopg
import pytest
from psycopg import conninfo

from snowmelt.ledger.page_rows import read_run_rows
from snowmelt.ledger.table_rows import read_dag_ids, read_tables
from snowmelt.publish.staging import list_leftovers
from tests.load.ways import allow_aws_s3
from tests.security.planted import plant, sprung

SCHEMA = "meadow"
ENTRY = {
    "source": "T",
    "uniqueness_columns": ["ID"],
    "watermark_column": "CHANGED",
    "chunking_column": "ID",
    "chunk_rows": 20,
    "bad_rows": "quarantine",
}
#: Everything that a run can be: each publish, each format, each load.
RUNS = [
    {"mode": "full", "publish": "swap"},
    {"mode": "full", "publish": "swap"},
    {"mode": "full", "publish": "replace"},
    {"mode": "incremental", "deletes": "hard"},
    {"mode": "full", "publish": "swap", "file_format": "csv", "load_method": "copy"},
    {"mode": "full", "publish": "swap", "file_format": "csv", "load_method": "aws_s3"},
    {"mode": "test", "row_limit": 3},
]


@pytest.fixture
def filled(world, sandbox):
    world.sql(
        "CREATE TABLE T (ID NUMBER(9,0) NOT NULL, CHANGED TIMESTAMP_NTZ(6), N NUMBER(20,4), F FLOAT, B BOOLEAN, D DATE, TM TIME(6), "
        "TXT VARCHAR(100), BIN BINARY, V VARIANT, TZ TIMESTAMP_TZ(6), PRIMARY KEY (ID))",
        "INSERT INTO T SELECT SEQ4(), DATEADD(second, SEQ4(), '2026-01-01'::TIMESTAMP_NTZ), SEQ4() / 7, SEQ4() * 1.5, SEQ4() % 2 = 0, "
        "'2026-03-04'::DATE, '01:02:03.000004'::TIME, 'text ' || SEQ4(), TO_BINARY('00FF', 'HEX'), PARSE_JSON('{\"a\": 1}'), "
        "'2026-03-04 05:06:07.000008 +02:00'::TIMESTAMP_TZ FROM TABLE(GENERATOR(ROWCOUNT => 50))",
    )
    world.execute(f"CREATE SCHEMA {SCHEMA}")
    allow_aws_s3(world, sandbox)
    return world


def run_all(world):
    for params in RUNS:
        result = world.run(ENTRY, target_schema=SCHEMA, **params)
        assert result, params


def test_nothing_planted_is_called(filled, sandbox, ears):
    database = conninfo.conninfo_to_dict(filled.dsn)["dbname"]
    heard = ears()
    run_all(filled)
    names = {
        name
        for sql in heard.postgres(str(database))
        for name in re.findall(r"\b([a-z_][a-z0-9_]*)\s*\(", sql)
    }
    assert {"count", "md5", "to_regclass", "set_config", "jsonb_build_object"} <= names
    with psycopg.connect(
        sandbox.superuser_dsn(str(database)), autocommit=True, options="-c search_path=pg_catalog"
    ) as admin:
        planted = plant(admin, ("public", SCHEMA), names)
        assert {"count", "sum", "md5", "to_regclass", "format", "jsonb_build_object"} <= planted
        owner = conninfo.conninfo_to_dict(filled.dsn)["user"]
        admin.execute(f"GRANT ALL ON SCHEMA {SCHEMA} TO {owner}")
        # As found by a session without a pinned path: this is what the loader's role is given.
        admin.execute(
            f'ALTER ROLE "{owner}" IN DATABASE {database} SET search_path = {SCHEMA}, public, pg_catalog'
        )
        with (
            psycopg.connect(filled.dsn, autocommit=True) as careless,
            pytest.raises(psycopg.errors.RaiseException, match="planted"),
        ):
            careless.execute("SELECT count(*) FROM pg_catalog.pg_class")
        assert sprung(admin)
        admin.execute("SELECT setval('trap.sprung', 1, false)")
        run_all(filled)
        with filled.target() as connection:
            assert read_dag_ids(connection) == {"dag"}
            assert read_tables(connection, ["dag"])
            assert read_run_rows(connection, "dag", "run") is not None
            assert list_leftovers(connection) == []
        assert not sprung(admin)
        assert admin.execute(f"SELECT count(*) FROM {SCHEMA}.t").fetchone() == (50,)
