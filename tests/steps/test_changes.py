"""Mode changes: what Snowflake's change tracking says has changed since the last run, each exactly once."""

from __future__ import annotations

import time

import pytest

from snowmelt.errors import ConfigurationError, ValueRefused, VerificationError

TABLE = {"source": "C", "mode": "changes", "uniqueness_columns": ["ID"], "max_delete_percent": 100}


@pytest.fixture
def filled(world):
    world.sql(
        "CREATE TABLE C (ID NUMBER(9,0) NOT NULL PRIMARY KEY, V VARCHAR, AT TIMESTAMP_NTZ(6)) CHANGE_TRACKING = TRUE",
        "INSERT INTO C SELECT SEQ4(), 'old', '2026-01-01'::TIMESTAMP_NTZ FROM TABLE(GENERATOR(ROWCOUNT => 20))",
    )
    world.run(TABLE)
    return world


def same(world, where="TRUE"):
    """Whether the whole target is the source."""
    rows = [tuple(row) for row in world.sql(f"SELECT ID, V, AT FROM C WHERE {where} ORDER BY ID")]
    return world.query("SELECT id, v, at FROM public.c ORDER BY id") == rows


def test_a_first_run_copies_everything_and_the_next_what_has_changed(filled):
    assert same(filled)
    filled.sql(
        "INSERT INTO C VALUES (100, 'new', NULL)",
        "UPDATE C SET V = 'changed' WHERE ID = 3",
        "DELETE FROM C WHERE ID IN (5, 6)",
        "UPDATE C SET ID = 101 WHERE ID = 7",
        "INSERT INTO C VALUES (102, 'gone again', NULL)",
        "DELETE FROM C WHERE ID = 102",
    )
    result = filled.run(TABLE)
    assert (result["inserted"], result["updated"], result["deleted"]) == (2, 1, 3)
    assert same(filled)
    assert filled.query(
        "SELECT outcome FROM snowmelt.run WHERE mode = 'changes' ORDER BY started_at DESC LIMIT 1"
    ) == [("published",)]
    result = filled.run(TABLE)
    assert (result["inserted"], result["updated"], result["deleted"], result["unchanged"]) == (0, 0, 0, 0)


def test_a_change_that_no_watermark_shows_is_copied(filled):
    """An update without a new timestamp, and a row that was committed with an old one."""
    filled.run(TABLE | {"watermark_column": "AT"}, mode="full")
    filled.sql("UPDATE C SET V = 'silent' WHERE ID = 3", "INSERT INTO C VALUES (100, 'late', '2020-01-01')")
    filled.run(TABLE)
    assert same(filled)


def test_changes_do_not_follow_a_run_that_may_have_missed_some(filled):
    incremental = TABLE | {"mode": "incremental", "watermark_column": "AT"}
    filled.run(incremental | {"mode": "full"})
    filled.sql("UPDATE C SET V = 'silent' WHERE ID = 3")
    filled.run(incremental)
    with pytest.raises(ConfigurationError, match="by AT alone, which may have missed some"):
        filled.run(incremental | {"mode": "changes"})
    filled.run(incremental | {"mode": "changes", "on_change": "full"})
    assert same(filled)


def test_consecutive_runs_have_no_gap_and_no_overlap(filled):
    for number in range(200, 204):
        filled.sql(f"INSERT INTO C VALUES ({number}, 'n', NULL)")
        plan = filled.plan(TABLE)
        filled.sql(f"UPDATE C SET V = V || '+' WHERE ID = {number}")  # after the snapshot of this run
        result = filled.finish(plan, filled.unload(plan))
        assert result["inserted"] == 1
    filled.run(TABLE)
    assert same(filled)


def test_a_deleted_row_that_is_inserted_again_is_an_update(filled):
    filled.sql("DELETE FROM C WHERE ID = 2", "INSERT INTO C VALUES (2, 'again', NULL)")
    result = filled.run(TABLE)
    assert (result["inserted"], result["updated"], result["deleted"]) == (0, 1, 0)
    assert same(filled)


def test_rows_that_enter_and_leave_the_filter(world):
    world.sql(
        "CREATE TABLE C (ID NUMBER(9,0), V VARCHAR, AT TIMESTAMP_NTZ(6)) CHANGE_TRACKING = TRUE",
        "INSERT INTO C VALUES (1, 'in', NULL), (2, 'out', NULL), (3, 'in', NULL)",
    )
    table = TABLE | {"source_filter": "V = 'in'"}
    world.run(table)
    world.sql("UPDATE C SET V = 'in' WHERE ID = 2", "UPDATE C SET V = 'out' WHERE ID = 1")
    world.run(table)
    assert same(world, "V = 'in'")


