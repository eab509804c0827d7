"""The report, the assumptions' judgement, and the pages that list them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from snowmelt.doctor.assumptions import ASSUMPTIONS, judge
from snowmelt.doctor.findings import CHECKS, Finding, Remedy, Status, build_report, found, postgres_sql
from snowmelt.doctor.questions import compare_cells

DOCS = Path(__file__).parents[2] / "docs"

FINDINGS = [
    Finding("Stage", "S", Status.OK, "s3://b/"),
    Finding("Ledger", "p", Status.WRONG, "may | not\nwrite", postgres_sql("GRANT A", "GRANT B")),
    Finding("Masking", "T", Status.ATTENTION, "look", Remedy("Snowflake", ("Ask the owner.",))),
]


def test_the_report():
    assert build_report(FINDINGS) == (
        "# Migration doctor\n\n1 OK, 1 ATTENTION, 1 WRONG\n\n## To be done\n\n"
        "### WRONG: Ledger, p\n\nmay | not write\n\nIn PostgreSQL:\n\n```sql\nGRANT A;\nGRANT B;\n```\n\n"
        "### ATTENTION: Masking, T\n\nlook\n\nIn Snowflake: Ask the owner.\n\n"
        "## All checks\n\n| check | of | result | found |\n| --- | --- | --- | --- |\n"
        "| Stage | S | OK | s3://b/ |\n| Ledger | p | WRONG | may \\| not write |\n| Masking | T | ATTENTION | look |\n"
    )


def test_a_finding_survives_an_xcom():
    assert [Finding.from_json(json.loads(json.dumps(one.to_json()))) for one in FINDINGS] == FINDINGS


def test_a_fence_in_a_remedy_does_not_end_the_block():
    text = build_report([Finding("Stage", "S", Status.WRONG, "x", postgres_sql('DROP TABLE "```"'))])
    assert '````sql\nDROP TABLE "```";\n````' in text


def test_no_secret_and_no_novel_in_a_finding():
    one = found("Stage", "S", Status.WRONG, "key AKIAABCDEFGHIJKLMNOP at https://u:p@h " + "x" * 5000)
    assert one.found.startswith("key AKIA*** at https://***@h xxx")
    assert len(one.found) == 1500


def test_an_assumption_that_does_not_hold():
    wrong = judge("hash", ("1",), ("2",))
    assert wrong.status is Status.WRONG
    assert wrong.found == (
        "does not hold here: MD5_NUMBER_LOWER64 is the lower half of the MD5, unsigned. Asked: expected ('1',), found ('2',)."
    )
    assert judge("minus zero", "", "F in row 0: expected -0.0, found 0.0").status is Status.ATTENTION
    assert judge("hash", ("1",), ("1",)).status is Status.OK


def test_cells_are_compared_one_by_one():
    expected = {"A": ("1", "*", "None")}
    assert compare_cells(expected, {"A": ("1", "anything", "None")}) == ""
    assert compare_cells(expected, {"A": ("2", "2", "2")}) == (
        "A in row 0: expected 1, found 2; A in row 2: expected None, found 2"
    )
    assert compare_cells(expected, {}).startswith("A in row 0: expected 1, found missing")


@pytest.mark.parametrize("check", [check for checks in CHECKS.values() for check in checks])
def test_every_check_is_documented(check):
    assert f"| {check} |" in (DOCS / "doctor.md").read_text()


@pytest.mark.parametrize("assumption", ASSUMPTIONS.values(), ids=lambda one: one.name)
def test_every_assumption_is_documented(assumption):
    page = (DOCS / "live-account.md").read_text()
    assert f"| {assumption.name} |" in page
    assert assumption.claim.replace("|", "\\|") in page


def test_airflows_database_gets_no_copy_of_the_configuration():
    from snowmelt.config.file import parse_config
    from snowmelt.operators.doctor import CheckedConfig

    config = parse_config((DOCS.parent / "include/config/s3copyconfig.json").read_text(), {}, origin="f")
    assert str(CheckedConfig("f", config)) == "CheckedConfig(origin='f')"
