"""Several tables fill one target: each run counts, compares, replaces and deletes the rows of its own source alone."""

from __future__ import annotations

import pytest

from snowmelt.errors import ConfigurationError, VerificationError

SOUTH = {"source": "SOUTH", "target": "shared"}
ROWS = "SELECT clinic, count(*), min(v), max(v) FROM public.shared GROUP BY 1 ORDER BY 1"
CATCH_UP = {"mode": "incremental", "uniqueness_columns": ["ID"], "watermark_column": "AT"}


def tagged(source, **settings):
    tag = {"source_tag": {"column": "clinic", "value": source.lower()}}
    return {"source": source, "target": "shared", "publish": "replace", "columns": tag} | settings


def nightly(source, **settings):
    table = tagged(source, **CATCH_UP, **settings)
    del table["publish"]
    return table


@pytest.fixture
def two(world):
    """Two sources with the same keys."""
    for name in ("NORTH", "SOUTH"):
        world.sql(
            f"CREATE TABLE {name} (ID NUMBER(9,0) NOT NULL, AT TIMESTAMP_NTZ(6), V VARCHAR)",
            f"INSERT INTO {name} SELECT SEQ4(), '2026-01-01'::TIMESTAMP_NTZ, '{name.lower()}' FROM TABLE(GENERATOR(ROWCOUNT => 10))",
        )
    return world


def states(world):
    return world.query("SELECT owner, rows FROM snowmelt.target_state ORDER BY owner")


@pytest.mark.parametrize("kind", [tagged, nightly])
def test_each_source_fills_and_keeps_its_own_rows(two, kind):
    for name in ("NORTH", "SOUTH"):
        two.run(kind(name))
    assert two.query(ROWS) == [("north", 10, "north", "north"), ("south", 10, "south", "south")]
    two.sql(
        "UPDATE SOUTH SET V = 'x' || V, AT = '2026-02-01' WHERE ID < 3",
        "INSERT INTO SOUTH VALUES (10, '2026-02-01', 'new')",
    )
    whole = two.run(kind("SOUTH"))["whole_target"]
    assert (whole["source_rows"], whole["target_rows"], whole["missing"], whole["extra"]) == (11, 11, 0, 0)
    assert two.query(ROWS) == [("north", 10, "north", "north"), ("south", 11, "new", "xsouth")]
    assert states(two) == [("\"clinic\" = 'north'", 10), ("\"clinic\" = 'south'", 11)]


def test_deleted_rows_are_those_of_the_own_source(two):
    for name in ("NORTH", "SOUTH"):
        two.run(nightly(name))
    two.sql("DELETE FROM NORTH WHERE ID < 4")
    two.run(nightly("NORTH", deletes="hard", max_delete_percent=50))
    assert [row[:2] for row in two.query(ROWS)] == [("north", 6), ("south", 10)]


def test_the_target_of_a_source_is_not_empty_because_anothers_rows_are_there(two):
    two.run(nightly("NORTH"))
    assert two.plan(nightly("SOUTH")).watermark_before is None
    two.execute("UPDATE public.shared SET clinic = 'east' WHERE id < 2")
    two.sql("DELETE FROM NORTH WHERE ID < 2")
    whole = two.run(nightly("NORTH"))["whole_target"]
    assert (whole["compared"], whole["target_rows"], whole["missing"], whole["extra"]) == ("keys", 8, 0, 0)


def test_without_rows_of_its_own_a_second_source_is_refused(two):
    two.run({"source": "NORTH", "target": "shared"})
    for table in (SOUTH, SOUTH | {"publish": "replace", "owned_rows": "id >= 0"}):
        with pytest.raises(ConfigurationError, match="holds rows of other copies") as refused:
            two.run(table)
        assert f"rows of TESTS.{two.schema}.NORTH, by run" in str(refused.value)
    assert two.query("SELECT DISTINCT v FROM public.shared") == [("north",)]
    two.run(SOUTH | {"on_change": "full"})
    assert two.query("SELECT DISTINCT v FROM public.shared") == [("south",)]
    assert states(two) == [("", 10)]


def test_a_row_outside_of_its_own_stops_the_run(two):
    own = {"source": "NORTH", "target": "shared", "publish": "replace", "owned_rows": "id < 9"}
    with pytest.raises(
        VerificationError, match=r"1 of 10 rows .* are not this copy's own, which are those where \"id\" < 9"
    ):
        two.run(own)
    two.run(own | {"source_filter": "ID < 9"})
    south = SOUTH | {"publish": "replace"}
    with pytest.raises(VerificationError, match="2 of 3 rows"):
        two.run(south | {"owned_rows": "id >= 7", "source_filter": "ID >= 7"})
    two.run(south | {"owned_rows": "id >= 9", "source_filter": "ID >= 9"})
    assert two.query("SELECT v, count(*) FROM public.shared GROUP BY 1 ORDER BY 1") == [
        ("north", 9),
        ("south", 1),
    ]


def test_owned_rows_name_columns_that_the_copy_fills(two):
    with pytest.raises(ConfigurationError, match="no column of the source goes to region"):
        two.run({"source": "NORTH", "target": "shared", "publish": "replace", "owned_rows": "region = 1"})


def test_files_are_loaded_with_the_tag_that_they_were_unloaded_with(two):
    plan = two.plan(tagged("NORTH"))
    two.unload(plan)
    two.run(tagged("SOUTH"))
    two.finish(plan, two.unload(plan))
    two.run(tagged("NORTH", mode="load", schedule=None), run_id=plan.run_id)
    assert [row[:2] for row in two.query(ROWS)] == [("north", 10), ("south", 10)]


def test_a_comparison_is_of_the_own_rows(two):
    for name in ("NORTH", "SOUTH"):
        two.run(tagged(name))
    compare = tagged("NORTH", mode="compare")
    del compare["publish"]
    assert two.plan(compare).comparison.agrees
    two.execute("DELETE FROM public.shared WHERE id = 3")
    rows = two.plan(compare).comparison.rows
    assert (rows.missing, rows.extra, rows.changed) == (1, 0, 0)
