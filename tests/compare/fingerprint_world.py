"""The two databases of the fingerprints' tests."""

from __future__ import annotations

import json
import os

import psycopg
import pytest
import snowflake.connector

from snowmelt.drivers.snowflake import SESSION_PARAMETERS


@pytest.fixture(scope="module")
def postgres(request):
    """`SNOWMELT_TEST_POSTGRES` (a connection string) points to a server of another version."""
    dsn = os.environ.get("SNOWMELT_TEST_POSTGRES") or request.getfixturevalue("postgres_dsn")
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def snowflake_connection(sandbox):
    """The Snowflake stand-in through the real connector, in a schema of its own."""
    settings = json.loads(sandbox.env["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"])
    extra = settings["extra"]
    with snowflake.connector.connect(
        user=settings["login"],
        password=settings["password"],
        account=extra["account"],
        host=extra["host"],
        port=extra["port"],
        role=extra["role"],
        warehouse=extra["warehouse"],
        insecure_mode=extra["insecure_mode"],
        session_parameters=dict(SESSION_PARAMETERS),
    ) as connection:
        with connection.cursor() as cursor:
            cursor.execute("CREATE OR REPLACE DATABASE FINGERPRINTS")
            cursor.execute("CREATE SCHEMA FINGERPRINTS.S")
            cursor.execute("USE SCHEMA FINGERPRINTS.S")
        yield connection
        with connection.cursor() as cursor:
            cursor.execute("DROP DATABASE FINGERPRINTS")


@pytest.fixture
def snowflake_cursor(snowflake_connection):
    with snowflake_connection.cursor() as cursor:
        yield cursor
