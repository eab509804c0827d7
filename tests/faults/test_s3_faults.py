"""S3 that fails, throttles, stalls, breaks off and lies, under a whole run."""

from __future__ import annotations

import pytest

FILES = "airflow-reader GET .*data_.*parquet"
PASSING = {
    "500": {"kind": "error", "status": 500, "code": "InternalError"},
    "503 SlowDown": {"kind": "error", "status": 503, "code": "SlowDown"},
    "a stall": {"kind": "stall", "seconds": 7},
    "cut in the midst": {"kind": "cut", "after": 5000},
    "reset in the midst": {"kind": "reset", "after": 9000},
    "nothing at all": {"kind": "reset", "after": 0},
}


@pytest.mark.faults
@pytest.mark.parametrize("rule", PASSING.values(), ids=PASSING)
def test_once_is_not_even_noticed(sabotaged, stand_ins, rule):
    with sabotaged() as run, stand_ins.s3({**rule, "match": FILES, "skip": 1}):
        run.finish()
        assert stand_ins.s3_hits() == [1]
        run.check_finished()


def lasting(sabotaged, stand_ins, rule, match=FILES):
    with sabotaged() as run:
        with stand_ins.s3({**rule, "match": match, "skip": 2, "count": 0}):
            assert run.run() == 1
            kind, said = run.error()
            assert kind == "StagingUnavailable", run.log()
            assert "It is retried. See docs/troubleshooting.md#s3-unavailable" in said
            assert not run.check()
        run.finish()
        run.check_finished()


def test_as_long_as_it_lasts_nothing_is_lost(sabotaged, stand_ins):
    lasting(sabotaged, stand_ins, PASSING["503 SlowDown"])


@pytest.mark.faults
@pytest.mark.parametrize("rule", PASSING.values(), ids=PASSING)
def test_every_fault_that_lasts(sabotaged, stand_ins, rule):
    lasting(sabotaged, stand_ins, rule)


@pytest.mark.faults
def test_snowflake_cannot_write(sabotaged, stand_ins):
    """The unload fails in Snowflake's words; the next try unloads again."""
    with sabotaged() as run:
        rule = {"kind": "error", "status": 503, "code": "SlowDown", "count": 0}
        with stand_ins.s3({**rule, "match": "snowflake-writer PUT .*data_"}):
            assert run.run() == 1
            assert not run.check()
        run.finish()
        run.check_finished()


def staged_key(run):
    with run.world.target() as connection:
        return connection.execute("SELECT s3_key FROM snowmelt.staged_file ORDER BY 1 LIMIT 1").fetchone()[0]


def test_a_file_that_changed_after_the_manifest_is_not_loaded(sabotaged, sandbox):
    with sabotaged() as run:
        assert run.run(steps=("plan", "unload", "files")) == 0, run.log()
        key, writer = staged_key(run), sandbox.s3()
        body = writer.get_object(Bucket=sandbox.bucket, Key=key)["Body"].read()
        writer.put_object(Bucket=sandbox.bucket, Key=key, Body=body[:-1] + b"\0")
        assert run.run() == 1
        kind, said = run.error()
        assert kind == "StagingError"
        assert "it was overwritten" in said
        assert said.endswith("#object-changed")
        assert not run.check()
        writer.put_object(Bucket=sandbox.bucket, Key=key, Body=body)  # put right, the run goes on
        run.finish()
        run.check_finished()


def test_a_file_that_is_gone_stops_the_run_and_the_next_run_finishes(sabotaged, sandbox):
    with sabotaged() as run:
        assert run.run(steps=("plan", "unload", "files")) == 0, run.log()
        sandbox.s3().delete_object(Bucket=sandbox.bucket, Key=staged_key(run))
        assert run.run() == 1
        kind, said = run.error()
        assert kind == "StagingError"
        assert said.endswith("#object-gone")
        assert not run.check()
        run.give_up()
        run.again(2, published=False)
        run.finish()
        run.check_finished()
