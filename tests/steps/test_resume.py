"""Unload and load apart, and runs that are resumed: from the ledger where it knows them, else from the manifest alone."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from snowmelt.errors import ConfigurationError, PlanChanged, StagingError
from snowmelt.ledger import files as ledger_files
from snowmelt.steps import load as loading
from snowmelt.steps import register as registering


@pytest.fixture
def source(world):
    world.sql(
        "CREATE TABLE T (ID NUMBER(9,0) NOT NULL PRIMARY KEY, V VARCHAR)",
        "INSERT INTO T SELECT SEQ4(), 'v' FROM TABLE(GENERATOR(ROWCOUNT => 100))",
    )
    return world


@pytest.fixture
def other(source, sandbox):
    """The same Snowflake and bucket, another database."""
    name = f"other_{uuid.uuid4().hex[:8]}"
    yield replace(source, dsn=sandbox.create_database(name))
    sandbox.drop_database(name)


TABLE = {"source": "T", "chunking_column": "ID", "chunk_rows": 25}


def unload(world, **params):
    plan = world.plan(TABLE, mode="unload", **params)
    with world.target() as connection:
        registering.register_files(
            connection, plan, world.unload(plan), s3=lambda: world.s3, snowflake=world.session
        )
    return plan


def load(world, run_id, **params):
    plan = world.plan(TABLE, mode="load", run_id=run_id, **params)
    return plan, world.finish(plan, world.unload(plan))


def test_files_are_loaded_later_several_times_and_elsewhere(source, other):
    unloaded = unload(source)
    source.sql("DELETE FROM T")
    assert source.query("SELECT to_regclass('public.t')") == [(None,)]
    for world, target in ((source, "t"), (source, "t"), (source, "copy"), (other, "t")):
        plan, result = load(world, unloaded.run_id, target_table=target)
        assert (result["rows_after"], plan.run_id != unloaded.run_id) == (100, True)
        assert world.query(f"SELECT count(*), sum(id) FROM public.{target}") == [(100, 4950)]
    load(other, unloaded.run_id, publish="append", target_table="t2")
    load(other, unloaded.run_id, publish="truncate", target_table="t2")
    assert other.query("SELECT count(*) FROM public.t2") == [(100,)]


def test_a_stage_with_a_path_of_its_own_is_looked_into_there(source, sandbox):
    source.sql(
        f"CREATE OR REPLACE STAGE UTIL.STAGING.SNOWMELT_DEEP URL = 's3://{sandbox.bucket}/deep/er/' "
        "STORAGE_INTEGRATION = SNOWMELT_S3"
    )
    deep = replace(source, stage="SNOWMELT_DEEP")
    unloaded = unload(deep)
    assert (
        deep.s3.list_objects_v2(Bucket=deep.bucket, Prefix=f"deep/er/TESTS/{deep.schema}/T/")["KeyCount"] == 5
    )
    load(deep, unloaded.run_id)
    assert deep.query("SELECT count(*) FROM public.t") == [(100,)]
    with pytest.raises(StagingError, match=r"There is no s3:.*manifest\.json"):
        load(source, unloaded.run_id, target_table="x")


def test_a_run_resumed_with_other_values_unloads_as_it_was_planned(source, sandbox):
    source.sql(
        f"CREATE OR REPLACE STAGE UTIL.STAGING.SNOWMELT_OTHER URL = 's3://{sandbox.bucket}/other/' "
        "STORAGE_INTEGRATION = SNOWMELT_S3"
    )
    planned = source.plan(TABLE, max_file_size_mb=7)
    elsewhere = replace(source, stage="SNOWMELT_OTHER")
    resumed = elsewhere.plan(TABLE, mode="load", run_id=planned.run_id, max_file_size_mb=1)
    assert resumed == planned
    elsewhere.finish(resumed, elsewhere.unload(resumed))
    log = Path(sandbox.env["SNOWMELT_SANDBOX_SNOWFLAKE_STATEMENT_LOG"]).read_text().splitlines()
    statements = {json.loads(line)["sql"] for line in log}
    into = f"{planned.run_id}/chunk_"
    unloads = [
        sql for sql in statements if sql.startswith("COPY INTO") and into in sql.partition(" FROM ")[0]
    ]
    assert len(unloads) == 4
    for sql in unloads:
        assert sql.startswith('COPY INTO \'@"UTIL"."STAGING"."SNOWMELT_STAGE"/')
        assert "MAX_FILE_SIZE = 7340032 " in sql


def test_a_stage_that_was_pointed_elsewhere_after_the_planning_is_refused(source, sandbox):
    create = "CREATE OR REPLACE STAGE UTIL.STAGING.SNOWMELT_MOVED URL = 's3://{}/{}/' STORAGE_INTEGRATION = SNOWMELT_S3"
    moved = replace(source, stage="SNOWMELT_MOVED")
    source.sql(create.format(sandbox.bucket, "before"))
    plan = moved.plan(TABLE)
    source.sql(create.format(sandbox.bucket, "after"))
    with pytest.raises(ConfigurationError, match=r"now writes below 'after/'.*when it wrote below 'before/'"):
        moved.unload(plan)


def begin(world, files, **params):
    """A run that dies once `files` of its four files are loaded."""
    plan = world.plan(TABLE, **params)
    with world.target() as connection:
        gathered = registering.register_files(
            connection, plan, world.unload(plan), s3=lambda: world.s3, snowflake=world.session
        )
        job = loading.build_load_job(plan, "us-east-1")
        for batch in gathered.batches[:files]:
            loading.load_files(
                connection, world.s3, ledger_files.read_batch(connection, plan.run_id, batch.index), job
            )
    return plan


def test_a_new_run_goes_on_with_the_files_that_are_left(source):
    died = begin(source, 2)
    before = source.query("SELECT s3_key, loaded_at FROM snowmelt.loaded_file ORDER BY 1")
    assert len(before) == 2
    source.sql("DELETE FROM T")
    plan = source.plan(TABLE, mode="load", run_id=died.run_id)
    assert plan == died
    result = source.finish(plan, [])
    assert result["rows_after"] == 100
    after = source.query("SELECT s3_key, loaded_at FROM snowmelt.loaded_file ORDER BY 1")
    assert (len(after), set(before) <= set(after)) == (4, True)
    assert source.query("SELECT dag_run_id, outcome FROM snowmelt.run") == [("run", "published")]


def test_a_run_that_died_before_its_unload_is_unloaded_then(source):
    died = source.plan(TABLE)
    source.sql("DELETE FROM T")
    plan = source.plan(TABLE, mode="load", run_id=died.run_id)
    source.finish(plan, source.unload(plan))
    assert source.query("SELECT count(*) FROM public.t") == [(100,)]


def test_a_changed_configuration_is_refused_with_both_values(source):
    died = begin(source, 1)
    with pytest.raises(PlanChanged, match=r'bad_rows: "reject" → "quarantine"'):
        source.plan(TABLE | {"bad_rows": "quarantine"}, mode="load", run_id=died.run_id)
    chosen = source.plan(TABLE, mode="load", run_id=died.run_id, verify="counts")
    assert chosen == died


def test_a_published_run_is_loaded_anew(source):
    died = begin(source, 2)
    source.finish(died, [])
    again, result = load(source, died.run_id)
    assert (again.run_id != died.run_id, result["rows_before"], result["rows_after"]) == (True, 100, 100)
