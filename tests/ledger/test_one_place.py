"""Statements on the ledger's tables are in the ledger's package, and its words for outcomes in the vocabulary."""

from __future__ import annotations

import re

from snowmelt.ledger.tables import MIGRATIONS
from snowmelt.vocabulary import Outcome
from tests.conftest import ROOT

PROVIDER = ROOT / "provider/snowmelt"


def test_only_the_ledger_has_statements_on_its_tables():
    tables = re.findall(r"CREATE TABLE snowmelt\.(\w+)", "\n".join(MIGRATIONS))
    assert len(tables) > 8
    statement = re.compile(rf"\b(FROM|INTO|UPDATE|JOIN|COPY|TABLE) snowmelt\.({'|'.join(tables)})\b")
    found = {
        str(path.relative_to(PROVIDER))
        for path in PROVIDER.rglob("*.py")
        if path.parent.name != "ledger" and statement.search(path.read_text())
    }
    assert found == set()


def test_an_outcome_is_named_by_its_member():
    """`"failed"` is a state of a task, too, and `published` a key of JSON: only comparisons and SQL are searched."""
    words = "|".join(Outcome)
    bare = re.compile(rf"outcome[^\n]{{0,40}}(==|!=| in | = )[^\n]{{0,40}}['\"]({words})['\"]")
    found = {
        f"{path.relative_to(PROVIDER)}: {match.group()}"
        for path in (*PROVIDER.rglob("*.py"), *PROVIDER.rglob("*.html"))
        if (match := bare.search(path.read_text()))
    }
    assert found == set()


def test_what_has_ended_and_what_ended_well():
    assert [outcome for outcome in Outcome if not outcome.ended] == [Outcome.RUNNING]
    assert [outcome for outcome in Outcome if outcome.ended and not outcome.good] == [
        Outcome.DIFFERS,
        Outcome.FAILED,
    ]
