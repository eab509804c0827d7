"""Worlds whose target database has the extension aws_s3, so that a table can go all three ways."""

from __future__ import annotations

import uuid

import pytest

from tests.load.ways import allow_aws_s3
from tests.steps.runs import World


@pytest.fixture
def world(run_world, sandbox):
    allow_aws_s3(run_world, sandbox)
    return run_world


@pytest.fixture(scope="module")
def shared_world(source_session, sandbox):
    """One world for the tests of a module, which clean up behind themselves."""
    name = f"types_{uuid.uuid4().hex[:12]}"
    schema = name.upper()
    made = World(
        source_session, sandbox.s3("AIRFLOW_READER"), sandbox.create_database(name), sandbox.bucket, schema
    )
    allow_aws_s3(made, sandbox)
    made.sql(f"CREATE SCHEMA TESTS.{schema}", "USE DATABASE TESTS", f"USE SCHEMA {schema}")
    yield made
    made.s3.close()
    made.sql(f"DROP SCHEMA TESTS.{schema}")
    sandbox.drop_database(name)
