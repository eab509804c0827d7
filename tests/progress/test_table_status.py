"""How a table is: what the ledger says of its last runs, joined with what Airflow says now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from snowmelt.progress.history import build_history, find_changes, plot_history
from snowmelt.progress.table_status import (
    Airflow,
    AirflowRun,
    DagState,
    Standing,
    build_statuses,
    describe_compared,
    first_line,
)

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
DAG = "migrate__a__t"


def ago(**time):
    return NOON - timedelta(**time)


def row(**changes):
    """A table that was published two hours ago, as READ_TABLES gives it."""
    values = {
        "run_id": "r", "dag_id": DAG, "dag_run_id": "scheduled", "mode": "full", "source": "A.B.T", "target": "public.t",
        "outcome": "published", "error": None, "failed_step": None, "target_check": None, "source_rows": 100, "staged_at": ago(hours=2),
        "started_at": ago(hours=2, minutes=5), "dag_ids": [DAG], "publish_result": None, "loaded_rows": 0, "load_ended_at": None,
        "published_run_id": "r", "published_dag_id": DAG, "published_dag_run_id": "scheduled", "published_filter": "",
        "published_snapshot": "2026-11-28 09:55:00.000000000 +0000", "last_published_at": ago(hours=2), "published_source_rows": 100,
        "published_result": {"rows_after": 100}, "published_verification": {}, "watermark": None, "watermark_column": None,
        "recent_seconds": [100.0, 100.0, 110.0, 300.0],
    }  # fmt: skip
    return values | changes


def run(state="success", dag_run_id="scheduled", created=None, failed=()):
    return AirflowRun(DAG, dag_run_id, state, created or ago(hours=2, minutes=5), None, failed)


def dag(**changes):
    values = {"dag_id": DAG, "paused": False, "next_run": NOON + timedelta(hours=1)} | changes
    return DagState(**values)


def judge(rows, *runs, latest=None, dags=None):
    airflow = Airflow(
        dags={one.dag_id: one for one in ([dag()] if dags is None else dags)},
        latest={DAG: latest} if latest else {},
        runs={(one.dag_id, one.run_id): one for one in runs},
        configured=frozenset({DAG}),
    )
    return build_statuses(rows, airflow, NOON)


@pytest.mark.parametrize(
    ("changes", "runs", "latest", "standing", "reason"),
    [
        ({}, [run()], None, Standing.GOOD, ""),
        (
            {"outcome": "failed", "failed_step": "verify", "error": "3 rows\nmore", "target_check": "unchanged"},
            [run("failed")], None, Standing.FAILING, "unchanged",
        ),
        # The ledger is silent of what Airflow knows: a task was killed, the whole run failed before its plan, or is forgotten.
        (
            {"outcome": "running"}, [run("failed", failed=("load",))], None, Standing.FAILING,
            "Airflow has ended the DAG run (failed); the ledger has no outcome of it.",
        ),
        (
            {}, [run()], run("failed", "later", ago(minutes=30), ("plan",)), Standing.FAILING,
            "The latest DAG run failed before the ledger had it.",
        ),
        (
            {"outcome": "running", "load_ended_at": ago(minutes=90)}, [], None, Standing.FAILING,
            "Airflow does not know this DAG run; its last progress was 1 h 30 min ago.",
        ),
        ({"outcome": "running", "load_ended_at": ago(minutes=1)}, [], None, Standing.RUNNING, ""),
        ({"outcome": "running"}, [run("running")], None, Standing.RUNNING, ""),
        (
            {"outcome": "running"}, [run("running", failed=("load",))], None, Standing.FAILING,
            "Tasks of the running DAG run have failed.",
        ),
        (
            {"outcome": "failed", "target_check": "unchanged"}, [run("running")], None, Standing.RUNNING,
            "A failed task was cleared: it runs again.",
        ),
        ({"failed_step": "cleanup", "error": "no right"}, [run("failed")], None, Standing.FAILING, "Published, and a later step failed."),
        ({}, [run()], run("queued", "later", ago(minutes=1)), Standing.RUNNING, "Queued 1 min 0 s ago."),
        (
            {"outcome": "differs", "publish_result": {"whole_target": {"missing": 2, "reason": "set aside"}}}, [run()], None,
            Standing.DIFFERS, "2 rows of the source are missing: set aside",
        ),
    ],
)  # fmt: skip
def test_a_table_is_what_airflow_and_the_ledger_say_together(changes, runs, latest, standing, reason):
    (status,) = judge([row(**changes)], *runs, latest=latest)
    assert (status.standing, status.reason) == (standing, reason)


@pytest.mark.parametrize(
    ("state", "late"),
    [
        (dag(), False),
        (dag(expect_fresh_within=3600), True),
        (dag(expect_fresh_within=3 * 3600), False),
        (dag(next_run=ago(minutes=30)), True),
        (dag(next_run=ago(minutes=5)), False),
        (dag(next_run=ago(minutes=30), paused=True), False),
        (dag(next_run=ago(minutes=30), paused=True, expect_fresh_within=3600), True),
    ],
)
def test_late_is_by_the_schedule_or_by_the_age_of_the_data(state, late):
    (status,) = judge([row()], run(), dags=[state])
    assert (status.standing is Standing.LATE) is late
    assert bool(status.reason) is late


def test_the_worst_comes_first_and_a_configured_table_is_never_missing():
    good = row(target="public.a")
    failed = row(
        target="public.z",
        outcome="failed",
        failed_step="plan",
        error="no such table\nmore",
        dag_ids=["migrate_table"],
    )
    failed |= {
        "dag_id": "migrate_table",
        "dag_run_id": "by hand",
        "published_run_id": None,
        "last_published_at": None,
    }
    statuses = judge([good, failed], run())
    assert [(one.target, one.standing) for one in statuses] == [("public.z", "failing"), ("public.a", "good")]
    assert (statuses[0].step, statuses[0].error, statuses[0].gone) == ("plan", "no such table", True)
    assert statuses[0].as_of is None
    (alone,) = judge([], latest=run("failed", failed=("plan",)))
    assert (alone.target, alone.standing, alone.step) == (DAG, "failing", "plan")
    (never,) = judge([])
    assert never.standing is Standing.NEVER


def test_a_run_that_takes_longer_than_usual_says_so():
    (status,) = judge([row()], run())
    assert (status.seconds, status.usual_seconds) == (300, 100)
    assert status.trend == "200% longer than usual (1 min 40 s)"


def test_a_filtered_copy_never_reads_as_a_whole_one():
    verification = {"fingerprint": {"compared": True, "columns": 3}}
    result = {"whole_target": {"compared": "rows"}}
    assert describe_compared(verification, result, "").startswith("values of all rows that were copied")
    assert describe_compared(verification, result, "YEAR = 2026").startswith(
        "rows under a filter: YEAR = 2026"
    )
    assert (
        describe_compared({}, {"method": "append"}, "")
        == "numbers of rows only; the whole target not compared"
    )


def test_the_first_line_of_an_error():
    assert first_line("  one\ntwo") == "one"
    assert first_line(None) == ""
    assert len(first_line("x" * 999)) == 300
    assert (
        first_line("one\ntwo\nSee docs/troubleshooting.md#constraint")
        == "one See docs/troubleshooting.md#constraint"
    )


def test_what_changed_between_two_runs():
    before = {"source_filter": "", "columns": {"exclude": ["A"]}, "mode": "full"}
    assert find_changes(before, {**before, "columns": {"exclude": []}}) == ("columns.exclude",)
    assert find_changes(before, before) == ()
    assert find_changes(None, before) == ()


def test_the_history_as_a_plot():
    past = {
        "run_id": "r", "dag_id": DAG, "dag_run_id": "d", "mode": "full", "outcome": "published", "failed_step": None, "error": None,
        "target_check": None, "started_at": ago(hours=1), "published_at": ago(minutes=59), "finished_at": ago(minutes=58), "staged_rows": 10,
        "source_rows": 10, "staged_bytes": 1000, "rejected_rows": 0, "snapshot": None, "verified_at": None, "audit": {"triggered_by": "<ann>"},
        "warehouse": None, "warehouse_size": None, "warehouse_seconds": None, "request": None, "filter": "", "verification": None,
        "publish_result": None,
    }  # fmt: skip
    failed = past | {
        "outcome": "failed",
        "published_at": None,
        "finished_at": None,
        "staged_rows": None,
        "source_rows": None,
    }
    runs = build_history([failed, past])
    assert [(one.word, one.seconds, one.rows, one.by) for one in runs] == [
        ("failed", None, None, "<ann>"),
        ("done", 60, 10, "<ann>"),
    ]
    drawn = plot_history(runs, "Duration")
    assert drawn.count("<rect") == 2
    assert 'class="bar failed"' in drawn
    assert plot_history(runs[:1], "Duration") == ""
    assert build_history([]) == []
