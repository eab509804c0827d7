"""A run's parameters and the configuration → its request, the same for every retry."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from snowmelt.core.config import parse_config
from snowmelt.core.names import TableName
from snowmelt.core.request import MigrationRequest, match_columns, parse_request
from snowmelt.errors import ConfigurationError

SOURCE = {"source_database": "ANALYTICS", "source_schema": "BI", "source_table": "VISITS"}
PROVIDER = Path(__file__).parents[2] / "provider"


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
        "run_id": None,
        "columns": {"include": [], "exclude": [], "rename": {}, "type": {}, "mask": {}, "keep_offset": []},
        "policies": {
            "bad_rows": "reject",
            "quarantine_limit": 1000,
            "nanoseconds": "refuse",
            "schema_drift": "fail",
            "long_names": "refuse",
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
    request = parse_request({"source_database": "analytics", "source_schema": '"bi"', "source_table": "My Table"}, CONFIG)
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
        {"source": "VISITS", "target": "v", "source_filter": "A = 1", "chunk_rows": 7, "chunking_column": "ID"}
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


def test_of_several_configurations_the_target_decides():
    config = make_config(
        {"source": "VISITS", "target": "a", "columns": {"exclude": ["X"]}}, {"source": "VISITS", "target": "b"}
    )
    assert parse_request(SOURCE | {"target_table": "a"}, config).columns.exclude == ("X",)
    assert parse_request(SOURCE | {"target_table": "b"}, config).columns.exclude == ()
    assert faults(SOURCE | {"target_table": "c"}, config) == (
        'target_table: found "c"; expected one of a, b: ANALYTICS.BI.VISITS is configured for each of these. '
        "Each has its own rules for columns; the target says which hold.",
    )


def test_a_table_whose_configuration_is_broken_is_not_copied_without_its_rules():
    config = make_config({"source": "VISITS", "columns": {"maks": {}}})
    assert faults(SOURCE, config) == (
        "source_table: found ANALYTICS.BI.VISITS, whose configuration is broken (include/config/s3copyconfig.json, "
        "sources[0].tables[0]); expected rules for its columns that can be read. Mend it there, or columns that should be "
        "masked or left out would be copied.",
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


@pytest.mark.parametrize(
    ("mode", "publish"), [("full", "append"), ("load", "append"), ("catch_up", None), ("unload", None), ("test", None)]
)
def test_publish_is_kept_only_where_it_is_looked_at(mode, publish):
    needed = {
        "load": {"run_id": "r1"},
        "test": {"row_limit": 5},
        "catch_up": {"uniqueness_columns": ["ID"], "watermark_column": "T"},
    }
    request = parse_request(SOURCE | {"mode": mode, "publish": "append"} | needed.get(mode, {}), CONFIG)
    assert request.publish == publish


def test_rows_in_a_chunk_mean_nothing_without_a_column_to_cut_by():
    assert parse_request(SOURCE | {"chunk_rows": 10}, CONFIG).chunking_column is None


# --- what cannot be


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        (
            {"mode": "load"},
            "run_id: found none; expected the id of an earlier run, since mode load takes the files of that run. "
            "The runs page lists them.",
        ),
        (
            {"run_id": "r1"},
            'run_id: found "r1" with mode "full"; expected none: only mode load takes an earlier run\'s files. '
            'Choose mode "load", or clear run_id.',
        ),
        (
            {"mode": "catch_up", "watermark_column": "T"},
            "uniqueness_columns: found none; expected the columns that tell one row from another, since mode catch_up merges "
            'by them. Name them, or choose mode "full".',
        ),
        (
            {"load_method": "aws_s3"},
            'load_method: found "aws_s3" with file_format "parquet"; expected auto or copy for Parquet: aws_s3 takes what '
            'COPY takes, and Parquet is not among that. Choose file_format "csv", or load_method "auto".',
        ),
        (
            {"mode": "test", "row_limit": 0},
            "row_limit: found none; expected a number of rows, since mode test copies so many. 1000 is a good start.",
        ),
        (
            {"source_filter": "MAX(A) > 1"},
            'source_filter: found MAX(A), which looks at many rows: WHERE looks at one; expected one Snowflake predicate, '
            "as it would stand behind WHERE.",
        ),
        (
            {"source_filter": "A = 1; DROP TABLE B"},
            'source_filter: found "A = 1; DROP TABLE B"; expected one Snowflake predicate, as it would stand behind WHERE. '
            "It holds a statement separator at character 6: ; DROP TABLE B",
        ),
        ({"run_id": "../x", "mode": "load"}, None),
        ({"max_file_size_mb": 0}, "max_file_size_mb: found 0; expected a whole number from 1 to 4,768."),
        ({"target_table": "a.b"}, None),
        ({"chunk_rwos": 5}, None),
    ],
)
def test_a_fault(parameters, expected):
    (fault,) = faults(SOURCE | parameters)
    if expected is not None:
        assert fault == expected


def test_all_faults_at_once():
    found = faults({"source_table": "A.B", "mode": "load", "chunk_row": 5, "load_method": "aws_s3", "source_filter": "1"})
    assert [fault.split(":")[0] for fault in found] == [
        "source_database",
        "source_schema",
        "source_table",
        "chunk_row",
        "load_method",
        "run_id",
        "source_filter",
    ]
    assert "is not known" in found[3]
    assert 'Did you mean "chunk_rows"?' in found[3]


# --- the same for every retry


def test_a_request_survives_the_ledger():
    mask = {"expression": "SHA2(SSN)", "type": "VARCHAR(64)"}
    columns = {"mask": {"SSN": mask}, "rename": {"A": '"UPPER"'}, "exclude": ["B"]}
    config = make_config({"source": "VISITS", "target": '"VISITS"', "columns": columns, "uniqueness_columns": ["ID"]})
    request = parse_request({}, config, config.tables[0])
    again = MigrationRequest.from_json(json.loads(json.dumps(request.to_json())))
    assert again == request
    assert again.target_table == "VISITS"
    assert again.columns.rename == {"A": "UPPER"}
    assert again.fingerprint() == request.fingerprint()


def test_the_fingerprint_is_the_same_in_another_process():
    program = (
        "import json, sys\n"
        "from snowmelt.core.request import MigrationRequest\n"
        "print(MigrationRequest.from_json(json.load(sys.stdin)).fingerprint())"
    )
    request = parse_request(SOURCE, CONFIG)
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(request.to_json()),
        env={"PYTHONPATH": str(PROVIDER), "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == request.fingerprint()
    assert len(request.fingerprint()) == 64


CHANGES = [
    ({"chunk_rows": 6}, "chunk_rows: 5000000 → 6"),
    ({"source_filter": "A = 1"}, 'source_filter: null → "A = 1"'),
    ({"uniqueness_columns": ["A", "B"]}, 'uniqueness_columns: [] → ["A", "B"]'),
    ({"publish": "truncate"}, 'publish: "swap" → "truncate"'),
    ({"target_schema": "other"}, 'target_schema: "public" → "other"'),
    ({"max_file_size_mb": 16}, "max_file_size_mb: 100 → 16"),
]


@pytest.mark.parametrize(("change", "difference"), CHANGES)
def test_a_change_shows_both(change, difference):
    before, after = parse_request(SOURCE, CONFIG), parse_request(SOURCE | change, CONFIG)
    assert before.differences(after) == (difference,)
    assert before.fingerprint() != after.fingerprint()


def test_a_change_in_the_rules_for_columns_shows_both():
    def request(columns):
        config = make_config({"source": "VISITS", "columns": columns})
        return parse_request({}, config, config.tables[0])

    assert request({}).differences(request({"exclude": ["A"]})) == ('columns.exclude: [] → ["A"]',)


def test_cleaning_up_later_or_another_warehouse_is_no_change():
    def request(**rest):
        config = make_config()
        return parse_request(SOURCE | rest, config)

    assert request().fingerprint() == request(cleanup_after_load=True).fingerprint()
    resized = request().model_copy(
        update={"staging": request().staging.model_copy(update={"warehouse": "OTHER", "warehouse_size": "LARGE"})}
    )
    assert request().differences(resized) == ()
    assert request().fingerprint() == resized.fingerprint()


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
