"""The tables that the probes read, made alike in each engine."""

from __future__ import annotations

import time

from tests.second_engine.engines import Engine
from tests.second_engine.probes import BUCKET, Error
from tests.second_engine.rows import TYPES

_NOW = "SELECT TO_VARCHAR(CONVERT_TIMEZONE('UTC', CURRENT_TIMESTAMP()), 'YYYY-MM-DD HH24:MI:SS.FF9')"
_TOMORROW = _NOW.replace("CURRENT_TIMESTAMP()", "DATEADD('day', 1, CURRENT_TIMESTAMP())")
#: Longer than a clock's step, in seconds.
_APART = 0.05

_BEFORE = (
    'CREATE TABLE PAST ("ID" NUMBER(9,0), "T" VARCHAR(10)) CHANGE_TRACKING = TRUE',
    'CREATE TABLE UNTRACKED ("ID" NUMBER(9,0))',
    'CREATE TABLE AGAIN ("ID" NUMBER(9,0))',
    "INSERT INTO PAST SELECT 1, 'one'",
    "INSERT INTO PAST SELECT 2, 'two'",
    'CREATE VIEW PAST_VIEW AS SELECT "ID" FROM PAST',
)
_AFTER = (
    'UPDATE PAST SET "T" = \'deux\' WHERE "ID" = 2',
    'DELETE FROM PAST WHERE "ID" = 1',
    "INSERT INTO PAST SELECT 3, 'three'",
    'CREATE OR REPLACE TABLE AGAIN ("ID" NUMBER(9,0))',
    'CREATE TABLE MIXED ("Visit Id" NUMBER(9,0))',
    "INSERT INTO MIXED SELECT 7",
    "CREATE TABLE COLLATED (\"A\" VARCHAR(10) COLLATE 'en-ci', \"B\" VARCHAR(10) COLLATE 'fr')",
    "INSERT INTO COLLATED SELECT 'A', 'b'",
    "INSERT INTO COLLATED SELECT 'a', 'B'",
    'CREATE TABLE KEYED ("A" NUMBER(9,0) NOT NULL, "B" VARCHAR(10) NOT NULL, "C" TIMESTAMP_TZ, PRIMARY KEY ("B", "A"))',
    'CREATE TABLE COMPUTED ("A" NUMBER(9,0), "TWICE" NUMBER(9,0) AS ("A" * 2))',
    'INSERT INTO COMPUTED ("A") SELECT 3',
    "CREATE WAREHOUSE IF NOT EXISTS WH WAREHOUSE_SIZE = 'XSMALL'",
    (
        "CREATE STORAGE INTEGRATION LAKE TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE "
        f"STORAGE_AWS_ROLE_ARN = 'arn:aws:iam::1:role/r' STORAGE_ALLOWED_LOCATIONS = ('s3://{BUCKET}/')"
    ),
    f"CREATE STAGE ST URL = 's3://{BUCKET}/' STORAGE_INTEGRATION = LAKE",
)


def make_tables(engine: Engine) -> dict[str, Error]:
    """Make them all; returns the statements that the engine refused, with its answers."""
    refused: dict[str, Error] = {}

    def run(sql: str) -> str:
        answer = engine.run(sql)
        if isinstance(answer, Error):
            refused[sql] = answer
            return ""
        return (answer.values[0][0] or "") if answer.values else ""

    for typed in TYPES:
        run(f'CREATE TABLE {typed.name} ("ID" NUMBER(9,0), "C" {typed.declared})')
        for place, sql in enumerate((*(value.sql for value in typed.values), "NULL"), start=1):
            run(f"INSERT INTO {typed.name} SELECT {place}, {sql}")
    for sql in _BEFORE:
        run(sql)
    time.sleep(_APART)
    engine.moments["between"] = f"{run(_NOW)} +0000"
    time.sleep(_APART)
    for sql in _AFTER:
        run(sql)
    engine.moments["tomorrow"] = f"{run(_TOMORROW)} +0000"
    return refused
