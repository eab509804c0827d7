"""Every line of the type table has all that docs/contributing.md, "Add a Snowflake type", names."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pytest

from snowmelt.compare.canonical import NumberedColumn, comparison_of
from snowmelt.compare.canonical_postgres import target_side
from snowmelt.compare.canonical_snowflake import source_side
from snowmelt.load.casts import arrow_kind, plan_cast
from snowmelt.load.target import LoadColumn
from snowmelt.types.documentation import build_type_docs
from snowmelt.types.target_types import Outcome, allowed_target, default_target, select_expression
from snowmelt.types.type_names import parse_postgres_type, parse_snowflake_type
from snowmelt.types.type_table import TYPE_TABLE, ArrowKind, Comparison, Form, row_of
from snowmelt.vocabulary import FileFormat
from tests.compare.fingerprint_cases import CASES, column

ROOT = Path(__file__).parents[2]
#: A source type for each line of the table: the first of the comparison's cases that is of it.
EXAMPLES = {id(row_of(parse_snowflake_type(case.source))): case.source for case in reversed(CASES)}
ARROW = {
    ArrowKind.INTEGER: pa.int32(),
    ArrowKind.WHOLE: pa.decimal128(38, 0),
    ArrowKind.DECIMAL: pa.decimal128(12, 2),
    ArrowKind.DOUBLE: pa.float64(),
    ArrowKind.BOOLEAN: pa.bool_(),
    ArrowKind.DATE: pa.date32(),
    ArrowKind.TEXT: pa.string(),
    ArrowKind.BYTES: pa.binary(),
}
ROWS = pytest.mark.parametrize("row", TYPE_TABLE, ids=lambda row: f"{row.snowflake} {row.form}")


@ROWS
def test_a_type_has_an_expression_for_each_format(row):
    source = parse_snowflake_type(EXAMPLES[id(row)])
    for file_format in FileFormat:
        assert '"C"' in select_expression(source, '"C"', file_format), file_format


@ROWS
def test_a_type_has_a_default_target_that_takes_every_value(row):
    source = parse_snowflake_type(EXAMPLES[id(row)])
    target = default_target(source)
    assert target.name in row.targets
    assert allowed_target(source, target).outcome is Outcome.SAFE


@ROWS
def test_a_type_has_a_cast_from_each_arrow_kind_into_each_target(row):
    assert row.arrow
    for kind in row.arrow:
        assert arrow_kind(ARROW[kind]) is kind
        for name in row.targets:
            target = LoadColumn("C", row.form, "c", parse_postgres_type(name), nullable=True)
            assert not isinstance(plan_cast(target, ARROW[kind]), str), (kind, name)


@ROWS
def test_a_type_has_a_canonical_form_in_both_databases(row):
    for target in row.targets:
        planned = column("C", EXAMPLES[id(row)], target)
        compared = NumberedColumn(planned, 0, comparison_of(planned), planned.value)
        source, found = source_side(compared), target_side(compared)
        assert source.token
        assert found.token
        assert [measure for measure, _ in source.measures] == [measure for measure, _ in found.measures]


@ROWS
def test_a_type_has_its_line_on_the_page(row):
    assert f"| {row.title.replace('|', chr(92) + '|')} |" in build_type_docs()


def test_no_form_and_no_comparison_is_without_a_type():
    assert {row.form for row in TYPE_TABLE} == set(Form)
    compared = {kind for row in TYPE_TABLE for kind in (row.compared, *row.compared_into.values())}
    assert compared == set(Comparison)


def test_the_page_names_at_most_five_files_of_the_provider_that_exist():
    page = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8")
    section = page.split("## Add a Snowflake type")[1].split("\n## ")[0]
    files = re.findall(r"`(provider/[^`]+\.py)`", section)
    assert 2 <= len(files) <= 5
    assert all((ROOT / file).is_file() for file in files)
