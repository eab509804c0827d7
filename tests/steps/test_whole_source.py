"""After an incremental run the keys of the whole target are those of the whole source, or the run says how many are not."""

from __future__ import annotations

import pytest

from snowmelt.errors import VerificationError

TABLE = {
    "source": "K",
    "mode": "incremental",
    "uniqueness_columns": ["ID", "PART"],
    "watermark_column": "AT",
}


@pytest.fixture
def filled(world):
    world.sql(
        "CREATE TABLE K (ID NUMBER(9,0) NOT NULL, PART VARCHAR NOT NULL, AT TIMESTAMP_NTZ(6), V VARCHAR)",
        "INSERT INTO K SELECT SEQ4(), 'é|' || SEQ4(), '2026-01-01 10:00'::TIMESTAMP_NTZ, 'old' FROM TABLE(GENERATOR(ROWCOUNT => 3000))",
    )
    world.run(TABLE)
    return world


def late_and_deleted(world, number):
    """As many rows are committed below the watermark as the source deletes."""
    world.sql(
        f"DELETE FROM K WHERE ID < {number}",
        f"INSERT INTO K SELECT 9000 + SEQ4(), 'late', '2025-12-01'::TIMESTAMP_NTZ, 'late' FROM TABLE(GENERATOR(ROWCOUNT => {number}))",
    )


@pytest.mark.parametrize("number", [1, 700])
def test_deleted_rows_hide_no_late_ones(filled, number):
    late_and_deleted(filled, number)
    with pytest.raises(VerificationError) as refused:
        filled.run(TABLE)
    assert f"{number:,} rows are missing and it has {number:,} rows that the source does not have" in str(
        refused.value
    )
    assert filled.query("SELECT count(*) FROM public.k WHERE v = 'late'") == [(0,)]


def test_by_counts_alone_they_do_and_the_report_says_what_was_compared(filled):
    late_and_deleted(filled, 5)
    whole = filled.run(TABLE | {"whole_target": "counts"})["whole_target"]
    assert (whole["compared"], whole["note"]) == ("rows", "whole_target is counts")
    assert (whole["missing"], whole["extra"]) == (0, 0)


def test_rows_that_stay_are_counted_by_their_keys(filled):
    filled.sql("DELETE FROM K WHERE ID < 7", "INSERT INTO K VALUES (9000, 'new', '2026-01-02', 'new')")
    whole = filled.run(TABLE)["whole_target"]
    assert (whole["compared"], whole["missing"], whole["extra"]) == ("keys", 0, 7)
    assert (whole["source_rows"], whole["target_rows"]) == (2994, 3001)


def test_a_key_of_several_rows_counts_once(filled):
    filled.sql("INSERT INTO K SELECT ID, PART, '2026-01-02', 'again' FROM K WHERE ID < 10")
    whole = filled.run(TABLE)["whole_target"]
    assert (whole["compared"], whole["source_rows"], whole["missing"], whole["extra"]) == ("keys", 3000, 0, 0)
    assert filled.query("SELECT count(*) FROM public.k WHERE v = 'again'") == [(10,)]
