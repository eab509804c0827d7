"""A run that Snowflake refuses names the grants that it may lack, since Snowflake does not say which."""

from __future__ import annotations

import pytest

from snowmelt.errors import AccessError, SnowmeltError
from snowmelt.ledger.runs import write_ledger
from snowmelt.steps.source import resize_warehouse
from snowmelt.unload.chunk import read_location
from tests.stand_ins import stand_ins

TO = 'TO ROLE "SNOWMELT_ROLE"'


def test_a_source(run_world):
    with pytest.raises(SnowmeltError) as refused:
        run_world.plan({"source": "NOT_THERE"})
    assert str(refused.value).endswith(
        f'If a grant is missing, run in Snowflake: GRANT USAGE ON DATABASE "TESTS" {TO}; '
        f'GRANT USAGE ON SCHEMA "TESTS"."{run_world.schema}" {TO}; '
        f'GRANT SELECT ON TABLE "TESTS"."{run_world.schema}"."NOT_THERE" {TO}.'
    )


def test_a_stage_and_an_integration(run_world):
    with pytest.raises(SnowmeltError) as refused:
        read_location(run_world.snowflake, bucket="b", stage='"UTIL"."STAGING"."NOT_THERE"')
    assert f'GRANT USAGE ON STAGE "UTIL"."STAGING"."NOT_THERE" {TO}' in str(refused.value)
    with pytest.raises(SnowmeltError) as refused:
        read_location(run_world.snowflake, bucket="b", integration="NOT_THERE")
    assert f'GRANT USAGE ON INTEGRATION "NOT_THERE" {TO}' in str(refused.value)


def test_a_warehouse_that_may_not_be_resized(run_world, sandbox):
    refusal = {
        "kind": "error",
        "match": "ALTER WAREHOUSE",
        "code": "003001",
        "sqlstate": "42501",
        "message": "Insufficient privileges to operate on warehouse 'SNOWMELT_WH'",
    }
    with run_world.target() as connection, stand_ins(sandbox.env).snowflake(refusal):
        write_ledger(connection)
        with pytest.raises(AccessError) as refused:
            resize_warehouse(connection, run_world.snowflake, "a", "LARGE")
    assert f'GRANT MODIFY, MONITOR ON WAREHOUSE "SNOWMELT_WH" {TO}' in str(refused.value)
