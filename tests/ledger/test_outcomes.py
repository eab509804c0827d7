"""How runs that do not end well are recorded: the step, the reason, and what the target holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from snowmelt.doctor.findings import Status
from snowmelt.doctor.runs import DagRunState, check_runs, find_end
from snowmelt.ledger import runs as ledger
from snowmelt.ledger.outcomes import FailedRun, list_open, write_failed, write_failed_run, write_reopened
from tests.ledger.test_ledger import RUN

FAILED = FailedRun(
    run_id="r1",
    dag_id="d",
    dag_run_id="manual",
    step="verify",
    error="3 rows differ",
    source="A.B.T",
    target="public.t",
)


@pytest.fixture
def connection(database):
    with psycopg.connect(database, autocommit=True) as opened:
        ledger.write_ledger(opened)
        yield opened


def row(connection, run_id="r1"):
    return connection.execute(
        "SELECT outcome, failed_step, error, target_check FROM snowmelt.run WHERE run_id = %s", (run_id,)
    ).fetchone()


def test_a_planned_run_fails_with_its_step_and_the_target_that_it_left_alone(connection):
    ledger.write_run(connection, RUN)
    write_failed(connection, FAILED)
    missing = "The target table does not exist: nothing was published."
    assert row(connection) == ("failed", "verify", "3 rows differ", missing)
    connection.execute("CREATE TABLE public.t (id integer)")
    write_reopened(connection, "d", "manual")
    assert row(connection) == ("running", None, None, None)
    write_failed(connection, FAILED)
    assert row(connection)[3] == "The target is unchanged: nothing was published."


def test_the_first_failure_is_the_reason_of_those_that_follow(connection):
    ledger.write_run(connection, RUN)
    write_failed(connection, FAILED)
    later = FailedRun(
        run_id="r1", dag_id="d", dag_run_id="manual", step="", error="A task of the DAG run failed."
    )
    write_failed(connection, later)
    assert row(connection)[:3] == ("failed", "verify", "3 rows differ")


def test_a_run_that_failed_before_its_plan_has_a_row_and_is_planned_again_as_new(connection):
    write_failed(connection, FAILED)
    assert row(connection)[:2] == ("failed", "verify")
    assert ledger.read_run(connection, "r1") is None
    stored = ledger.write_run(connection, RUN | {"target": "public.other"})
    assert stored["plan"] == {"b": 2}
    assert row(connection) == ("running", None, None, None)


def test_what_was_published_stays_published_when_its_clean_up_fails(connection):
    ledger.write_run(connection, RUN)
    with connection.transaction(), connection.cursor() as cursor:
        ledger.write_published(cursor, "r1", {"rows_after": 30}, "published")
    write_failed(
        connection, FailedRun(run_id="r1", dag_id="d", dag_run_id="manual", step="cleanup", error="no right")
    )
    assert row(connection) == ("published", "cleanup", "no right", None)
    ledger.write_finished(connection, "r1")
    assert row(connection) == ("published", None, None, None)


def test_the_target_is_named_by_the_run_that_filled_it(connection):
    connection.execute("CREATE TABLE public.t (id integer)")
    connection.execute(
        "INSERT INTO snowmelt.target_state (target, run_id, target_oid, target_filenode, scope, rows, snapshot) "
        "SELECT 'public.t', 'before', 'public.t'::regclass, 0, "
        """'{"source": "A.B.T", "created_on": null, "source_filter": "", "columns": {}, "unique_key": [], "watermark_column": null}', """
        "30, '2026-11-20 03:00:00.000000000 +0000'"
    )
    connection.execute(
        "INSERT INTO snowmelt.deferred_index (schema_name, table_name, index_name, statements, run_id) VALUES ('public', 't', 't_name', '{}', 'r1')"
    )
    ledger.write_run(connection, RUN)
    write_failed(connection, FAILED)
    assert row(connection)[3] == (
        "The target is unchanged: it holds what run before (as of 2026-11-20 03:00:00.000000000 +0000) published. "
        "1 of its indexes were dropped for a publish and are not built again: t_name."
    )
    connection.execute("DROP TABLE public.t; CREATE TABLE public.t (id integer)")
    write_reopened(connection, "d", "manual")
    write_failed(connection, FAILED)
    assert "is not the table that run before filled" in row(connection)[3]


@pytest.mark.parametrize(
    ("state", "silent", "closed"),
    [
        (DagRunState.ALIVE, 100, False),
        (DagRunState.FAILED, 0, True),
        (DagRunState.SUCCEEDED, 0, True),
        (DagRunState.GONE, 1, False),
        (DagRunState.GONE, 25, True),
        (DagRunState.UNKNOWN, 25, True),
    ],
)
def test_when_a_run_is_over(state, silent, closed):
    now = datetime(2026, 11, 28, tzinfo=UTC)
    assert (find_end({"active_at": now - timedelta(hours=silent)}, state, now, 24) is not None) is closed


def test_the_doctor_closes_a_run_whose_dag_run_has_ended(connection):
    ledger.write_run(connection, RUN)
    ledger.write_run(connection, RUN | {"run_id": "r2", "dag_run_id": "other"})

    def ask(dag_id, dag_run_id):
        return DagRunState.FAILED if dag_run_id == "manual" else DagRunState.ALIVE

    (finding,) = check_runs(connection, "pg", 24, ask=ask, in_use=lambda schema, table: False)
    assert (finding.subject, finding.status) == ("r1", Status.ATTENTION)
    assert row(connection)[0] == "failed"
    assert "Airflow has ended its DAG run as failed" in row(connection)[2]
    assert [run["run_id"] for run in list_open(connection)] == ["r2"]
    (finding,) = check_runs(connection, "pg", 24, ask=ask, in_use=lambda schema, table: False)
    assert finding.status is Status.OK


def test_a_run_without_a_dag_run_is_closed_by_its_id(connection):
    ledger.write_run(connection, RUN | {"dag_id": None, "dag_run_id": None})
    write_failed_run(connection, "r1", "load", "broken pipe")
    assert row(connection)[:3] == ("failed", "load", "broken pipe")


def test_a_load_without_staging_says_how_many_files_are_in_the_target(connection):
    ledger.write_run(connection, RUN | {"dag_id": None, "plan": {"columns": []}})
    connection.execute(
        "INSERT INTO snowmelt.loaded_file (run_id, s3_key, etag, bytes, rows, load_method) VALUES ('r1', 'k', 'e', 1, 1, 'copy')"
    )
    write_failed_run(connection, "r1", "load", "broken pipe")
    assert row(connection)[3].startswith("1 of its files are in the target")
