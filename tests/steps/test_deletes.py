"""Rows that the source no longer has: they stay, are deleted first, or are marked. And rows that exchange a unique value."""

from __future__ import annotations

import pytest

from snowmelt.errors import ConfigurationError, ValueRefused, VerificationError

TABLE = {
    "source": "C",
    "mode": "incremental",
    "uniqueness_columns": ["ID"],
    "watermark_column": "AT",
    "max_delete_percent": 100,
}
LATER = "DATEADD('day', 1, AT)"


@pytest.fixture
def filled(world):
    world.sql(
        "CREATE TABLE C (ID NUMBER(9,0) NOT NULL PRIMARY KEY, CODE VARCHAR(10), AT TIMESTAMP_NTZ(6))",
        "INSERT INTO C SELECT SEQ4(), 'c' || SEQ4(), '2026-01-01'::TIMESTAMP_NTZ FROM TABLE(GENERATOR(ROWCOUNT => 6))",
    )
    world.run(TABLE)
    world.execute(
        "ALTER TABLE public.c ADD UNIQUE (code)",
        "ALTER TABLE public.c ADD COLUMN note text",
        "UPDATE public.c SET note = 'mine ' || id",
    )
    return world


KEPT = TABLE | {"columns": {"target_only": ["note"]}}


def codes(world):
    return dict(world.query("SELECT id, code FROM public.c"))


def test_rows_exchange_a_second_unique_value(filled):
    filled.execute(
        "CREATE TABLE public.child (c integer REFERENCES public.c)",
        "INSERT INTO public.child VALUES (1), (2)",
    )
    filled.sql(
        f"UPDATE C SET CODE = DECODE(ID, 1, 'c2', 2, 'c1', 3, 'c4', 4, 'c5', 5, 'c3'), AT = {LATER} WHERE ID BETWEEN 1 AND 5"
    )
    result = filled.run(KEPT)
    assert (result["inserted"], result["updated"], result["deleted"]) == (0, 5, 0)
    assert codes(filled) == {0: "c0", 1: "c2", 2: "c1", 3: "c4", 4: "c5", 5: "c3"}
    assert filled.query("SELECT DISTINCT note = 'mine ' || id FROM public.c") == [(True,)]
    assert filled.query("SELECT count(*) FROM public.child") == [(2,)]


def test_a_chain_of_unique_values_that_ends_in_a_new_row(filled):
    filled.sql(
        f"UPDATE C SET CODE = 'free', AT = {LATER} WHERE ID = 1",
        f"UPDATE C SET CODE = 'c1', AT = {LATER} WHERE ID = 2",
        "INSERT INTO C SELECT 9, 'c2', '2026-01-02'",
    )
    filled.run(KEPT)
    assert codes(filled) == {0: "c0", 1: "free", 2: "c1", 3: "c3", 4: "c4", 5: "c5", 9: "c2"}


def test_a_delete_is_not_passed_on_by_an_exchange(filled):
    filled.execute(
        "CREATE TABLE public.child (c integer REFERENCES public.c ON DELETE CASCADE)",
        "INSERT INTO public.child VALUES (1), (2)",
    )
    filled.sql(f"UPDATE C SET CODE = DECODE(ID, 1, 'c2', 2, 'c1'), AT = {LATER} WHERE ID IN (1, 2)")
    with pytest.raises(ValueRefused, match=r"c_code_key.*exchange.*child_c_fkey of public\.child"):
        filled.run(KEPT)
    assert filled.query("SELECT count(*) FROM public.child") == [(2,)]


def test_a_unique_value_of_a_deleted_row_is_free_for_a_new_one(filled):
    filled.sql("DELETE FROM C WHERE ID = 3", "INSERT INTO C SELECT 30, 'c3', '2026-01-02'")
    with pytest.raises(ValueRefused, match=r"c_code_key.*deletes"):
        filled.run(KEPT)
    result = filled.run(KEPT | {"deletes": "hard"})
    assert (result["inserted"], result["deleted"]) == (1, 1)
    assert codes(filled)[30] == "c3"


