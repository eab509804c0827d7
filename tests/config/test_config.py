"""The configuration file: what it says, and what is said about a faulty one."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path

import pytest

from snowmelt.config.file import parse_config
from snowmelt.errors import ConfigurationError
from snowmelt.sql.names import TableName, match_name

DEMO = Path(__file__).parents[2] / "include" / "config" / "s3copyconfig.json"

MINIMAL = {
    "s3_staging": {"bucket": "staging"},
    "snowflake_unload": {"stage_database": "UTIL", "stage_schema": "STAGING", "stage_name": "SNOWMELT_STAGE"},
    "sources": [
        {
            "source_name": "analytics",
            "source_database": "ANALYTICS",
            "source_schema": "BI",
            "tables": [{"source": "DIMPAYER"}],
        }
    ],
}


def config_with(table=None, *, tables=None, source=None, staging=None, unload=None, **top):
    document = deepcopy(MINIMAL) | top
    document["s3_staging"] |= staging or {}
    document["snowflake_unload"] |= unload or {}
    document["sources"][0] |= source or {}
    if tables is not None:
        document["sources"][0]["tables"] = tables
    elif table is not None:
        document["sources"][0]["tables"] = [{"source": "DIMPAYER"} | table]
    return document


def parse(document, environment=None):
    return parse_config(json.dumps(document), environment or {}, origin="config.json")


def faults_of_file(document, environment=None):
    text = document if isinstance(document, str) else json.dumps(document)
    with pytest.raises(ConfigurationError) as raised:
        parse_config(text, environment or {}, origin="config.json")
    return raised.value.faults


# --- what it says


def test_the_demo_file():
    config = parse_config(DEMO.read_text(), {})
    assert config.broken == ()
    assert config.s3_staging.bucket == "snowmelt-staging"
    assert config.s3_staging.max_file_size_mb == 100
    assert config.snowflake_unload.storage_integration == "SNOWMELT_S3"
    payer, fact = config.tables
    assert payer.dag_id == "migrate__analytics__dimpayer"
    assert payer.source == TableName("ANALYTICS", "BI", "DIMPAYER")
    assert (payer.target_schema, payer.target_table) == ("public", "dimpayer")
    assert (payer.mode, payer.schedule, payer.publish) == ("full", "0 2 * * *", "swap")
    assert fact.dag_id == "migrate__analytics__factvisitcallperformance_cr"
    assert (fact.chunking_column, fact.chunk_rows) == ("Visit Id", 50_000)
    assert (fact.uniqueness_columns, fact.watermark_column) == (("Visit Id",), "LAST_MODIFIED")
    assert fact.mode == "full"


def test_the_demo_file_takes_bucket_and_file_size_from_the_environment():
    config = parse_config(DEMO.read_text(), {"SNOWMELT_BUCKET": "mine", "SNOWMELT_MAX_FILE_SIZE_MB": "250"})
    assert (config.s3_staging.bucket, config.s3_staging.max_file_size_mb) == ("mine", 250)


def test_defaults():
    config = parse(MINIMAL)
    staging = config.s3_staging
    assert staging.prefix_pattern == "{source_database}/{source_schema}/{source_table}/"
    assert (staging.file_format, staging.max_file_size_mb, staging.cleanup_after_load) == (
        "parquet",
        100,
        False,
    )
    assert config.connections.model_dump() == {
        "snowflake": "snowflake_default",
        "aws": "aws_default",
        "postgres": "postgres_default",
        "aws_cleanup": None,
    }
    assert config.tables[0].model_dump(exclude={"columns", "policies", "connections", "execution"}) == {
        "path": "sources[0].tables[0]",
        "dag_id": "migrate__analytics__dimpayer",
        "source_name": "analytics",
        "source_database": "ANALYTICS",
        "source_schema": "BI",
        "source_table": "DIMPAYER",
        "target_schema": "public",
        "target_table": "dimpayer",
        "enabled": True,
        "schedule": "0 2 * * *",
        "expect_fresh_within": None,
        "mode": "full",
        "source_filter": None,
        "chunking_column": None,
        "chunk_rows": 5_000_000,
        "uniqueness_columns": (),
        "watermark_column": None,
        "publish": "swap",
        "row_limit": None,
        "load_method": "auto",
        "file_format": "parquet",
        "compression": None,
        "max_file_size_mb": 100,
        "cleanup_after_load": False,
        "narrow_numbers": False,
    }
    assert config.tables[0].policies.model_dump() == {
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
    }


def test_a_table_with_a_watermark_is_copied_incrementally():
    table = {"watermark_column": "LAST_MODIFIED", "uniqueness_columns": ["ID"]}
    assert parse(config_with(table)).tables[0].mode == "incremental"
    assert parse(config_with(table | {"mode": "full"})).tables[0].mode == "full"


@pytest.mark.parametrize(
    ("source", "name", "target"),
    [
        ("DIMPAYER", "DIMPAYER", "dimpayer"),
        ("dimpayer", "DIMPAYER", "dimpayer"),
        ('"dimpayer"', "dimpayer", "dimpayer"),
        ('"DimPayer"', "DimPayer", "DimPayer"),
        ("Visit Calls", "Visit Calls", "Visit Calls"),
        ('"a.b"', "a.b", "a.b"),
        ('"say ""hi"""', 'say "hi"', 'say "hi"'),
    ],
)
def test_source_names_follow_snowflakes_rule_and_targets_the_folding(source, name, target):
    (table,) = parse(config_with(tables=[{"source": source}])).tables
    assert (table.source_table, table.target_table) == (name, target)


