"""A manifest from elsewhere: whatever stands in it, it is read or refused as a manifest, and by no other error."""

from __future__ import annotations

import copy
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowmelt.errors import StagingError
from snowmelt.unload.manifest import Manifest, parse_manifest, split_document
from snowmelt.unload.staged import read_manifest
from tests.unload.test_manifest import MANIFEST
from tests.unload.test_manifest_parts import of_files

WHOLE = MANIFEST.to_document()
FOLDER = "A/B/T/run_r1/"
FILE = ["data_q0_0_0_0.snappy.parquet", 10, 3]

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([2**63, -1, "..", "\x00", "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def places(document, above=()):
    yield above
    children = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document)
        if isinstance(document, list)
        else ()
    )
    for key, child in children:
        yield from places(child, (*above, key))


def changed(document, place, value):
    if not place:
        return value
    document = copy.deepcopy(document)
    inner = document
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return document


PLACES = list(places(json.loads(json.dumps(WHOLE))))


@given(st.sampled_from(PLACES), values)
def test_a_change_anywhere_is_read_or_refused(place, value):
    text = json.dumps(changed(json.loads(json.dumps(WHOLE)), place, value))
    try:
        manifest = parse_manifest(text, origin="s3://b/m")
    except StagingError:
        return
    assert isinstance(manifest, Manifest)
    assert all(
        file.bytes >= 0 and file.rows >= 0 and ".." not in file.key.split("/") for file in manifest.files
    )


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(text):
    with pytest.raises(StagingError):
        parse_manifest(text, origin="s3://b/m")


def chunk(**changes):
    return json.dumps(WHOLE | {"chunks": [WHOLE["chunks"][0] | changes, WHOLE["chunks"][1]]})


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000,
        '{"a":' * 200_000,
        json.dumps(WHOLE)[:-1] + ', "bucket": "other"}',
        json.dumps(WHOLE | {"rows": True, "bytes": True}),
        json.dumps(WHOLE | {"chunks": WHOLE["chunks"] * 2}),
        chunk(files=[FILE, FILE], rows=6),
        chunk(files=[["../x", 10, 3]]),
        chunk(files=[["..", 10, 3]]),
        chunk(files=[["", 10, 3]]),
        chunk(folder="A/B/T/run_r1/../../secret/"),
        chunk(folder=None),
        chunk(files=[[FILE[0], -10, 3]]),
        chunk(files=[[FILE[0], 10, -3]]),
        chunk(files=[[FILE[0], 10, 3.0]]),
        chunk(files=[[FILE[0], 10, 2**63]]),
        chunk(files=[[FILE[0], 10]]),
        chunk(files={"a": 1}),
        chunk(query_id="a\x00b"),
        chunk(query_id="\ud800"),
        chunk(seconds=float("nan")),
        chunk(seconds=float("inf")),
        chunk().replace('"seconds": 1.5', '"seconds": 1e999'),
        chunk().replace('"seconds": 1.5', '"seconds": ' + "9" * 5000),
    ],
)  # fmt: skip
def test_what_no_unload_writes_is_refused(text):
    with pytest.raises(StagingError) as raised:
        parse_manifest(text, origin="s3://b/m")
    assert len(str(raised.value)) < 1000


class Bucket:
    """The one call of S3's that a reader of manifests makes."""

    def __init__(self, objects):
        self.objects = objects

    def get_object(self, Bucket, Key):
        body = self.objects[Key]
        return {"ContentLength": len(body), "Body": io.BytesIO(body)}


def read(whole, parts):
    names = whole["parts"] if isinstance(whole["parts"], list) else []
    objects = {f"{FOLDER}{name}": json.dumps(part).encode() for name, part in zip(names, parts, strict=False)}
    objects[f"{FOLDER}manifest.json"] = json.dumps(whole).encode()
    return read_manifest(Bucket(objects), "b", f"{FOLDER}manifest.json")


@pytest.mark.parametrize(
    "change",
    [
        lambda whole, parts: (whole, [7, *parts[1:]]),
        lambda whole, parts: (whole, [{"run_id": "r1", "files": 7}, *parts[1:]]),
        lambda whole, parts: (whole, [{"run_id": "r1", "files": [[["x"], "a", 1, 1]]}, *parts[1:]]),
        lambda whole, parts: (whole, [{"run_id": "r1", "files": [[99, "a", 1, 1]]}, *parts[1:]]),
        lambda whole, parts: (whole, [parts[0], parts[0]]),
        lambda whole, parts: (whole | {"chunks": ["x"]}, parts),
        lambda whole, parts: (whole | {"chunks": 7}, parts),
        lambda whole, parts: (whole | {"parts": 7}, parts),
        lambda whole, parts: (whole | {"parts": {"a": 1}}, parts),
    ],
)
def test_hostile_parts_are_refused(change):
    whole, parts = split_document(of_files(8_001).to_document())
    assert read(dict(whole), parts).rows == 8_001 * 10**9
    with pytest.raises(StagingError):
        read(*change(dict(whole), list(parts)))