def test_deletes_are_ignored_or_marked_as_configured(filled):
    filled.sql("DELETE FROM C WHERE ID = 1")
    assert filled.run(TABLE | {"deletes": "ignore"})["deleted"] == 0
    assert filled.query("SELECT outcome FROM snowmelt.run ORDER BY started_at DESC LIMIT 1") == [("differs",)]
    filled.execute("ALTER TABLE public.c ADD COLUMN gone boolean")
    soft = TABLE | {"deletes": "soft", "deleted_column": "gone"}
    filled.run(soft, mode="full")
    filled.sql("DELETE FROM C WHERE ID = 2", "UPDATE C SET V = 'x' WHERE ID = 3")
    assert filled.run(soft)["deleted"] == 1
    assert filled.query("SELECT id FROM public.c WHERE gone") == [(2,)]
    filled.sql("INSERT INTO C VALUES (2, 'back', NULL)")
    filled.run(soft)
    assert filled.query("SELECT v, gone FROM public.c WHERE id = 2") == [("back", False)]


def test_a_table_that_is_not_tracked_is_refused_with_the_statement_that_mends_it(world):
    world.sql("CREATE TABLE C (ID NUMBER(9,0), V VARCHAR)")
    expected = rf'(?s)cannot tell what has changed.*ALTER TABLE "TESTS"\."{world.schema}"\."C" SET CHANGE_TRACKING = TRUE'
    with pytest.raises(ConfigurationError, match=expected):
        world.run(TABLE)
    world.sql("ALTER TABLE C SET CHANGE_TRACKING = TRUE")
    world.run(TABLE)


def test_a_view_is_refused(world):
    world.sql("CREATE TABLE T (ID NUMBER(9,0)) CHANGE_TRACKING = TRUE", "CREATE VIEW C AS SELECT * FROM T")
    with pytest.raises(ConfigurationError, match="cannot tell what has changed"):
        world.run(TABLE)


def test_an_interval_that_is_lost_stops_the_run_or_copies_everything(filled):
    filled.sql("ALTER TABLE C SET CHANGE_TRACKING = FALSE", "DELETE FROM C WHERE ID < 3")
    filled.sql("ALTER TABLE C SET CHANGE_TRACKING = TRUE")
    time.sleep(0.01)
    with pytest.raises(ConfigurationError, match="changes since the last run"):
        filled.run(TABLE)
    filled.run(TABLE | {"on_change": "full"})
    assert same(filled)
    filled.sql("DELETE FROM C WHERE ID = 9")
    assert filled.run(TABLE)["deleted"] == 1
    assert same(filled)


def test_a_source_that_was_created_again_is_another_one(filled):
    filled.sql("CREATE OR REPLACE TABLE C CHANGE_TRACKING = TRUE AS SELECT * FROM C")
    with pytest.raises(ConfigurationError, match="source table created on"):
        filled.run(TABLE)
    filled.run(TABLE | {"on_change": "full"})
    assert same(filled)


def test_a_run_that_was_planned_before_another_one_was_published_is_refused(filled):
    filled.sql("INSERT INTO C VALUES (100, 'new', NULL)")
    early = filled.plan(TABLE)
    filled.run(TABLE)
    with pytest.raises(VerificationError, match=r"goes on from run|would undo newer ones"):
        filled.finish(early, filled.unload(early))
    assert same(filled)


def test_a_key_that_is_not_unique_in_the_source_is_refused(filled):
    filled.sql("INSERT INTO C VALUES (100, 'one', NULL), (100, 'two', NULL)")
    with pytest.raises(ValueRefused, match="keys are in several rows"):
        filled.run(TABLE)


def test_a_target_that_lost_rows_is_found_by_the_count(filled):
    filled.execute("DELETE FROM public.c WHERE id = 1")
    with pytest.raises(VerificationError, match="1 rows are missing"):
        filled.run(TABLE)


def test_a_row_that_was_set_aside_is_not_forgotten(filled):
    """Its older version stays, so that neither numbers nor keys show it."""
    quarantine = TABLE | {"bad_rows": "quarantine"}
    filled.sql("UPDATE C SET V = 'nul' || CHR(0) WHERE ID = 3")
    for _ in range(2):
        result = filled.run(quarantine)
        assert result["whole_target"]["set_aside"] == 1
        assert filled.query("SELECT outcome FROM snowmelt.run ORDER BY started_at DESC LIMIT 1") == [
            ("differs",)
        ]
    filled.sql("UPDATE C SET V = 'fine' WHERE ID = 3")
    filled.run(quarantine, mode="repair")
    filled.run(quarantine)
    assert same(filled)
    assert filled.query("SELECT outcome FROM snowmelt.run ORDER BY started_at DESC LIMIT 1") == [
        ("published",)
    ]
