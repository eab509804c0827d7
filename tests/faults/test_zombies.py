"""A worker that freezes, is given up, and wakes after its successor has finished; several workers on the same run."""

from __future__ import annotations

import pytest

from tests.faults.steps import STOP

#: (look, silence, give up) in seconds: as the defaults, but quick.
IMPATIENT = (0.2, 0.6, 60.0)
#: Frozen without a lock that the successor needs, or with one that it waits for and then has taken away.
POINTS = [
    "planned",
    "unload: id kept",
    "unload: read",
    "files: recorded",
    "files: manifest written",
    "load: before the claim",
    "load: claimed",
    "load: in the COPY",
    "load: copied",
    "load: before the commit",
    "load: committed",
    "verify: counted",
    "verify: recorded",
    "publish: indexed",
    "publish: committed",
]


def haunt(run, point):
    zombie = run.start(strike=(point, 0, STOP), patience=IMPATIENT)
    run.stopped(zombie)
    successor = run.run(patience=IMPATIENT)
    assert successor == 0, run.log()
    assert run.check(), "the successor has not published"
    run.wake(zombie)
    run.check_finished()


@pytest.mark.parametrize("point", ["load: in the COPY", "verify: counted"])
def test_a_zombie_changes_nothing(sabotaged, point):
    with sabotaged() as run:
        haunt(run, point)


@pytest.mark.faults
@pytest.mark.parametrize("point", POINTS)
def test_a_zombie_at_any_point(sabotaged, point):
    with sabotaged() as run:
        haunt(run, point)


@pytest.mark.faults
def test_a_zombie_that_wakes_in_the_next_run(sabotaged):
    """Its run is published, and another one after it: the table stays the last one's."""
    with sabotaged() as run:
        zombie = run.start(strike=("publish: indexed", 0, STOP))
        run.stopped(zombie)
        run.finish()
        run.check_finished_but_sessions()
        run.again(2)
        run.finish()
        assert run.wake(zombie) == 0, run.log()
        run.check_finished()


@pytest.mark.faults
def test_a_zombie_within_the_publish_gives_its_lock_back(sabotaged):
    """Frozen under the lock on the target: the server ends the session after a minute, readers go on, the next try publishes."""
    with sabotaged() as run:
        zombie = run.start(strike=("publish: before the commit", 0, STOP))
        run.stopped(zombie)
        run.finish()
        run.wake(zombie)
        run.check_finished()


def test_three_workers_take_the_same_run_at_once(sabotaged):
    with sabotaged() as run:
        workers = [run.start() for _ in range(3)]
        for worker in workers:
            worker.join(120)
        assert [worker.exitcode for worker in workers] == [0, 0, 0], run.log()
        run.check_finished()


def test_a_configuration_edited_in_mid_run_is_refused_and_the_run_goes_on(sabotaged):
    with sabotaged() as run:
        assert run.run(steps=("plan", "unload")) == 0
        edited = run.job.table | {"chunk_rows": 100, "publish": "truncate"}
        assert run.run(table=edited) == 1
        kind, said = run.error()
        assert kind == "PlanChanged"
        assert "chunk_rows" in said
        assert "publish" in said
        assert run.run(table=edited, steps=("unload", "files", "load", "verify", "publish", "end")) == 0
        run.check_finished()


@pytest.mark.faults
@pytest.mark.parametrize("seconds", [-86_400 * 400, -3600, 3600, 86_400 * 400])
def test_a_worker_whose_clock_is_wrong(sabotaged, seconds):
    """S3 refuses its signatures, which may pass; nothing that is counted or ordered comes from its clock."""
    with sabotaged() as run:
        assert run.run(steps=("plan", "unload"), clock=seconds) == 0, run.log()
        if run.run(clock=seconds) != 0:
            kind, said = run.error()
            assert kind == "StagingUnavailable", run.log()
            assert said.endswith("#clock"), said
            assert not run.check()
        run.finish()
        run.check_finished()
