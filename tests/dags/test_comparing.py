"""Mode compare by whole DAG runs: the same tasks, of which those that copy have nothing to do."""

from __future__ import annotations

import pytest

from tests.dags.conftest import migrate


@pytest.fixture(scope="module")
def ran(run_dags, demo):
    import psycopg

    copied = run_dags(
        migrate("DIMPAYER", target_table="compared"),
        migrate("DIMPAYER", target_table="compared", mode="compare"),
    )
    with psycopg.connect(demo.env["SNOWMELT_SANDBOX_PG_DSN"], autocommit=True) as connection:
        connection.execute(
            "DELETE FROM public.compared WHERE ctid IN (SELECT ctid FROM public.compared LIMIT 3)"
        )
    return (*copied, *run_dags(migrate("DIMPAYER", target_table="compared", mode="compare")))


def outcomes(app):
    return app.execute(
        "SELECT mode, outcome, verification->'comparison'->>'text' FROM snowmelt.run WHERE target = 'public.compared' ORDER BY started_at"
    ).fetchall()


def test_a_comparison_ends_well_whatever_it_finds_and_writes_nothing(ran, app):
    assert [one.state for one in ran] == ["success"] * 3, ran[-1].log[-3000:]
    (_, _, _), (mode, outcome, text), (_, differs, found) = outcomes(app)
    assert (mode, outcome, differs) == ("compare", "agrees", "differs")
    assert text == "all 500 rows agree, in 1 chunk"
    assert "3 rows are missing" in found
    assert app.execute("SELECT count(*) FROM public.compared").fetchone() == (497,)


def test_only_what_copies_is_skipped(ran):
    states = {task: state for task, _, state in ran[-1].tasks}
    assert {task for task, state in states.items() if state == "skipped"} == {"unload", "manifest", "load"}
    assert "3 rows are missing" in ran[-1].log
