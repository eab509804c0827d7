"""Mode repair: exactly the chunks that differ are copied again, and afterwards the whole target is the source."""

from __future__ import annotations

import pytest

from snowmelt.errors import ConfigurationError, VerificationError

TABLE = {
    "source": "R",
    "mode": "repair",
    "uniqueness_columns": ["ID"],
    "watermark_column": "AT",
    "chunk_rows": 1000,
}
NIGHTLY = TABLE | {"mode": "incremental"}


@pytest.fixture
def filled(world):
    world.sql(
        "CREATE TABLE R (ID NUMBER(9,0) NOT NULL, AT TIMESTAMP_NTZ(6), V VARCHAR, N NUMBER(12,2))",
        "INSERT INTO R SELECT SEQ4(), DATEADD('second', SEQ4(), '2026-01-01 10:00'::TIMESTAMP_NTZ), 'v' || SEQ4(), SEQ4() / 4 "
        "FROM TABLE(GENERATOR(ROWCOUNT => 3500))",
    )
    world.execute("CREATE TABLE public.r (id integer, at timestamp, v text, n numeric(12,2), mine text)")
    world.run(TABLE | {"mode": "full", "publish": "replace", "columns": {"target_only": ["mine"]}})
    world.execute("UPDATE public.r SET mine = 'kept'")
    return world


def repair(world, **settings):
    plan = world.plan(TABLE | {"columns": {"target_only": ["mine"]}} | settings)
    return plan, world.finish(plan, world.unload(plan))


def assert_equal(world, condition=""):
    source = world.sql(f"SELECT ID, V, N FROM R{condition} ORDER BY ID, V")
    assert world.query("SELECT id, v, n FROM public.r ORDER BY id, v") == source


def outcome(world):
    return world.query("SELECT outcome, mode FROM snowmelt.run ORDER BY started_at DESC LIMIT 1")[0]


def damage(world):
    world.execute(
        "DELETE FROM public.r WHERE id = 5",
        "UPDATE public.r SET v = 'other' WHERE id = 2001",
        "INSERT INTO public.r (id, v, n) VALUES (2002, 'doubled', 1), (NULL, 'nobody', 2), (-7, 'extra', 3)",
    )


def test_only_the_chunks_and_rows_that_differ_are_touched(filled):
    damage(filled)
    before = dict(filled.query("SELECT id, xmin::text FROM public.r WHERE id NOT IN (5, 2001, 2002)"))
    plan, result = repair(filled)
    assert [chunk.index for chunk in plan.chunks] == [0, 2]
    assert plan.source_rows == 2000
    assert_equal(filled)
    assert outcome(filled) == ("published", "repair")
    assert (result["inserted"], result["updated"], result["deleted"]) == (1, 1, 3)
    after = dict(filled.query("SELECT id, xmin::text FROM public.r WHERE id NOT IN (5, 2001, 2002)"))
    before.pop(None, None), before.pop(-7, None)
    assert after == before
    assert filled.query("SELECT count(*) FROM public.r WHERE mine = 'kept'") == [(3499,)]
    filled.sql("INSERT INTO R VALUES (9000, '2026-01-02', 'new', 1)")
    assert filled.plan(NIGHTLY | {"columns": {"target_only": ["mine"]}}).watermark_before is not None


def test_a_table_that_agrees_ends_at_once(filled):
    plan, result = repair(filled)
    assert plan.chunks == ()
    assert result["published"] is False
    assert outcome(filled) == ("agrees", "repair")


def test_without_a_key_all_rows_of_the_chunks_are_replaced(filled):
    damage(filled)
    plan, result = repair(filled, uniqueness_columns=[], chunking_column="ID")
    assert [chunk.index for chunk in plan.chunks] == [0, 2]
    assert_equal(filled)
    assert result["inserted"] == 2000


def test_a_target_that_was_changed_after_the_comparison_is_not_repaired(filled):
    damage(filled)
    plan = filled.plan(TABLE | {"columns": {"target_only": ["mine"]}})
    chunks = filled.unload(plan)
    with pytest.raises(VerificationError, match="was changed after it was compared"):
        filled.finish(plan, chunks, before_publish="UPDATE public.r SET v = 'meanwhile' WHERE id = 1500")
    assert filled.query("SELECT count(*) FROM public.r WHERE id = 5") == [(0,)]


def test_a_source_that_lost_its_rows_does_not_empty_the_target(filled):
    filled.sql("DELETE FROM R WHERE ID > 10")
    with pytest.raises(VerificationError, match="max_shrink_percent"):
        repair(filled)
    repair(filled, max_shrink_percent=100)
    assert_equal(filled)


@pytest.mark.parametrize(
    "change",
    [
        {"source_filter": "ID < 3000"},
        {
            "columns": {
                "target_only": ["mine"],
                "mask": {"V": {"expression": "LEFT(V, 2)", "type": "VARCHAR(2)"}},
            }
        },
    ],
    ids=["filter", "mask"],
)
def test_on_change_repair_repairs_what_a_changed_copy_makes_differ(filled, change):
    table = NIGHTLY | {"columns": {"target_only": ["mine"]}} | change
    with pytest.raises(ConfigurationError, match="Run mode repair once"):
        filled.plan(table)
    plan = filled.plan(table | {"on_change": "repair"})
    assert plan.mode == "repair"
    filled.finish(plan, filled.unload(plan))
    value = "LEFT(V, 2)" if "columns" in change else "V"
    condition = f" WHERE {change['source_filter']}" if "source_filter" in change else ""
    source = filled.sql(f"SELECT ID, {value} FROM R{condition} ORDER BY ID")
    assert filled.query("SELECT id, v FROM public.r ORDER BY id") == source
    assert filled.plan(table).watermark_before is not None
