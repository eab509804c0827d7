"""Mode compare: both whole tables, chunk by chunk; what differs is found and named, and nothing is written to the target."""

from __future__ import annotations

import pytest

from snowmelt.errors import ConfigurationError

TABLE = {"source": "K", "mode": "compare", "uniqueness_columns": ["ID"], "chunk_rows": 1000}
NIGHTLY = TABLE | {"mode": "incremental", "watermark_column": "AT"}


@pytest.fixture
def filled(world):
    world.sql(
        "CREATE TABLE K (ID NUMBER(9,0) NOT NULL PRIMARY KEY, AT TIMESTAMP_NTZ(6), V VARCHAR, N NUMBER(12,2), F FLOAT)",
        "INSERT INTO K SELECT SEQ4(), DATEADD('second', SEQ4(), '2026-01-01 10:00'::TIMESTAMP_NTZ), 'v' || SEQ4(), SEQ4() / 4, "
        "SEQ4() / 3 FROM TABLE(GENERATOR(ROWCOUNT => 2500))",
    )
    world.run(TABLE | {"mode": "full"})
    return world


def compare(world, **settings):
    """Run a comparison; its outcome and what was found, as the ledger has them."""
    before = world.query("SELECT sum(hashtext(t::text)) FROM public.k AS t")
    result = world.run(TABLE | settings)
    assert world.query("SELECT sum(hashtext(t::text)) FROM public.k AS t") == before
    ((outcome, found, stored, published),) = world.query(
        "SELECT outcome, verification->'comparison', publish_result, published_at FROM snowmelt.run ORDER BY started_at DESC LIMIT 1"
    )
    assert stored == result
    assert published is None
    return outcome, found


def test_a_table_that_agrees_ends_well(filled):
    outcome, found = compare(filled)
    assert outcome == "agrees"
    assert found["text"] == "all 2,500 rows agree, in 3 chunks"
    assert found["differences"] == []


def test_missing_extra_and_changed_rows_are_counted_and_named_by_their_keys(filled):
    filled.execute(
        "DELETE FROM public.k WHERE id IN (17, 1200)",
        "INSERT INTO public.k (id, v) VALUES (-5, 'mine')",
        "UPDATE public.k SET v = 'secret', n = n + 0.01 WHERE id = 1201",
    )
    outcome, found = compare(filled)
    assert outcome == "differs"
    assert (found["missing"], found["extra"], found["changed"], found["exact"]) == (2, 1, 1, True)
    assert found["keys"] == {"missing": ["ID 17", "ID 1200"], "extra": ["ID -5"], "changed": ["ID 1201"]}
    assert found["columns"] == ["V", "N"]
    assert [(one["source_rows"], one["target_rows"]) for one in found["differences"]] == [
        (1000, 1000),
        (1000, 999),
    ]
    assert found["text"].startswith(
        "2 of 3 chunks differ: 2 rows are missing, 1 row is extra, 1 row has other values (columns V, N); chunk 000"
    )
    assert "secret" not in str(found)


def test_a_table_without_a_key_is_compared_as_a_whole(world):
    world.sql(
        "CREATE TABLE K (V VARCHAR, N NUMBER(9,0))",
        "INSERT INTO K SELECT 'v' || MOD(SEQ4(), 7), SEQ4() FROM TABLE(GENERATOR(ROWCOUNT => 100))",
    )
    world.run({"source": "K", "mode": "full"})
    assert compare(world, uniqueness_columns=[])[0] == "agrees"
    world.execute("UPDATE public.k SET v = 'other' WHERE n = 3")
    outcome, found = compare(world, uniqueness_columns=[])
    assert outcome == "differs"
    assert found["columns"] == ["V"]
    assert found["text"] == (
        "1 of 1 chunk differs: at least 1 row has other values (columns V); chunk 000: all 100 rows"
    )


def test_a_table_that_something_else_filled_is_taken_over_once_it_agrees(world):
    world.sql(
        "CREATE TABLE K (ID NUMBER(9,0) NOT NULL, AT TIMESTAMP_NTZ(6), V VARCHAR)",
        "INSERT INTO K SELECT SEQ4(), '2026-01-01 10:00'::TIMESTAMP_NTZ, 'v' || SEQ4() FROM TABLE(GENERATOR(ROWCOUNT => 100))",
    )
    world.execute(
        "CREATE TABLE public.k (id integer PRIMARY KEY, at timestamp(6), v text)",
        "INSERT INTO public.k SELECT i, '2026-01-01 10:00', 'v' || i FROM generate_series(0, 98) AS i",
    )
    assert compare(world, watermark_column="AT")[0] == "differs"
    with pytest.raises(ConfigurationError, match="which something else filled"):
        world.run(NIGHTLY)
    world.execute("INSERT INTO public.k VALUES (99, '2026-01-01 10:00', 'v99')")
    assert compare(world, watermark_column="AT")[0] == "agrees"
    world.sql("INSERT INTO K VALUES (100, '2026-01-02', 'new')")
    plan = world.plan(NIGHTLY)
    assert plan.watermark_before == "2026-01-01 10:00:00.000000000"
    world.finish(plan, world.unload(plan))
    assert world.query("SELECT count(*) FROM public.k") == [(101,)]


def test_what_cannot_be_compared_is_refused_at_planning(world):
    world.sql("CREATE TABLE K (ID NUMBER(9,0) NOT NULL, V VARCHAR)", "INSERT INTO K VALUES (1, 'a')")
    with pytest.raises(ConfigurationError, match=r"public\.k does not exist, so there is nothing to compare"):
        world.run(TABLE)
    world.execute("CREATE TABLE public.k (id integer)")
    with pytest.raises(ConfigurationError, match="does not have the columns v"):
        world.run(TABLE | {"schema_drift": "add_columns"})
