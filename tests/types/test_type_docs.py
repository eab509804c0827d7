"""docs/types.md says what the type table does."""

from __future__ import annotations

from pathlib import Path

from snowmelt.types.documentation import build_type_docs
from snowmelt.types.type_table import TYPE_TABLE

PAGE = Path(__file__).parents[2] / "docs" / "types.md"


def test_the_page_is_current():
    assert PAGE.read_text(encoding="utf-8") == build_type_docs(), (
        "run: PYTHONPATH=provider .venv/bin/python -m snowmelt.types.documentation > docs/types.md"
    )


def test_every_type_stands_on_the_page():
    page = build_type_docs()
    for row in TYPE_TABLE:
        assert f"| {row.title.replace('|', chr(92) + '|')} |" in page


def test_tables_have_as_many_cells_in_each_line_as_in_their_head():
    width = 0
    for line in build_type_docs().splitlines():
        if not line.startswith("|"):
            width = 0
            continue
        cells = line.replace("\\|", "").count("|")
        assert cells == (width or cells), line
        width = cells
