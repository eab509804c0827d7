"""Incremental runs that append: tables that only grow, without a unique key; each row exactly once."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from snowmelt.errors import ConfigurationError, VerificationError

TABLE = {"source": "C", "mode": "incremental", "publish": "append", "watermark_column": "AT"}


@pytest.fixture
def filled(world):
    world.sql(
        "CREATE TABLE C (AT TIMESTAMP_NTZ(6), V VARCHAR)",
        "INSERT INTO C VALUES ('2026-01-01 10:00', 'a'), ('2026-01-01 10:00', 'a'), ('2026-01-02 10:00', 'b')",
    )
    world.run(TABLE)
    return world


def same(world, where="TRUE"):
    """Whether the whole target is the source, rows that are there twice included."""
    rows = [tuple(row) for row in world.sql(f"SELECT AT, V FROM C WHERE {where} ORDER BY AT, V")]
    return world.query("SELECT at, v FROM public.c ORDER BY at, v") == rows


def outcome(world):
    return world.query("SELECT outcome FROM snowmelt.run ORDER BY started_at DESC LIMIT 1")[0][0]


def test_new_rows_are_added_and_no_row_twice(filled):
    assert same(filled)
    filled.sql(
        "INSERT INTO C VALUES ('2026-01-03 10:00', 'c'), ('2026-01-03 11:00', 'c'), ('2026-01-03 11:00', 'c')"
    )
    result = filled.run(TABLE)
    assert (result["method"], result["inserted"]) == ("append", 3)
    assert same(filled)
    assert outcome(filled) == "published"
    assert filled.run(TABLE)["inserted"] == 0
    assert same(filled)


def test_a_row_that_came_later_with_an_old_watermark_stops_the_run(filled):
    filled.sql("INSERT INTO C VALUES ('2026-01-02 10:00', 'a tie')")
    with pytest.raises(ConfigurationError, match=r"rows up to the watermark 2026-01-02 10:00:00\.0+: 3 → 4"):
        filled.run(TABLE)
    assert len(filled.query("SELECT 1 FROM public.c")) == 3
    filled.run(TABLE | {"on_change": "full"})
    assert same(filled)
    filled.sql("INSERT INTO C VALUES ('2026-01-04', 'next')")
    filled.run(TABLE)
    assert same(filled)


def test_a_row_that_was_deleted_stops_the_run(filled):
    filled.sql("DELETE FROM C WHERE V = 'b'")
    with pytest.raises(ConfigurationError, match="this table does not only grow"):
        filled.run(TABLE)


def test_rows_that_something_else_added_to_the_target_are_found(filled):
    filled.sql("INSERT INTO C VALUES ('2026-01-03', 'c')")
    filled.execute("INSERT INTO public.c VALUES ('2026-01-01', 'mine')")
    with pytest.raises(VerificationError, match="would have 5: it has 1 rows"):
        filled.run(TABLE)


def test_two_runs_that_were_planned_from_the_same_watermark_add_the_rows_once(filled):
    filled.sql("INSERT INTO C VALUES ('2026-01-03', 'c')")
    first, second = filled.plan(TABLE), filled.plan(TABLE)
    filled.finish(first, filled.unload(first))
    with pytest.raises(VerificationError, match="goes on from run"):
        filled.finish(second, filled.unload(second))
    assert same(filled)


def test_the_newest_rows_wait_for_late_ones(world):
    """By an overlap: a day that is not over is not copied, so that rows of the same day may still come."""
    world.sql(
        "CREATE TABLE C (AT DATE, V VARCHAR)",
        "INSERT INTO C VALUES (DATEADD('day', -2, CURRENT_DATE), 'old'), (CURRENT_DATE, 'today'), ('9999-12-31', 'far')",
    )
    table = TABLE | {"watermark_overlap": 1}
    world.run(table)
    assert world.query("SELECT v FROM public.c") == [("old",)]
    ((note,),) = world.query("SELECT snapshot_note FROM snowmelt.run")
    assert "2 rows beyond the watermark" in note
    world.sql("INSERT INTO C VALUES (DATEADD('day', -1, CURRENT_DATE), 'yesterday')")
    assert world.run(table)["inserted"] == 1
    assert outcome(world) == "published"


@pytest.mark.parametrize("type_", ["NUMBER(12,0)", "TIMESTAMP_LTZ(6)", "TIMESTAMP_TZ(6)", "DATE"])
def test_every_kind_of_watermark_grows(world, type_):
    values = (
        ("5", "7", "8") if type_.startswith("NUMBER") else ("'2026-01-01'", "'2026-01-03'", "'2026-01-04'")
    )
    world.sql(f"CREATE TABLE C (AT {type_}, V VARCHAR)")
    world.run(TABLE)
    for value in values:
        world.sql(f"INSERT INTO C VALUES ({value}, 'x'), ({value}, 'y')")
        assert world.run(TABLE)["inserted"] == 2
    assert same(world)


def test_a_row_without_a_watermark_is_refused(filled):
    filled.sql("INSERT INTO C VALUES (NULL, 'when?')")
    with pytest.raises(ConfigurationError, match="AT is NULL in 1 rows"):
        filled.run(TABLE)
    filled.run(TABLE | {"source_filter": "AT IS NOT NULL", "on_change": "full"})


def test_a_backfill_is_refused(filled):
    day = (datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 2, tzinfo=UTC))
    with pytest.raises(ConfigurationError, match="would add a second time"):
        filled.plan(TABLE, window=day)


def test_a_run_that_is_published_again_adds_nothing(filled):
    filled.sql("INSERT INTO C VALUES ('2026-01-03', 'c')")
    plan = filled.plan(TABLE)
    chunks = filled.unload(plan)
    filled.finish(plan, chunks)
    assert filled.finish(plan, chunks)["inserted"] == 1
    assert same(filled)


def test_a_source_without_time_travel_is_refused(world):
    world.sql(
        "CREATE TABLE C (AT DATE) DATA_RETENTION_TIME_IN_DAYS = 0", "INSERT INTO C VALUES ('2026-01-01')"
    )
    with pytest.raises(
        ConfigurationError,
        match="has no time travel, and mode incremental with publish append needs a snapshot",
    ):
        world.run(TABLE)
