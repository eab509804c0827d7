"""Parameters that do not go together, or with the configuration: all of it said at once."""

from __future__ import annotations

import json

import pytest

from snowmelt.config.file import parse_config
from snowmelt.config.request import parse_request
from snowmelt.errors import ConfigurationError

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


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        (
            {"mode": "load"},
            (
                "run_id: found none; expected the id of an earlier run, since mode load takes the files of that run. "
                "The runs page lists them."
            ),
        ),
        (
            {"run_id": "r1"},
            (
                'run_id: found "r1" with mode "full"; expected none: only mode load takes an earlier run\'s files. '
                'Choose mode "load", or clear run_id.'
            ),
        ),
        (
            {"mode": "incremental", "watermark_column": "T"},
            (
                "uniqueness_columns: found none; expected the columns of the unique key, since mode incremental merges "
                'by it. Name them, choose mode "full", or "publish": "append" for a table that only grows.'
            ),
        ),
        (
            {"load_method": "aws_s3"},
            (
                'load_method: found "aws_s3" with file_format "parquet"; expected auto or copy for Parquet: aws_s3 loads what '
                'COPY loads, which does not include Parquet. Choose file_format "csv", or load_method "auto".'
            ),
        ),
        (
            {"mode": "test", "row_limit": 0},
            "row_limit: found none; expected the number of rows that mode test copies. 1000 is a good start.",
        ),
        (
            {"source_filter": "MAX(A) > 1"},
            (
                "source_filter: found MAX(A), which looks at many rows: WHERE looks at one; expected one Snowflake predicate, "
                "as you would write it after WHERE."
            ),
        ),
        (
            {"source_filter": "A = 1; DROP TABLE B"},
            (
                'source_filter: found "A = 1; DROP TABLE B"; expected one Snowflake predicate, as you would write it after WHERE. '
                "It holds a statement separator at character 6: ; DROP TABLE B"
            ),
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
    found = faults(
        {"source_table": "A.B", "mode": "load", "chunk_row": 5, "load_method": "aws_s3", "source_filter": "1"}
    )
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


def test_a_form_fills_no_target_of_another_table():
    config = make_config({"source": "VISITS", "target": "v"})
    other = SOURCE | {"source_table": "PAYERS", "target_table": "v"}
    assert faults(other, config) == (
        (
            "target_table: found public.v, which sources[0].tables[0] fills from ANALYTICS.BI.VISITS; expected one owner for each row. "
            "Name another target, or configure the rows that each owns (owned_rows)."
        ),
    )
    assert parse_request(other | {"mode": "test", "row_limit": 5}, config).target_table == "v"
    assert parse_request(SOURCE | {"target_table": "v"}, config).target_table == "v"
