"""Audit columns: every method fills them, a swap keeps them, and no comparison looks at them."""

from __future__ import annotations

import pytest

TABLE = {"source": "A", "audit_columns": True}
NIGHTLY = {"mode": "incremental", "uniqueness_columns": ["ID"], "watermark_column": "AT"}
AUDIT = (
    "SELECT id, _snowmelt_run_id, _snowmelt_loaded_at > now() - interval '1 hour' FROM public.a ORDER BY id"
)


@pytest.fixture
def source(world):
    world.sql(
        "CREATE TABLE A (ID NUMBER(9,0) NOT NULL PRIMARY KEY, AT TIMESTAMP_NTZ(6), V VARCHAR)",
        "INSERT INTO A VALUES (1, '2026-01-01', 'a'), (2, '2026-01-01', 'b')",
    )
    return world


def run(world, table, name):
    plan = world.plan(table, run=name)
    result = world.finish(plan, world.unload(plan))
    assert result["whole_target"]["missing"] == result["whole_target"]["extra"] == 0
    return result


@pytest.mark.parametrize("publish", ["swap", "replace"])
def test_a_new_table_has_them_and_each_full_copy_fills_them(source, publish):
    for name in ("first", "second"):
        run(source, TABLE | {"publish": publish}, name)
        assert source.query(AUDIT) == [(1, name, True), (2, name, True)]
    run(source, {"source": "A", "publish": publish}, "third")  # the columns stay, and fill themselves
    assert source.query(AUDIT) == [(1, "third", True), (2, "third", True)]


@pytest.mark.parametrize("publish", ["swap", "replace", "append"])
def test_an_existing_table_gets_them(source, publish):
    source.execute("CREATE TABLE public.a (id integer, at timestamp, v text)")
    source.execute("INSERT INTO public.a VALUES (0, NULL, 'old')")
    plan = source.plan(TABLE | {"publish": publish}, run="first")
    source.finish(plan, source.unload(plan))
    old = [(0, None, None)] if publish == "append" else []
    assert source.query(AUDIT) == [*old, (1, "first", True), (2, "first", True)]


def test_a_merge_sets_them_in_the_rows_that_it_writes(source):
    run(source, TABLE | NIGHTLY, "first")
    source.sql(
        "UPDATE A SET V = 'x', AT = '2026-01-02' WHERE ID = 2", "INSERT INTO A VALUES (3, '2026-01-02', 'c')"
    )
    run(source, TABLE | NIGHTLY, "second")
    assert [row[:2] for row in source.query(AUDIT)] == [(1, "first"), (2, "second"), (3, "second")]
    assert source.query("SELECT count(*) FROM snowmelt.run WHERE outcome = 'published'") == [(2,)]