def test_deleted_rows_are_marked_and_come_back(world):
    world.sql(
        "CREATE TABLE C (ID NUMBER(9,0) NOT NULL PRIMARY KEY, CODE VARCHAR(10), AT TIMESTAMP_NTZ(6))",
        "INSERT INTO C SELECT SEQ4(), 'c' || SEQ4(), '2026-01-01'::TIMESTAMP_NTZ FROM TABLE(GENERATOR(ROWCOUNT => 6))",
    )
    soft = TABLE | {"deletes": "soft", "deleted_column": "deleted_at"}
    world.run(soft)
    world.sql("DELETE FROM C WHERE ID IN (1, 2)")
    assert world.run(soft)["deleted"] == 2
    marked = "SELECT id FROM public.c WHERE deleted_at > now() - interval '1 hour' ORDER BY id"
    assert world.query(marked) == [(1,), (2,)]
    world.run(soft, mode="compare")
    assert world.query("SELECT outcome FROM snowmelt.run WHERE mode = 'compare'") == [("agrees",)]
    assert world.query(
        "SELECT outcome, publish_result -> 'whole_target' ->> 'target_rows' FROM snowmelt.run WHERE mode = 'incremental' ORDER BY started_at DESC LIMIT 1"
    ) == [("published", "4")]
    before = world.query("SELECT deleted_at FROM public.c WHERE id = 2")
    world.sql("INSERT INTO C SELECT 1, 'back', '2026-01-02'")
    result = world.run(soft)
    assert (result["inserted"], result["updated"], result["deleted"]) == (0, 1, 0)
    assert world.query(marked) == [(2,)]
    assert world.query("SELECT deleted_at FROM public.c WHERE id = 2") == before
    world.run(soft)


def test_too_many_deleted_rows_are_not_marked_either(filled):
    filled.execute("ALTER TABLE public.c ADD COLUMN gone boolean NOT NULL DEFAULT false")
    filled.sql(
        "DELETE FROM C WHERE ID > 2",
        "INSERT INTO C SELECT 30 + SEQ4(), 'n' || SEQ4(), '2026-01-02' FROM TABLE(GENERATOR(ROWCOUNT => 6))",
    )
    soft = KEPT | {"deletes": "soft", "deleted_column": "gone", "max_delete_percent": 49}
    with pytest.raises(VerificationError, match=r"no longer has 3 of the 6 rows of public\.c \(50\.0 %\)"):
        filled.run(soft)
    assert filled.query("SELECT count(*) FROM public.c WHERE gone") == [(0,)]
    filled.run(soft | {"max_delete_percent": 50})
    assert filled.query("SELECT count(*) FROM public.c WHERE gone") == [(3,)]


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        (
            {"deleted_column": "lost"},
            r'has no such column\. ALTER TABLE "public"\."c" ADD COLUMN "lost" timestamptz',
        ),
        ({"deleted_column": "note"}, "a column of type text"),
    ],
)
def test_a_column_that_cannot_mark_is_refused(filled, settings, error):
    with pytest.raises(ConfigurationError, match=error):
        filled.run(TABLE | {"deletes": "soft"} | settings)


def test_a_foreign_key_that_would_pass_a_delete_on_is_found_at_planning(filled):
    filled.execute("CREATE TABLE public.child (c integer REFERENCES public.c ON DELETE CASCADE)")
    with pytest.raises(
        ConfigurationError, match=r"child_c_fkey of public\.child references it and passes a DELETE on"
    ):
        filled.plan(KEPT | {"deletes": "hard"})
    filled.plan(KEPT)


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("INSERT INTO public.c (id) VALUES (3)", "its unique key is in several rows"),
        ("INSERT INTO public.c (id) VALUES (NULL)", "its unique key is NULL in 1 rows"),
    ],
)
def test_a_key_that_is_not_unique_in_the_target_is_refused_before_anything_is_unloaded(
    filled, statement, error
):
    filled.execute(
        "ALTER TABLE public.c DROP CONSTRAINT c_pkey", "ALTER TABLE public.c ALTER COLUMN id DROP NOT NULL"
    )
    filled.plan(KEPT)
    filled.execute(statement)
    with pytest.raises(ConfigurationError, match=error):
        filled.plan(KEPT)


def test_the_old_setting_is_accepted_with_a_warning(filled, caplog):
    filled.sql("DELETE FROM C WHERE ID = 3")
    assert filled.run(KEPT | {"reconcile_deletes": True})["deleted"] == 1
    assert 'reconcile_deletes: an old setting, which still works. Write "deletes": "hard".' in caplog.text
    filled.sql("DELETE FROM C WHERE ID = 4")
    assert filled.run(KEPT, reconcile_deletes=True)["deleted"] == 1
