"""A faulty table in the configuration file: what is said about it, to the letter."""

from __future__ import annotations

import json
from copy import deepcopy

import pytest

from snowmelt.config.file import parse_config

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


def faults_of_table(table, environment=None, **rest):
    config = parse(config_with(table, **rest), environment)
    assert config.tables == ()
    (broken,) = config.broken
    return broken.faults


TABLE_FAULTS = [
    ({"chunk_rows": -5}, "chunk_rows: found -5; expected a whole number from 1 to 1,000,000,000,000,000."),
    (
        {"chunk_rows": True},
        "chunk_rows: found true; expected a whole number from 1 to 1,000,000,000,000,000.",
    ),
    ({"chunk_rows": 1.5}, "chunk_rows: found 1.5; expected a whole number from 1 to 1,000,000,000,000,000."),
    ({"max_file_size_mb": 5000}, "max_file_size_mb: found 5000; expected a whole number from 1 to 4,768."),
    ({"enabled": "yes"}, 'enabled: found "yes"; expected true or false.'),
    (
        {"mode": "incremetal"},
        'mode: found "incremetal"; expected one of full, incremental, changes, compare, repair, unload, load, test. Did you mean "incremental"?',
    ),
    (
        {"chunk_row": 5},
        (
            "chunk_row: found a key that is not known; expected one of source, target, mode, source_filter, uniqueness_columns, "
            "watermark_column, publish, row_limit, chunking_column, chunk_rows, load_method, narrow_numbers, file_format, compression, "
            "max_file_size_mb, cleanup_after_load, enabled, columns, schedule, expect_fresh_within, connections, execution, owned_rows, audit_columns, bad_rows, quarantine_limit, "
            "nanoseconds, schema_drift, long_names, watermark_overlap, duplicates, inserts_only, deletes, deleted_column, "
            'max_delete_percent, defer_indexes, verify, whole_target, on_change, compare, max_shrink_percent, text_watermark, filter_subqueries, snapshot, source_policies. Did you mean "chunk_rows"?'
        ),
    ),
    (
        {"columns": {"excluded": ["A"]}},
        (
            "columns.excluded: found a key that is not known; expected one of include, exclude, rename, type, mask, "
            'keep_offset, target_only, source_tag. Did you mean "exclude"?'
        ),
    ),
    (
        {"columns": {"mask": {"Visit Id": {"expression": "SHA2(X)"}}}},
        'columns.mask["Visit Id"].type: found nothing; expected the Snowflake type of the result. Give it.',
    ),
    (
        {"owned_rows": "lower(clinic) = 'north'"},
        (
            "owned_rows: found \"lower(clinic) = 'north'\"; expected a predicate over columns of the target, such as "
            "clinic = 'north' AND year >= 2024. What it holds: ( at character 6 is not IN."
        ),
    ),
    (
        {"owned_rows": "a = 1"},
        (
            'publish: found "swap" with owned_rows or columns.source_tag; expected replace or append: a swap would replace the rows of '
            'the others, too. Give publish "replace".'
        ),
    ),
    (
        {
            "owned_rows": "a = 1",
            "publish": "replace",
            "columns": {"source_tag": {"column": "a", "value": "x"}},
        },
        (
            'owned_rows: found ""a" = 1" beside columns.source_tag; expected one way to say which rows are the table\'s own. Leave one of '
            "them out."
        ),
    ),
    ({"uniqueness_columns": "ID"}, 'uniqueness_columns: found "ID"; expected a list.'),
    (
        {"uniqueness_columns": ["ID", "ID"]},
        'uniqueness_columns: found a list of 2; expected each column once. "ID" is named more than once.',
    ),
    (
        {"uniqueness_columns": ["ID", 3]},
        "uniqueness_columns[1]: found 3; expected a column of the source, of at most 255 characters.",
    ),
    (
        {"source": "BI.DIMPAYER"},
        (
            'source: found "BI.DIMPAYER"; expected one name of Snowflake, of at most 255 characters. '
            "Database, schema and table are given separately; a name with a dot in it needs double quotes."
        ),
    ),
    (
        {"target": "x" * 64},
        (
            f'target: found "{"x" * 64}"; expected one name of PostgreSQL, of at most 63 bytes. '
            "PostgreSQL would truncate it without a message."
        ),
    ),
    (
        {"schedule": "nightly"},
        (
            'schedule: found "nightly"; expected five cron fields (minute hour day month weekday), one of @hourly, @daily, '
            "@weekly, @monthly, @quarterly, @yearly, or null."
        ),
    ),
    (
        {"schedule": "@dayly"},
        (
            'schedule: found "@dayly"; expected five cron fields (minute hour day month weekday), one of @hourly, @daily, '
            '@weekly, @monthly, @quarterly, @yearly, or null. Did you mean "@daily"?'
        ),
    ),
    (
        {"schedule": "0 0 31 2 *"},
        (
            'schedule: found "0 0 31 2 *"; expected five cron fields (minute hour day month weekday), one of @hourly, @daily, '
            "@weekly, @monthly, @quarterly, @yearly, or null. This one names a date that never comes."
        ),
    ),
    (
        {"source_filter": "A = 1; DROP TABLE B"},
        (
            'source_filter: found "A = 1; DROP TABLE B"; expected one Snowflake predicate, as you would write it after WHERE. '
            "It holds a statement separator at character 6: ; DROP TABLE B"
        ),
    ),
    (
        {"source_filter": "WHERE A = 1"},
        (
            'source_filter: found "WHERE A = 1"; expected one Snowflake predicate, as you would write it after WHERE. '
            "Leave the word WHERE out."
        ),
    ),
    (
        {"columns": {"type": {"A": "numeric(x)"}}},
        (
            "columns.type.A: found \"numeric(x)\"; expected a type of PostgreSQL, such as numeric(18,2). 'numeric(x)' is not the "
            "name of a PostgreSQL type."
        ),
    ),
    (
        {"connections": {"postgres": "my db"}},
        (
            'connections.postgres: found "my db"; expected the id of an Airflow connection. '
            "Create the connection in Airflow and give its id here."
        ),
    ),
    (
        {"mode": "incremental", "uniqueness_columns": ["ID"]},
        (
            "watermark_column: found none; expected a column that grows with every change, since mode incremental copies what is "
            'beyond its last value. Name it, or choose mode "full".'
        ),
    ),
    (
        {"watermark_column": "LAST_MODIFIED"},
        (
            "uniqueness_columns: found none; expected the columns of the unique key, since mode incremental merges by "
            'it. Name them, choose mode "full", or "publish": "append" for a table that only grows.'
        ),
    ),
    (
        {"load_method": "aws_s3"},
        (
            'load_method: found "aws_s3" with file_format "parquet"; expected auto or copy for Parquet: aws_s3 loads what COPY '
            'loads, which does not include Parquet. Choose file_format "csv", or load_method "auto".'
        ),
    ),
    (
        {"file_format": "csv", "compression": "snappy"},
        (
            'compression: found "snappy" with file_format "csv"; expected one of gzip, none for csv. '
            "Leave it out to get the best one."
        ),
    ),
    (
        {"file_format": "csv", "compression": "gzip", "load_method": "aws_s3"},
        (
            'compression: found "gzip" with load_method "aws_s3"; expected none: aws_s3 reads gzip only with a Content-Encoding '
            "that Snowflake does not set. Leave it out."
        ),
    ),
    (
        {"mode": "test"},
        "row_limit: found none; expected the number of rows that mode test copies. 1000 is a good start.",
    ),
    (
        {"row_limit": 10},
        (
            'row_limit: found 10 with mode "full"; expected none: only mode test copies a part of the rows. Choose mode "test", '
            "or clear row_limit; a part of a table is chosen by source_filter."
        ),
    ),
    (
        {"mode": "load"},
        (
            'mode: found "load" with a schedule; expected a mode that needs no run_id. Mode load takes an earlier run from the '
            'trigger form. Give "schedule": null, or choose mode "full".'
        ),
    ),
    (
        {"mode": "unload", "publish": "append"},
        (
            'publish: found "append" with mode "unload"; expected publish with mode full (or load), or append with mode incremental. '
            "Leave publish out: incremental and changes merge by uniqueness_columns, repair replaces what differs, the others leave the target alone."
        ),
    ),
]


@pytest.mark.parametrize(("table", "fault"), TABLE_FAULTS)
def test_a_fault_of_a_table(table, fault):
    (found,) = faults_of_table(table)
    assert found.startswith(f"sources[0].tables[0].{fault}")


def test_all_faults_of_a_table_at_once():
    faults = faults_of_table(
        {
            "chunk_rows": 0,
            "mode": "incremental",
            "publsh": "swap",
            "columns": {"include": [""]},
            "load_method": "aws_s3",
        }
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
    (fault,) = faults_of_table({"mode": "incremental", "uniqueness_columns": ["A"], "watermark_column": 7})
    assert fault.startswith("sources[0].tables[0].watermark_column: found 7;")


def test_a_missing_source_names_the_key_that_was_written_instead():
    (table,) = parse(config_with(tables=[{"sorce": "A"}])).broken
    assert table.faults[0] == (
        "sources[0].tables[0].source: found nothing; expected the table's name in Snowflake. "
        'Is it what was written as "sorce"?'
    )


def test_a_table_that_is_not_an_object():
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
