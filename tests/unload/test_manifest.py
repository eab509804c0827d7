"""The manifest survives S3 and says when it was tampered with; batches take every file once."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowmelt.errors import StagingError
from snowmelt.types.columns import Column
from snowmelt.types.type_table import Form
from snowmelt.unload.manifest import (
    MAX_BATCHES,
    Manifest,
    StagedChunk,
    StagedFile,
    parse_manifest,
    plan_batches,
)

COLUMN = Column(
    source="Visit Id",
    source_type="NUMBER(38,0)",
    form=Form.INTEGER,
    value='"Visit Id"',
    select='"Visit Id"',
    target="Visit Id",
    target_type="numeric(38,0)",
    nullable=False,
    primary_key=1,
    comment="it's",
    checked=False,
)
MANIFEST = Manifest(
    run_id="r1",
    source="A.B.T",
    snapshot="2026-11-22 16:00:00.000000000 +0000",
    file_format="parquet",
    compression="snappy",
    bucket="b",
    path="A/B/T/run_r1/",
    columns=(COLUMN,),
    chunks=(
        StagedChunk(
            0, "b", "q0", 1.5, (StagedFile("A/B/T/run_r1/chunk_000/data_q0_0_0_0.snappy.parquet", 10, 3, 0),)
        ),
        StagedChunk(1, "b", "q1", 0.5, ()),
    ),
)


def document(**changes):
    return json.dumps(MANIFEST.to_document() | changes)


def test_a_manifest_comes_back_as_it_was():
    assert parse_manifest(document(), origin="s3://b/m") == MANIFEST


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "s3://b/m is not a manifest of Snowmelt"),
        ("{", "s3://b/m is not a manifest of Snowmelt"),
        ("{}", "s3://b/m is not a manifest of Snowmelt"),
        (document(snowmelt_manifest=2), "is a manifest of version 2; this provider reads version 1"),
        (document(rows=4), "says 4 rows, 10 bytes, but its files add up to 3 rows, 10 bytes"),
        (document(chunks=[]), "says 3 rows, 10 bytes, but its files add up to 0 rows, 0 bytes"),
    ],
)
def test_anything_else_is_refused_with_its_address(text, message):
    with pytest.raises(StagingError, match=message):
        parse_manifest(text, origin="s3://b/m")


def files(sizes):
    return [
        StagedFile(f"run/chunk_{n % 7:03d}/data_{n:06d}.parquet", size, size // 10, n % 7)
        for n, size in enumerate(sizes)
    ]


@given(st.lists(st.integers(0, 10**9), max_size=800))
def test_every_file_is_in_one_batch_and_no_map_grows_beyond_the_bound(sizes):
    given_files = files(sizes)
    batches = plan_batches(given_files)
    assert sorted(file.key for batch in batches for file in batch.files) == sorted(
        file.key for file in given_files
    )
    assert len(batches) <= MAX_BATCHES
    assert [batch.index for batch in batches] == list(range(len(batches)))
    if len(sizes) <= 100:
        assert all(len(batch.files) == 1 for batch in batches)


def test_large_and_small_files_are_spread_evenly():
    batches = plan_batches(files([100_000_000] * 600 + [1_000_000] * 3000))
    sizes = [sum(file.bytes for file in batch.files) for batch in batches]
    assert max(sizes) <= 1.1 * sum(sizes) / len(sizes)


def test_labels_tell_file_size_and_rows():
    one, many = plan_batches(files([12_300_000]))[0], plan_batches(files([10] * 301), limit=1)[0]
    assert one.label == "chunk_000/data_000000.parquet (12.3 MB, 1,230,000 rows)"
    assert many.label == "301 files from chunk_000/data_000000.parquet (0.0 MB, 301 rows)"
