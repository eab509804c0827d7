"""The snapshot of a run: taken where Snowflake has time travel, never, or by requirement; and what becomes of it afterwards."""

from __future__ import annotations

from dataclasses import replace

import pytest

from snowmelt.errors import SourceError
from snowmelt.steps.finish import load_report
from tests.stand_ins import stand_ins as make_stand_ins


@pytest.fixture
def stand_ins(sandbox):
    made = make_stand_ins(sandbox.env)
    yield made
    made.clear()


def make_view(world):
    world.sql(
        "CREATE TABLE BASE AS SELECT SEQ4() ID FROM TABLE(GENERATOR(ROWCOUNT => 20))",
        "CREATE MATERIALIZED VIEW T AS SELECT ID FROM BASE",
    )
    return world


def make_external(world):
    world.sql(
        f"COPY INTO @UTIL.STAGING.SNOWMELT_STAGE/external_{world.schema}/ FROM (SELECT SEQ4() ID FROM TABLE(GENERATOR(ROWCOUNT => 20)))"
        " HEADER = TRUE FILE_FORMAT = (TYPE = PARQUET)",
        "CREATE EXTERNAL TABLE T (ID NUMBER AS (VALUE:ID::NUMBER))"
        f" LOCATION = @UTIL.STAGING.SNOWMELT_STAGE/external_{world.schema}/ FILE_FORMAT = (TYPE = PARQUET)",
    )
    return world


def make_shared(world):
    world.sql(
        "CREATE TABLE T AS SELECT SEQ4() ID FROM TABLE(GENERATOR(ROWCOUNT => 20))",
        f"CREATE DATABASE IMPORTED_{world.schema} FROM SHARE PROVIDER.TESTS",
        "USE DATABASE TESTS",
        f"USE SCHEMA {world.schema}",
    )
    return replace(world, source_database=f"IMPORTED_{world.schema}")


@pytest.fixture(params=[make_view, make_external, make_shared])
def timeless(world, request):
    """A world whose source T, of 20 rows, has no time travel."""
    yield request.param(world)
    world.sql(f"DROP DATABASE IF EXISTS IMPORTED_{world.schema}")


TABLE = {"source": "T", "columns": {"include": ["ID"]}, "chunking_column": "ID", "chunk_rows": 10}


def test_a_source_without_time_travel_is_copied_without_a_snapshot_and_the_run_says_so(timeless, caplog):
    plan = timeless.plan(TABLE)
    assert plan.snapshot is None
    assert plan.snapshot_note.startswith("no snapshot: ")
    assert "has no time travel" in plan.snapshot_note
    assert plan.snapshot_note in caplog.text
    assert "Unsupported feature 'TIME TRAVEL'" in caplog.text
    timeless.finish(plan, timeless.unload(plan))
    assert timeless.query("SELECT count(*), sum(id) FROM public.t") == [(20, 190)]
    assert timeless.query("SELECT snapshot, snapshot_note, verification->'fingerprint'->>'compared' FROM snowmelt.run") == [
        (None, plan.snapshot_note, "false")
    ]  # fmt: skip
    with timeless.target() as connection:
        report = load_report(connection, plan.run_id)
    assert f"none: {plan.snapshot_note}" in report.to_markdown()


def test_a_run_that_requires_a_snapshot_stops_where_there_is_none(timeless):
    with pytest.raises(
        SourceError, match="has no time travel, and the table's `snapshot` is required"
    ) as raised:
        timeless.plan({**TABLE, "snapshot": "required"})
    assert "Unsupported feature 'TIME TRAVEL'" in str(raised.value)
    assert timeless.query("SELECT count(*) FROM snowmelt.run") == [(0,)]


def test_a_snapshot_that_is_off_is_never_asked_for(world):
    world.sql("CREATE TABLE T AS SELECT SEQ4() ID FROM TABLE(GENERATOR(ROWCOUNT => 20))")
    plan = world.plan({**TABLE, "snapshot": "off"})
    assert (plan.snapshot, plan.snapshot_note.split(",")[0]) == (
        None,
        "no snapshot: the table's `snapshot` is off",
    )
    world.sql("INSERT INTO T VALUES (1000)")
    assert sum(chunk.rows for chunk in world.unload(plan)) == 21


def test_a_required_snapshot_is_taken_where_there_is_time_travel(world):
    world.sql("CREATE TABLE T (ID NUMBER)", "INSERT INTO T VALUES (1)")
    assert world.plan({"source": "T", "snapshot": "required"}).snapshot


def test_a_table_without_retention_has_no_snapshot(world):
    world.sql("CREATE TABLE T (ID NUMBER) DATA_RETENTION_TIME_IN_DAYS = 0", "INSERT INTO T VALUES (1)")
    assert "has no time travel" in world.plan({"source": "T"}).snapshot_note


def test_a_filter_that_fails_is_no_matter_of_time_travel(world):
    world.sql("CREATE TABLE T (ID VARCHAR)", "INSERT INTO T VALUES ('x')")
    with pytest.raises(SourceError, match="Snowflake answered 100038"):
        world.plan({"source": "T", "source_filter": "TO_NUMBER(ID) > 0"})
