"""Columns with collations: texts are compared by their bytes, in fingerprints, bounds of chunks and watermarks."""

from __future__ import annotations

import pytest

from snowmelt.compare.differences import translate_predicate
from snowmelt.plan.watermark import build_highest, build_since
from snowmelt.types.type_names import parse_snowflake_type
from snowmelt.unload.chunks import Bucket, ChunkKey, build_bounds_query, plan_chunks
from tests.compare.fingerprint_cases import column

COLLATED = "VARCHAR(10) COLLATE 'en-ci'"
BYTES = 'CAST("K" AS VARCHAR(16777216))'


def test_a_collation_is_part_of_the_type():
    kind = parse_snowflake_type(COLLATED)
    assert (kind.name, kind.length, kind.collation) == ("VARCHAR", 10, "en-ci")
    assert str(kind) == COLLATED
    assert parse_snowflake_type("VARCHAR(10) COLLATE ''").collation is None


def test_the_bounds_of_a_collated_key_compare_bytes():
    key = ChunkKey("K", parse_snowflake_type(COLLATED))
    query = build_bounds_query('"T"', key, where="", chunk_rows=5, table_rows=10)
    assert BYTES in query
    assert '"K"' not in query.replace(BYTES, "")
    chunks = plan_chunks([Bucket("A", "Z", 5), Bucket("a", "z", 5)], key, chunk_rows=5)
    assert [chunk.predicate for chunk in chunks] == [
        f"({BYTES} < 'a' OR {BYTES} IS NULL)",
        f"{BYTES} >= 'a'",
    ]
    columns = [column("K", COLLATED)]
    assert [translate_predicate(chunk.predicate, columns) for chunk in chunks] == [
        '("k" COLLATE "C" < \'a\' OR "k" IS NULL)',
        '"k" COLLATE "C" >= \'a\'',
    ]


def test_a_key_without_a_collation_is_compared_bare():
    assert ChunkKey("K", parse_snowflake_type("VARCHAR(10)")).sql == '"K"'


def test_the_watermark_of_a_collated_column_compares_bytes():
    kind = parse_snowflake_type(COLLATED)
    assert build_highest("K", kind) == f"MAX({BYTES})"
    assert build_since("K", kind, "b") == f"{BYTES} >= 'b' OR {BYTES} IS NULL"


@pytest.mark.parametrize("chunking", ["CI", "FR", "PLAIN"])
def test_columns_of_different_collations_are_copied_and_compared(run_world, chunking):
    run_world.sql(
        "CREATE TABLE SRC (ID NUMBER(9,0), CI VARCHAR(20) COLLATE 'en-ci', FR VARCHAR COLLATE 'fr', PLAIN VARCHAR(20))",
        "INSERT INTO SRC VALUES (1, 'a', 'é', 'x'), (2, 'A', 'E', 'X'), (3, 'b', 'e', 'y'), (4, NULL, NULL, NULL), "
        "(5, 'B', 'É', 'Y'), (6, 'ab', '', '')",
    )
    table = {"source": "SRC", "target": "t", "chunking_column": chunking, "chunk_rows": 2}
    run_world.run(table, verify="fingerprint")
    assert run_world.query("SELECT jsonb_array_length(plan->'chunks') > 1 FROM snowmelt.run") == [(True,)]
    assert run_world.query("SELECT ci, fr, plain FROM public.t ORDER BY id") == [
        ("a", "é", "x"), ("A", "E", "X"), ("b", "e", "y"), (None, None, None), ("B", "É", "Y"), ("ab", "", ""),
    ]  # fmt: skip
