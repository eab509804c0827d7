"""The configuration file: what it says, and what is said about a faulty one."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from pathlib import Path

import pytest

from snowmelt.core.config import parse_config
from snowmelt.core.names import TableName
from snowmelt.errors import ConfigurationError

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


def faults_of_table(table, environment=None, **rest):
    config = parse(config_with(table, **rest), environment)
    assert config.tables == ()
    (broken,) = config.broken
    return broken.faults


# --- what it says


def test_the_demo_file():
    config = parse_config(DEMO.read_text(), {})
    assert config.broken == ()
    assert config.s3_staging.bucket == "snowmelt-staging"
    assert config.s3_staging.max_file_size_mb == 16
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
    assert (staging.file_format, staging.max_file_size_mb, staging.cleanup_after_load) == ("parquet", 100, False)
    assert config.connections.model_dump() == {
        "snowflake": "snowflake_default",
        "aws": "aws_default",
        "postgres": "postgres_default",
        "aws_cleanup": None,
    }
    assert config.tables[0].model_dump(exclude={"columns", "policies", "connections"}) == {
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
    }
    assert config.tables[0].policies.model_dump() == {
        "bad_rows": "reject",
        "quarantine_limit": 1000,
        "nanoseconds": "refuse",
        "schema_drift": "fail",
        "long_names": "refuse",
    }


def test_a_table_with_a_watermark_is_caught_up():
    table = {"watermark_column": "LAST_MODIFIED", "uniqueness_columns": ["ID"]}
    assert parse(config_with(table)).tables[0].mode == "catch_up"
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


def test_column_rules():
    columns = {
        "exclude": ["SSN"],
        "rename": {"Visit Id": "visit_id"},
        "type": {"AMOUNT": "numeric(12, 2)"},
        "mask": {"EMAIL": {"expression": "SHA2(EMAIL)", "type": "VARCHAR(64)"}},
        "keep_offset": ["Check In"],
    }
    rules = parse(config_with({"columns": columns})).tables[0].columns.rules()
    assert rules.exclude == ("SSN",)
    assert rules.rename == {"Visit Id": "visit_id"}
    assert rules.type == {"AMOUNT": "numeric(12,2)"}
    assert (rules.mask["EMAIL"].expression, rules.mask["EMAIL"].type) == ("SHA2(EMAIL)", "VARCHAR(64)")
    assert rules.keep_offset == ("Check In",)


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
        "s3_staging.bucket: found ${SNOWMELT_BUKET}; expected the environment variable SNOWMELT_BUKET to be set. "
        'Did you mean "SNOWMELT_BUCKET"? Set SNOWMELT_BUKET where Airflow runs, or write ${SNOWMELT_BUKET:-a default}.',
    )


def test_a_missing_variable_of_one_table_leaves_the_others():
    config = parse(config_with(tables=[{"source": "${NONE}"}, {"source": "B"}]))
    assert [table.source_table for table in config.tables] == ["B"]
    assert config.broken[0].faults == (
        "sources[0].tables[0].source: found ${NONE}; expected the environment variable NONE to be set. "
        "Set NONE where Airflow runs, or write ${NONE:-a default}.",
    )


@pytest.mark.parametrize("text", ["${", "${}", "${A B}", "${1A}", "${A:=x}", "${A:-${B}}"])
def test_a_reference_that_is_none(text):
    (fault,) = faults_of_file(config_with(staging={"bucket": text}))
    assert fault.startswith("s3_staging.bucket: found ")
    assert "expected ${NAME} or ${NAME:-default}" in fault


def test_a_message_shows_what_the_file_says_and_not_what_the_environment_gave():
    (fault,) = faults_of_file(config_with(staging={"bucket": "${B}"}), {"B": "Hunter2!"})
    assert fault == (
        's3_staging.bucket: found "${B}" (filled from the environment); '
        "expected the name of an S3 bucket: 3 to 63 of a-z, 0-9, dot and hyphen."
    )


# --- faults of a table, to the letter

TABLE_FAULTS = [
    ({"chunk_rows": -5}, "chunk_rows: found -5; expected a whole number from 1 to 1,000,000,000,000,000."),
    ({"chunk_rows": True}, "chunk_rows: found true; expected a whole number from 1 to 1,000,000,000,000,000."),
    ({"chunk_rows": 1.5}, "chunk_rows: found 1.5; expected a whole number from 1 to 1,000,000,000,000,000."),
    ({"max_file_size_mb": 5000}, "max_file_size_mb: found 5000; expected a whole number from 1 to 4,768."),
    ({"enabled": "yes"}, 'enabled: found "yes"; expected true or false.'),
    (
        {"mode": "cathc_up"},
        'mode: found "cathc_up"; expected one of full, catch_up, unload, load, test. Did you mean "catch_up"?',
    ),
    (
        {"chunk_row": 5},
        "chunk_row: found a key that is not known; expected one of bad_rows, quarantine_limit, nanoseconds, schema_drift, "
        "long_names, source, target, enabled, mode, source_filter, chunking_column, chunk_rows, uniqueness_columns, "
        "watermark_column, publish, row_limit, load_method, file_format, compression, max_file_size_mb, "
        'cleanup_after_load, columns, schedule, connections. Did you mean "chunk_rows"?',
    ),
    (
        {"columns": {"excluded": ["A"]}},
        "columns.excluded: found a key that is not known; expected one of include, exclude, rename, type, mask, "
        'keep_offset. Did you mean "exclude"?',
    ),
    (
        {"columns": {"mask": {"Visit Id": {"expression": "SHA2(X)"}}}},
        'columns.mask["Visit Id"].type: found nothing; expected the Snowflake type of the result. Give it.',
    ),
    ({"uniqueness_columns": "ID"}, 'uniqueness_columns: found "ID"; expected a list.'),
    (
        {"uniqueness_columns": ["ID", "ID"]},
        'uniqueness_columns: found a list of 2; expected each column once. "ID" is there more than once.',
    ),
    ({"uniqueness_columns": ["ID", 3]}, "uniqueness_columns[1]: found 3; expected a column of the source, of at most 255 characters."),
    (
        {"source": "BI.DIMPAYER"},
        'source: found "BI.DIMPAYER"; expected one name of Snowflake, of at most 255 characters. '
        "Database, schema and table are given apart; a name with a dot in it stands in double quotes.",
    ),
    (
        {"target": "x" * 64},
        f'target: found "{"x" * 64}"; expected one name of PostgreSQL, of at most 63 bytes. '
        "PostgreSQL would cut it off without a word.",
    ),
    (
        {"schedule": "nightly"},
        'schedule: found "nightly"; expected five cron fields (minute hour day month weekday), one of @hourly, @daily, '
        "@weekly, @monthly, @quarterly, @yearly, or null.",
    ),
    (
        {"schedule": "@dayly"},
        'schedule: found "@dayly"; expected five cron fields (minute hour day month weekday), one of @hourly, @daily, '
        '@weekly, @monthly, @quarterly, @yearly, or null. Did you mean "@daily"?',
    ),
    (
        {"schedule": "0 0 31 2 *"},
        'schedule: found "0 0 31 2 *"; expected five cron fields (minute hour day month weekday), one of @hourly, @daily, '
        "@weekly, @monthly, @quarterly, @yearly, or null. This one names a date that never comes.",
    ),
    (
        {"source_filter": "A = 1; DROP TABLE B"},
        'source_filter: found "A = 1; DROP TABLE B"; expected one Snowflake predicate, as it would stand behind WHERE. '
        "It holds a statement separator at character 6: ; DROP TABLE B",
    ),
    (
        {"source_filter": "WHERE A = 1"},
        'source_filter: found "WHERE A = 1"; expected one Snowflake predicate, as it would stand behind WHERE. '
        "Leave the word WHERE out.",
    ),
    (
        {"columns": {"type": {"A": "numeric(x)"}}},
        "columns.type.A: found \"numeric(x)\"; expected a type of PostgreSQL, such as numeric(18,2). 'numeric(x)' is not the "
        "name of a PostgreSQL type.",
    ),
    (
        {"connections": {"postgres": "my db"}},
        'connections.postgres: found "my db"; expected the id of an Airflow connection. '
        "Create the connection in Airflow and give its id here.",
    ),
    (
        {"mode": "catch_up", "uniqueness_columns": ["ID"]},
        "watermark_column: found none; expected a column that grows with every change, since mode catch_up copies what is "
        'new by it. Name it, or choose mode "full".',
    ),
    (
        {"watermark_column": "LAST_MODIFIED"},
        "uniqueness_columns: found none; expected the columns that tell one row from another, since mode catch_up merges by "
        'them. Name them, or choose mode "full".',
    ),
    (
        {"load_method": "aws_s3"},
        'load_method: found "aws_s3" with file_format "parquet"; expected auto or copy for Parquet: aws_s3 takes what COPY '
        'takes, and Parquet is not among that. Choose file_format "csv", or load_method "auto".',
    ),
    (
        {"file_format": "csv", "compression": "snappy"},
        'compression: found "snappy" with file_format "csv"; expected one of gzip, none for csv. '
        "Leave it out to get the best one.",
    ),
    (
        {"file_format": "csv", "compression": "gzip", "load_method": "aws_s3"},
        'compression: found "gzip" with load_method "aws_s3"; expected none: aws_s3 reads gzip only with a Content-Encoding '
        "that Snowflake does not set. Leave it out.",
    ),
    (
        {"bad_rows": "quarantine", "file_format": "csv", "load_method": "aws_s3"},
        'bad_rows: found "quarantine" with load_method "aws_s3"; expected reject: aws_s3 takes a file whole or not at all. '
        'Choose load_method "auto" or "copy".',
    ),
    (
        {"mode": "test"},
        "row_limit: found none; expected a number of rows, since mode test copies so many. 1000 is a good start.",
    ),
    (
        {"row_limit": 10},
        'row_limit: found 10 with mode "full"; expected none: only mode test copies a part of the rows. Choose mode "test", '
        "or clear row_limit; a part of a table is chosen by source_filter.",
    ),
    (
        {"mode": "load"},
        'mode: found "load" with a schedule; expected a mode that needs no run_id. Mode load takes an earlier run from the '
        'trigger form. Give "schedule": null, or choose mode "full".',
    ),
    (
        {"mode": "unload", "publish": "append"},
        'publish: found "append" with mode "unload"; expected publish with mode full (or load) only. Leave publish out: '
        "catch_up merges by uniqueness_columns, unload and test leave the target alone.",
    ),
]


@pytest.mark.parametrize(("table", "fault"), TABLE_FAULTS)
def test_a_fault_of_a_table(table, fault):
    (found,) = faults_of_table(table)
    assert found.startswith(f"sources[0].tables[0].{fault}")


def test_all_faults_of_a_table_at_once():
    faults = faults_of_table(
        {"chunk_rows": 0, "mode": "catch_up", "publsh": "swap", "columns": {"include": [""]}, "load_method": "aws_s3"}
    )
    assert [fault.split(":")[0].removeprefix("sources[0].tables[0].") for fault in faults] == [
        "chunk_rows",
        "columns.include[0]",
        "publsh",
        "uniqueness_columns",
        "watermark_column",
        "load_method",
    ]


def test_a_rule_across_fields_says_nothing_where_one_of_them_is_faulty():
    (fault,) = faults_of_table({"mode": "catch_up", "uniqueness_columns": ["A"], "watermark_column": 7})
    assert fault.startswith("sources[0].tables[0].watermark_column: found 7;")


def test_a_missing_source_names_the_key_that_was_written_instead():
    (table,) = parse(config_with(tables=[{"sorce": "A"}])).broken
    assert table.faults[0] == (
        "sources[0].tables[0].source: found nothing; expected the table's name in Snowflake. "
        'Is it what was written as "sorce"?'
    )


def test_a_table_that_is_no_object():
    (table,) = parse(config_with(tables=["DIMPAYER"])).broken
    assert table.faults == ('sources[0].tables[0]: found "DIMPAYER"; expected an object.',)


def test_a_long_source_name_needs_a_target_or_shortening():
    name = "A" * 70
    (fault,) = parse(config_with(tables=[{"source": name}])).broken[0].faults
    assert fault == (
        "sources[0].tables[0].target: found a name of 70 bytes, from the source's; expected at most 63 bytes. "
        'Give a target, or "long_names": "shorten".'
    )
    (table,) = parse(config_with(tables=[{"source": name, "long_names": "shorten"}])).tables
    assert table.target_table.startswith("a" * 54 + "_")
    assert len(table.target_table) == 63


# --- one broken table, one broken source, a broken file


def test_a_broken_table_leaves_the_others():
    config = parse(config_with(tables=[{"source": "A"}, {"source": "B", "chunk_rows": "many"}, {"source": "C"}]))
    assert [table.source_table for table in config.tables] == ["A", "C"]
    (broken,) = config.broken
    assert (broken.path, broken.name) == ("sources[0].tables[1]", "migrate__analytics__b")
    assert broken.source == TableName("ANALYTICS", "BI", "B")
    assert config.broken_of(TableName("ANALYTICS", "BI", "B")) == (broken,)


def test_a_broken_source_leaves_the_others_and_names_its_tables():
    document = config_with(tables=[{"source": "A"}], source={"source_schema": 7})
    document["sources"].append(MINIMAL["sources"][0] | {"source_name": "other"})
    config = parse(document)
    assert [table.dag_id for table in config.tables] == ["migrate__other__dimpayer"]
    source, table = config.broken
    assert (source.path, source.name) == ("sources[0]", "analytics")
    assert source.faults == ("sources[0].source_schema: found 7; expected one name of Snowflake, of at most 255 characters.",)
    assert (table.path, table.name) == ("sources[0].tables[0]", "migrate__analytics__a")
    assert table.faults == ("sources[0]: its source is broken, see there.",)


def test_two_tables_with_one_target_break_the_later_one():
    config = parse(config_with(tables=[{"source": "A", "target": "t"}, {"source": "B", "target": "t"}]))
    assert [table.source_table for table in config.tables] == ["A"]
    assert config.broken[0].faults == (
        "sources[0].tables[1].target: found the DAG id migrate__analytics__t, which sources[0].tables[0] has already; "
        "expected one DAG for each table. Give one of the two another target, or put it under another source_name.",
    )


def test_dag_ids_that_only_look_alike_are_told_apart():
    config = parse(config_with(tables=[{"source": "A", "target": "a b"}, {"source": "A", "target": "a_b"}]))
    assert [table.dag_id for table in config.tables] == ["migrate__analytics__a_b_7e0713d3", "migrate__analytics__a_b"]


def test_two_tables_that_would_share_a_folder_break_the_later_one():
    document = config_with(tables=[{"source": "A"}], staging={"prefix_pattern": "{source_table}/"})
    document["sources"].append(
        document["sources"][0] | {"source_name": "other", "source_schema": "OTHER"},
    )
    config = parse(document)
    assert config.broken[0].faults == (
        'sources[1].tables[0].source: found the prefix "A/", which sources[0].tables[0] (ANALYTICS.BI.A) has already; '
        "expected a folder of its own for each table. Put more placeholders into s3_staging.prefix_pattern.",
    )


def test_one_table_may_be_copied_to_two_targets():
    assert len(parse(config_with(tables=[{"source": "A"}, {"source": "A", "target": "b"}])).tables) == 2


def test_a_broken_section_breaks_the_file_and_all_faults_are_told():
    document = config_with(
        {"chunk_rows": 0},
        staging={"bucket": "s3://mine", "file_fromat": "csv"},
        unload={"stage_schema": None, "warehouse_size": "huge"},
        sorces=[],
    )
    assert faults_of_file(document) == (
        "sorces: found a key that is not known; expected one of s3_staging, snowflake_unload, connections, sources. "
        'Did you mean "sources"?',
        's3_staging.bucket: found "s3://mine"; expected the name of an S3 bucket. '
        "Give the name alone, without s3://, path or ARN.",
        "s3_staging.file_fromat: found a key that is not known; expected one of bucket, prefix_pattern, file_format, "
        'compression, max_file_size_mb, cleanup_after_load. Did you mean "file_format"?',
        'snowflake_unload.warehouse_size: found "huge"; expected one of XSMALL, SMALL, MEDIUM, LARGE, XLARGE, XXLARGE, '
        "XXXLARGE, X4LARGE, X5LARGE, X6LARGE.",
        "snowflake_unload.stage_schema: found nothing; expected all of stage_name, stage_database, stage_schema. Give it.",
        "sources[0].tables[0].chunk_rows: found 0; expected a whole number from 1 to 1,000,000,000,000,000.",
    )


def test_the_error_names_the_file_and_counts_the_faults():
    with pytest.raises(ConfigurationError) as raised:
        parse_config('{"s3_staging": {"bucket": "abc"}, "sources": []}', {}, origin="conf.json")
    assert str(raised.value) == (
        "conf.json cannot be used (1 fault):\n"
        "  - snowflake_unload.stage_name: found neither a stage nor a storage_integration; expected the external stage that "
        "the unload writes to. Make a stage with the storage integration (docs/snowflake.md) and name it here."
    )


def test_missing_sections_are_named():
    assert [fault.split(";")[0] for fault in faults_of_file({})] == [
        "sources: found nothing",
        "s3_staging.bucket: found nothing",
        "snowflake_unload.stage_name: found neither a stage nor a storage_integration",
    ]


def test_an_integration_alone_will_do_but_then_somebody_has_to_clean_up():
    document = config_with({"cleanup_after_load": True})
    document["snowflake_unload"] = {"storage_integration": "S3"}
    (fault,) = parse(document).broken[0].faults
    assert fault.startswith(
        "sources[0].tables[0].cleanup_after_load: found true, with neither a stage nor connections.aws_cleanup;"
    )
    document["connections"] = {"aws_cleanup": "aws_cleanup"}
    assert parse(document).broken == ()


# --- slips in the JSON


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "found an empty file; expected a JSON object. Write the configuration into it."),
        ("[]", "found a list of 0; expected a JSON object."),
        ("null", "found null; expected a JSON object."),
        (
            '{\n  "s3_staging": {"bucket": "a",},\n}',
            "found no JSON at line 2, column 32 (Expecting property name enclosed in double quotes); expected JSON. "
            "JSON allows no comma after the last entry.",
        ),
        (
            '{\n  // the bucket\n  "s3_staging": {}\n}',
            "found no JSON at line 2, column 3 (Expecting property name enclosed in double quotes); expected JSON. "
            "JSON has no comments: move it to the documentation.",
        ),
        (
            "{'a': 1}",
            "found no JSON at line 1, column 2 (Expecting property name enclosed in double quotes); expected JSON. "
            'JSON takes double quotes: "…".',
        ),
        (
            '{"a": 1\n "b": 2}',
            "found no JSON at line 2, column 2 (Expecting ',' delimiter); expected JSON. "
            "Look at this place and the one just before it: a comma, quote or bracket is missing or too much.",
        ),
        ("[" * 100_000, "found thousands of nested brackets; expected a JSON object."),
    ],
)
def test_a_slip_in_the_json(text, fault):
    (found,) = faults_of_file(text)
    # The decoder's own words, in brackets, and the column of a trailing comma differ from one Python to the next.
    assert re.sub(r", column \d+ \(.*\)", "", found) == re.sub(r", column \d+ \(.*\)", "", fault)


def test_a_key_given_twice():
    text = json.dumps(MINIMAL).replace('"source": "DIMPAYER"', '"source": "A", "source": "B"')
    assert parse_config(text, {}).broken[0].faults == (
        "sources[0].tables[0].source: found the key more than once; expected each key once. Keep the one that is meant.",
    )


def test_a_byte_order_mark_is_left_out():
    assert parse_config("\ufeff" + json.dumps(MINIMAL), {}).broken == ()


def test_half_a_surrogate_pair_is_no_name():
    (fault,) = faults_of_table({"source": "A\ud800"})
    assert fault == (
        'sources[0].tables[0].source: found "A\\ud800"; expected one name of Snowflake, of at most 255 characters. '
        "It holds half of a surrogate pair, which is no character."
    )
