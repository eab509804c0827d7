"""Over the whole planning: what a publish would refuse is refused with the plan, so that nothing is unloaded or loaded for it."""

from __future__ import annotations

import pytest

from snowmelt.errors import ConfigurationError, SchemaError

FULL = {"source": "T", "target": "refusing"}
MERGED = FULL | {"mode": "catch_up", "uniqueness_columns": ["ID"], "watermark_column": "ID"}
NO_IDENTITY = "ALTER TABLE public.refusing REPLICA IDENTITY NOTHING; CREATE PUBLICATION refusing_p FOR TABLE public.refusing"
BEFORE = """CREATE OR REPLACE FUNCTION public.refusing_act() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;
    CREATE TRIGGER act BEFORE INSERT ON public.refusing FOR EACH ROW EXECUTE FUNCTION public.refusing_act()"""


@pytest.fixture
def planning(run_world):
    world = run_world
    gone = (
        "DROP PUBLICATION IF EXISTS refusing_p",
        "DROP VIEW IF EXISTS public.refusing_v",
        "DROP TABLE IF EXISTS public.refusing CASCADE",
    )
    world.execute(*gone)
    world.sql("CREATE TABLE T (ID INTEGER, NAME VARCHAR(9))", "INSERT INTO T VALUES (1, 'a')")
    world.execute("CREATE TABLE public.refusing (id numeric(38), name varchar(9))")
    yield world
    world.execute(*gone)


@pytest.mark.parametrize(
    ("ddl", "table", "said"),
    [
        ("CREATE VIEW public.refusing_v AS SELECT id FROM public.refusing", FULL, "the view public.refusing_v reads it"),
        (NO_IDENTITY, FULL | {"publish": "truncate"}, "it has no replica identity"),
        (NO_IDENTITY, MERGED, "it has no replica identity"),
        (BEFORE, FULL | {"publish": "append"}, "can drop rows (RETURN NULL)"),
        (BEFORE, MERGED, "can drop rows (RETURN NULL)"),
        ("CREATE RULE r AS ON INSERT TO public.refusing DO INSTEAD NOTHING", MERGED, "it has the rule r"),
        ("INSERT INTO public.refusing VALUES (1, 'a'), (1, 'b')", MERGED, "its unique key is in several rows: The most frequent key is in 2 rows"),
        ("ALTER TABLE public.refusing ALTER name SET NOT NULL", FULL | {"publish": "truncate"}, ""),
    ],
)  # fmt: skip
def test_planning_refuses_before_the_unload(planning, ddl, table, said):
    planning.plan(table)
    planning.execute(ddl)
    if not said:
        planning.plan(table)
        return
    with pytest.raises(ConfigurationError, match="Nothing was unloaded") as refused:
        planning.plan(table)
    assert said in str(refused.value)


@pytest.mark.parametrize("table", [FULL, FULL | {"publish": "truncate"}, MERGED])
@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("bigint GENERATED ALWAYS AS IDENTITY", "GENERATED ALWAYS and takes no values"),
        ("bigint GENERATED ALWAYS AS (1) STORED", "the target computes this column itself"),
    ],
)
def test_a_column_that_takes_no_values_is_refused_before_the_unload(planning, table, column, said):
    planning.execute(f"ALTER TABLE public.refusing DROP id; ALTER TABLE public.refusing ADD id {column}")
    with pytest.raises(SchemaError, match=said):
        planning.plan(table)


def test_a_run_that_publishes_nothing_needs_no_target_to_publish_to(planning):
    planning.execute("CREATE VIEW public.refusing_v AS SELECT id FROM public.refusing")
    planning.plan(FULL | {"schedule": None}, mode="unload")
    planning.plan(FULL | {"schedule": None}, mode="test", row_limit=1)
