"""Names of datasets, and what a column comes from."""

from __future__ import annotations

import subprocess
import sys

import pytest

from snowmelt.airflow.lineage import LineageField, plan_staged_dataset, plan_staged_fields


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("A/B/T/run_20260102T030405_1a2b3c4d/chunk_003/", "A/B/T"),
        ("A/B/T/run_x/manifest.json", "A/B/T"),
        ("A/B/T/test_100_rows/", "A/B/T"),
        ("base/run_rate/T/run_x/chunk_000", "base/run_rate/T"),
        ("mine/20260101/", "mine/20260101"),
        ("run_x/chunk_000/", "/"),
    ],
)
def test_a_tables_files_are_one_dataset_whatever_the_run(path, name):
    assert plan_staged_dataset("lake", path).name == name


def test_a_mask_without_the_column_has_no_input():
    assert plan_staged_fields([("ID", '"ID"'), ("SSN", "'***'"), ("Say hi", "1")]) == (
        LineageField("ID", inputs=("ID",)),
        LineageField("SSN"),
        LineageField("Say hi"),
    )  # fmt: skip


def test_nothing_of_openlineages_is_imported_before_it_asks():
    code = (
        "import sys, snowmelt.operators.publish, snowmelt.operators.postgres_load, snowmelt.operators.snowflake_unload, snowmelt.airflow.lineage;"
        "print([name for name in sys.modules if name.startswith(('openlineage.', 'airflow.providers.openlineage.extractors'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stdout + done.stderr
