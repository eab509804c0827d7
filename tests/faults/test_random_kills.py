"""Workers killed at random moments, one or several at a time, over many runs of one table: no row lost, none doubled."""

from __future__ import annotations

import random
import time

import pytest

from tests.faults.source import Source

#: Seconds within which a worker that lives so long is killed; about as long as a whole run takes, so that each part is met.
SPAN = 2.5


def kill_randomly(run, rng, kills, workers=1):
    """Run after run, until so many workers were killed. Returns how many runs were finished on the way."""
    killed = finished = 0
    version = 1
    while killed < kills:
        started = [run.start() for _ in range(workers)]
        lives = {worker: rng.uniform(0, SPAN) for worker in started}
        began = time.monotonic()
        for worker, life in sorted(lives.items(), key=lambda item: item[1]):
            worker.join(max(0.0, life - (time.monotonic() - began)))
            if worker.exitcode is None:
                worker.kill()
                worker.join(60)
                killed += 1
        codes = {worker.exitcode for worker in started}
        assert codes <= {0, -9}, run.log()
        published = run.check()
        if published and rng.random() < 0.5:
            run.finish()
            run.check_finished()
            finished += 1
            version += 1
            run.again(version)
    run.finish()
    run.check_finished()
    return finished + 1


def test_ten_kills(sabotaged, seed):
    with sabotaged() as run:
        kill_randomly(run, random.Random(seed), 10)


@pytest.mark.faults
@pytest.mark.parametrize("publish", ["swap", "truncate"])
def test_sixty_kills(sabotaged, seed, publish):
    with sabotaged(publish=publish) as run:
        finished = kill_randomly(run, random.Random(f"{seed} {publish}"), 60)
    print(f"{finished} runs finished over 60 kills")


@pytest.mark.faults
def test_sixty_kills_of_three_workers_at_once(sabotaged, seed):
    with sabotaged() as run:
        kill_randomly(run, random.Random(f"{seed} three"), 60, workers=3)


@pytest.mark.faults
def test_a_new_table_under_kills(sabotaged, seed):
    """The first publish is a rename, and there is nothing to fall back to: no table, or the whole one."""
    with sabotaged(old=None) as run:
        kill_randomly(run, random.Random(f"{seed} new"), 20)


@pytest.mark.faults
def test_csv_under_kills(sabotaged, seed):
    with sabotaged(file_format="csv", load_method="copy") as run:
        kill_randomly(run, random.Random(f"{seed} csv"), 20)


@pytest.mark.faults
def test_an_append_under_kills(sabotaged, seed):
    with sabotaged(source=Source(3000, "more"), publish="append") as run:
        kill_randomly(run, random.Random(f"{seed} append"), 30)


@pytest.mark.faults
@pytest.mark.parametrize("deletes", [False, True])
def test_a_catch_up_under_kills(sabotaged, seed, deletes):
    """The watermark is where the rows are: none is missed by the next night, none merged twice, none removed but the gone ones."""
    table = {
        "mode": "catch_up",
        "uniqueness_columns": ["ID"],
        "watermark_column": "AT",
        "deletes": "hard" if deletes else "ignore",
    }
    with sabotaged(source=Source(6000, "third", gone=10 if deletes else 0), old=None, **table) as run:
        kill_randomly(run, random.Random(f"{seed} catch-up {deletes}"), 40)
