"""The exact SQL of an unload, written out."""

from __future__ import annotations

import json

import pytest

from snowmelt.errors import ConfigurationError, SourceError
from snowmelt.unload.manifest import StagedFile
from snowmelt.unload.statements import (
    Location,
    build_file_format,
    build_query_tag,
    build_remove,
    build_select,
    build_source,
    build_unload,
    build_where,
    build_write_document,
    parse_unloaded,
)

STAGE = Location(bucket="bucket", base="base/", stage='"UTIL"."STAGING"."S"', integration="")
DIRECT = Location(bucket="bucket", base="", stage="", integration="SNOWMELT_S3")


def test_a_chunk_of_a_snapshot_by_a_stage():
    source = build_source('"A"."B"."T"', "2026-11-22 16:00:00.123456789 +0000")
    select = build_select(
        [("ID", '"ID"'), ("Seen At", 'DATE_PART(EPOCH_MICROSECOND, "Seen At")')],
        source,
        build_where('"ID" > 5', '"ID" < 9'),
    )
    assert build_unload(
        STAGE,
        "A/B/T/run_1/chunk_000/",
        select,
        file_format="parquet",
        compression="snappy",
        max_file_bytes=104857600,
    ) == (
        """COPY INTO '@"UTIL"."STAGING"."S"/A/B/T/run_1/chunk_000/' FROM (SELECT "ID" AS "ID", """
        """DATE_PART(EPOCH_MICROSECOND, "Seen At") AS "Seen At" FROM "A"."B"."T" """
        """AT(TIMESTAMP => '2026-11-22 16:00:00.123456789 +0000'::TIMESTAMP_TZ) WHERE ("ID" > 5) AND ("ID" < 9)) """
        """FILE_FORMAT = (TYPE = PARQUET COMPRESSION = SNAPPY) HEADER = TRUE MAX_FILE_SIZE = 104857600 """
        """INCLUDE_QUERY_ID = TRUE DETAILED_OUTPUT = TRUE"""
    )


def test_the_integration_writes_straight_into_the_bucket():
    sql = build_unload(DIRECT, "p/", "SELECT 1", file_format="csv", compression="none", max_file_bytes=1)
    assert sql.startswith(
        """COPY INTO 's3://bucket/p/' FROM (SELECT 1) STORAGE_INTEGRATION = "SNOWMELT_S3" FILE_FORMAT = (TYPE = CSV COMPRESSION = NONE """
    )
    assert " HEADER = FALSE MAX_FILE_SIZE = 1 " in sql


def test_a_test_run_has_a_limit_and_no_filter_leaves_no_where():
    assert build_select([("A", '"A"')], "T", "", 100) == 'SELECT "A" AS "A" FROM T LIMIT 100'
    assert build_where("", "") == ""


def test_hostile_names_and_paths_stay_inside_their_quotes():
    select = build_select([('a"; DROP TABLE x; --', '"c"')], "T", "")
    assert select == 'SELECT "c" AS "a""; DROP TABLE x; --" FROM T'
    assert Location("b", "", "", "i").target("x'; DROP/") == "'s3://b/x''; DROP/'"


@pytest.mark.parametrize(
    ("file_format", "compression", "message"),
    [
        ("orc", "none", "file_format is 'orc'; it is one of parquet, csv."),
        ("parquet", "gzip", "compression is 'gzip'; for file_format parquet it is one of snappy, none."),
    ],
)
def test_formats_that_cannot_be_loaded_are_refused(file_format, compression, message):
    with pytest.raises(ConfigurationError, match=message):
        build_file_format(file_format, compression)


def test_a_path_that_is_no_folder_is_refused():
    with pytest.raises(ConfigurationError, match="has to end in a slash"):
        build_unload(
            STAGE, "run_1", "SELECT 1", file_format="parquet", compression="snappy", max_file_bytes=1
        )


@pytest.mark.parametrize(
    "name", ["data_q_0_0_0.snappy.parquet", "A/run_1/chunk_002/data_q_0_0_0.snappy.parquet"]
)
def test_files_come_bare_or_with_their_path(name):
    assert parse_unloaded([(name, "1234", 10)], STAGE, "A/run_1/chunk_002/", 2) == (
        StagedFile("base/A/run_1/chunk_002/data_q_0_0_0.snappy.parquet", 1234, 10, 2),
    )


def test_no_rows_are_no_files():
    assert parse_unloaded([], STAGE, "p/", 0) == ()


@pytest.mark.parametrize(
    "row", [("f",), ("f", "x", 1), ("f", 1, None), ("..", 1, 1), ("f", -1, 1), ("dir/", 1, 1)]
)
def test_an_answer_that_is_no_list_of_files_is_refused(row):
    with pytest.raises(SourceError, match="The unload of chunk 0 into p/"):
        parse_unloaded([row], STAGE, "p/", 0)


def test_the_manifest_is_written_by_snowflake_as_one_document():
    sql = build_write_document(STAGE, "p/manifest.json", {"a": 'it\'s \\ "é"'})
    assert sql == (
        """COPY INTO '@"UTIL"."STAGING"."S"/p/manifest.json' FROM (SELECT PARSE_JSON('{"a":"it''s \\\\\\\\ \\\\"é\\\\""}')) """
        """FILE_FORMAT = (TYPE = JSON COMPRESSION = NONE) SINGLE = TRUE OVERWRITE = TRUE"""
    )


def test_a_path_that_begins_with_the_folders_of_the_stage_is_the_whole_key():
    stage = Location("b", "team/in/", '"A"."B"."S"', "")
    assert [stage.key(path) for path in ("team/in/T/", "T/")] == ["team/in/T/"] * 2
    assert [stage.target(path) for path in ("team/in/T/", "T/")] == ["""'@"A"."B"."S"/T/'"""] * 2


@pytest.mark.parametrize("scheme", ["s3", "s3gov", "s3china"])
def test_without_a_stage_the_partition_is_named_by_the_scheme(scheme):
    location = Location("b", "", "", "I", scheme)
    assert location.target("T/") == f"'{scheme}://b/T/'"


def test_removing_needs_a_stage():
    assert build_remove(STAGE, "p/") == """REMOVE '@"UTIL"."STAGING"."S"/p/'"""
    with pytest.raises(ConfigurationError, match="snowflake_unload"):
        build_remove(DIRECT, "p/")


def test_the_query_tag_is_json_and_never_too_long():
    assert json.loads(build_query_tag(dag="d", chunk=None, task="t")) == {
        "app": "snowmelt",
        "dag": "d",
        "task": "t",
    }
    assert len(build_query_tag(dag="x" * 5000)) == 2000
