"""A plan is decided purely: from a request and facts, without Snowflake, PostgreSQL or Airflow."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from snowmelt.config.file import parse_config
from snowmelt.config.request import MigrationRequest, parse_request
from snowmelt.errors import ConfigurationError, PlanChanged, SchemaError, SourceError, ValueRefused
from snowmelt.plan import decide, questions
from snowmelt.plan.chunking import ask_bounds
from snowmelt.plan.facts import (
    Facts,
    RunIdentity,
    Snapshot,
    SourceStatistics,
    StagedFacts,
    Start,
    TableFacts,
    TargetFacts,
)
from snowmelt.plan.plan import Plan, build_unload_request, parse_plan
from snowmelt.plan.watermark import ask_target_watermark, build_scope, find_start
from snowmelt.state import TargetIdentity, TargetNow, TargetState
from snowmelt.types.columns import SourceColumn, TargetColumn
from snowmelt.types.target_types import Range
from snowmelt.types.type_names import parse_postgres_type, parse_snowflake_type
from snowmelt.unload.chunks import Bucket
from snowmelt.unload.manifest import Manifest
from snowmelt.unload.statements import Location
from snowmelt.vocabulary import Compression, Deletes, FileFormat, LoadMethod, Mode, PublishMethod

MB = 1024 * 1024
NOW = "2026-01-02 03:04:05.000000006 +0000"
RUN = RunIdentity("r1", "dag", "manual", fingerprint_rows=7)
LOCATION = Location("lake", "base/", '"U"."S"."ST"', "")
SOURCE = tuple(
    SourceColumn(
        name, parse_snowflake_type(kind), nullable=name != "ID", primary_key=1 if name == "ID" else None
    )
    for name, kind in (("ID", "NUMBER(38,0)"), ("AT", "TIMESTAMP_NTZ(9)"), ("V", "VARCHAR(10)"))
)
TARGET = tuple(
    TargetColumn(name, parse_postgres_type(kind))
    for name, kind in (("id", "integer"), ("at", "timestamp"), ("v", "varchar(10)"))
)


def request(unload: dict | None = None, **table: object) -> MigrationRequest:
    config = {
        "s3_staging": {"bucket": "lake"},
        "snowflake_unload": {"stage_database": "U", "stage_schema": "S", "stage_name": "ST"} | (unload or {}),
        "sources": [
            {
                "source_name": "s",
                "source_database": "D",
                "source_schema": "S",
                "tables": [{"source": "T", "target": "t"} | table],
            }
        ],
    }
    parsed = parse_config(json.dumps(config), {})
    assert not parsed.broken, parsed.broken
    return parse_request({}, parsed, parsed.tables[0])


def facts(
    rows: int = 10,
    *,
    target: TargetFacts | None = None,
    start: Start = Start(),
    nanoseconds: dict | None = None,
    ranges: dict | None = None,
    highest: str | None = None,
    **more: object,
) -> Facts:
    statistics = SourceStatistics(rows, nanoseconds or {}, highest, ranges or {})
    tables = TableFacts(SOURCE, target or TargetFacts(None, None, None), LOCATION)
    return Facts(tables, start, Snapshot(NOW, None, statistics), **more)


IDENTITY = TargetIdentity(oid=1, filenode=10)
EXISTING = TargetFacts(TARGET, None, None)
INCREMENTAL = {"mode": "catch_up", "uniqueness_columns": ["ID"], "watermark_column": "AT"}


def test_a_plan_holds_what_every_later_task_needs():
    unload = {"warehouse": "WH", "warehouse_size": "LARGE", "statement_timeout_s": 60}
    asked = request(unload, max_file_size_mb=5, cleanup_after_load=True, verify="counts")
    plan = decide.plan_migration(RUN, asked, facts())
    assert (plan.run_id, plan.mode, plan.publish, plan.target) == (
        "r1",
        Mode.FULL,
        PublishMethod.SWAP,
        "public.t",
    )
    assert (plan.max_file_bytes, plan.file_format, plan.compression) == (
        5 * MB,
        FileFormat.PARQUET,
        Compression.SNAPPY,
    )
    assert (plan.warehouse, plan.warehouse_size, plan.statement_timeout_s) == ("WH", "LARGE", 60)
    assert (plan.cleanup_after_load, plan.fingerprint_rows, plan.verify) == (True, 7, "counts")
    assert (plan.location, plan.path, plan.snapshot) == (LOCATION, "D/S/T/run_r1/", NOW)
    assert [chunk.rows for chunk in plan.chunks] == [10]


def test_the_request_of_an_unload_is_made_from_the_stored_plan_alone():
    asked = request(
        {"warehouse": "WH", "statement_timeout_s": 60}, max_file_size_mb=5, source_filter="ID > 1"
    )
    plan = decide.plan_migration(RUN, asked, facts())
    stored = json.loads(json.dumps(plan.to_json()))
    made = build_unload_request(parse_plan(stored, {}), 0)
    assert made == build_unload_request(plan, 0)
    assert (made.stage, made.bucket, made.base, made.integration) == ('"U"."S"."ST"', "lake", "base/", "")
    assert (made.path, made.where, made.snapshot) == ("D/S/T/run_r1/chunk_000/", "(ID > 1)", NOW)
    assert (made.max_file_bytes, made.warehouse, made.statement_timeout_s) == (5 * MB, "WH", 60)
    assert [name for name, _ in made.columns] == ["ID", "AT", "V"]
    with pytest.raises(PlanChanged, match="has no chunk 1"):
        build_unload_request(plan, 1)


def test_the_keys_of_a_run_are_unloaded_by_the_chunk_after_its_own():
    asked = request(**INCREMENTAL, deletes="hard", source_filter="ID > 1")
    plan = decide.plan_migration(
        RUN, asked, facts(target=EXISTING, start=Start("2026-01-01 00:00:00.000000000"), scope_rows=99)
    )
    assert plan.keys is not None
    made = build_unload_request(plan, 1)
    assert (made.path, made.where) == ("D/S/T/run_r1/chunk_001/", "(ID > 1)")
    assert [name for name, _ in made.columns] == ["ID"]
    assert parse_plan(json.loads(json.dumps(plan.to_json())), {}) == plan
    stored = plan.to_json()
    del stored["deletes"]  # as an earlier version stored it, which knew no other way
    assert parse_plan(stored, {}).deletes is Deletes.HARD
    assert plan.scope_rows == 99
    assert questions.ask_scope(asked, NOW) == (
        f'SELECT COUNT(*), NULL FROM "D"."S"."T" AT(TIMESTAMP => \'{NOW}\'::TIMESTAMP_TZ) WHERE ID > 1'
    )
    assert questions.ask_scope(request(), NOW) is None


SINCE = "2026-01-01 00:00:00.000000000 +0000"


def test_changes_are_read_between_the_two_snapshots_and_deleted_rows_by_their_keys():
    asked = request(mode="changes", uniqueness_columns=["ID"], source_filter="ID > 1")
    start = Start(changes_since=SINCE, follows="before")
    plan = decide.plan_migration(
        RUN, asked, facts(target=EXISTING, start=start, scope_rows=99, deleted_rows=3)
    )
    assert plan.source_sql == (
        f'"D"."S"."T" CHANGES(INFORMATION => DEFAULT) AT(TIMESTAMP => \'{SINCE}\'::TIMESTAMP_TZ) '
        f"END(TIMESTAMP => '{NOW}'::TIMESTAMP_TZ)"
    )
    assert plan.where == "(ID > 1) AND (METADATA$ACTION = 'INSERT')"
    assert plan.keys is not None
    made = build_unload_request(plan, 1)
    assert (made.since, made.where) == (SINCE, "(ID > 1) AND (METADATA$ACTION = 'DELETE')")
    assert (made.chunk.rows, [name for name, _ in made.columns]) == (3, ["ID"])
    assert (plan.deletes, plan.watermark, plan.scope_rows, plan.follows) == (Deletes.HARD, None, 99, "before")
    nothing = facts(target=EXISTING, start=start, scope_rows=99, deleted_rows=0)
    assert decide.plan_migration(RUN, asked, nothing).keys is None


def test_a_plan_of_the_form_before_is_read_with_its_request():
    asked = request(
        {"warehouse": "WH", "warehouse_size": "LARGE", "statement_timeout_s": 60}, cleanup_after_load=True
    )
    plan = decide.plan_migration(RUN, asked, facts())
    older = json.loads(json.dumps(plan.to_json()))
    for name in (
        "warehouse",
        "warehouse_size",
        "statement_timeout_s",
        "cleanup_after_load",
        "fingerprint_rows",
    ):
        del older[name]
    older |= {"plan_version": 1, "target_exists": False, "source": ["D", "S", "T"], "publish": "truncate"}
    read = parse_plan(older, asked.to_json())
    # How deep it is verified it did not say: as deep as can be.
    assert read == replace(plan, publish=PublishMethod.REPLACE, fingerprint_rows=10**15)
    catch_up = parse_plan(older | {"mode": "catch_up", "publish": ""}, asked.to_json())
    assert (catch_up.mode, catch_up.publish) == (Mode.INCREMENTAL, None)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"plan_version": 3}, "planned in form 3; this provider reads form 2"),
        ({"plan_version": None}, "planned in form None"),
        ({"mode": "sideways"}, "The plan of run r1 in the ledger cannot be read.*mode"),
        ({"chunks": "none"}, "The plan of run r1 in the ledger cannot be read.*chunks"),
    ],
)
def test_a_plan_that_cannot_be_read_is_refused(change, text):
    stored = decide.plan_migration(RUN, request(), facts()).to_json()
    with pytest.raises(PlanChanged, match=f"(?s){text}"):
        parse_plan(stored | change, {})


def test_a_table_is_cut_where_it_has_more_rows_than_a_chunk_takes():
    asked = request(chunking_column="ID", chunk_rows=4)
    tables = facts().tables
    question = questions.ask_statistics(
        asked, tables, questions.plan_table_columns(asked, tables), Start(), None
    )
    assert ask_bounds(asked, tables, question, NOW, 4) is None
    assert ask_bounds(request(), tables, question, NOW, 10) is None
    assert '"SNOWMELT_BUCKETS"' in (ask_bounds(asked, tables, question, NOW, 10) or "")
    plan = decide.plan_migration(RUN, asked, facts(buckets=(Bucket("1", "5", 5), Bucket("6", "9", 5))))
    assert [chunk.rows for chunk in plan.chunks] == [5, 5]
    with pytest.raises(SourceError, match="has 10 rows, and its 2 chunks have 9"):
        decide.plan_migration(RUN, asked, facts(buckets=(Bucket("1", "5", 5), Bucket("6", "9", 4))))


def test_an_incremental_run_starts_at_the_published_watermark_else_at_the_targets_own():
    asked = request(**INCREMENTAL)
    filled = replace(EXISTING, now=TargetNow(identity=IDENTITY, rows=None))
    scope = build_scope(asked, facts().tables, questions.plan_table_columns(asked, facts().tables))
    state = TargetState(run_id="r0", target=IDENTITY, scope=scope, rows=5, missing=0, snapshot=NOW)
    published = replace(filled, state=state, published_watermark="2026-01-01 00:00:00.000000000")
    for target, needed in ((published, False), (replace(filled, state=state), True), (None, False)):
        tables = facts(target=target).tables
        columns = questions.plan_table_columns(asked, tables)
        start = find_start(asked, tables, columns, None)
        assert start.watermark == (target.published_watermark if target else None)
        assert (ask_target_watermark(asked, tables, columns, start) is not None) is needed
    unknown = facts(target=replace(filled, now=TargetNow(identity=IDENTITY, rows=5))).tables
    with pytest.raises(ConfigurationError, match="rows of the target: none by the ledger → 5"):
        find_start(asked, unknown, questions.plan_table_columns(asked, unknown), None)
    reload = request(**INCREMENTAL, on_change="full")
    assert find_start(reload, unknown, questions.plan_table_columns(reload, unknown), None).reload
    plan = decide.plan_migration(
        RUN,
        asked,
        facts(
            target=EXISTING,
            start=Start("2026-01-01 00:00:00.000000000"),
            highest="2026-02-01 00:00:00.000000000",
        ),
    )
    assert (plan.watermark_before, plan.watermark) == (
        "2026-01-01 00:00:00.000000000",
        "2026-02-01 00:00:00.000000000",
    )
    assert plan.where.startswith("(\"AT\" >= DATEADD('second', -3600, '2026-01-01")
    window = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
    backfill = decide.plan_migration(replace(RUN, window=window), asked, facts(target=EXISTING))
    assert (backfill.watermark_before, backfill.watermark) == (None, None)
    assert "'2026-01-02 00:00:00.000000000'" in backfill.where


def test_what_stops_a_run_is_found_before_anything_is_unloaded():
    with pytest.raises(ValueRefused, match=r"AT \(3 values\)"):
        decide.plan_migration(RUN, request(), facts(nanoseconds={"AT": 3}))
    wide = facts(target=EXISTING, ranges={"ID": Range(0, 2**40)})
    with pytest.raises(SchemaError, match=r"has outgrown public\.t"):
        decide.plan_migration(RUN, request(narrow_numbers=True), wide)


def test_numbers_of_a_new_table_are_as_narrow_as_their_values():
    plan = decide.plan_migration(RUN, request(narrow_numbers=True), facts(ranges={"ID": Range(0, 2**20)}))
    assert {column.target: column.target_type for column in plan.columns}["id"] == "integer"


@pytest.mark.parametrize(
    ("requested", "file_format", "reason", "chosen"),
    [
        ("auto", "parquet", None, LoadMethod.COPY),
        ("auto", "csv", None, LoadMethod.AWS_S3),
        ("auto", "csv", "it is not installed", LoadMethod.COPY),
        ("copy", "csv", None, LoadMethod.COPY),
        ("aws_s3", "csv", None, LoadMethod.AWS_S3),
    ],
)
def test_files_are_loaded_by_the_server_where_it_can(requested, file_format, reason, chosen):
    asked = request(load_method=requested, file_format=file_format)
    plan = decide.plan_migration(RUN, asked, facts(target=TargetFacts(None, reason, None)))
    assert plan.load_method is chosen


def test_aws_s3_that_cannot_be_is_refused_with_the_reason():
    asked = request(load_method="aws_s3", file_format="csv")
    with pytest.raises(ConfigurationError, match="it is not installed"):
        decide.plan_migration(RUN, asked, facts(target=TargetFacts(None, "it is not installed", None)))


def test_a_load_of_existing_files_is_planned_from_their_manifest():
    columns = decide.plan_migration(RUN, request(), facts()).columns
    manifest = Manifest(
        "old", '"D"."S"."T"', NOW, "parquet", "snappy", "lake", "base/p/run_old/", columns, ()
    )
    plan = decide.plan_load(RUN, request(), StagedFacts(manifest, LOCATION, EXISTING))
    assert (plan.path, plan.snapshot, plan.chunks, str(plan.source)) == ("p/run_old/", NOW, (), "D.S.T")
    assert isinstance(plan, Plan)
