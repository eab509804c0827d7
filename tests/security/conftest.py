"""A world whose tables, columns and values are all hostile."""

from __future__ import annotations

import uuid

import pytest

from tests.dags.conftest import app, demo, run_dags
from tests.io.runs import World
from tests.security.logs import Ears

__all__ = ["app", "demo", "run_dags"]


@pytest.fixture(scope="session")
def security_session(sandbox):
    from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook

    from sandbox.demo_data import surroundings
    from snowmelt.core.unload.statements import SESSION_PARAMETERS

    connection = SnowflakeHook(
        snowflake_conn_id="snowflake_default", session_parameters=SESSION_PARAMETERS
    ).get_conn()
    with connection.cursor() as cursor:
        for statement in [*surroundings(sandbox.bucket), "CREATE DATABASE IF NOT EXISTS TESTS"]:
            cursor.execute(statement)
    yield connection
    connection.close()


@pytest.fixture
def world(security_session, sandbox, database):
    schema = f"S{uuid.uuid4().hex[:10].upper()}"
    made = World(security_session, sandbox.s3("AIRFLOW_READER"), database, sandbox.bucket, schema)
    made.sql(f"CREATE SCHEMA TESTS.{schema}", "USE DATABASE TESTS", f"USE SCHEMA {schema}")
    yield made
    made.sql(f"DROP SCHEMA TESTS.{schema} CASCADE")


@pytest.fixture
def ears(sandbox):
    """Made by a test when its own preparations are done: `ears()`."""
    return lambda: Ears(sandbox.env, sandbox.superuser_dsn())
