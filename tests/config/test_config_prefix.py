"""Prefixes in the bucket: which patterns are allowed, and what becomes of hostile names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from snowmelt.config.sections import prefix_pattern, render_name, render_prefix
from snowmelt.sql.names import TableName

DEFAULT = "{source_database}/{source_schema}/{source_table}/"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (DEFAULT, DEFAULT),
        ("{source_table}", "{source_table}/"),
        ("raw/v1.2/{target_schema}.{target_table}//", "raw/v1.2/{target_schema}.{target_table}/"),
        ("team=bi/{source_table}/", "team=bi/{source_table}/"),
    ],
)
def test_patterns(written, kept):
    assert prefix_pattern(written) == kept


@pytest.mark.parametrize(
    ("pattern", "advice"),
    [
        (
            "{source_database}/{source_schema}/",
            "It has to hold {source_table} or {target_table}, or all tables share one folder.",
        ),
        ("staging/", "It has to hold {source_table} or {target_table}, or all tables share one folder."),
        ("{source_tabel}/", '{source_tabel} is not known. Did you mean "source_table"?'),
        ("{}/{source_table}", "{} is not known."),
        ("/{source_table}", "Delete the leading slash: an S3 key has none."),
        ("a/../{source_table}", "A folder is empty, or made of dots."),
        ("./{source_table}", "A folder is empty, or made of dots."),
        ("a//{source_table}", "A folder is empty, or made of dots."),
        (
            "{source_schema}{source_table}",
            "Put a slash between two placeholders, so that their values cannot run together.",
        ),
        ("my data/{source_table}", "The character ' ' is not safe in an S3 key here."),
        ("{source_table", "The character '{' is not safe in an S3 key here."),
        (
            "s3://b/{source_table}",
            "Give the path below the bucket alone; the bucket is in s3_staging.bucket.",
        ),
    ],
)
def test_patterns_that_are_refused(pattern, advice):
    with pytest.raises(PydanticCustomError) as raised:
        prefix_pattern(pattern)
    assert raised.value.context["advice"] == advice


@pytest.mark.parametrize(
    ("name", "rendered"),
    [
        ("FACTVISITCALLPERFORMANCE_CR", "FACTVISITCALLPERFORMANCE_CR"),
        ("Visit Id", "Visit=20Id"),
        ("a/b", "a=2Fb"),
        ("..", "=2E=2E"),
        (".hidden", "=2Ehidden"),
        ("v1.2", "v1.2"),
        ("a..b", "a.=2Eb"),
        ("a=20b", "a=3D20b"),
        ("Größe", "Gr=C3=B6=C3=9Fe"),
        ("100%", "100=25"),
        ("a'b\"c", "a=27b=22c"),
    ],
)
def test_names_in_a_key(name, rendered):
    assert render_name(name) == rendered


def test_a_long_name_ends_in_a_hash():
    assert render_name("A" * 200) == "A" * 200
    assert render_name("A" * 201) == "A" * 182 + "=h" + "dea81b358bf5398f"


def test_a_whole_prefix():
    assert (
        render_prefix(DEFAULT, TableName("ANALYTICS", "BI", "My Table"), "public", "my_table")
        == "ANALYTICS/BI/My=20Table/"
    )
    assert (
        render_prefix("{target_schema}/{target_table}/", TableName("A", "B", "C"), "public", "c")
        == "public/c/"
    )


def test_the_longest_names_leave_room_for_the_rest_of_the_key():
    prefix = render_prefix(DEFAULT, TableName("ü" * 255, "/" * 255, "😀" * 255), "public", "t")
    assert len(prefix.encode()) <= 603


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=255)


@given(NAMES, NAMES)
def test_two_names_never_share_a_folder(one, other):
    assert (render_name(one) == render_name(other)) is (one == other)


@given(NAMES)
def test_a_rendered_name_is_one_safe_folder(name):
    rendered = render_name(name)
    assert set(rendered) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-=")
    assert rendered
    assert not rendered.startswith(".")
    assert ".." not in rendered
    assert len(rendered) <= 200
