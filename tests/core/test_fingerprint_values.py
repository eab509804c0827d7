"""The values of a CSV run's columns, found behind the texts that it unloads."""

from __future__ import annotations

from dataclasses import replace

import pytest

from snowmelt.core.columns.plan import MaskRule, plan_columns
from snowmelt.core.columns.types import FileFormat, parse_snowflake_type
from snowmelt.core.columns.values import ColumnRules, SourceColumn
from snowmelt.core.verify.fingerprint_values import find_comparable
from tests.io.fingerprint_cases import CASES, column

TYPES = tuple(dict.fromkeys(case.source for case in CASES))


def plan(file_format: FileFormat, **rules):
    source = [SourceColumn(f"C{place}", parse_snowflake_type(kind)) for place, kind in enumerate(TYPES)]
    return plan_columns(source, None, ColumnRules(**rules), file_format).columns


def test_plain_columns_and_offsets():
    offset = {"keep_offset": (f"C{TYPES.index('TIMESTAMP_TZ(9)')}",)}
    parquet = [each.select for each in plan(FileFormat.PARQUET, **offset)]
    assert [each.select for each in find_comparable(plan(FileFormat.CSV, **offset), "csv")] == parquet


def test_a_mask_of_every_type():
    mask = {
        f"C{place}": MaskRule(f'IFF("C0" > 1, "C{place}", NULL)', kind) for place, kind in enumerate(TYPES)
    }
    parquet = [each.select for each in plan(FileFormat.PARQUET, mask=mask)]
    assert [each.select for each in find_comparable(plan(FileFormat.CSV, mask=mask), "csv")] == parquet


def test_a_parquet_plan_has_them_already():
    columns = plan(FileFormat.PARQUET)
    assert find_comparable(columns, "parquet") == columns


def test_a_text_that_is_not_understood_is_left_out():
    known, odd = (
        column("A", "DATE", file_format="csv"),
        column("B", "DATE", select="'x' || TO_VARCHAR(\"B\")"),
    )
    assert find_comparable([known, odd], "csv") == (replace(known, select='"A"'),)


@pytest.mark.parametrize(
    "text", ["TO_VARCHAR(\"A\", 'YYYY-MM-DD')", "TO_VARCHAR((IFF(TRUE, \"X\", NULL)), 'YYYY-MM-DD')"]
)
def test_a_date(text):
    (found,) = find_comparable([column("A", "DATE", select=text)], "csv")
    assert found.select in {'"A"', '(IFF(TRUE, "X", NULL))'}
