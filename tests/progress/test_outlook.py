"""A run that goes on: whether it moves, how fast it is until now, and how long it will take."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from snowmelt.progress.board import RunRows
from snowmelt.progress.outlook import ProgressWatch, describe_progress
from snowmelt.progress.plots import TaskState
from snowmelt.progress.run_board import build_board
from snowmelt.sql.names import load_session_name
from snowmelt.vocabulary import Outcome

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


def ago(**time):
    return NOON - timedelta(**time)


RUN = {
    "run_id": "r", "mode": "full", "source": "A.B.T", "target": "public.t", "outcome": Outcome.RUNNING, "error": None, "failed_step": None,
    "source_rows": 1000, "staged_rows": 1000, "staged_files": 2, "started_at": ago(minutes=30), "staged_at": ago(minutes=20),
    "verified_at": None, "published_at": None, "finished_at": None, "verification": None, "chunks": [], "now": NOON,
}  # fmt: skip


def unit(key, **changes):
    values = {
        "s3_key": key, "batch": int(key[-1]), "files": 1, "bytes": 1000, "rows": 500, "loaded_files": 0, "loaded_bytes": 0, "loaded_rows": 0,
        "rejected": 0, "seconds": None, "worker": None, "started_at": None, "loaded_at": None,
    }  # fmt: skip
    return values | changes


DONE = unit(
    "p/c/f0", loaded_files=1, loaded_bytes=1000, loaded_rows=500, seconds=60.0, worker="h:1",
    started_at=ago(minutes=11), loaded_at=ago(minutes=10),
)  # fmt: skip
COPYING = {
    "application_name": load_session_name("r", "p/c/f1"),
    "rows": 100,
    "bytes": 200,
    "seconds": 600.0,
    "waits_for": "Client",
}
TASKS = [
    TaskState("load", 0, "success", started=ago(minutes=11), ended=ago(minutes=10)),
    TaskState("load", 1, "running", started=ago(minutes=10)),
]


def rows(*, run=(), units=(DONE, unit("p/c/f1")), copying=(COPYING,), recent=0.0, earlier=()):
    return RunRows(
        run=RUN | dict(run), chunks=(), units=units, files=units, page=0, recent_rows=recent, workers=(), failures=(), copying=copying,
        loading=[one for one in units if not one["loaded_files"]], earlier=earlier,
    )  # fmt: skip


def test_rates_count_until_now_and_not_until_the_last_file():
    board = build_board(rows(copying=()), TASKS)
    assert board.load.rate == pytest.approx(500 / 660)
    assert (board.load.recent_rate, board.load.seconds_left) == (0, None)
    board = build_board(rows(recent=90.0), TASKS)
    assert board.load.recent_rate == pytest.approx((90 + 100 * 180 / 600) / 180)
    assert board.load.seconds_left == pytest.approx(400 / board.load.recent_rate)
    ended = build_board(
        rows(run={"outcome": Outcome.PUBLISHED}, units=(DONE,), copying=()), [TaskState("load", 0, "success")]
    )
    assert ended.load.rate == pytest.approx(500 / 60)


def test_a_load_that_stands_still_is_stalled_and_says_what_it_waits_for():
    moving = build_board(rows(), TASKS, still_since=ago(seconds=59))
    assert moving.stall is None
    still = build_board(rows(), TASKS, still_since=ago(seconds=61))
    assert still.stall.since == ago(seconds=61)
    assert "PostgreSQL waits for the worker" in still.stall.reason
    lock = build_board(rows(copying=[COPYING | {"waits_for": "Lock"}]), TASKS, still_since=ago(minutes=5))
    assert "waits for a lock" in lock.stall.reason
    gone = build_board(rows(copying=()), TASKS, still_since=ago(minutes=5))
    assert "may be gone" in gone.stall.reason


@pytest.mark.parametrize(
    ("copying", "tasks"),
    [((), [TaskState("unload", 0, "running")]), ((), [TaskState("load", 0, "queued")])],
)
def test_what_does_not_load_is_not_stalled(copying, tasks):
    assert build_board(rows(copying=copying), tasks, still_since=ago(hours=1)).stall is None


def test_two_looks_tell_whether_something_moves():
    watch = ProgressWatch(kept=1)
    first = describe_progress(rows())
    assert watch.observe("r", first, ago(minutes=3)) == ago(minutes=3)
    assert watch.observe("r", first, ago(minutes=1)) == ago(minutes=3)
    moved = describe_progress(rows(copying=[COPYING | {"rows": 101}]))
    assert watch.observe("r", moved, NOON) == NOON
    watch.observe("another", first, NOON)
    assert watch.observe("r", moved, NOON + timedelta(minutes=1)) == NOON + timedelta(minutes=1)


def test_the_whole_run_is_estimated_by_earlier_ones():
    earlier = [
        {"source_rows": 500, "unload": 100.0, "load": 300.0, "verify": 50.0, "publish": 5.0},
        {"source_rows": 500, "unload": 100.0, "load": 300.0, "verify": None, "publish": 5.0},
    ]
    board = build_board(rows(copying=(), earlier=earlier), TASKS)
    # The load took 20 minutes already, which is more than twice 300 s: the verification and the publish are left.
    assert (board.run_seconds_left, board.earlier_runs) == (110, 2)
    begun = build_board(
        rows(run={"staged_at": None, "staged_rows": None, "started_at": ago(seconds=50)}, units=(), copying=(), earlier=earlier),
        [TaskState("unload", 0, "running")],
    )  # fmt: skip
    assert begun.run_seconds_left == 150 + 600 + 100 + 10
    assert build_board(rows(copying=()), TASKS).run_seconds_left is None


def test_the_files_of_a_task_together_are_one_piece():
    together = unit("p/c/f1", files=34, loaded_files=10, loaded_rows=200, loaded_bytes=400)
    board = build_board(rows(units=(DONE, together), copying=()), TASKS)
    piece = board.load.pieces[1]
    assert (piece.label, piece.word, piece.files_done, piece.rows_done) == (
        "34 files from c/f1",
        "running",
        10,
        200,
    )
    assert (board.load.done, board.load.total, board.load.finished) == (11, 35, False)
