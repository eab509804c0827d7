"""Each way in which a run fails leaves an outcome in the ledger: by the real DAG, over the sandbox."""

from __future__ import annotations

import psycopg
import pytest

from tests.dags.conftest import migrate

READ = """
SELECT outcome, failed_step, error, target_check, source, mode, plan IS NOT NULL FROM snowmelt.run
WHERE target = %s AND dag_run_id = %s
"""


@pytest.fixture(scope="module")
def ran(run_dags, demo):
    with psycopg.connect(demo.env["SNOWMELT_SANDBOX_PG_DSN"], autocommit=True) as app:
        app.execute("CREATE TABLE public.checked (only_here integer)")
    jobs = (
        migrate("NO_SUCH_TABLE_HERE", target_table="unplanned"),
        migrate("DIMPAYER", target_table="refused", mode="incremental"),
        migrate("DIMPAYER", target_table="checked"),
        {"dag": "migrate__analytics__dimpayer", "conf": {"source_filter": "no such column = 1"}},
    )
    return run_dags(*jobs)


def test_a_table_that_is_missing_in_the_source(ran, app):
    assert ran[0].state == "failed"
    ((outcome, step, error, check, source, mode, planned),) = app.execute(
        READ, ("public.unplanned", ran[0].run_id)
    ).fetchall()
    assert (outcome, step, source, mode, planned) == (
        "failed",
        "plan",
        "ANALYTICS.BI.NO_SUCH_TABLE_HERE",
        "full",
        False,
    )
    assert "NO_SUCH_TABLE_HERE" in error
    assert check == "The target table does not exist: nothing was published."


def test_parameters_that_do_not_go_together(ran, app):
    ((outcome, step, error, _, source, mode, _),) = app.execute(
        READ, ("public.refused", ran[1].run_id)
    ).fetchall()
    assert (outcome, step, source, mode) == ("failed", "plan", "ANALYTICS.BI.DIMPAYER", "incremental")
    assert "The parameters of this run do not go together" in error


def test_a_target_that_has_no_place_for_the_columns(ran, app):
    ((outcome, step, error, check, *_),) = app.execute(READ, ("public.checked", ran[2].run_id)).fetchall()
    assert (outcome, step) == ("failed", "plan")
    assert error
    assert check == "The target is unchanged: nothing was published."


def test_a_run_of_a_configured_table(ran, app):
    assert ran[3].state == "failed"
    ((outcome, step, _, _, source, *_),) = app.execute(READ, ("public.dimpayer", ran[3].run_id)).fetchall()
    assert (outcome, step, source) == ("failed", "plan", "ANALYTICS.BI.DIMPAYER")
