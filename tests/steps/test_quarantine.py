"""Rows set aside over all files of a run: counted together, never lost, and not published beyond the limit."""

from __future__ import annotations

import pytest

from snowmelt.errors import ValueRefused, VerificationError
from tests.load import ways

TABLE = {"source": "Q", "chunking_column": "ID", "chunk_rows": 10, "bad_rows": "quarantine"}
WAYS = pytest.mark.parametrize("way", ways.WAYS.values(), ids=ways.WAYS)


@pytest.fixture
def world(run_world, sandbox):
    """Four chunks of ten rows; of each, one row has a NUL and one a number that is too large."""
    run_world.sql(
        "CREATE TABLE Q (ID NUMBER(9,0) NOT NULL PRIMARY KEY, N NUMBER(38,0), S VARCHAR)",
        "INSERT INTO Q SELECT SEQ4(), IFF(MOD(SEQ4(), 10) = 3, 99999, SEQ4()), IFF(MOD(SEQ4(), 10) = 7, 'nul' || CHR(0), 'ok') "
        "FROM TABLE(GENERATOR(ROWCOUNT => 40))",
    )
    run_world.execute(
        "CREATE TABLE public.q (id integer PRIMARY KEY, n smallint, s text)",
        "INSERT INTO public.q VALUES (-1, -1, 'as it was')",
    )
    ways.allow_aws_s3(run_world, sandbox)
    return run_world


def target(world):
    return world.query("SELECT count(*), min(id) FROM public.q")[0]


@WAYS
def test_what_is_loaded_and_what_is_set_aside_add_up(world, way):
    plan = world.plan(TABLE, **way)
    world.finish(plan, world.unload(plan))
    assert target(world) == (32, 0)
    assert world.query("SELECT count(*), count(*) FILTER (WHERE id % 10 IN (3, 7)) FROM public.q") == [
        (32, 0)
    ]
    counted = "SELECT sum(rows)::int, sum(rejected)::int, count(*) FROM snowmelt.loaded_file"
    assert world.query(counted) == [(40, 8, 4)]
    bad = """SELECT row->>'ID', column_name FROM snowmelt.rejected_row ORDER BY (row->>'ID')::int"""
    assert world.query(bad) == [
        (str(number), "N" if number % 10 == 3 else "S") for number in range(40) if number % 10 in (3, 7)
    ]
    verified = "SELECT verification->>'rejected_rows', verification->'fingerprint' FROM snowmelt.run"
    ((rejected, fingerprint),) = world.query(verified)
    assert (rejected, fingerprint["compared"], fingerprint["rows"]) == ("8", True, 32)
    assert fingerprint["set_aside"] == 8


@WAYS
@pytest.mark.parametrize("limit", [1, 7])
def test_the_limit_is_the_runs(world, way, limit):
    with pytest.raises(ValueRefused, match=rf"{limit} rows of this run are set aside already"):
        world.run(TABLE | {"quarantine_limit": limit}, **way)
    assert target(world) == (1, -1)
    assert world.query("SELECT count(*) FROM snowmelt.rejected_row")[0][0] <= limit


def test_the_ledger_tells_which_files_the_server_fetched_itself(world):
    world.sql("UPDATE Q SET N = 1, S = 'ok' WHERE ID >= 30")
    plan = world.plan(TABLE, **ways.WAYS["aws_s3"])
    world.finish(plan, world.unload(plan))
    assert world.query("SELECT load_method, rejected FROM snowmelt.loaded_file ORDER BY s3_key") == [
        ("copy", 2), ("copy", 2), ("copy", 2), ("aws_s3", 0),
    ]  # fmt: skip


def test_files_that_were_loaded_at_the_same_time_are_counted_before_the_publish(world, monkeypatch):
    monkeypatch.setattr("snowmelt.steps.load.read_rejected", lambda *arguments, **options: 0)
    with pytest.raises(VerificationError, match="8 rows were set aside, and quarantine_limit is 5"):
        world.run(TABLE | {"quarantine_limit": 5})
    assert target(world) == (1, -1)


def test_the_other_rows_are_compared_all_the_same(world):
    plan = world.plan(TABLE)
    changed = f"UPDATE public.{plan.staging_table} SET s = 'other' WHERE id = 5"
    with pytest.raises(VerificationError, match='column "S"'):
        world.finish(plan, world.unload(plan), before_verify=changed)
    assert target(world) == (1, -1)


def test_without_a_key_only_counts_are_compared(world):
    world.sql("CREATE TABLE R AS SELECT * FROM Q")
    world.execute("CREATE TABLE public.r (LIKE public.q)")
    world.run({"source": "R", "bad_rows": "quarantine"})
    reason = "SELECT verification->'fingerprint'->>'reason' FROM snowmelt.run"
    assert world.query(reason) == [
        ("8 rows were set aside while loading, and their keys are not known: only counts were compared",)
    ]


NIGHTLY = {
    "source": "N",
    "mode": "incremental",
    "uniqueness_columns": ["ID", "DAY", "K"],
    "watermark_column": "AT",
    "bad_rows": "quarantine",
}


def test_rows_set_aside_are_copied_again_by_the_next_run(run_world):
    world = run_world
    world.sql(
        "CREATE TABLE N (ID NUMBER(20,0), DAY DATE, K VARCHAR, AT TIMESTAMP_NTZ(6), S VARCHAR)",
        "INSERT INTO N SELECT SEQ4(), '2026-01-01', 'it''s ' || SEQ4(), '2026-01-01'::TIMESTAMP_NTZ, 'ok' FROM TABLE(GENERATOR(ROWCOUNT => 20))",
    )
    world.run(NIGHTLY)
    world.sql("UPDATE N SET S = 'nul' || CHR(0), AT = '2026-02-01' WHERE ID IN (3, 7)")
    outcome = "SELECT outcome FROM snowmelt.run ORDER BY started_at DESC LIMIT 1"
    world.sql("INSERT INTO N VALUES (20, '2026-01-01', 'new', '2026-02-01', 'nul' || CHR(0))")
    whole = world.run(NIGHTLY)["whole_target"]
    assert (whole["missing"], whole["extra"], world.query(outcome)) == (1, 0, [("differs",)])
    remembered = "SELECT key->>'ID' FROM snowmelt.set_aside_key ORDER BY 1"
    assert world.query(remembered) == [("20",), ("3",), ("7",)]
    # Corrected at the source without another watermark, days behind the last one.
    world.sql(
        "INSERT INTO N VALUES (21, '2026-01-01', 'later', '2026-03-01', 'ok')",
        "UPDATE N SET S = 'mended' WHERE ID = 3",
        "UPDATE N SET S = 'new' WHERE ID = 20",
    )
    whole = world.run(NIGHTLY)["whole_target"]
    assert (whole["source_rows"], whole["missing"], whole["extra"]) == (22, 0, 0)
    assert world.query("SELECT id::int, s FROM public.n WHERE id IN (3, 7, 20) ORDER BY 1") == [
        (3, "mended"),
        (7, "ok"),
        (20, "new"),
    ]
    assert world.query(remembered) == [("7",)]
    world.sql("UPDATE N SET S = 'last' WHERE ID = 7")
    world.run(NIGHTLY)
    assert world.query(remembered) == []
    assert world.query("SELECT s FROM public.n WHERE id = 7") == [("last",)]
