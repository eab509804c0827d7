"""Incremental runs: nothing is missed, nothing goes back, and deleted rows are deleted only where that is configured."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from snowmelt.errors import ConfigurationError, ValueRefused, VerificationError

TABLE = {"source": "C", "mode": "catch_up", "uniqueness_columns": ["ID"], "watermark_column": "AT"}


@pytest.fixture
def filled(world):
    world.sql(
        "CREATE TABLE C (ID NUMBER(9,0) NOT NULL PRIMARY KEY, AT TIMESTAMP_NTZ(6), V VARCHAR)",
        "INSERT INTO C SELECT SEQ4(), '2026-01-01 10:00'::TIMESTAMP_NTZ, 'old' FROM TABLE(GENERATOR(ROWCOUNT => 100))",
    )
    world.run(TABLE)
    return world


def rows(world, where="true"):
    return world.query(f"SELECT id, v FROM public.c WHERE {where} ORDER BY id")


def test_a_row_that_was_committed_late_is_caught_within_the_overlap(filled):
    filled.sql(
        "INSERT INTO C VALUES (200, '2026-01-01 09:00', 'an hour late'), (201, '2026-01-01 08:59:59', 'later still')"
    )
    with pytest.raises(
        VerificationError, match=r"the source has 102 rows .* would have 101: 1 rows are missing"
    ):
        filled.run(TABLE)
    assert rows(filled, "id >= 200") == []
    filled.run(TABLE | {"watermark_overlap": 3601})
    assert rows(filled, "id >= 200") == [(200, "an hour late"), (201, "later still")]


def test_the_last_row_of_a_key_wins_or_the_run_is_refused(filled):
    filled.sql(
        "CREATE TABLE D (ID NUMBER(9,0), AT TIMESTAMP_NTZ(6), V VARCHAR)",
        "INSERT INTO D VALUES (1, '2026-01-02', 'first'), (1, '2026-01-03', 'last'), (2, NULL, 'null'), (2, '2026-01-01 10:00', 'set')",
    )
    table = TABLE | {"source": "D", "target": "c", "on_change": "full", "max_shrink_percent": 100}
    filled.run(table)
    assert rows(filled) == [(1, "last"), (2, "set")]
    filled.sql("INSERT INTO D VALUES (1, '2026-01-04', 'again'), (1, '2026-01-05', 'twice')")
    with pytest.raises(ValueRefused, match=r"most frequent key is in 3 rows"):
        filled.run(table | {"duplicates": "refuse"})
    filled.sql("INSERT INTO D VALUES (1, '2026-01-05', 'a tie')")
    with pytest.raises(
        ValueRefused, match=r"(?s)keys are in several rows with the same at.*most frequent key is in 2 rows"
    ):
        filled.run(table)
    assert rows(filled, "id = 1") == [(1, "last")]


DOUBLED = (
    "INSERT INTO D VALUES (1, '2026-01-02', 'first'), (1, '2026-01-03', 'last'), (1, NULL, 'null'), "
    "(2, '2026-01-01', 'one'), (3, NULL, 'null')"
)


@pytest.mark.parametrize("key", ["", " PRIMARY KEY"], ids=["no key", "a key that Snowflake does not hold to"])
def test_the_last_row_of_a_key_wins_in_the_first_run_too(world, key):
    world.sql(f"CREATE TABLE D (ID NUMBER(9,0){key}, AT TIMESTAMP_NTZ(6), V VARCHAR)", DOUBLED)
    table = TABLE | {"source": "D", "target": "c"}
    with pytest.raises(ValueRefused, match=r"most frequent key is in 3 rows"):
        world.run(table | {"duplicates": "refuse"})
    assert world.query("SELECT to_regclass('public.c')") == [(None,)]
    result = world.run(table)
    assert (result["inserted"], result["unchanged"], result["rows_after"]) == (3, 2, 3)
    assert rows(world) == [(1, "last"), (2, "one"), (3, "null")]
    world.run(table)
    assert rows(world) == [(1, "last"), (2, "one"), (3, "null")]


def test_a_first_run_that_dies_between_resolving_its_keys_and_the_publish_goes_on(world, monkeypatch):
    world.sql("CREATE TABLE D (ID NUMBER(9,0) PRIMARY KEY, AT TIMESTAMP_NTZ(6), V VARCHAR)", DOUBLED)
    plan = world.plan(TABLE | {"source": "D", "target": "c"})

    def die(*arguments, **options):
        raise RuntimeError("killed")

    with monkeypatch.context() as patched, pytest.raises(RuntimeError, match="killed"):
        patched.setattr("snowmelt.steps.publish.build_indexes", die)
        world.finish(plan, world.unload(plan))
    with world.target() as connection:
        from snowmelt.steps import publish as publishing

        assert publishing.publish_run(connection, plan, snowflake=world.session)["inserted"] == 3
    assert rows(world) == [(1, "last"), (2, "one"), (3, "null")]


def test_a_key_that_is_null_is_refused_in_the_first_run_too(world):
    world.sql(
        "CREATE TABLE D (ID NUMBER(9,0), AT TIMESTAMP_NTZ(6), V VARCHAR)",
        "INSERT INTO D VALUES (NULL, '2026-01-02', 'x'), (2, '2026-01-02', 'y')",
    )
    with pytest.raises(ValueRefused, match="NULL is in id in 1 rows"):
        world.run(TABLE | {"source": "D", "target": "c"})
    assert world.query("SELECT to_regclass('public.c')") == [(None,)]


def test_inserts_only_leaves_what_is_there(filled):
    filled.sql(
        "UPDATE C SET V = 'new', AT = '2026-01-02' WHERE ID = 1",
        "INSERT INTO C VALUES (100, '2026-01-02', 'new')",
    )
    result = filled.run(TABLE | {"inserts_only": True})
    assert (result["inserted"], result["updated"]) == (1, 0)
    assert rows(filled, "id IN (1, 100)") == [(1, "old"), (100, "new")]


def test_rows_that_the_source_removed_are_removed(filled):
    filled.sql("DELETE FROM C WHERE ID < 5", "INSERT INTO C VALUES (100, '2026-01-02', 'new')")
    assert filled.run(TABLE)["deleted"] == 0
    assert len(rows(filled)) == 101
    result = filled.run(TABLE | {"deletes": "hard"})
    assert (result["deleted"], result["inserted"]) == (5, 0)
    assert [number for number, _ in rows(filled)] == list(range(5, 101))
    assert filled.query("SELECT relname FROM pg_class WHERE relname LIKE 'snowmelt%' AND relkind = 'r'") == []
    ((verification,),) = filled.query(
        "SELECT verification FROM snowmelt.run WHERE mode = 'incremental' ORDER BY started_at DESC LIMIT 1"
    )
    assert verification["keys"]["fingerprint"]["compared"] is True
    assert verification["keys"]["table_rows"] == 96


def test_rows_outside_of_the_filter_are_gone_for_the_target(filled):
    narrower = TABLE | {"deletes": "hard", "source_filter": "ID <> 7"}
    with pytest.raises(ConfigurationError, match="source_filter: none → ID <> 7"):
        filled.run(narrower)
    filled.run(narrower | {"on_change": "full"})
    assert len(rows(filled)) == 99


def test_too_many_removed_rows_stop_the_run_and_change_nothing(filled):
    filled.sql("DELETE FROM C WHERE ID < 11", "UPDATE C SET V = 'new', AT = '2026-01-02' WHERE ID = 50")
    expected = r"no longer has 11 of the 100 rows of public\.c \(11\.0 %\), and a run may remove 10 % at most"
    with pytest.raises(VerificationError, match=expected):
        filled.run(TABLE, deletes="hard")
    assert (len(rows(filled)), rows(filled, "id = 50")) == (100, [(50, "old")])
    assert filled.run(TABLE | {"max_delete_percent": 11}, deletes="hard")["deleted"] == 11


def test_a_lost_key_stops_the_run_before_anything_is_removed(filled):
    plan = filled.plan(TABLE, deletes="hard")
    chunks = filled.unload(plan)
    assert plan.keys is not None
    lose = f'DELETE FROM public."{plan.keys.staging_table}" WHERE id = 3'
    with pytest.raises(VerificationError, match=r"100 rows by the ledger, 99 in public\.snowmelt_"):
        filled.finish(plan, chunks, before_verify=lose)
    assert len(rows(filled)) == 100


def test_a_backfill_takes_its_window_and_leaves_the_watermark(filled):
    filled.sql("INSERT INTO C VALUES (300, '2026-03-01', 'march')")
    filled.run(TABLE)
    filled.sql(
        "INSERT INTO C VALUES (301, '2026-02-01 00:00', 'first'), (302, '2026-02-01 23:59:59.999999', 'last'), "
        "(303, '2026-02-02 00:00', 'next day'), (304, '2026-01-31 23:59:59', 'day before')"
    )
    day = (datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 2, tzinfo=UTC))
    plan = filled.plan(TABLE, window=day)
    filled.finish(plan, filled.unload(plan))
    assert [number for number, _ in rows(filled, "id > 300")] == [301, 302]
    assert filled.query("SELECT value FROM snowmelt.watermark WHERE target = 'public.c'") == [
        ("2026-03-01 00:00:00.000000000",)
    ]


def test_a_backfill_needs_a_column_of_times(world):
    world.sql("CREATE TABLE N (ID NUMBER(9,0), SEQ NUMBER(9,0))", "INSERT INTO N VALUES (1, 1)")
    day = (datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 2, tzinfo=UTC))
    with pytest.raises(ConfigurationError, match=r"the watermark_column 'SEQ' is of type NUMBER\(9,0\)"):
        world.plan(TABLE | {"source": "N", "watermark_column": "SEQ"}, window=day)


def test_a_run_that_was_overtaken_does_not_bring_back_older_rows(filled):
    early = filled.plan(TABLE)
    filled.sql("UPDATE C SET V = 'newest', AT = '2026-01-05' WHERE ID = 9")
    late = filled.plan(TABLE)
    filled.finish(late, filled.unload(late))
    with pytest.raises(
        VerificationError, match=rf"Run {late.run_id} published public\.c as of .* would undo newer ones"
    ):
        filled.finish(early, filled.unload(early))
    assert rows(filled, "id = 9") == [(9, "newest")]


@pytest.mark.parametrize("type_", ["NUMBER(12,0)", "DATE", "TIMESTAMP_LTZ(6)", "TIMESTAMP_TZ(6)", "VARCHAR"])
def test_every_kind_of_watermark_moves_and_is_taken_again(world, type_):
    low, high = {"NUMBER(12,0)": ("5", "7"), "VARCHAR": ("'a'", "'b'")}.get(
        type_, ("'2026-01-01'", "'2026-01-03'")
    )
    world.sql(
        f"CREATE TABLE C (ID NUMBER(9,0) NOT NULL PRIMARY KEY, AT {type_}, V VARCHAR)",
        f"INSERT INTO C VALUES (1, {low}, 'x'), (2, {low}, 'x')",
    )
    table = TABLE | {"text_watermark": type_ == "VARCHAR"}
    world.run(table)
    world.sql(f"INSERT INTO C VALUES (3, {low}, 'tie'), (4, {high}, 'new')")
    world.run(table)
    world.sql(f"INSERT INTO C VALUES (5, {high}, 'tie')")
    assert world.run(table)["inserted"] == 1
    assert [number for number, _ in rows(world)] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("type_", "why"), [("TIME", "starts again each day"), ("VARCHAR", "in the order of their bytes")]
)
def test_a_watermark_whose_order_does_not_grow_is_refused(world, type_, why):
    world.sql(f"CREATE TABLE C (ID NUMBER(9,0) NOT NULL PRIMARY KEY, AT {type_}, V VARCHAR)")
    with pytest.raises(ConfigurationError, match=why):
        world.run(TABLE)


@pytest.mark.parametrize("snapshot", ["auto", "off"])
def test_a_watermark_in_the_future_is_not_obeyed(filled, snapshot):
    """Beyond the snapshot or, without one, beyond Snowflake's time when the planning began."""
    table = TABLE | {"snapshot": snapshot}
    filled.sql("INSERT INTO C VALUES (200, '9999-12-31', 'far'), (201, '2026-01-02', 'near')")
    filled.run(table)
    assert filled.query("SELECT value FROM snowmelt.watermark") == [("2026-01-02 00:00:00.000000000",)]
    filled.sql("INSERT INTO C VALUES (202, '2026-01-03', 'later')")
    filled.run(table)
    assert rows(filled, "id >= 200") == [(200, "far"), (201, "near"), (202, "later")]


