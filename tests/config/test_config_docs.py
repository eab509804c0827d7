"""docs/configuration.md names every key, its default and every allowed word; its example is a file that works."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import pytest

from snowmelt.config.fields import SCHEDULE_PRESETS, WAREHOUSE_SIZES
from snowmelt.config.file import KEYS, parse_config
from snowmelt.config.prefixes import PLACEHOLDERS
from snowmelt.config.sections import (
    Compression,
    Connections,
    Execution,
    FileFormat,
    S3Staging,
    SnowflakeUnload,
)
from snowmelt.config.table import (
    BadRows,
    ColumnsConfig,
    Duplicates,
    LoadMethod,
    LongNames,
    Mask,
    Mode,
    Nanoseconds,
    Publish,
    SchemaDrift,
    SourceEntry,
    TableEntry,
    Verify,
)

PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()


def documented(heading):
    """key → its row's cells, of the table below a heading."""
    section = re.split(r"^#+ ", PAGE.split(f"# {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    rows = re.findall(r"^\| `([a-z_.]+)` \|(.*)\|$", section, re.MULTILINE)
    return {key: [cell.strip() for cell in rest.split(" | ")] for key, rest in rows}


@pytest.mark.parametrize(
    ("heading", "model"),
    [
        ("`s3_staging`", S3Staging),
        ("`snowflake_unload`", SnowflakeUnload),
        ("`connections`", Connections),
        ("`execution`", Execution),
        ("`sources[]`", SourceEntry),
        ("`tables[]`", TableEntry),
    ],
)
def test_every_key_is_documented_and_nothing_else(heading, model):
    assert sorted(documented(heading)) == sorted(model.model_fields)


def test_every_rule_for_columns_is_documented():
    keys = [*ColumnsConfig.model_fields, *(f"mask.{key}" for key in Mask.model_fields)]
    assert sorted(documented("`columns`")) == sorted(keys)


def test_every_section_has_a_heading():
    for key in KEYS:
        assert re.search(rf"^## `{key}(\[\])?`$", PAGE, re.MULTILINE)


@pytest.mark.parametrize(
    ("heading", "model"),
    [
        ("`s3_staging`", S3Staging),
        ("`connections`", Connections),
        ("`execution`", Execution),
        ("`sources[]`", SourceEntry),
        ("`tables[]`", TableEntry),
    ],
)
def test_defaults_are_those_of_the_code(heading, model):
    rows = documented(heading)
    for name, field in model.model_fields.items():
        default = rows[name][1]
        if field.is_required():
            assert default == "required"
        elif isinstance(field.default, (bool, int, str)):
            assert default == f"`{json.dumps(field.default).strip(chr(34))}`", name


@pytest.mark.parametrize(
    "words",
    [
        get_args(kind)
        for kind in (
            Mode,
            Publish,
            LoadMethod,
            FileFormat,
            Compression,
            BadRows,
            Nanoseconds,
            SchemaDrift,
            LongNames,
            Duplicates,
            Verify,
        )
    ]
    + [SCHEDULE_PRESETS, WAREHOUSE_SIZES, PLACEHOLDERS],
)
def test_every_word_is_documented(words):
    for word in words:
        assert f"`{word}`" in PAGE


def test_the_example_works():
    example = re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)
    config = parse_config(example[1], {})
    assert config.broken == ()
    assert [(table.dag_id, table.mode) for table in config.tables] == [
        ("migrate__analytics__dimpayer", "full"),
        ("migrate__analytics__visits", "catch_up"),
    ]