@pytest.mark.parametrize(
    ("written", "target"), [("payer", "payer"), ("Payer", "Payer"), ("PAYER", "payer"), ('"PAYER"', "PAYER")]
)
def test_target_names(written, target):
    assert parse(config_with({"target": written})).tables[0].target_table == target


def test_a_schedule_comes_from_the_table_then_the_source_and_null_means_none():
    def schedule(source, table):
        return parse(config_with(table, source=source)).tables[0].schedule

    assert schedule({}, {}) == "0 2 * * *"
    assert schedule({"schedule": "@hourly"}, {}) == "@hourly"
    assert schedule({"schedule": "@hourly"}, {"schedule": "30  4 * * 1-5"}) == "30 4 * * 1-5"
    assert schedule({"schedule": "@hourly"}, {"schedule": None}) is None
    assert schedule({"schedule": None}, {}) is None


def test_a_disabled_source_disables_its_tables():
    assert parse(config_with(source={"enabled": False})).tables[0].enabled is False
    assert parse(config_with({"enabled": False})).tables[0].enabled is False


def test_a_table_overrides_sections():
    table = {
        "file_format": "csv",
        "load_method": "aws_s3",
        "max_file_size_mb": 7,
        "connections": {"postgres": "reporting"},
    }
    (parsed,) = parse(config_with(table, staging={"compression": "snappy"})).tables
    assert (parsed.file_format, parsed.compression, parsed.max_file_size_mb) == ("csv", None, 7)
    assert (parsed.connections.postgres, parsed.connections.aws) == ("reporting", "aws_default")


def test_compression_requested_for_other_files_is_ignored():
    staging = {"file_format": "csv", "compression": "gzip"}
    config = parse(
        config_with(tables=[{"source": "A"}, {"source": "B", "load_method": "aws_s3"}], staging=staging)
    )
    assert [table.compression for table in config.tables] == ["gzip", None]


def test_column_rules():
    columns = {
        "exclude": ["SSN"],
        "rename": {"Visit Id": "visit_id"},
        "type": {"AMOUNT": "numeric(12, 2)"},
        "mask": {"EMAIL": {"expression": "SHA2(EMAIL)", "type": "VARCHAR(64)"}},
        "keep_offset": ["Check In"],
        "target_only": ["NOTE", '"Note"'],
    }
    rules = parse(config_with({"columns": columns})).tables[0].columns.rules()
    assert rules.exclude == ("SSN",)
    assert rules.rename == {"Visit Id": "visit_id"}
    assert rules.type == {"AMOUNT": "numeric(12,2)"}
    assert (rules.mask["EMAIL"].expression, rules.mask["EMAIL"].type) == ("SHA2(EMAIL)", "VARCHAR(64)")
    assert rules.keep_offset == ("Check In",)
    assert rules.target_only == ("note", "Note")