def test_a_watermark_never_goes_back(filled):
    filled.sql("INSERT INTO C VALUES (200, '2026-01-02', 'last')")
    filled.run(TABLE)
    filled.sql("DELETE FROM C WHERE ID = 200", "INSERT INTO C VALUES (201, '2026-01-01 23:30', 'earlier')")
    filled.run(TABLE | {"deletes": "hard"})
    assert filled.query("SELECT value FROM snowmelt.watermark") == [("2026-01-02 00:00:00.000000000",)]
    assert rows(filled, "id >= 200") == [(201, "earlier")]


CHANGED = {
    "emptied": ("TRUNCATE public.c", {}, "rows of the target: 100 → 0"),
    "created again": (
        "ALTER TABLE public.c RENAME TO old; CREATE TABLE public.c (LIKE old INCLUDING ALL)",
        {},
        "target table: the one that was filled → another one",
    ),
    "another filter": ("SELECT 1", {"source_filter": "ID < 50"}, "source_filter: none → ID < 50"),
    "a mask": (
        "SELECT 1",
        {"columns": {"mask": {"V": {"expression": "LEFT(V, 1)", "type": "VARCHAR(1)"}}}},
        'mask or expression of column "v"',
    ),
    "another key": ("SELECT 1", {"uniqueness_columns": ["ID", "AT"]}, "uniqueness_columns: ID → ID, AT"),
}


