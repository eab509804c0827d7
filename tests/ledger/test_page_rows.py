"""What the pages read: whole runs over the sandbox, a COPY that is under way, and nothing that could write."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from snowmelt.drivers.postgres import PAGE, open_session
from snowmelt.ledger import files as ledger_files
from snowmelt.ledger import tries
from snowmelt.ledger.page_rows import read_failures, read_run_rows
from snowmelt.ledger.table_rows import read_dag_ids, read_history, read_tables
from snowmelt.progress.history import build_history
from snowmelt.progress.plots import TaskState
from snowmelt.progress.run_board import build_board
from snowmelt.progress.table_status import Airflow, build_statuses
from snowmelt.steps.load import build_load_job, load_files
from snowmelt.steps.publish import make_staging
from snowmelt.steps.register import register_files
from tests.waiting import wait_until

TABLE = {
    "source": "T", "target": "paged", "chunking_column": "ID", "chunk_rows": 50, "mode": "full",
}  # fmt: skip


@pytest.fixture
def world(run_world):
    run_world.sql(
        "CREATE TABLE T (ID NUMBER(9,0) NOT NULL, NAME VARCHAR)",
        "INSERT INTO T VALUES " + ", ".join(f"({number}, 'name {number}')" for number in range(200)),
    )
    return run_world


@pytest.fixture
def reader(world):
    with open_session(lambda: psycopg.connect(world.dsn), PAGE, "Opening") as connection:
        yield connection


def test_a_run_from_plan_to_publish(world, reader):
    assert read_dag_ids(reader) == set()
    assert read_run_rows(reader, "dag", "run") is None
    plan = world.plan(TABLE)
    board = build_board(read_run_rows(reader, "dag", "run"), [])
    assert [piece.word for piece in board.unload.pieces] == ["waiting"] * len(plan.chunks)
    assert (board.live, board.verdict.word, board.load.pieces) == (True, "open", ())

    tasks = [
        TaskState("unload", 0, "success", started=board.now, ended=board.now),
        TaskState("unload", 1, "running", started=board.now),
    ]
    board = build_board(read_run_rows(reader, "dag", "run"), tasks)
    assert [piece.word for piece in board.unload.pieces][:3] == ["done", "running", "waiting"]
    assert board.unload.rows_done == plan.chunks[0].rows

    world.finish(plan, world.unload(plan))
    rows = read_run_rows(reader, "dag", "run")
    for chunk in rows.chunks:
        assert (chunk["ended_at"] - chunk["started_at"]).total_seconds() == pytest.approx(
            chunk["seconds"], abs=0.01
        )
        assert rows.run["started_at"] <= chunk["started_at"] <= chunk["ended_at"] <= rows.run["staged_at"]
    board = build_board(rows, [])
    assert (board.live, board.verdict.word) == (False, "verified")
    assert [place.rows for place in board.verdict.places] == [200, 200, 200, 200]
    assert (board.unload.rows_done, board.load.rows_done, board.load.rows_total) == (200, 200, 200)
    assert {piece.word for piece in (*board.unload.pieces, *board.load.pieces)} == {"done"}
    assert all(piece.query_id for piece in board.unload.pieces)
    assert sum(worker.rows for worker in board.workers) == 200

    (table,) = build_statuses(read_tables(reader, ["dag"]), Airflow({}, {}, {}), board.now)
    assert (table.standing, table.target, table.outcome) == ("good", "public.paged", "published")
    assert (table.rows, table.rows_total, table.watermark) == (200, 200, None)
    assert table.as_of <= table.published_at
    assert table.compared.startswith("values of all rows that were copied; the whole target by its")
    (run,) = build_history(read_history(reader, table.source, table.target, ["dag"], limit=5))
    assert (run.rows, run.mode, run.word, run.changes) == (200, "full", "done", ())
    assert run.bytes > 0
    assert run.warehouse_seconds > 0
    assert read_history(reader, table.source, table.target, ["another"], limit=5) == []
    assert read_tables(reader, ["another"]) == []
    assert read_tables(reader, []) == []


def test_a_query_is_named_while_its_chunk_is_unloading(world, reader):
    plan = world.plan(TABLE)
    with world.target() as connection:
        note = {"run_id": plan.run_id, "chunk": 1, "submitted_at": 1767225600.0}
        tries.write_submitted(connection, note | {"query_id": "01b0-first"})
        tries.write_submitted(connection, note | {"query_id": "01b0-again"})

    def shown():
        board = build_board(read_run_rows(reader, "dag", "run"), [])
        return [piece.query_id for piece in board.unload.pieces]

    assert shown() == ["", "01b0-again", *[""] * (len(plan.chunks) - 2)]
    world.finish(plan, world.unload(plan))
    assert "01b0-again" not in shown()
    assert all(shown())


def test_a_ledger_of_before_the_queries_is_still_read(world, reader):
    plan = world.plan(TABLE)
    world.execute("DROP TABLE snowmelt.submitted_query")
    board = build_board(read_run_rows(reader, "dag", "run"), [])
    assert [piece.query_id for piece in board.unload.pieces] == [""] * len(plan.chunks)


#: A row of the second file at which the staging table makes the COPY wait for an advisory lock.
WAITING_ROW = 90
HOLD = f"""
CREATE FUNCTION public.hold() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_advisory_xact_lock_shared(4711); RETURN NEW; END $$;
CREATE TRIGGER hold BEFORE INSERT ON public.%s FOR EACH ROW WHEN (NEW.id = {WAITING_ROW}) EXECUTE FUNCTION public.hold()
"""


def test_a_load_under_way_is_seen(world, reader):
    plan = world.plan(TABLE)
    chunks = world.unload(plan)
    with world.target() as loading, world.target() as holder, ThreadPoolExecutor(1) as pool:
        registered = register_files(loading, plan, chunks, s3=lambda: world.s3, snowflake=world.session)
        make_staging(loading, plan)
        files = [
            file
            for batch in registered.batches
            for file in ledger_files.read_batch(loading, plan.run_id, batch.index)
        ]
        holder.execute(HOLD % plan.staging_table)
        holder.execute("SELECT pg_advisory_lock(4711)")
        load = pool.submit(load_files, loading, world.s3, files, build_load_job(plan, "us-east-1"))
        try:

            def running():
                board = build_board(read_run_rows(reader, "dag", "run"), [])
                return [piece for piece in board.load.pieces if piece.word == "running" and piece.rows_done]

            wait_until(running)
            board = build_board(read_run_rows(reader, "dag", "run"), [])
            words = sorted(piece.word for piece in board.load.pieces)
            assert words == ["done", "running", *["waiting"] * (len(words) - 2)]
            (piece,) = running()
            assert 0 < piece.rows_done < 50
            assert [span.state for span in board.spans if span.step == "load"].count("running") == 1
        finally:
            holder.execute("SELECT pg_advisory_unlock(4711)")
        load.result()
    board = build_board(read_run_rows(reader, "dag", "run"), [])
    assert [piece.word for piece in board.load.pieces] == ["done"] * len(words)


def test_failures_are_told_and_only_the_last_of_a_task_is_current(world, reader):
    plan = world.plan(TABLE)
    failure = {"dag_id": "dag", "dag_run_id": "run", "task_id": "load", "map_index": 3, "label": "file 3"}
    with world.target() as connection:
        tries.write_failure(connection, failure | {"try_number": 1, "error": "first"})
        tries.write_failure(connection, failure | {"try_number": 2, "error": "second, not yet whole"})
        tries.write_failure(connection, failure | {"try_number": 2, "error": "second"})
    assert [row["error"] for row in read_failures(reader, "dag", "run")] == ["second", "first"]
    assert read_failures(reader, "dag", "another") == []
    tasks = [
        TaskState("load", 3, "failed", try_number=2),
        TaskState("load", 4, "failed", label="file 4", try_number=1),
    ]
    board = build_board(read_run_rows(reader, "dag", "run"), tasks)
    assert [(each.map_index, each.error, each.current) for each in board.failures] == [
        (4, "Its log says why.", True),
        (3, "second", True),
        (3, "first", False),
    ]

    def live(*states):
        tasks = [TaskState("load", index, state) for index, state in enumerate(states)]
        return build_board(read_run_rows(reader, "dag", "run"), tasks).live

    assert live("failed", "running")
    assert live("failed", "up_for_retry")
    assert not live("failed", None)
    assert live("success", None)
    assert not live("success", "skipped")
    mended = build_board(read_run_rows(reader, "dag", "run"), [TaskState("load", 3, "success", try_number=3)])
    assert [each.current for each in mended.failures] == [False, False]
    assert plan.run_id == board.run["run_id"]


def test_the_session_of_a_page_cannot_write(world, reader):
    world.plan(TABLE)
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        reader.execute("DELETE FROM snowmelt.run")
    assert reader.execute("SHOW statement_timeout").fetchone() == ("3s",)


def test_a_ledger_of_before_the_outcomes_is_still_read(world, reader):
    world.plan(TABLE)
    world.execute(
        "ALTER TABLE snowmelt.run DROP COLUMN failed_step, DROP COLUMN target_check, DROP COLUMN audit"
    )
    (row,) = read_tables(reader, ["dag"])
    assert (row["failed_step"], row["audit"], row["target"]) == (None, None, "public.paged")
    (row,) = read_history(reader, row["source"], "public.paged", ["dag"], limit=5)
    assert row["target_check"] is None
