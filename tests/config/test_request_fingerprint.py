"""A request in the ledger: the same for every retry, and what is said when it is not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from snowmelt.config.file import parse_config
from snowmelt.config.request import MigrationRequest, parse_request
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


def test_a_request_survives_the_ledger():
    mask = {"expression": "SHA2(SSN)", "type": "VARCHAR(64)"}
    columns = {"mask": {"SSN": mask}, "rename": {"A": '"UPPER"'}, "exclude": ["B"]}
    config = make_config(
        {"source": "VISITS", "target": '"VISITS"', "columns": columns, "uniqueness_columns": ["ID"]}
    )
    request = parse_request({}, config, config.tables[0])
    again = MigrationRequest.from_json(json.loads(json.dumps(request.to_json())))
    assert again == request
    assert again.target_table == "VISITS"
    assert again.columns.rename == {"A": "UPPER"}
    assert again.fingerprint() == request.fingerprint()


def test_the_fingerprint_is_the_same_in_another_process():
    program = (
        "import json, sys\n"
        "from snowmelt.config.request import MigrationRequest\n"
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
    ({"publish": "replace"}, 'publish: "swap" → "replace"'),
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
        update={
            "staging": request().staging.model_copy(update={"warehouse": "OTHER", "warehouse_size": "LARGE"})
        }
    )
    assert request().differences(resized) == ()
    assert request().fingerprint() == resized.fingerprint()
