"""A worker killed at each point that a run passes: the old table or the new one, and the next try finishes."""

from __future__ import annotations

import pytest

from tests.faults.steps import KILL, POINTS

#: The kills that must not find the new table yet.
BEFORE_THE_PUBLISH = set(POINTS[: POINTS.index("publish: committed")])


def test_a_run_without_faults(sabotaged):
    with sabotaged() as run:
        assert not run.check()
        run.finish()
        run.check_finished()


def test_killed_at_every_point_in_turn(sabotaged):
    """One run that takes a try for each of its points."""
    with sabotaged() as run:
        for point in POINTS:
            assert run.run(strike=(point, 0, KILL)) == -9, run.log()
            run.check()
        run.finish()
        run.check_finished()


@pytest.mark.faults
@pytest.mark.parametrize("point", POINTS)
def test_killed_at(sabotaged, point):
    with sabotaged() as run:
        assert run.run(strike=(point, 0, KILL)) == -9, run.log()
        run.quiet()
        assert run.check() is (point not in BEFORE_THE_PUBLISH)
        run.finish()
        run.check_finished()
