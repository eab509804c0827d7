"""Staging tables: made once, whoever asks; found and dropped; indexed after the load, in as many tries as it takes."""

from __future__ import annotations

import threading

import psycopg
import pytest

from snowmelt.errors import PlanChanged, TargetError, TargetUnavailable, ValueRefused
from snowmelt.publish.index_build import build_indexes
from snowmelt.publish.staging import create_staging, drop_staging, list_leftovers
from snowmelt.publish.staging_table import parse_mark, staging_name, temporary_name
from snowmelt.publish.target import read_details, read_target
from snowmelt.vocabulary import PublishMethod
from tests.publish.target_world import ID_NAME, QUICK, column, quote

TABLE = "select"
SWAP, APPEND = PublishMethod.SWAP, PublishMethod.APPEND


def create(world, connection, method=SWAP, run_id="run1", table=TABLE, columns=ID_NAME, **rest):
    staging = staging_name(table, run_id)
    made = create_staging(
        connection,
        schema=world.schema,
        table=table,
        staging=staging,
        run_id=run_id,
        method=method,
        columns=columns,
        **rest,
    )
    return staging, made


def build(world, connection, staging, run_id="run1", table=TABLE, **rest):
    return build_indexes(
        connection, schema=world.schema, table=table, staging=staging, run_id=run_id, patience=QUICK, **rest
    )


