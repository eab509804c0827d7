"""Truncate and append, and what all ways of publishing into a table refuse."""

from __future__ import annotations

import re
from dataclasses import replace

import psycopg
import pytest

from snowmelt.errors import PlanChanged, TargetError, ValueRefused, VerificationError
from snowmelt.publish.staging import create_staging, list_leftovers
from tests.publish.publish_rows import APPEND, MERGE, REPLACE, TABLE, content, make, merge
from tests.publish.target_world import ID_NAME, QUICK, column


def test_truncate_replaces_the_rows_and_keeps_what_depends_on_the_table(world):
    connection = world.connect()
    make(world, connection, "id integer PRIMARY KEY, name text, loaded timestamptz DEFAULT now(), n serial")
    connection.execute(f"CREATE VIEW {world.name('v')} AS SELECT name FROM {world.name(TABLE)}")
    seen = []
    request = world.request(TABLE, method=REPLACE, expected_rows=2)
    world.stage(connection, request, "VALUES (7, 'new7'), (8, NULL)")
    result = world.publish(connection, request, lambda cursor, result: seen.append(result))
    assert seen == [result]
    assert (result.rows_before, result.rows_after, result.inserted, result.deleted) == (3, 2, 2, 3)
    assert [row[:2] + row[3:] for row in content(world)] == [(7, "new7", 4), (8, None, 5)]
    assert world.rows(f"SELECT * FROM {world.name('v')} ORDER BY 1") == [("new7",), (None,)]
    assert list_leftovers(connection) == []


def test_append_adds_and_reports_both_counts(world):
    connection = world.connect()
    make(world, connection)
    result = world.run(connection, TABLE, "VALUES (4, 'new')", method=APPEND)
    assert (result.rows_before, result.rows_after, result.inserted, result.deleted) == (3, 4, 1, 0)
    uncounted = world.run(connection, TABLE, "VALUES (5, 'new')", "run2", APPEND, count_target=False)
    assert (uncounted.rows_before, uncounted.rows_after, uncounted.inserted) == (None, None, 1)


def test_rows_that_break_a_key_of_the_target_are_named_and_nothing_is_lost(world):
    connection = world.connect()
    make(world, connection)
    request = world.request(TABLE, method=APPEND)
    world.stage(connection, request, "VALUES (3, 'again')")
    with pytest.raises(
        ValueRefused, match=f"PostgreSQL answered 23505: .*; table {re.escape(world.schema)}"
    ) as caught:
        world.publish(connection, request)
    assert "(3)" not in str(caught.value)
    assert len(content(world)) == 3
    assert [leftover.name for leftover in list_leftovers(connection)] == [request.staging]


def test_readers_of_a_merge_and_a_truncate_never_wait(world):
    connection = world.connect()
    make(world, connection, rows=2000)
    reader = world.connect("reader")
    sql = f"SELECT count(*), min(name) LIKE 'new%' AND max(name) LIKE 'new%' FROM {world.name(TABLE)}"

    def look(cursor, result):  # in the middle of the publish, with all rows written and not committed
        assert reader.execute(sql).fetchone() == (2000, False)

    request = world.request(TABLE, method=MERGE, uniqueness_columns=("id",))
    world.stage(connection, request, "SELECT g, 'new' FROM generate_series(1, 2000) g")
    world.publish(connection, request, look)
    assert reader.execute(sql).fetchone() == (2000, True)

    old = world.connect("reader", autocommit=False)
    old.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    assert old.execute(sql).fetchone() == (2000, True)
    request = world.request(TABLE, "run2", REPLACE)
    world.stage(connection, request, "SELECT g, 'later' FROM generate_series(1, 3000) g")

    def look_again(cursor, result):
        assert reader.execute(sql).fetchone() == (2000, True)

    world.publish(connection, request, look_again)
    assert reader.execute(sql).fetchone() == (3000, False)
    assert old.execute(sql).fetchone() == (2000, True)  # its snapshot is the old table, whole


def test_rows_that_a_trigger_keeps_are_noticed(world):
    connection = world.connect()
    make(world, connection)
    connection.execute(f"""
        CREATE FUNCTION {world.name("keep")}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN CASE WHEN false THEN NEW END; END';
        CREATE TRIGGER keep BEFORE DELETE ON {world.name(TABLE)} FOR EACH ROW EXECUTE FUNCTION {world.name("keep")}()""")
    with pytest.raises(TargetError, match=r"3 rows remain after its DELETE.*Its trigger keep fired"):
        world.run(connection, TABLE, "VALUES (9, 'new')", method=REPLACE)
    assert len(content(world)) == 3


def test_a_partitioned_target_takes_rows_by_every_method(world):
    connection = world.connect()
    connection.execute(f"CREATE TABLE {world.name(TABLE)} (id integer, name text) PARTITION BY RANGE (id)")
    connection.execute(
        f"CREATE TABLE {world.name('p1')} PARTITION OF {world.name(TABLE)} FOR VALUES FROM (0) TO (10)"
    )
    connection.execute(f"CREATE TABLE {world.name('p2')} PARTITION OF {world.name(TABLE)} DEFAULT")
    world.run(connection, TABLE, "VALUES (1, 'a'), (11, 'b')", "run1", REPLACE)
    world.run(connection, TABLE, "VALUES (12, 'c')", "run2", APPEND)
    merge(world, connection, "VALUES (1, 'A'), (2, 'd')", "run3")
    assert content(world) == [(1, "A"), (2, "d"), (11, "b"), (12, "c")]
    result = world.run(connection, TABLE, "VALUES (5, 'z')", "run4", REPLACE)
    assert (result.deleted, content(world)) == (4, [(5, "z")])


