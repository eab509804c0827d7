"""Snowflake that refuses, cuts, expires and cancels, under a whole run."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

COPY = r"COPY INTO .*data_|COPY INTO .*chunk_"


ERRORS = [(603, "SourceUnavailable"), (604, "SourceUnavailable"), (2003, "SourceError")]


@pytest.mark.faults
@pytest.mark.parametrize(("number", "kind"), ERRORS)
def test_an_unload_that_fails(sabotaged, stand_ins, number, kind):
    with sabotaged() as run:
        with stand_ins.snowflake({"kind": "error", "match": COPY, "code": str(number), "skip": 1}):
            assert run.run() == 1
            assert run.error()[0] == kind, run.log()
            assert not run.check()
        run.finish()
        run.check_finished()


def test_an_unload_that_fails_half_way_leaves_strays_that_are_never_loaded(sabotaged, stand_ins, world):
    with sabotaged() as run:
        with stand_ins.snowflake({"kind": "half", "match": COPY, "after": 1, "skip": 1, "code": "603"}):
            assert run.run() == 1
            assert stand_ins.snowflake_hits() == [1]
        run.finish()
        run.check_finished()
        pages = world.s3.get_paginator("list_objects_v2").paginate(Bucket=world.bucket, Prefix="TESTS/")
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
        written = [key for key in keys if f"run_{run.job.run}/chunk_" in key]
        ((loaded,),) = run.world.query("SELECT count(*) FROM snowmelt.loaded_file")
        assert len(written) == loaded + 1


@pytest.mark.faults
@pytest.mark.parametrize("skip", range(0, 24, 3))
def test_any_answer_may_be_cut(sabotaged, stand_ins, skip):
    """The statement was done, its answer was lost."""
    with sabotaged() as run:
        with stand_ins.snowflake({"kind": "drop", "match": "queries", "skip": skip}):
            code = run.run()
            if code:
                assert run.error()[0] == "SourceUnavailable", run.log()
            run.check()
        run.finish()
        run.check_finished()


@pytest.mark.faults
def test_sessions_expire_all_the_time(sabotaged, stand_ins):
    with sabotaged() as run:
        worker = run.start()
        while worker.is_alive():
            stand_ins.expire_sessions()
            worker.join(0.15)
        assert worker.exitcode == 0, run.log()
        run.check_finished()


@pytest.mark.faults
def test_someone_cancels_the_unload(sabotaged, stand_ins, world):
    with sabotaged() as run:
        with stand_ins.snowflake({"kind": "stall", "match": COPY, "seconds": 60}):
            worker = run.start()
            end = time.monotonic() + 60
            while not (
                found := [
                    q
                    for q in stand_ins.running_queries()
                    if "COPY INTO" in q["sql"] and world.schema in q["sql"]
                ]
            ):
                assert time.monotonic() < end, run.log()
                time.sleep(0.05)
            world.sql(f"SELECT SYSTEM$CANCEL_QUERY('{found[0]['id']}')")
            worker.join(60)
        assert worker.exitcode == 1
        assert run.error()[0] == "SourceUnavailable"
        assert run.error()[1].endswith("#query-ended")
        run.finish()
        run.check_finished()


@pytest.mark.faults
def test_a_worker_killed_while_its_query_runs_is_followed_by_one_that_waits_for_the_same_query(
    sabotaged, stand_ins, world
):
    with sabotaged(chunk_rows=6000) as run:
        with stand_ins.snowflake({"kind": "stall", "match": COPY, "seconds": 4}):
            worker = run.start()
            end = time.monotonic() + 60
            while not (Path(run.job.folder) / "query_0.json").exists():
                assert time.monotonic() < end, run.log()
                time.sleep(0.02)
            worker.kill()
            worker.join(60)
            run.finish()
            assert stand_ins.snowflake_hits() == [1]
        run.check_finished()
