"""Values as JSON and back: exact, strict, and open for what a later version adds."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from snowmelt.json_values import Rounded, from_json, to_json
from snowmelt.unload.manifest import StagedChunk, StagedFile
from snowmelt.vocabulary import Mode


@dataclass(frozen=True, slots=True)
class Inner:
    names: tuple[str, ...]
    pair: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Outer:
    mode: Mode
    seconds: Rounded
    inner: Inner


VALUE = Outer(Mode.FULL, 1.23456, Inner(("a", "é"), (1, 2)))


def test_a_value_is_of_jsons_own_types_and_comes_back():
    written = to_json(VALUE)
    assert written == {"mode": "full", "seconds": 1.235, "inner": {"names": ["a", "é"], "pair": [1, 2]}}
    assert from_json(Outer, json.loads(json.dumps(written))) == Outer(Mode.FULL, 1.235, VALUE.inner)


def test_what_is_not_of_its_type_is_refused_and_named():
    good = to_json(VALUE)
    for change, name in (
        ({"mode": "fast"}, "mode"),
        ({"seconds": "1"}, "seconds"),
        ({"inner": {"names": "a"}}, r"inner\.names"),
    ):
        with pytest.raises(ValueError, match=name):
            from_json(Outer, good | change)
    with pytest.raises(ValueError, match="inner"):
        from_json(Outer, {"mode": "full", "seconds": 1})


def test_a_word_of_an_earlier_version_and_a_key_of_a_later_one_are_read():
    read = from_json(Outer, to_json(VALUE) | {"mode": "catch_up", "new": 1})
    assert read.mode is Mode.INCREMENTAL


def test_an_unloads_result_tells_its_sums_and_reads_without_them():
    chunk = StagedChunk(3, "b", "q", 1.0004, (StagedFile("k/a", 10, 2, 3), StagedFile("k/b", 5, 1, 3, "e")))
    written = to_json(chunk)
    assert written == {
        "chunk": 3,
        "bucket": "b",
        "query_id": "q",
        "seconds": 1.0,
        "started_at": None,
        "rows": 3,
        "bytes": 15,
        "files": [
            {"key": "k/a", "bytes": 10, "rows": 2, "chunk": 3, "etag": None},
            {"key": "k/b", "bytes": 5, "rows": 1, "chunk": 3, "etag": "e"},
        ],
    }
    assert from_json(StagedChunk, {**written, "unload": {}, "rows": 0}).rows == 3