def test_a_column_of_the_longest_name_can_be_named():
    quotes = '"' + '""' * 255 + '"'
    rules = parse(config_with({"columns": {"exclude": [quotes]}})).tables[0].columns.rules()
    assert match_name(rules.exclude[0], ['"' * 255]) == '"' * 255


def test_tables_are_found_by_dag_and_by_source():
    config = parse(config_with(tables=[{"source": "A"}, {"source": "A", "target": "b"}]))
    assert config.table("migrate__analytics__b").target_table == "b"
    assert config.table("migrate__analytics__c") is None
    assert [one.target_table for one in config.tables_of(TableName("ANALYTICS", "BI", "A"))] == ["a", "b"]


# --- the environment


@pytest.mark.parametrize(
    ("text", "environment", "bucket"),
    [
        ("${BUCKET}", {"BUCKET": "mine"}, "mine"),
        ("${BUCKET:-other}", {"BUCKET": "mine"}, "mine"),
        ("${BUCKET:-other}", {}, "other"),
        ("${BUCKET:-other}", {"BUCKET": ""}, "other"),
        ("a-${X}-${Y:-y}", {"X": "x"}, "a-x-y"),
    ],
)
def test_variables_are_filled(text, environment, bucket):
    assert parse(config_with(staging={"bucket": text}), environment).s3_staging.bucket == bucket


def test_two_dollars_are_one_and_a_lone_dollar_stays():
    (table,) = parse(config_with({"source": '"$${X} costs $5"'})).tables
    assert table.source_table == "${X} costs $5"


def test_numbers_and_flags_may_come_from_the_environment():
    staging = {"max_file_size_mb": "${MB}", "cleanup_after_load": "${CLEAN}"}
    config = parse(config_with(staging=staging), {"MB": "12", "CLEAN": "True"})
    assert (config.s3_staging.max_file_size_mb, config.s3_staging.cleanup_after_load) == (12, True)


def test_a_missing_variable_is_named_with_its_near_miss():
    assert faults_of_file(config_with(staging={"bucket": "${SNOWMELT_BUKET}"}), {"SNOWMELT_BUCKET": "x"}) == (
        (
            "s3_staging.bucket: found ${SNOWMELT_BUKET}; expected the environment variable SNOWMELT_BUKET to be set. "
            'Did you mean "SNOWMELT_BUCKET"? Set SNOWMELT_BUKET where Airflow runs, or write ${SNOWMELT_BUKET:-a default}.'
        ),
    )


def test_a_missing_variable_of_one_table_leaves_the_others():
    config = parse(config_with(tables=[{"source": "${NONE}"}, {"source": "B"}]))
    assert [table.source_table for table in config.tables] == ["B"]
    assert config.broken[0].faults == (
        (
            "sources[0].tables[0].source: found ${NONE}; expected the environment variable NONE to be set. "
            "Set NONE where Airflow runs, or write ${NONE:-a default}."
        ),
    )


@pytest.mark.parametrize("text", ["${", "${}", "${A B}", "${1A}", "${A:=x}", "${A:-${B}}"])
def test_an_invalid_reference(text):
    (fault,) = faults_of_file(config_with(staging={"bucket": text}))
    assert fault.startswith("s3_staging.bucket: found ")
    assert "expected ${NAME} or ${NAME:-default}" in fault


def test_a_message_shows_what_the_file_says_and_not_what_the_environment_gave():
    (fault,) = faults_of_file(config_with(staging={"bucket": "${B}"}), {"B": "Hunter2!"})
    assert fault == (
        's3_staging.bucket: found "${B}" (filled from the environment); '
        "expected the name of an S3 bucket: 3 to 63 of a-z, 0-9, dot and hyphen."
    )
