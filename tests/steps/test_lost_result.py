"""A finished unload whose result is gone: its files are taken where a count proves that they are all, and never otherwise."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from snowmelt.drivers.snowflake import read_status
from snowmelt.errors import TransientError
from snowmelt.plan.plan import build_unload_request
from snowmelt.steps.lost_result import UnloadUnproven, finish_unload
from snowmelt.unload import chunk as unload
from snowmelt.unload import staged
from tests.stand_ins import stand_ins as make_stand_ins

TABLE = {"source": "T", "chunking_column": "ID", "chunk_rows": 40}
NO_HISTORY = {
    "kind": "error", "match": "ACCOUNT_USAGE", "code": "2003", "sqlstate": "02000", "count": 0,
    "message": "Database 'SNOWFLAKE' does not exist or not authorized.",
}  # fmt: skip


@pytest.fixture
def stand_ins(sandbox):
    made = make_stand_ins(sandbox.env)
    yield made
    made.clear()


@pytest.fixture
def table(world):
    world.sql(
        "CREATE TABLE T AS SELECT SEQ4()::NUMBER(9,0) ID, IFF(SEQ4() % 7 = 0, NULL, 'a\"b' || CHR(10) || SEQ4()) NAME"
        " FROM TABLE(GENERATOR(ROWCOUNT => 100))"
    )
    return world


def submit(world, request):
    """Unload, and wait until the query has ended without reading its result."""
    submitted = unload.submit_unload(world.snowflake, request)
    while read_status(world.snowflake, submitted["query_id"], "waiting").running:
        time.sleep(0.02)
    return submitted


def finish(world, request, submitted):
    return finish_unload(world.snowflake, request, submitted, 0.05, lambda: world.s3)


@pytest.mark.parametrize(
    "written",
    [
        {"file_format": "parquet"},
        {"file_format": "csv", "load_method": "copy", "compression": None},
        {"file_format": "csv", "load_method": "copy", "compression": "gzip"},
    ],
    ids=["parquet", "csv", "gzip"],
)
def test_a_run_goes_on_with_the_files_of_lost_results(table, stand_ins, written):
    plan = table.plan({**TABLE, **written})
    assert len(plan.chunks) > 1
    requests = [build_unload_request(plan, chunk.index) for chunk in plan.chunks]
    queries = [submit(table, request) for request in requests]
    expected = [
        unload.await_unload(table.snowflake, *both, 0.05) for both in zip(requests, queries, strict=True)
    ]
    # A try before left files of its own beside them.
    submit(table, requests[0])
    stand_ins.expire_results()
    found = [finish(table, *both) for both in zip(requests, queries, strict=True)]
    assert [chunk.files for chunk in found] == [chunk.files for chunk in expected]
    table.finish(plan, list(staged.look_for_chunks(table.s3, tuple(found)).chunks))
    assert table.query("SELECT count(*), count(name), sum(id) FROM public.t") == [(100, 85, 4950)]


def test_files_that_are_not_all_are_never_taken(table, stand_ins, s3_client):
    plan = table.plan({"source": "T"})
    request = build_unload_request(plan, 0)
    submitted = submit(table, request)
    [file] = unload.await_unload(table.snowflake, request, submitted, 0.05).files
    stand_ins.expire_results()
    s3_client.delete_object(Bucket=table.bucket, Key=file.key)
    with pytest.raises(
        UnloadUnproven, match="its 0 files hold 0 rows, and the planned count at the snapshot is 100"
    ) as raised:
        finish(table, request, submitted)
    assert isinstance(raised.value, TransientError)
    assert "The next try unloads the chunk again" in str(raised.value)


def test_a_chunk_without_a_count_is_proven_by_the_query_history_alone(table, stand_ins):
    plan = table.plan({"source": "T", "snapshot": "off"})
    request = build_unload_request(plan, 0)
    submitted = submit(table, request)
    stand_ins.expire_results()
    assert finish(table, request, submitted).rows == 100
    uncounted = replace(request, snapshot="2024-01-01", chunk=replace(request.chunk, rows=None))
    assert finish(table, uncounted, submitted).rows == 100
    with (
        stand_ins.snowflake(NO_HISTORY),
        pytest.raises(UnloadUnproven, match="may not read SNOWFLAKE"),
    ):
        finish(table, request, submitted)


def test_an_empty_chunk_has_no_files(table, stand_ins):
    request = build_unload_request(table.plan({"source": "T", "source_filter": "ID < 0"}), 0)
    submitted = submit(table, request)
    stand_ins.expire_results()
    assert finish(table, request, submitted).files == ()
