"""A run's parameters and the configuration → its request, the same for every retry."""

from __future__ import annotations

import json

import pytest

from snowmelt.config.file import parse_config
from snowmelt.config.request import match_columns, parse_request
from snowmelt.errors import ConfigurationError
from snowmelt.sql.names import TableName

SOURCE = {"source_database": "ANALYTICS", "source_schema": "BI", "source_table": "VISITS"}


def make_config(*tables, **staging):
    return parse_config(
        json.dumps(
            {
                "s3_staging": {"bucket": "staging"} | staging,
                "snowflake_unload": {
                    "stage_database": "UTIL",
                    "stage_schema": "STAGING",
                    "stage_name": '"My Stage"',
                    "storage_integration": "S3",
                    "warehouse": "wh",
                },
                "sources": [
                    {
                        "source_name": "analytics",
                        "source_database": "ANALYTICS",
                        "source_schema": "BI",
                        "tables": list(tables),
                    }
                ],
            }
        ),
        {},
    )


CONFIG = make_config()


def faults(parameters, config=CONFIG, table=None):
    with pytest.raises(ConfigurationError) as raised:
        parse_request(parameters, config, table)
    return raised.value.faults


# --- what a run does


def test_the_source_alone_is_enough():
    request = parse_request(SOURCE, CONFIG)
    assert request.to_json() == {
        "source_database": "ANALYTICS",
        "source_schema": "BI",
        "source_table": "VISITS",
        "target_schema": "public",
        "target_table": "visits",
        "mode": "full",
        "source_filter": None,
        "chunking_column": None,
        "chunk_rows": 5_000_000,
        "uniqueness_columns": [],
        "watermark_column": None,
        "publish": "swap",
        "row_limit": None,
        "file_format": "parquet",
        "compression": "snappy",
        "load_method": "auto",
        "max_file_size_mb": 100,
        "cleanup_after_load": False,
        "narrow_numbers": False,
        "run_id": None,
        "columns": {
            "include": [],
            "exclude": [],
            "rename": {},
            "type": {},
            "mask": {},
            "keep_offset": [],
            "target_only": [],
            "source_tag": None,
        },
        "policies": {
            "owned_rows": None,
            "audit_columns": False,
            "bad_rows": "reject",
            "quarantine_limit": 1000,
            "nanoseconds": "refuse",
            "schema_drift": "fail",
            "long_names": "refuse",
            "watermark_overlap": None,
            "duplicates": "last",
            "inserts_only": False,
            "deletes": "auto",
            "deleted_column": None,
            "max_delete_percent": 10,
            "defer_indexes": False,
            "verify": "fingerprint",
            "whole_target": "keys",
            "on_change": "fail",
            "compare": "never",
            "max_shrink_percent": 50,
            "text_watermark": False,
            "filter_subqueries": False,
            "snapshot": "auto",
            "source_policies": "report",
        },
        "staging": {
            "bucket": "staging",
            "prefix": "ANALYTICS/BI/VISITS/",
            "storage_integration": "S3",
            "stage_database": "UTIL",
            "stage_schema": "STAGING",
            "stage_name": "My Stage",
            "warehouse": "WH",
            "warehouse_size": None,
            "statement_timeout_s": None,
        },
        "connections": {
            "snowflake": "snowflake_default",
            "aws": "aws_default",
            "postgres": "postgres_default",
            "aws_cleanup": None,
        },
    }
    assert request.source == TableName("ANALYTICS", "BI", "VISITS")
    assert request.staging.stage == '"UTIL"."STAGING"."My Stage"'
    assert request.max_file_bytes == 104_857_600


def test_names_are_read_as_snowflake_reads_them():
    request = parse_request(
        {"source_database": "analytics", "source_schema": '"bi"', "source_table": "My Table"}, CONFIG
    )
    assert request.source == TableName("ANALYTICS", "bi", "My Table")
    assert request.target_table == "My Table"
    assert request.staging.prefix == "ANALYTICS/bi/My=20Table/"


def test_what_a_form_leaves_blank_is_not_given():
    blank = {
        "target_table": "",
        "mode": None,
        "source_filter": "  ",
        "chunking_column": "",
        "chunk_rows": None,
        "uniqueness_columns": ["", "ID ", None],
        "row_limit": 0,
        "run_id": "",
    }
    request = parse_request(SOURCE | blank, CONFIG)
    assert (request.target_table, request.mode, request.chunk_rows) == ("visits", "full", 5_000_000)
    assert (request.source_filter, request.chunking_column, request.row_limit) == (None, None, None)
    assert request.uniqueness_columns == ("ID",)


def test_a_tables_dag_runs_by_its_configuration_and_the_form_has_the_last_word():
    config = make_config(
        {
            "source": "VISITS",
            "target": "v",
            "source_filter": "A = 1",
            "chunk_rows": 7,
            "chunking_column": "ID",
        }
    )
    table = config.tables[0]
    scheduled = parse_request({}, config, table)
    assert (scheduled.source_filter, scheduled.chunk_rows, scheduled.target_table) == ("A = 1", 7, "v")
    by_hand = parse_request({"source_filter": None, "chunk_rows": 9, "chunking_column": None}, config, table)
    assert (by_hand.source_filter, by_hand.chunk_rows, by_hand.chunking_column) == (None, 9, None)


