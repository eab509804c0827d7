"""docs/configuration.md names every setting, its default and every allowed word; its example is a file that works."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from snowmelt.config.fields import WAREHOUSE_SIZES
from snowmelt.config.file import KEYS, parse_config
from snowmelt.config.reference import TABLES, write_settings
from snowmelt.config.schedules import SCHEDULE_PRESETS
from snowmelt.config.sections import PLACEHOLDERS
from snowmelt.vocabulary import (
    BadRows,
    Compression,
    Duplicates,
    FileFormat,
    LoadMethod,
    LongNames,
    Mode,
    Nanoseconds,
    PublishMethod,
    SchemaDrift,
    Verify,
)

PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()
#: Never chosen by a user.
INNER = {Mode.KEYS, PublishMethod.MERGE}


def documented(table):
    """key → its row's cells, of the table between its markers."""
    section = PAGE.split(f"<!-- settings: {table} -->", 1)[1].split("<!-- end of settings -->")[0]
    rows = re.findall(r"^\| `([a-z_.]+)` \|(.*)\|$", section, re.MULTILINE)
    return {key: [cell.strip() for cell in rest.split(" | ")] for key, rest in rows}


def test_the_tables_are_made_of_todays_declarations():
    assert write_settings(PAGE) == PAGE, (
        "Run: PYTHONPATH=provider .venv/bin/python -m snowmelt.config.reference docs/configuration.md"
    )


@pytest.mark.parametrize("table", TABLES)
def test_every_setting_is_documented_and_nothing_else(table):
    names = [f"{prefix}{name}" for prefix, model in TABLES[table] for name in model.model_fields]
    rows = documented(table)
    assert sorted(rows) == sorted(names)
    assert all(cells[-1] for cells in rows.values())


def test_every_section_has_a_heading():
    for key in KEYS:
        assert re.search(rf"^## `{key}(\[\])?`$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("table", TABLES)
def test_defaults_are_those_of_the_code(table):
    rows = documented(table)
    for prefix, model in TABLES[table]:
        for name, field in model.model_fields.items():
            default = rows[f"{prefix}{name}"][1]
            if field.is_required():
                assert default == "required"
            elif isinstance(field.default, (bool, int, str)):
                assert default == f"`{json.dumps(field.default).strip(chr(34))}`", name
            else:
                assert default


def test_what_a_row_says():
    rows = documented("tables[]")
    assert rows["chunk_rows"] == [
        "1 … 10¹⁵",
        "`5000000`",
        "Rows per chunk",
        "The number of rows to aim at in a chunk. Used only with a chunking column.",
    ]
    assert rows["file_format"][:3] == ["`parquet`, `csv`", "as in `s3_staging`", "File format"]
    assert documented("columns")["rename"][0] == "column → name"


@pytest.mark.parametrize(
    "words",
    [
        Mode,
        PublishMethod,
        LoadMethod,
        FileFormat,
        Compression,
        BadRows,
        Nanoseconds,
        SchemaDrift,
        LongNames,
        Duplicates,
        Verify,
        SCHEDULE_PRESETS,
        WAREHOUSE_SIZES,
        PLACEHOLDERS,
    ],
)
def test_every_word_is_documented(words):
    for word in words:
        assert word in INNER or f"`{word}`" in PAGE


def test_the_example_works():
    example = re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)
    config = parse_config(example[1], {})
    assert config.broken == ()
    assert [(table.dag_id, table.mode) for table in config.tables] == [
        ("migrate__analytics__dimpayer", "full"),
        ("migrate__analytics__visits", "incremental"),
    ]
