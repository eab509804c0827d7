"""An incremental run that is due compares the whole table after its publish, and the next run does not go on from what differs."""

from __future__ import annotations

import pytest

from snowmelt.errors import ConfigurationError

TABLE = {
    "source": "A",
    "mode": "incremental",
    "uniqueness_columns": ["ID"],
    "watermark_column": "AT",
    "compare": "weekly",
}


@pytest.fixture
def filled(world):
    world.sql(
        "CREATE TABLE A (ID NUMBER(9,0) NOT NULL, AT TIMESTAMP_NTZ(6), V VARCHAR)",
        "INSERT INTO A SELECT SEQ4(), DATEADD('hour', SEQ4(), '2026-01-01'::TIMESTAMP_NTZ), 'old' FROM TABLE(GENERATOR(ROWCOUNT => 100))",
    )
    world.run(TABLE)
    return world


def last(world):
    return world.query(
        "SELECT outcome, publish_result->'whole_target'->>'compared', verification->'comparison'->>'text' FROM snowmelt.run "
        "ORDER BY started_at DESC LIMIT 1"
    )[0]


def days_pass(world, days):
    """All that happened so far is so many days older."""
    world.execute(f"UPDATE snowmelt.run SET started_at = started_at - interval '{days} days'")


def test_a_week_after_the_last_comparison_the_whole_table_is_compared_again(filled):
    assert last(filled) == ("published", "values", "all 100 rows agree, in 1 chunk")
    filled.run(TABLE)
    assert last(filled) == ("published", "keys", None)
    days_pass(filled, 6.9)
    filled.run(TABLE)
    assert last(filled) == ("published", "values", "all 100 rows agree, in 1 chunk")


def test_what_differs_ends_the_run_as_that_and_is_repaired_by_the_next(filled):
    filled.sql("UPDATE A SET V = 'new' WHERE ID < 3")  # without moving the watermark
    filled.run(TABLE)
    assert last(filled)[0] == "published"
    days_pass(filled, 7)
    result = filled.run(TABLE)
    outcome, compared, text = last(filled)
    assert (outcome, compared) == ("differs", "values")
    assert text.startswith("1 of 1 chunk differs: 3 rows have other values (columns V)")
    assert result["whole_target"]["changed"] == 3
    with pytest.raises(ConfigurationError, match="others, as a comparison found"):
        filled.run(TABLE)
    filled.run(TABLE | {"on_change": "repair"})
    assert filled.query("SELECT v, count(*) FROM public.a GROUP BY v ORDER BY v") == [("new", 3), ("old", 97)]
    filled.run(TABLE)
    assert last(filled)[0] == "published"


def test_a_comparison_that_was_interrupted_is_made_by_the_retry(filled):
    days_pass(filled, 8)
    plan = filled.plan(TABLE)
    chunks = filled.unload(plan)
    filled.finish(plan, chunks)
    filled.execute(
        f"UPDATE snowmelt.run SET publish_result = jsonb_set(publish_result, '{{whole_target,compared}}', '\"keys\"') WHERE run_id = '{plan.run_id}'",
        "UPDATE public.a SET v = 'other' WHERE id = 50",
    )
    assert last(filled)[1] == "keys"
    from snowmelt.steps.publish import publish_run

    with filled.target() as connection:
        assert publish_run(connection, plan, snowflake=filled.session)["whole_target"]["changed"] == 1
    assert last(filled)[0] == "differs"


@pytest.mark.parametrize(
    ("rhythm", "days", "runs", "due"),
    [
        ("never", 99, 99, False),
        ("every run", 0, 0, True),
        ("daily", 0.4, 0, False),
        ("daily", 0.9, 0, True),
        ("weekly", 6.4, 9, False),
        ("weekly", 6.6, 0, True),
        ("monthly", 29, 0, False),
        ("every 10 runs", 99, 8, False),
        ("every 10 runs", 0, 9, True),
    ],
)
def test_when_a_comparison_is_due(rhythm, days, runs, due):
    from snowmelt.config.file import parse_config
    from snowmelt.config.request import parse_request
    from snowmelt.plan.watermark import compares_after
    from snowmelt.state import LastCompared
    from tests.steps.runs import World

    config = parse_config(World(None, None, "", "bucket", "S").config(TABLE | {"compare": rhythm}), {})
    request = parse_request({}, config, config.tables[0])
    assert compares_after(request, LastCompared(days, runs), None) is due
    assert compares_after(request, None, None) is (rhythm != "never")
