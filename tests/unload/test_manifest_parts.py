"""A manifest of very many files: statements that Snowflake takes, and the same manifest when it is read again."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from snowmelt.unload.manifest import (
    StagedChunk,
    StagedFile,
    find_parts,
    join_parts,
    name_parts,
    parse_manifest,
    split_document,
)
from snowmelt.unload.statements import Location, build_write_document
from tests.unload.test_manifest import MANIFEST

LOCATION = Location("b", "", '"A"."B"."STAGE"', "")
#: Query size limits of Snowflake.
MOST_TEXT = 1_000_000


def of_files(count):
    folder = f"A/B/T/run_r1/chunk_{{}}/data_{'0123abcd-' * 4}_1023_1023_{{:06d}}.snappy.parquet"
    chunks = tuple(
        StagedChunk(
            chunk,
            "b",
            f"q{chunk}",
            1.0,
            tuple(
                StagedFile(folder.format(f"{chunk:03d}", number), 4_999_999_999, 10**9, chunk)
                for number in range(chunk, count, 3)
            ),
        )
        for chunk in range(3)
    )
    return replace(MANIFEST, chunks=chunks)


@pytest.mark.parametrize(("files", "parts"), [(1, 0), (8_000, 0), (8_001, 2), (100_000, 13)])
def test_no_statement_is_longer_than_snowflake_takes_and_nothing_is_lost(files, parts):
    manifest = of_files(files)
    whole, made = split_document(manifest.to_document())
    assert len(made) == parts
    assert tuple(whole.get("parts", ())) == name_parts(files)
    for document in (whole, *made):
        assert len(build_write_document(LOCATION, "p/manifest_part_000.json", document).encode()) < MOST_TEXT
    text = json.dumps(whole)
    assert find_parts(text) == name_parts(files)
    read = join_parts(text, [json.dumps(part) for part in made]) if made else text
    assert parse_manifest(read, origin="s3://b/m") == manifest


@pytest.mark.parametrize("text", ["{", "[]", '{"parts": ["../other.json", "x"]}', '{"parts": ["a"]}'])
def test_no_other_object_is_read_as_a_part(text):
    assert find_parts(text) == ()


def test_a_part_of_another_run_is_refused():
    whole, made = split_document(of_files(8_001).to_document())
    with pytest.raises(ValueError, match="a part is of the run r2"):
        join_parts(json.dumps(whole), [json.dumps(made[0] | {"run_id": "r2"})])
