"""The largest texts, binaries and semi-structured values that Snowflake holds by default, by every way, as the server itself sees them."""

from __future__ import annotations

import hashlib
import json

import pytest

from tests.load.ways import WAYS
from tests.types.case import text_literal

#: Snowflake's longest BINARY and VARIANT, in bytes.
MOST_BINARY = 8_388_608
MOST_VARIANT = 16_777_216
#: JSON text: a piece that is repeated, how often, and what stands before and behind it.
VARIANTS = {
    "one long text": ('{"s":"', 'é\\"\\\\🎈', 1_677_000, '"}'),
    "wide and deep": ("[", '[7,"x",[null,{"a":1.5}]],', 660_000, f"{'[' * 500}{']' * 501}"),
}


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def test_the_largest_texts(world):
    # 16,777,216 bytes: two for each é, so that no cut at a boundary of bytes goes unseen.
    world.sql(
        "CREATE TABLE LARGE (ID NUMBER(9,0), S VARCHAR)",
        "INSERT INTO LARGE SELECT 1, REPEAT('é', 8388608) UNION ALL SELECT 2, REPEAT('\"\\n', 2000000)",
    )
    query = "SELECT id, octet_length(s), s = repeat('é', 8388608), s = repeat(E'\"\\n', 2000000) FROM public.by_{} ORDER BY id"
    for way, params in WAYS.items():
        world.run({"source": "LARGE", "target": f"by_{way}"}, **params)
        assert world.query(query.format(way)) == [
            (1, 16_777_216, True, False),
            (2, 4_000_000, False, True),
        ], way


def test_the_largest_binaries(world):
    all_bytes = bytes(range(256))
    # All bytes in turn; zeros alone; 0xFF alone, one short of the most.
    values = [all_bytes * (MOST_BINARY // 256), bytes(MOST_BINARY), b"\xff" * (MOST_BINARY - 1)]
    world.sql(
        "CREATE TABLE LARGE (ID NUMBER(9,0), C BINARY)",
        f"INSERT INTO LARGE SELECT 0, TO_BINARY(REPEAT('{all_bytes.hex()}', {MOST_BINARY // 256}), 'HEX')",
        f"INSERT INTO LARGE SELECT 1, TO_BINARY(REPEAT('00', {MOST_BINARY}), 'HEX')",
        f"INSERT INTO LARGE SELECT 2, TO_BINARY(REPEAT('FF', {MOST_BINARY - 1}), 'HEX')",
    )
    expected = [(number, len(value), md5(value)) for number, value in enumerate(values)]
    for way, params in WAYS.items():
        world.run({"source": "LARGE", "target": f"by_{way}"}, **params)
        found = world.query(f"SELECT id, octet_length(c), md5(c) FROM public.by_{way} ORDER BY id")
        assert found == expected, way


@pytest.mark.parametrize("kind", VARIANTS)
def test_the_largest_variants(world, kind):
    before, piece, times, behind = VARIANTS[kind]
    written = before + piece * times + behind
    assert MOST_VARIANT * 0.98 < len(written.encode()) <= MOST_VARIANT
    parts = f"{text_literal(before)} || REPEAT({text_literal(piece)}, {times}) || {text_literal(behind)}"
    world.sql("CREATE TABLE LARGE (C VARIANT)", f"INSERT INTO LARGE SELECT PARSE_JSON({parts})")
    # Python writes JSON with the spaces that jsonb prints.
    expected = json.dumps(json.loads(written), ensure_ascii=False).encode()
    for way, params in WAYS.items():
        world.run({"source": "LARGE", "target": f"by_{way}"}, **params)
        found = world.query(f"SELECT octet_length(c::text), md5(c::text) FROM public.by_{way}")
        assert found == [(len(expected), md5(expected))], way
