"""Worlds whose target database has the extension aws_s3, so that a table can go all three ways."""

from __future__ import annotations

import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.types.ways import allow_aws_s3


@pytest.fixture
def world(run_world, sandbox):
    allow_aws_s3(run_world, sandbox.superuser_dsn(conninfo_to_dict(run_world.dsn)["dbname"]))
    return run_world