def test_columns_that_the_target_does_not_have_yet_are_added(world):
    connection = world.connect()
    make(world, connection)
    more = column("more", "text", comment="added")
    columns = (*ID_NAME, more)
    common = {"columns": ("id", "name", "more"), "uniqueness_columns": ("id",), "added_columns": (more,)}
    request = world.request(TABLE, method=MERGE, **common)
    world.stage(connection, request, "VALUES (1, 'new', 'm')", columns)

    def fail(cursor, result):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        world.publish(connection, request, fail)
    assert content(world)[0] == (1, "old1", None)
    world.publish(connection, request)  # the columns are there by now: the repeat does not mind
    assert content(world) == [(1, "new", "m"), (2, "old2", None), (3, "old3", None)]


def test_rows_kept_out_by_a_trigger_are_noticed(world):
    connection = world.connect()
    make(world, connection)
    connection.execute(f"""
        CREATE FUNCTION {world.name("skip")}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN CASE WHEN false THEN NEW END; END';
        CREATE TRIGGER skip BEFORE INSERT ON {world.name(TABLE)} FOR EACH ROW EXECUTE FUNCTION {world.name("skip")}()""")
    for run_id, method in (("run1", REPLACE), ("run2", APPEND)):
        with pytest.raises(TargetError, match=r"Of 1 staged rows 0 arrived.*Its trigger skip fired"):
            world.run(connection, TABLE, "VALUES (9, 'new')", run_id, method)
    assert len(content(world)) == 3


def test_a_truncate_that_a_foreign_key_forbids_is_refused_before(world):
    connection = world.connect()
    make(world, connection)
    connection.execute(
        f"CREATE TABLE {world.name('other')} (id integer CONSTRAINT up REFERENCES {world.name(TABLE)})"
    )
    with pytest.raises(
        TargetError, match=r"the foreign key up of .*other references it: drop that foreign key"
    ):
        world.run(connection, TABLE, "VALUES (9, 'new')", method=REPLACE)
    world.run(connection, TABLE, "VALUES (9, 'new')", "run2", APPEND)


def test_a_role_that_may_only_write_rows_can_publish_them(world):
    connection = world.connect()
    make(world, connection)
    connection.execute(f"GRANT INSERT, UPDATE, DELETE ON {world.name(TABLE)} TO snowmelt_reader")
    connection.execute(
        f'GRANT CREATE ON SCHEMA "{world.schema.replace(chr(34), chr(34) * 2)}" TO snowmelt_reader'
    )
    reader = world.connect("reader")
    world.run(reader, TABLE, "VALUES (8, 'new')", "run1", REPLACE)
    merge(world, reader, "VALUES (8, 'newer'), (9, 'x')", "run2")
    world.run(reader, TABLE, "VALUES (10, 'y')", "run3", APPEND)
    assert content(world) == [(8, "newer"), (9, "x"), (10, "y")]
    connection.execute(f"REVOKE DELETE ON {world.name(TABLE)} FROM snowmelt_reader")
    with pytest.raises(TargetError, match="no right to DELETE"):
        world.run(reader, TABLE, "VALUES (8, 'new')", "run4", REPLACE)


def test_row_security_that_hides_rows_is_refused(world):
    connection = world.connect()
    make(world, connection)
    connection.execute(f"ALTER TABLE {world.name(TABLE)} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    with pytest.raises(TargetError, match="row security is forced on its owner too"):
        merge(world, connection, "VALUES (1, 'new')")


def test_a_column_changed_since_the_load_began_is_refused(world):
    connection = world.connect()
    make(world, connection)
    request = world.request(TABLE, method=APPEND)
    world.stage(connection, request, "VALUES (9, 'new')")
    connection.execute(f"ALTER TABLE {world.name(TABLE)} ALTER COLUMN name TYPE varchar(30)")
    with pytest.raises(
        PlanChanged,
        match="column 'name' is character varying\\(30\\) in the target and text in the staging table",
    ):
        world.publish(connection, request)


def test_rows_lost_from_an_unlogged_staging_table_are_noticed(world):
    connection = world.connect()
    make(world, connection)
    request = world.request(TABLE, method=APPEND, expected_rows=1)
    create_staging(
        connection,
        schema=world.schema,
        table=TABLE,
        staging=request.staging,
        run_id="run1",
        method=APPEND,
        columns=ID_NAME,
        unlogged=True,
    )
    with pytest.raises(VerificationError):
        world.publish(connection, request)


def test_a_new_target_is_made_whatever_the_method(world):
    connection = world.connect()
    columns = (column("id", nullable=False, primary_key=1), column("name", "text"))
    result = merge(world, connection, "VALUES (1, 'a')", columns=columns)
    assert (result.rows_before, result.rows_after, result.inserted) == (0, 1, 1)
    assert merge(world, connection, "VALUES (1, 'b')", "run2", columns).updated == 1


def test_a_commit_is_made_on_a_connection_without_autocommit_too(world):
    connection = world.connect(autocommit=False)
    make(world, connection)
    connection.commit()
    request = world.request(TABLE, method=REPLACE, patience=replace(QUICK, lock_timeout=0.2))
    create_staging(
        connection,
        schema=world.schema,
        table=TABLE,
        staging=request.staging,
        run_id="run1",
        method=REPLACE,
        columns=ID_NAME,
    )
    world.publish(connection, request)
    assert world.rows(f"SELECT count(*) FROM {world.name(TABLE)}", world.connect()) == [(0,)]
