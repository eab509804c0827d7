"""The trigger form, as Airflow's own Params take it."""

from __future__ import annotations

import json

import pytest
from airflow.sdk import DAG, Param
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import ParamValidationError

from snowmelt.config.file import parse_config
from snowmelt.config.form import build_form
from snowmelt.config.request import parse_request

PARAMETERS = [
    "source_database",
    "source_schema",
    "source_table",
    "target_schema",
    "target_table",
    "mode",
    "source_filter",
    "chunking_column",
    "chunk_rows",
    "uniqueness_columns",
    "watermark_column",
    "publish",
    "row_limit",
    "file_format",
    "load_method",
    "max_file_size_mb",
    "cleanup_after_load",
    "verify",
    "deletes",
    "on_change",
    "max_shrink_percent",
    "narrow_numbers",
    "run_id",
]
SOURCE = {"source_database": "ANALYTICS", "source_schema": "BI", "source_table": "VISITS"}

CONFIG = parse_config(
    json.dumps(
        {
            "s3_staging": {"bucket": "staging", "max_file_size_mb": 64},
            "snowflake_unload": {"storage_integration": "S3"},
            "connections": {"aws_cleanup": "aws_cleanup"},
            "sources": [
                {
                    "source_name": "analytics",
                    "source_database": "ANALYTICS",
                    "source_schema": "BI",
                    "tables": [
                        {
                            "source": '"Visit Calls"',
                            "target": '"VISITS"',
                            "source_filter": "A = 1",
                            "chunking_column": "Visit Id",
                            "chunk_rows": 50_000,
                            "uniqueness_columns": ["Visit Id", "LINE"],
                            "watermark_column": "LAST_MODIFIED",
                        },
                        {"source": "B", "mode": "test", "row_limit": 100, "cleanup_after_load": True},
                    ],
                }
            ],
        }
    ),
    {},
)
TABLE = CONFIG.tables[0]


def params(config=CONFIG, table=None):
    return {name: Param(**field.param()) for name, field in build_form(config, table).items()}


def resolve(given, table=None):
    """What Airflow makes of a run's conf: the defaults overridden, and all checked."""
    form = ParamsDict(params(table=table))
    form.update(given)
    return form.validate()


def test_the_parameters_are_those_of_the_contract():
    assert sorted(build_form(CONFIG, None)) == sorted(PARAMETERS)
    assert sorted(build_form(None, None)) == sorted(PARAMETERS)


def test_sections_and_their_order():
    sections = {}
    for name, field in build_form(CONFIG, None).items():
        sections.setdefault(field.schema["section"], []).append(name)
    assert sections == {
        "Source": ["source_database", "source_schema", "source_table"],
        "Target": ["target_schema", "target_table"],
        "How": [
            "mode",
            "source_filter",
            "uniqueness_columns",
            "watermark_column",
            "publish",
            "row_limit",
            "deletes",
            "verify",
            "on_change",
            "max_shrink_percent",
            "run_id",
        ],
        "Tuning": [
            "chunking_column",
            "chunk_rows",
            "load_method",
            "narrow_numbers",
            "file_format",
            "max_file_size_mb",
            "cleanup_after_load",
        ],
    }


def test_every_field_has_words_and_every_choice_a_label():
    for field in build_form(CONFIG, None).values():
        assert field.schema["title"]
        assert field.schema["description_md"]
        if "enum" in field.schema:
            assert list(field.schema["values_display"]) == field.schema["enum"]


