"""defer_indexes: the target's plain indexes are gone while rows come in, and are there again whatever happens."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.types.json import Jsonb

from snowmelt.doctor.findings import Status
from snowmelt.doctor.leftovers import check_postgres
from snowmelt.errors import VerificationError
from snowmelt.publish.index_build import list_deferred, restore_indexes
from snowmelt.steps import publish as publishing

TABLE = {
    "source": "T",
    "mode": "catch_up",
    "uniqueness_columns": ["ID"],
    "watermark_column": "AT",
    "defer_indexes": True,
}
INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 't' ORDER BY 1"
#: Notes, while rows are inserted, which indexes the table has.
WATCH = """
CREATE TABLE public.seen (indexes text[]);
CREATE FUNCTION public.watch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.seen SELECT array_agg(indexname::text ORDER BY indexname) FROM pg_indexes WHERE tablename = 't';
    RETURN NULL;
END $$;
CREATE TRIGGER watch AFTER INSERT ON public.t FOR EACH STATEMENT EXECUTE FUNCTION public.watch()
"""


@pytest.fixture
def filled(world):
    world.sql(
        "CREATE TABLE T (ID NUMBER(9,0) NOT NULL PRIMARY KEY, AT TIMESTAMP_NTZ(6), V VARCHAR)",
        "INSERT INTO T SELECT SEQ4(), '2026-01-01'::TIMESTAMP_NTZ, 'v' FROM TABLE(GENERATOR(ROWCOUNT => 50))",
    )
    world.run(TABLE)
    world.execute(
        'CREATE INDEX plain ON public.t (v text_pattern_ops, at DESC NULLS LAST, v COLLATE "C") INCLUDE (id) WITH (fillfactor=70)',
        "CREATE INDEX brin ON public.t USING brin (at) WITH (pages_per_range=4, autosummarize=on)",
        "CREATE INDEX partial ON public.t (v) WHERE v <> ''",
        "COMMENT ON INDEX public.plain IS 'what it''s for'",
        "CREATE INDEX expression ON public.t (lower(v))",
        "ALTER INDEX public.expression ALTER COLUMN 1 SET STATISTICS 500",
        "CREATE UNIQUE INDEX guards ON public.t (id, v)",
        *WATCH.split(";\n", 1)[:1],
        WATCH.split(";\n", 1)[1],
    )
    world.sql("INSERT INTO T VALUES (100, '2026-01-02', 'new')")
    return world


def test_they_are_gone_while_rows_come_in_and_then_the_same_again(filled):
    before = filled.query(INDEXES)
    comment = "SELECT obj_description('public.plain'::regclass)"
    assert len(before) == 6
    filled.run(TABLE)
    assert filled.query("SELECT indexes FROM public.seen") == [
        (["expression", "guards", "partial", "t_pkey"],)
    ]
    assert filled.query(INDEXES) == before
    assert filled.query(comment) == [("what it's for",)]
    statistics = "SELECT attstattarget FROM pg_attribute WHERE attrelid = 'public.expression'::regclass"
    assert filled.query(statistics) == [(500,)]
    assert filled.query("SELECT count(*) FROM public.t") == [(51,)]
    assert filled.query("SELECT * FROM snowmelt.deferred_index") == []


@pytest.mark.parametrize("when", ["before the rows", "after the rows"])
def test_a_death_in_between_leaves_a_record_and_the_next_try_builds_them(filled, monkeypatch, when):
    before = filled.query(INDEXES)
    plan = filled.plan(TABLE)
    chunks = filled.unload(plan)
    name = "publish" if when == "before the rows" else "restore_indexes"
    original = getattr(publishing, name)
    calls = []

    def die(*args, **kwargs):
        calls.append(1)
        if name == "publish" or len(calls) > 1:
            raise KeyboardInterrupt
        return original(*args, **kwargs)

    monkeypatch.setattr(publishing, name, die)
    with pytest.raises(KeyboardInterrupt):
        filled.finish(plan, chunks)
    monkeypatch.undo()
    with filled.target() as connection:
        assert [dropped[:4] for dropped in list_deferred(connection)] == [
            ("public", "t", index, plan.run_id) for index in ("brin", "plain")
        ]
        said = {finding.subject: finding for finding in check_postgres(connection, "pg", 0, remove=False)}
        assert said['"public"."plain"'].status is Status.WRONG
        assert "CREATE INDEX" in " ".join(said['"public"."plain"'].remedy.steps)
        publishing.publish_run(connection, plan)
    assert filled.query(INDEXES) == before
    assert filled.query("SELECT count(*) FROM public.t") == [(51,)]
    assert filled.query("SELECT * FROM snowmelt.deferred_index") == []


def test_the_doctor_builds_them(filled, monkeypatch):
    before = filled.query(INDEXES)
    plan = filled.plan(TABLE)
    chunks = filled.unload(plan)
    monkeypatch.setattr(publishing, "publish", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        filled.finish(plan, chunks)
    with filled.target() as connection:
        findings = check_postgres(connection, "pg", 0, remove=True)
        assert [f.status for f in findings if f.check == "Indexes"] == [Status.OK, Status.OK]
    assert filled.query(INDEXES) == before


def test_a_refused_publish_builds_them_again_at_once(filled):
    before = filled.query(INDEXES)
    filled.sql("DELETE FROM T WHERE ID < 40")
    with pytest.raises(VerificationError, match="no longer has 40 of"):
        filled.run(TABLE, deletes="hard")
    assert filled.query(INDEXES) == before


def test_what_somebody_built_or_dropped_meanwhile_is_left_alone(filled):
    plan = filled.plan(TABLE)
    filled.finish(plan, filled.unload(plan))
    record = (
        "INSERT INTO snowmelt.deferred_index (schema_name, table_name, index_name, run_id, facts) VALUES ('public', '{}', '{}', 'r', "
        """'{{"name": "i", "method": "btree", "keys": [], "included": null, "options": null, "tablespace": null, "clustered": false, "comment": null}}')"""
    )
    filled.execute(record.format("t", "plain"), record.format("gone", "i"))
    with filled.target() as connection:
        assert restore_indexes(connection, "public", "t") == []
        assert restore_indexes(connection, "public", "gone") == []
        assert list_deferred(connection) == []


def test_what_stands_in_the_ledger_is_never_executed(filled):
    """A row that somebody wrote there: statements of an earlier version's form, and facts with SQL in each of their texts."""
    hostile = 'x"); DROP TABLE public.t; --'
    facts = {
        "name": hostile, "method": "btree", "keys": [{"column": "v", "collation": None, "opclass": None, "descending": False,
        "nulls_first": False}], "included": [], "options": [], "tablespace": None, "clustered": False, "comment": "'; DROP TABLE public.t; --",
    }  # fmt: skip
    with filled.target() as connection:
        connection.execute(
            "INSERT INTO snowmelt.deferred_index (schema_name, table_name, index_name, run_id, statements) "
            "VALUES ('public', 't', 'a', 'r', ARRAY['DROP TABLE public.t'])"
        )
        insert = "INSERT INTO snowmelt.deferred_index (schema_name, table_name, index_name, run_id, facts) VALUES ('public', 't', %s, 'r', %s)"
        connection.execute(insert, (hostile, Jsonb(facts)))
        assert restore_indexes(connection, "public", "t") == [hostile]
        assert connection.execute("SELECT count(*) FROM public.t").fetchone() == (50,)
        for change in (
            {"method": hostile},
            {"options": [f"{hostile}=1"]},
            {"keys": [facts["keys"][0] | {"opclass": ["public", hostile]}]},
        ):
            connection.execute(insert, ("b", Jsonb(facts | {"name": "b"} | change)))
            with pytest.raises(
                psycopg.errors.UndefinedObject
                if "options" not in change
                else psycopg.errors.InvalidParameterValue
            ):
                restore_indexes(connection, "public", "t")
            connection.execute("DELETE FROM snowmelt.deferred_index WHERE index_name = 'b'")
        assert connection.execute("SELECT count(*) FROM public.t").fetchone() == (50,)
