"""Publish requests, results, patience; names of staging tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowmelt.errors import ConfigurationError
from snowmelt.publish.request import LockPatience, PublishRequest, PublishResult
from snowmelt.publish.staging_table import StagingMark, parse_mark, staging_name, temporary_name
from snowmelt.vocabulary import Duplicates, PublishMethod

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=63)


@given(NAMES, st.text(max_size=80))
def test_a_staging_name_fits_and_belongs_to_one_table_and_run(table, run_id):
    name = staging_name(table, run_id)
    assert len(name.encode()) <= 63
    assert name.startswith("snowmelt_")
    assert name == staging_name(table, run_id)
    assert name != staging_name(table, run_id + "x")
    assert name != staging_name(table + "x", run_id)


def test_a_staging_name_shows_the_table():
    assert staging_name("orders", "20260101T000000_ab") == "snowmelt_2dbf01137561_orders"


@given(NAMES, NAMES)
def test_temporary_names_fit_and_differ(staging, name):
    made = {temporary_name(staging, kind, text) for kind in "is" for text in (name, name + " ")}
    assert len(made) == 4
    assert all(len(text.encode()) <= 63 for text in made)


@given(st.text(), NAMES, NAMES)
def test_a_mark_is_read_back(run_id, schema, table):
    mark = StagingMark(run_id, schema, table, "copy", "2026-01-01T00:00:00+00:00")
    assert parse_mark(mark.to_text()) == mark


def test_pauses_grow_and_stay_below_the_longest():
    patience = LockPatience(first_pause=0.5, longest_pause=4)
    assert [patience.pause(attempt, 1.0) for attempt in range(1, 6)] == [0.5, 1.0, 2.0, 4.0, 4.0]
    assert [patience.pause(attempt, 0.0) for attempt in (1, 2, 1000)] == [0.25, 0.5, 2.0]


def request(**rest):
    values = {
        "run_id": "r",
        "method": PublishMethod.MERGE,
        "schema": "s",
        "table": "t",
        "staging": "snowmelt_x",
        "columns": ("id", "at"),
    }
    return PublishRequest(**values | {"uniqueness_columns": ("id",)} | rest)


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ({"staging": "t"}, "are both 't'"),
        ({"uniqueness_columns": ()}, "needs uniqueness_columns"),
        (
            {"uniqueness_columns": ("id", "no", "nor")},
            "names no, nor, which are not among the copied columns",
        ),
        (
            {"method": PublishMethod.APPEND, "columns": ()},
            "by append into s.t needs the names of its columns",
        ),
        ({"duplicates": Duplicates.LAST}, "it is None"),
        ({"duplicates": Duplicates.LAST, "watermark_column": "when"}, "it is 'when'"),
    ],
)
def test_a_request_that_cannot_be_right_is_refused(rest, said):
    with pytest.raises(ConfigurationError) as caught:
        request(**rest)
    assert said in str(caught.value)


def test_a_result_survives_the_ledger():
    result = PublishResult(
        method=PublishMethod.SWAP,
        published=True,
        rows_before=None,
        rows_after=5,
        inserted=5,
        updated=0,
        deleted=None,
        unchanged=0,
        seconds=1.25,
        locked_seconds=0.012,
        attempts=2,
    )
    assert result.to_json()["method"] == "swap"
    assert PublishResult.from_json(result.to_json()) == result