@pytest.mark.parametrize("kind", CHANGED)
def test_a_run_does_not_go_on_from_the_state_of_another_copy(filled, kind):
    statement, settings, said = CHANGED[kind]
    filled.execute(*statement.split("; "))
    with pytest.raises(ConfigurationError, match="is not as run") as refused:
        filled.run(TABLE | settings)
    assert said in str(refused.value)
    filled.run(TABLE | settings | {"on_change": "full", "max_shrink_percent": 100})
    expected = 50 if kind == "another filter" else 100
    assert filled.query("SELECT count(*) FROM public.c") == [(expected,)]
    filled.run(TABLE | settings)


def test_a_target_that_something_else_filled_is_not_taken_for_a_copy(world):
    world.sql(
        "CREATE TABLE C (ID NUMBER(9,0) NOT NULL PRIMARY KEY, AT TIMESTAMP_NTZ(6), V VARCHAR)",
        "INSERT INTO C VALUES (1, '2026-01-01', 'a'), (2, '2026-01-02', 'b')",
    )
    world.execute(
        "CREATE TABLE public.c (id integer PRIMARY KEY, at timestamp, v text)",
        "INSERT INTO public.c VALUES (2, '2026-01-02', 'b')",
    )
    with pytest.raises(ConfigurationError, match="rows of the target: none by the ledger → 1"):
        world.run(TABLE)
    world.run(TABLE | {"on_change": "full"})
    assert rows(world) == [(1, "a"), (2, "b")]


def test_a_dropped_target_is_filled_from_the_beginning(filled):
    filled.execute("DROP TABLE public.c")
    filled.run(TABLE)
    assert len(rows(filled)) == 100


def test_rows_that_stay_behind_end_the_run_as_differing(filled):
    filled.sql("DELETE FROM C WHERE ID < 5")
    result = filled.run(TABLE)
    assert result["whole_target"]["extra"] == 5
    assert "deletes is ignore" in result["whole_target"]["reason"]
    assert filled.query("SELECT outcome FROM snowmelt.run ORDER BY started_at DESC LIMIT 1") == [("differs",)]


def test_an_emptied_source_does_not_empty_the_target(filled):
    filled.sql("DELETE FROM C WHERE ID < 60")
    full = {"source": "C", "mode": "full", "publish": "swap"}
    with pytest.raises(VerificationError, match=r"has 100 rows and would have 40: 60\.0 % less"):
        filled.run(full)
    filled.sql("DELETE FROM C")
    with pytest.raises(VerificationError, match="never to nothing"):
        filled.run(full | {"max_shrink_percent": 99})
    assert len(rows(filled)) == 100
    filled.run(full | {"max_shrink_percent": 100})
    assert rows(filled) == []