def test_migrate_table_asks_for_the_source_and_nothing_else():
    required = [name for name, field in build_form(CONFIG, None).items() if field.required]
    assert required == ["source_database", "source_schema", "source_table"]
    with pytest.raises(ParamValidationError, match="source_database"):
        resolve({})
    assert resolve(SOURCE) == SOURCE | {
        "target_schema": "public",
        "target_table": None,
        "mode": "full",
        "source_filter": None,
        "chunking_column": None,
        "chunk_rows": 5_000_000,
        "uniqueness_columns": [],
        "watermark_column": None,
        "publish": "swap",
        "deletes": "auto",
        "verify": "fingerprint",
        "on_change": "fail",
        "max_shrink_percent": 50,
        "row_limit": None,
        "file_format": "parquet",
        "load_method": "auto",
        "max_file_size_mb": 64,
        "cleanup_after_load": False,
        "narrow_numbers": False,
        "run_id": None,
    }


def test_migrate_table_proposes_what_is_configured():
    form = build_form(CONFIG, None)
    assert form["source_table"].schema["examples"] == ['"Visit Calls"', "B"]
    assert form["source_database"].schema["examples"] == ["ANALYTICS"]
    assert "examples" not in build_form(None, None)["source_table"].schema


def test_a_tables_form_is_filled_and_may_be_scheduled():
    with DAG("scheduled", schedule=TABLE.schedule, params=params(table=TABLE)) as dag:
        pass
    assert dag.params.dump() == {
        "source_database": "ANALYTICS",
        "source_schema": "BI",
        "source_table": '"Visit Calls"',
        "target_schema": "public",
        "target_table": '"VISITS"',
        "mode": "incremental",
        "source_filter": "A = 1",
        "chunking_column": "Visit Id",
        "chunk_rows": 50_000,
        "uniqueness_columns": ["Visit Id", "LINE"],
        "watermark_column": "LAST_MODIFIED",
        "publish": "swap",
        "deletes": "auto",
        "verify": "fingerprint",
        "on_change": "fail",
        "max_shrink_percent": 50,
        "row_limit": None,
        "file_format": "parquet",
        "load_method": "auto",
        "max_file_size_mb": 64,
        "cleanup_after_load": False,
        "narrow_numbers": False,
        "run_id": None,
    }


@pytest.mark.parametrize("table", CONFIG.tables, ids=lambda table: table.dag_id)
def test_the_unchanged_form_is_the_configuration(table):
    by_form = parse_request(resolve({}, table), CONFIG, table)
    assert by_form == parse_request({}, CONFIG, table)
    assert (by_form.source, by_form.target_table) == (table.source, table.target_table)


def test_a_form_without_a_usable_file():
    assert params(config=None)["chunk_rows"].value == 5_000_000


@pytest.mark.parametrize(
    "given",
    [
        {"mode": "incremental", "uniqueness_columns": ["Visit Id", "LINE"], "watermark_column": "T"},
        {"mode": "load", "run_id": "20250102T020000_1a2b3c4d"},
        {"mode": "test", "row_limit": 1000},
        {"source_filter": '"A" = 1\nAND b', "target_table": "", "run_id": "", "uniqueness_columns": None},
        {"file_format": "csv", "load_method": "aws_s3", "max_file_size_mb": 4768, "cleanup_after_load": True},
    ],
)
def test_good_values(given):
    parse_request(resolve(SOURCE | given), CONFIG)


@pytest.mark.parametrize(
    "given",
    [
        {"source_table": ""},
        {"source_table": "   "},
        {"source_table": None},
        {"source_table": "A\x00"},
        {"source_database": 7},
        {"target_schema": ""},
        {"mode": "ful"},
        {"mode": None},
        {"publish": "merge"},
        {"file_format": "json"},
        {"load_method": "psql"},
        {"chunk_rows": 0},
        {"chunk_rows": "many"},
        {"chunk_rows": 1.5},
        {"row_limit": -1},
        {"max_file_size_mb": 0},
        {"max_file_size_mb": 5000},
        {"cleanup_after_load": "yes"},
        {"uniqueness_columns": "ID"},
        {"uniqueness_columns": [1]},
        {"run_id": "a b"},
        {"run_id": "a/../b"},
        {"source_filter": ["a"]},
    ],
)
def test_bad_values(given):
    with pytest.raises(ParamValidationError):
        resolve(SOURCE | given)
