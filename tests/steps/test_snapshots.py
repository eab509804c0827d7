"""The snapshot of a run: taken where Snowflake has time travel, never, or by requirement; and what becomes of it afterwards."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from snowmelt.errors import ConfigurationError, SourceError, SourceUnavailable
from snowmelt.steps import planning_facts
from snowmelt.steps import source as snapshot
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
        ConfigurationError, match="has no time travel, and the table's `snapshot` is required"
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


FUTURE = {
    "kind": "error",
    "match": r"AT\(TIMESTAMP",
    "code": "2115",
    "sqlstate": "02000",
    "message": "Future data is not yet available for table T.",
}
COUNTED = {"source": "T", "target": "copied"}


def test_a_snapshot_is_of_when_the_planning_began_in_whole_milliseconds(world, monkeypatch):
    world.sql("CREATE TABLE T (ID NUMBER)", "INSERT INTO T VALUES (1)")
    read = planning_facts.read_columns

    def read_late(*args):
        world.sql("INSERT INTO T VALUES (2)")
        return read(*args)

    monkeypatch.setattr(planning_facts, "read_columns", read_late)
    plan = world.plan(COUNTED)
    assert plan.source_rows == 1
    assert re.fullmatch(r"[-0-9]{10} [:0-9]{8}\.[0-9]{3}000000 \+0000", plan.snapshot)


def test_a_snapshot_that_snowflake_has_not_reached_is_waited_for(world, stand_ins, monkeypatch):
    monkeypatch.setattr(snapshot, "_PAUSES", (0.01, 0.01, 0.01))
    world.sql("CREATE TABLE T (ID NUMBER)", "INSERT INTO T VALUES (1)")
    with stand_ins.snowflake({**FUTURE, "count": 3}):
        plan = world.plan(COUNTED)
    assert (plan.source_rows, plan.snapshot_note) == (1, None)
    with (
        stand_ins.snowflake({**FUTURE, "count": 4}),
        pytest.raises(SourceUnavailable, match=r"Future data is not yet available.*It is retried"),
    ):
        world.plan(COUNTED)


def test_a_source_that_was_created_again_in_mid_run_is_named(world):
    world.sql("CREATE TABLE T AS SELECT 1 ID")
    plan = world.plan(COUNTED)
    world.sql("CREATE OR REPLACE TABLE T AS SELECT 1 ID")
    with pytest.raises(SourceError, match=r"T was created again at 20.*CREATE OR REPLACE") as raised:
        world.unload(plan)
    assert raised.value.code == "000707"


def test_a_snapshot_beyond_the_retention_is_not_taken_for_a_source_that_was_created_again(world):
    world.sql("CREATE TABLE T AS SELECT 1 ID")
    plan = world.plan(COUNTED)
    world.sql("ALTER TABLE T SET DATA_RETENTION_TIME_IN_DAYS = 0")
    with pytest.raises(SourceError, match="does not reach back that far") as raised:
        world.unload(plan)
    assert "created again" not in str(raised.value)


def test_a_source_that_was_created_again_before_the_verification_is_named_by_it(world):
    world.sql("CREATE TABLE T AS SELECT 1 ID")
    plan = world.plan(COUNTED)
    chunks = world.unload(plan)
    world.sql("CREATE OR REPLACE TABLE T AS SELECT 2 ID")
    world.finish(plan, chunks)
    [(reason,)] = world.query("SELECT verification->'fingerprint'->>'reason' FROM snowmelt.run")
    assert f"for TESTS.{world.schema}.T was created again at 20" in reason


def test_a_source_that_was_created_again_while_it_was_planned_is_planned_again(world, monkeypatch):
    world.sql("CREATE TABLE T AS SELECT 1 ID")
    read = planning_facts.read_object

    def replace_table(*args):
        world.sql("CREATE OR REPLACE TABLE T AS SELECT 1 ID")
        return read(*args)

    monkeypatch.setattr(planning_facts, "read_object", replace_table)
    with pytest.raises(SourceUnavailable, match="created again while the run was planned"):
        world.plan(COUNTED)
    monkeypatch.setattr(planning_facts, "read_object", read)
    assert world.plan(COUNTED).snapshot