def test_columns_masked_in_the_configuration_are_masked_in_a_run_by_hand():
    mask = {"expression": "SHA2(SSN)", "type": "VARCHAR(64)"}
    config = make_config({"source": "VISITS", "columns": {"mask": {"SSN": mask}}, "bad_rows": "quarantine"})
    request = parse_request(SOURCE | {"target_table": "elsewhere"}, config)
    assert request.columns.mask["SSN"].expression == "SHA2(SSN)"
    assert request.policies.bad_rows == "quarantine"
    assert parse_request(SOURCE | {"source_table": "OTHER"}, config).columns.mask == {}


def test_connections_are_those_of_the_dag():
    config = make_config({"source": "VISITS", "connections": {"postgres": "reporting"}})
    assert parse_request({}, config, config.tables[0]).connections.postgres == "reporting"
    assert parse_request(SOURCE, config).connections.postgres == "postgres_default"


def test_of_several_configurations_the_target_decides():
    config = make_config(
        {"source": "VISITS", "target": "a", "columns": {"exclude": ["X"]}},
        {"source": "VISITS", "target": "b"},
    )
    assert parse_request(SOURCE | {"target_table": "a"}, config).columns.exclude == ("X",)
    assert parse_request(SOURCE | {"target_table": "b"}, config).columns.exclude == ()
    assert faults(SOURCE | {"target_table": "c"}, config) == (
        (
            'target_table: found "c"; expected one of a, b: ANALYTICS.BI.VISITS is configured for each of these. '
            "Each has its own rules for columns; the target says which hold."
        ),
    )


def test_a_table_whose_configuration_is_broken_is_not_copied_without_its_rules():
    config = make_config({"source": "VISITS", "columns": {"maks": {}}})
    assert faults(SOURCE, config) == (
        (
            "source_table: found ANALYTICS.BI.VISITS, whose configuration is broken (include/config/s3copyconfig.json, "
            "sources[0].tables[0]); expected rules for its columns that can be read. Correct it there, or columns that should be "
            "masked or left out would be copied."
        ),
    )


@pytest.mark.parametrize(
    ("parameters", "compression"),
    [
        ({}, "snappy"),
        ({"file_format": "csv"}, "none"),
        ({"file_format": "csv", "load_method": "copy"}, "gzip"),
        ({"file_format": "csv", "load_method": "aws_s3"}, "none"),
    ],
)
def test_compression_follows_the_format_and_the_way_in(parameters, compression):
    assert parse_request(SOURCE | parameters, make_config(compression="snappy")).compression == compression


def test_gzip_is_left_aside_where_the_database_fetches_the_files():
    config = make_config(file_format="csv", compression="gzip")
    assert parse_request(SOURCE, config).compression == "gzip"
    assert parse_request(SOURCE | {"load_method": "aws_s3"}, config).compression == "none"


@pytest.mark.parametrize(
    ("mode", "publish"),
    [
        ("full", "append"),
        ("load", "append"),
        ("incremental", "append"),
        ("changes", None),
        ("unload", None),
        ("test", None),
    ],
)
def test_publish_is_kept_only_where_it_is_looked_at(mode, publish):
    needed = {
        "load": {"run_id": "r1"},
        "test": {"row_limit": 5},
        "incremental": {"watermark_column": "T"},
        "changes": {"uniqueness_columns": ["ID"]},
    }
    request = parse_request(SOURCE | {"mode": mode, "publish": "append"} | needed.get(mode, {}), CONFIG)
    assert request.publish == publish


def test_rows_in_a_chunk_mean_nothing_without_a_column_to_cut_by():
    assert parse_request(SOURCE | {"chunk_rows": 10}, CONFIG).chunking_column is None


# --- columns, once the table is at hand


def test_columns_are_matched_to_the_letter_then_as_snowflake_reads_them():
    typed = {
        "chunking_column": "Visit Id",
        "uniqueness_columns": ["visit_no", '"Visit Id"', "mixedCase"],
        "watermark_column": "last_modified",
    }
    request = match_columns(
        parse_request(SOURCE | typed, CONFIG), ["Visit Id", "VISIT_NO", "mixedCase", "LAST_MODIFIED"]
    )
    assert request.chunking_column == "Visit Id"
    assert request.uniqueness_columns == ("VISIT_NO", "Visit Id", "mixedCase")
    assert request.watermark_column == "LAST_MODIFIED"


def test_columns_that_the_source_does_not_have_are_named_all():
    typed = {"chunking_column": "VISIT_IDD", "uniqueness_columns": ["NOPE"]}
    with pytest.raises(ConfigurationError) as raised:
        match_columns(parse_request(SOURCE | typed, CONFIG), ["VISIT_ID"])
    assert raised.value.faults == (
        'uniqueness_columns: found "NOPE"; expected a column of ANALYTICS.BI.VISITS. Look for its name in Snowflake.',
        'chunking_column: found "VISIT_IDD"; expected a column of ANALYTICS.BI.VISITS. Did you mean "VISIT_ID"?',
    )