def at_once(number, work):
    results, gate = [], threading.Barrier(number)

    def each(index):
        gate.wait()
        try:
            results.append(work(index))
        except Exception as error:
            results.append(error)

    threads = [threading.Thread(target=each, args=(index,)) for index in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


@pytest.mark.parametrize("method", [SWAP, APPEND])
@pytest.mark.parametrize("exists", [True, False], ids=["target", "no target"])
def test_of_many_workers_at_once_one_makes_the_table(world, method, exists):
    connection = world.connect()
    if exists:
        connection.execute(f"CREATE TABLE {world.name(TABLE)} (id integer, name text)")
    connections = [world.connect() for _ in range(6)]
    results = at_once(6, lambda index: create(world, connections[index], method)[1])
    assert sorted(results) == [False] * 5 + [True]


def test_the_staging_table_tells_whose_it_is_and_can_be_found_and_dropped(world):
    connection = world.connect()
    connection.execute(f"CREATE TABLE {world.name(TABLE)} (id integer, name text)")
    staging, _ = create(world, connection)
    other, _ = create(world, connection, APPEND, "run2")
    assert staging != other
    found = list_leftovers(connection, world.schema)
    assert {(item.name, item.mark.run_id, item.mark.table, item.mark.kind) for item in found} == {
        (staging, "run1", TABLE, "copy"),
        (other, "run2", TABLE, "rows"),
    }
    assert list_leftovers(connection, "elsewhere") == []
    assert drop_staging(connection, world.schema, staging) is True
    assert drop_staging(connection, world.schema, staging) is False
    assert [item.name for item in list_leftovers(connection)] == [other]
    with pytest.raises(TargetError, match="not dropped"):
        drop_staging(connection, world.schema, TABLE)
    assert read_target(connection, world.schema, TABLE) is not None


def test_a_foreign_table_of_the_same_name_is_not_used(world):
    connection = world.connect()
    staging = staging_name(TABLE, "run1")
    connection.execute(
        f"CREATE TABLE {world.name(TABLE)} (id integer); CREATE TABLE {world.name(staging)} (id integer)"
    )
    with pytest.raises(TargetError, match="has no mark"):
        create(world, connection)


def test_nobody_else_reads_the_staging_table_before_it_is_published(world):
    connection, s = world.connect(), quote(world.schema)
    connection.execute(
        f"CREATE TABLE {world.name(TABLE)} (id integer GENERATED ALWAYS AS IDENTITY, name text)"
    )
    connection.execute(f"ALTER DEFAULT PRIVILEGES IN SCHEMA {s} GRANT SELECT ON TABLES TO PUBLIC")
    connection.execute(f"ALTER DEFAULT PRIVILEGES IN SCHEMA {s} GRANT ALL ON SEQUENCES TO snowmelt_reader")
    for method, run_id in ((SWAP, "run1"), (APPEND, "run2")):
        staging, _ = create(world, connection, method, run_id)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            world.connect("reader").execute(f"SELECT * FROM {world.name(staging)}")
        details = read_details(connection.cursor(), world.schema, staging)
        assert {role for sequence in details.sequences for role, _, _ in sequence.grants} <= {"snowmelt_app"}


def test_rows_are_staged_in_the_targets_types_and_as_strictly(world):
    connection = world.connect()
    connection.execute(
        f"CREATE TABLE {world.name(TABLE)} (n serial, id numeric(9,2) NOT NULL, name varchar(7), big text NOT NULL DEFAULT '')"
    )
    staging, _ = create(world, connection, APPEND, unlogged=True)
    table = read_details(connection.cursor(), world.schema, staging)
    assert [(item.name, item.type, item.not_null) for item in table.columns] == [
        ("id", "numeric(9,2)", True),
        ("name", "character varying(7)", False),
    ]
    assert table.persistence == "u"


def test_an_unlogged_target_gets_an_unlogged_copy(world):
    connection = world.connect()
    connection.execute(f"CREATE UNLOGGED TABLE {world.name(TABLE)} (id integer, name text)")
    staging, _ = create(world, connection)
    assert read_details(connection.cursor(), world.schema, staging).persistence == "u"


def test_the_build_goes_on_where_it_was_broken_off(world):
    connection = world.connect()
    t = world.name(TABLE)
    connection.execute(f"""
        CREATE TABLE {t} (id integer PRIMARY KEY, name text UNIQUE, up integer REFERENCES {t});
        CREATE INDEX " USING x" ON {t} (lower(name)) WHERE id > 0""")
    staging, _ = create(world, connection)
    first = [
        'primary key "select_pkey"',
        'unique constraint "select_name_key"',
        'index " USING x"',
        'foreign key "select_up_fkey"',
    ]
    assert build(world, connection, staging, maintenance_work_mem_mb=64, parallel_workers=0) == first
    assert build(world, connection, staging) == []
    connection.execute(f"DROP INDEX {world.name(temporary_name(staging, 'i', ' USING x'))}")
    connection.execute(f'ALTER TABLE {world.name(staging)} DROP CONSTRAINT "select_up_fkey"')
    assert build(world, connection, staging) == first[2:]
    # a try that died after the first half of a foreign key, and an index of another definition under the name
    connection.execute(f'ALTER TABLE {world.name(staging)} DROP CONSTRAINT "select_up_fkey"')
    connection.execute(
        f'ALTER TABLE {world.name(staging)} ADD CONSTRAINT "select_up_fkey" FOREIGN KEY (up) REFERENCES {world.name(staging)} NOT VALID'
    )
    connection.execute(f"DROP INDEX {world.name(temporary_name(staging, 'i', ' USING x'))}")
    connection.execute(
        f"CREATE INDEX {quote(temporary_name(staging, 'i', ' USING x'))} ON {world.name(staging)} (id)"
    )
    assert build(world, connection, staging) == first[2:]
    assert build(world, connection, staging) == []


def test_two_builds_at_once_share_the_work(world):
    connection = world.connect()
    connection.execute(f"CREATE TABLE {world.name(TABLE)} (id integer PRIMARY KEY, name text UNIQUE)")
    connection.execute(
        f"CREATE INDEX ON {world.name(TABLE)} (id, name); CREATE INDEX ON {world.name(TABLE)} (name, id)"
    )
    staging, _ = create(world, connection)
    connection.execute(f"INSERT INTO {world.name(staging)} SELECT g, g FROM generate_series(1, 20000) g")
    connections = [world.connect() for _ in range(3)]
    results = at_once(3, lambda index: build(world, connections[index], staging))
    assert sorted(len(result) for result in results) == sorted(len(set(result)) for result in results)
    assert sum(len(result) for result in results) == 4


def test_a_build_waits_for_a_referenced_table_without_holding_up_its_readers(world):
    connection = world.connect()
    connection.execute(f"CREATE TABLE {world.name('dim')} (id integer PRIMARY KEY)")
    connection.execute(
        f"CREATE TABLE {world.name(TABLE)} (id integer REFERENCES {world.name('dim')}, name text)"
    )
    staging, _ = create(world, connection)
    writer = world.connect(autocommit=False)
    writer.execute(f"INSERT INTO {world.name('dim')} VALUES (1)")
    with pytest.raises(TargetUnavailable, match="stayed locked"):
        build_indexes(
            connection,
            schema=world.schema,
            table=TABLE,
            staging=staging,
            run_id="run1",
            patience=type(QUICK)(lock_timeout=0.05, give_up_after=0.2, first_pause=0.05),
        )
    writer.commit()
    assert build(world, connection, staging) == ['foreign key "select_id_fkey"']


@pytest.mark.parametrize(
    ("constraint", "rows", "said"),
    [
        (
            "UNIQUE (name)",
            "SELECT g, 'n' || g % 3 FROM generate_series(1, 5) g",
            "name = n1 stands in 2 rows\n  - name = n2 stands in 2 rows",
        ),
        (
            "EXCLUDE (name WITH =)",
            "VALUES (1, 'a'), (2, 'a')",
            "PostgreSQL answered 23P01: ",
        ),
        ("FOREIGN KEY (id) REFERENCES {dim}", "VALUES (77, 'a')", "PostgreSQL answered 23503: "),
    ],
)
def test_rows_that_break_a_constraint_are_named(world, constraint, rows, said):
    connection = world.connect()
    connection.execute(f"CREATE TABLE {world.name('dim')} (id integer PRIMARY KEY)")
    connection.execute(
        f'CREATE TABLE {world.name(TABLE)} (id integer, name text, CONSTRAINT "the one" {constraint.format(dim=world.name("dim"))})'
    )
    staging, _ = create(world, connection)
    connection.execute(f"INSERT INTO {world.name(staging)} {rows}")
    with pytest.raises(ValueRefused) as caught:
        build(world, connection, staging)
    assert '"the one"' in str(caught.value)
    assert said in str(caught.value)


def test_a_dropped_staging_table_cannot_be_built(world):
    connection = world.connect()
    connection.execute(f"CREATE TABLE {world.name(TABLE)} (id integer, name text)")
    staging, _ = create(world, connection)
    drop_staging(connection, world.schema, staging)
    with pytest.raises(TargetError, match="is not there"):
        build(world, connection, staging)


def test_a_target_dropped_in_between_is_noticed_by_the_build(world):
    connection = world.connect()
    connection.execute(f"CREATE TABLE {world.name(TABLE)} (id integer, name text)")
    staging, _ = create(world, connection)
    connection.execute(f"DROP TABLE {world.name(TABLE)}")
    with pytest.raises(PlanChanged, match="was dropped"):
        build(world, connection, staging)


def test_longest_names_work(world):
    connection = world.connect()
    table = "é" * 31 + "x"
    connection.execute(
        f"CREATE TABLE {world.name(table)} (id integer CONSTRAINT {quote('ü' * 31)} PRIMARY KEY, name text)"
    )
    result = world.run(connection, table, "VALUES (1, 'a')")
    assert result.rows_after == 1
    details = read_details(connection.cursor(), world.schema, table)
    assert [index.name for index in details.indexes] == ["ü" * 31]
    columns = (column("id", nullable=False, primary_key=1), column("y" * 63, "text", nullable=False))
    world.run(connection, "n" * 63, "VALUES (1, 'a')", columns=columns)
    assert read_target(connection, world.schema, "n" * 63).primary_key == ("id",)


def test_a_comment_that_is_not_a_mark_is_none():
    for text in (None, "", "a table", "{}", "[1]", '"x"', '{"snowmelt_staging": 2}'):
        assert parse_mark(text) is None
