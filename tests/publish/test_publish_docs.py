"""docs/publishing.md and docs/contributing.md say what the registry of publish methods says."""

from __future__ import annotations

import re

import pytest

from snowmelt.publish.documentation import fill_page
from snowmelt.publish.strategies import STRATEGIES
from snowmelt.vocabulary import PublishMethod
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "publishing.md").read_text(encoding="utf-8")


def test_the_page_is_current():
    assert fill_page(PAGE) == PAGE, (
        "run: .venv/bin/python -m snowmelt.publish.documentation docs/publishing.md"
    )


@pytest.mark.parametrize("method", list(PublishMethod))
def test_every_method_has_a_strategy_a_title_and_its_lines_in_the_docs(method):
    strategy = STRATEGIES[method]
    assert strategy.method is method
    assert strategy.title
    assert strategy.waits
    assert strategy.stopped_by
    assert bool(strategy.statements) != strategy.owner  # rows are written, or the table itself is replaced
    assert re.search(rf"^\| {method} \| .*{re.escape(strategy.lock)}", PAGE, re.MULTILINE)
    assert re.search(rf"^- \*\*{method}\*\* ", PAGE, re.MULTILINE)


def test_the_files_to_add_a_method_in_exist_and_are_at_most_four():
    text = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8")
    section = text.partition("## Add a publish method\n")[2].partition("\n## ")[0]
    files = [
        name
        for name in re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)
        if name.startswith("provider/")
    ]
    assert 1 <= len(files) <= 4
    for name in files:
        assert (ROOT / name).is_file(), name
