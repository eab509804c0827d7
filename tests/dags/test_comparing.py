"""Modes compare and repair by whole DAG runs: the same tasks, of which those that copy have nothing to do where all rows agree."""

from __future__ import annotations

import psycopg
import pytest

from tests.dags.conftest import migrate


@pytest.fixture(scope="module")
def ran(run_dags, demo):
    def job(mode):
        return migrate("DIMPAYER", target_table="compared", mode=mode, chunk_rows=100)

    copied = run_dags(job("full"), job("compare"))
    with psycopg.connect(demo.env["SNOWMELT_SANDBOX_PG_DSN"], autocommit=True) as connection:
        connection.execute(
            "DELETE FROM public.compared WHERE ctid IN (SELECT ctid FROM public.compared LIMIT 3)"
        )
    return (*copied, *run_dags(job("compare"), job("repair"), job("repair")))


def test_a_comparison_ends_well_whatever_it_finds_and_a_repair_copies_what_differs(ran, app):
    assert [one.state for one in ran] == ["success"] * 5, ran[-1].log[-3000:]
    runs = app.execute(
        "SELECT mode, outcome, verification->'comparison'->>'missing', staged_rows FROM snowmelt.run WHERE target = 'public.compared' "
        "ORDER BY started_at"
    ).fetchall()
    assert [run[:3] for run in runs] == [
        ("full", "published", None),
        ("compare", "agrees", "0"),
        ("compare", "differs", "3"),
        ("repair", "published", "3"),
        ("repair", "agrees", "0"),
    ]
    assert runs[3][3] == 100
    assert app.execute("SELECT count(*) FROM public.compared").fetchone() == (500,)


@pytest.mark.parametrize("number", [1, 2, 4])
def test_only_what_copies_is_skipped(ran, number):
    states = {task: state for task, _, state in ran[number].tasks}
    assert {task for task, state in states.items() if state == "skipped"} == {"unload", "manifest", "load"}


def test_a_repair_skips_nothing(ran):
    assert {state for _, _, state in ran[3].tasks} == {"success"}
    assert "3 rows are missing" in ran[3].log
