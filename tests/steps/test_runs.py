"""Runs end to end without Airflow: columns that are masked, renamed, retyped or new, names of every kind, incremental runs, resume."""

from __future__ import annotations

import datetime as dt

import pytest

from snowmelt.errors import ConfigurationError, PlanChanged, SchemaError, ValueRefused, VerificationError
from snowmelt.ledger import files as ledger_files

UTC = dt.UTC


def test_columns_are_left_out_masked_renamed_and_retyped(world):
    world.sql(
        "CREATE TABLE P (ID NUMBER(38,0), NAME VARCHAR(20), SECRET VARCHAR, NOISE VARCHAR)",
        "INSERT INTO P VALUES (7, 'ann', 'x', 'y')",
    )
    world.run(
        {
            "source": "P",
            "columns": {
                "exclude": ["NOISE"],
                "rename": {"NAME": "Full Name"},
                "type": {"ID": "bigint"},
                "mask": {"SECRET": {"expression": "SHA2(SECRET)", "type": "VARCHAR(64)"}},
            },
        }
    )
    assert world.query('SELECT id, "Full Name", secret FROM public.p') == [
        (7, "ann", "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881")
    ]
    assert world.query(
        "SELECT data_type FROM information_schema.columns WHERE table_name = 'p' AND column_name = 'id'"
    ) == [("bigint",)]


def test_a_value_beyond_the_target_is_refused_with_its_place_or_set_aside(world):
    world.sql(
        "CREATE TABLE W (ID NUMBER(38,0), N NUMBER(38,0))",
        "INSERT INTO W VALUES (1, 5), (2, 99999999999), (3, 6)",
    )
    world.execute("CREATE TABLE public.w (id numeric(38,0), n integer)")
    with pytest.raises(ValueRefused, match=r"(?s)data_.*row 2, column N: out of range for integer"):
        world.run({"source": "W"})
    assert world.query("SELECT count(*) FROM public.w") == [(0,)]
    world.run({"source": "W", "bad_rows": "quarantine"})
    assert world.query("SELECT id, n FROM public.w ORDER BY id") == [(1, 5), (3, 6)]
    assert world.query("SELECT row_number, column_name, row->>'N' FROM snowmelt.rejected_row") == [
        (2, "N", "99999999999")
    ]


def test_a_changed_schema_fails_or_adds_columns(world):
    world.sql("CREATE TABLE D (ID NUMBER(38,0))", "INSERT INTO D VALUES (1)")
    world.run({"source": "D"})
    world.sql("ALTER TABLE D ADD COLUMN EXTRA VARCHAR(5)", "UPDATE D SET EXTRA = 'new'")
    with pytest.raises(SchemaError, match="EXTRA"):
        world.run({"source": "D"})
    world.run({"source": "D", "schema_drift": "add_columns"})
    assert world.query("SELECT id, extra FROM public.d") == [(1, "new")]


@pytest.mark.parametrize("name", ['we"ird', "with space", "do.t", "ünï🎈", "select", "semi;colon --"])
def test_tables_and_columns_of_any_name(world, name):
    quoted = '"' + name.replace('"', '""') + '"'
    world.sql(
        f"CREATE TABLE {quoted} ({quoted} NUMBER(5,0) NOT NULL, CONSTRAINT PK PRIMARY KEY ({quoted}))",
        f"INSERT INTO {quoted} VALUES (5)",
    )
    world.run({"source": quoted, "target": quoted})
    assert world.query(f"SELECT {quoted} FROM public.{quoted}") == [(5,)]


def test_catch_up_takes_what_changed_with_ties_and_without_a_watermark(world):
    table = {"source": "C", "mode": "catch_up", "uniqueness_columns": ["ID"], "watermark_column": "AT"}
    world.sql(
        "CREATE TABLE C (ID NUMBER(9,0) NOT NULL PRIMARY KEY, AT TIMESTAMP_TZ(6), V VARCHAR)",
        "INSERT INTO C VALUES (1, '2026-01-01 10:00 +02:00', 'a'), (2, '2026-01-01 09:00 +00:00', 'b'), (3, NULL, 'c')",
    )
    world.run(table)
    assert world.query("SELECT id, v FROM public.c ORDER BY id") == [(1, "a"), (2, "b"), (3, "c")]
    world.sql(
        "INSERT INTO C VALUES (4, '2026-01-01 09:00 +00:00', 'tie'), (5, '2026-01-02 00:00 +00:00', 'later')",
        "UPDATE C SET V = 'changed', AT = '2026-01-02 00:00 +00:00' WHERE ID = 1",
        "UPDATE C SET V = 'null changed' WHERE ID = 3",
    )
    plan = world.plan(table)
    assert (plan.watermark_before, plan.watermark) == (
        "2026-01-01 09:00:00.000000000",
        "2026-01-02 00:00:00.000000000",
    )
    assert (plan.source_rows, plan.scope_rows) == (5, 5)
    result = world.finish(plan, world.unload(plan))
    assert (result["inserted"], result["updated"]) == (2, 2)
    assert world.query("SELECT id, v FROM public.c ORDER BY id") == [
        (1, "changed"), (2, "b"), (3, "null changed"), (4, "tie"), (5, "later"),
    ]  # fmt: skip
    world.sql("INSERT INTO C VALUES (6, '2020-01-01 00:00 +00:00', 'too late')")
    with pytest.raises(VerificationError, match=r"the source has 6 rows .* the target would have 5"):
        world.run(table)


