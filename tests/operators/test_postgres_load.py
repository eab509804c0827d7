"""The load operator by itself: its run in the ledger has an outcome, whichever way it ends."""

from __future__ import annotations

import uuid
from types import SimpleNamespace

import psycopg
import pytest
from airflow.sdk.exceptions import AirflowFailException

from tests.operators.test_snowflake_unload import context, operator, session

__all__ = ["operator", "session"]


@pytest.fixture
def app(sandbox):
    with psycopg.connect(sandbox.env["SNOWMELT_SANDBOX_PG_DSN"], autocommit=True) as connection:
        yield connection


@pytest.fixture
def load(sandbox, app, operator):
    """Load the staged rows into a new table, made as the columns say."""
    from snowmelt.operators.postgres_load import S3ToPostgresLoadOperator

    staged = operator.execute(context(None))

    def run(columns):
        table = f"public.alone_{uuid.uuid4().hex[:8]}"
        app.execute(f"CREATE TABLE {table} ({columns})")
        task = S3ToPostgresLoadOperator(task_id="load", manifest=staged, table=table)
        ti = SimpleNamespace(dag_id="d", run_id="r", task_id="load", xcom_push=lambda **_: None)
        try:
            return task.execute({"ti": ti})["rows"]
        finally:
            run.row = app.execute(
                "SELECT outcome, failed_step, error, target_check, finished_at IS NOT NULL FROM snowmelt.run WHERE target = %s",
                (table,),
            ).fetchone()

    return run


def test_a_load_that_went_well_is_loaded(load):
    assert load("id integer") == 2
    assert load.row == ("loaded", None, None, None, True)


def test_a_load_that_failed_is_failed(load):
    with pytest.raises(AirflowFailException):
        load("id integer CONSTRAINT small CHECK (id < 2)")
    outcome, step, error, check, finished = load.row
    assert (outcome, step, finished) == ("failed", "load", True)
    assert "small" in error
    assert check == "The target is unchanged: nothing was published."