def test_a_target_that_a_full_copy_filled_is_continued_at_its_own_maximum(world):
    world.sql(
        "CREATE TABLE M (ID NUMBER(9,0) PRIMARY KEY, AT TIMESTAMP_NTZ(6))",
        "INSERT INTO M VALUES (1, '2026-01-01'), (2, '2026-01-02'), (3, '2026-01-03')",
    )
    world.run({"source": "M", "mode": "full"})
    world.sql("INSERT INTO M VALUES (4, '2026-01-04')")
    plan = world.plan(
        {"source": "M", "mode": "catch_up", "uniqueness_columns": ["ID"], "watermark_column": "AT"}
    )
    assert plan.source_rows == 2
    world.finish(plan, world.unload(plan))
    assert world.query("SELECT array_agg(id ORDER BY id) FROM public.m") == [([1, 2, 3, 4],)]


def test_changes_between_two_chunks_do_not_show(world):
    world.sql(
        "CREATE TABLE SNAP (ID NUMBER(9,0))",
        "INSERT INTO SNAP SELECT SEQ4() FROM TABLE(GENERATOR(ROWCOUNT => 100))",
    )
    plan = world.plan({"source": "SNAP", "chunking_column": "ID", "chunk_rows": 25})
    assert len(plan.chunks) == 4
    world.sql("DELETE FROM SNAP WHERE ID >= 50", "INSERT INTO SNAP VALUES (1000)")
    world.finish(plan, world.unload(plan))
    assert world.query("SELECT count(*), max(id) FROM public.snap") == [(100, 99)]


def test_a_run_goes_on_under_its_own_plan_only(world):
    world.sql("CREATE TABLE K (ID NUMBER(9,0))", "INSERT INTO K VALUES (1)")
    first = world.plan({"source": "K"}, run="r")
    assert world.plan({"source": "K"}, run="r") == first
    with pytest.raises(PlanChanged, match=r'source_filter: null → "ID > 0"'):
        world.plan({"source": "K", "source_filter": "ID > 0"}, run="r")


def test_a_lost_row_stops_the_run_before_the_publish(world):
    world.sql("CREATE TABLE L (ID NUMBER(9,0))", "INSERT INTO L VALUES (1), (2)")
    plan = world.plan({"source": "L"})
    chunks = world.unload(plan)
    with world.target() as connection:
        from snowmelt.steps import load as loading
        from snowmelt.steps import publish as publishing
        from snowmelt.steps import register as registering
        from snowmelt.steps import verify as verification

        gathered = registering.register_files(
            connection, plan, chunks, s3=lambda: world.s3, snowflake=world.session
        )
        loading.load_files(
            connection,
            world.s3,
            ledger_files.read_batch(connection, plan.run_id, gathered.batches[0].index),
            loading.build_load_job(plan, ""),
        )
        connection.execute(f'DELETE FROM public."{plan.staging_table}" WHERE id = 1')
        with pytest.raises(VerificationError, match=r"2 rows by the ledger, 1 in public\.snowmelt_"):
            verification.verify_run(connection, plan, snowflake=world.session)
        with pytest.raises(VerificationError, match="the run is not verified"):
            publishing.publish_run(connection, plan)
        assert connection.execute("SELECT to_regclass('public.l')").fetchone() == (None,)


def test_what_stands_in_the_way_of_a_swap_is_told_before_anything_is_unloaded(world):
    world.sql("CREATE TABLE VV (ID NUMBER(9,0))")
    world.execute(
        "CREATE TABLE public.vv (id integer)", "CREATE VIEW public.over_vv AS SELECT id FROM public.vv"
    )
    with pytest.raises(
        ConfigurationError,
        match=r"(?s)public\.vv cannot be published to by swap. Nothing was unloaded.*over_vv",
    ):
        world.plan({"source": "VV"})


def test_a_filter_may_ask_another_table_where_the_configuration_allows_it(world):
    world.sql(
        "CREATE TABLE VISIT (ID NUMBER(9,0) NOT NULL PRIMARY KEY, CLINIC NUMBER(9,0))",
        "INSERT INTO VISIT SELECT SEQ4(), MOD(SEQ4(), 3) FROM TABLE(GENERATOR(ROWCOUNT => 30))",
        "CREATE TABLE CLINIC (ID NUMBER(9,0), OPEN BOOLEAN)",
        "INSERT INTO CLINIC VALUES (0, TRUE), (1, FALSE), (2, TRUE)",
    )
    open_ones = f"CLINIC IN (SELECT ID FROM TESTS.{world.schema}.CLINIC WHERE OPEN)"
    table = {"source": "VISIT", "source_filter": open_ones, "chunking_column": "ID", "chunk_rows": 7}
    with pytest.raises(AssertionError, match='A subquery needs "filter_subqueries": true'):
        world.run(table)
    with pytest.raises(ConfigurationError, match="source_filter"):  # what the form says does not allow it
        world.run({"source": "VISIT"}, source_filter=open_ones)
    world.run({**table, "filter_subqueries": True})
    assert world.query("SELECT clinic, count(*) FROM public.visit GROUP BY 1 ORDER BY 1") == [
        (0, 10),
        (2, 10),
    ]
