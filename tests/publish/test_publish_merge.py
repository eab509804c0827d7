"""Merge: rows that are new, that differ, that have the same key or none."""

from __future__ import annotations

import psycopg
import pytest

from snowmelt.errors import ValueRefused
from snowmelt.vocabulary import Duplicates
from tests.publish.publish_rows import MERGE, TABLE, content, make, merge
from tests.publish.target_world import ID_NAME, column


@pytest.mark.parametrize("key", ["PRIMARY KEY", ""], ids=["unique index", "no index"])
def test_merge_updates_what_differs_and_inserts_what_is_new(world, key):
    connection = world.connect()
    make(world, connection, f"id integer {key}, name text, own text DEFAULT 'kept'")
    before = world.rows(f"SELECT xmin FROM {world.name(TABLE)} WHERE id = 1")
    result = merge(world, connection, "VALUES (1, 'old1'), (2, 'new2'), (3, NULL), (4, 'new4')")
    assert (result.inserted, result.updated, result.unchanged) == (1, 2, 1)
    assert (result.rows_before, result.rows_after) == (3, 4)
    assert content(world) == [
        (1, "old1", "kept"),
        (2, "new2", "kept"),
        (3, None, "kept"),
        (4, "new4", "kept"),
    ]
    assert world.rows(f"SELECT xmin FROM {world.name(TABLE)} WHERE id = 1") == before  # not written again


def test_merge_of_inserts_only_leaves_existing_rows_alone(world):
    connection = world.connect()
    make(world, connection)
    result = merge(world, connection, "VALUES (1, 'changed'), (4, 'new4')", inserts_only=True)
    assert (result.inserted, result.updated, result.unchanged) == (1, 0, 1)
    assert content(world) == [(1, "old1"), (2, "old2"), (3, "old3"), (4, "new4")]


def test_merge_tells_values_apart_to_the_byte_and_types_without_equality(world):
    connection = world.connect()
    connection.execute(
        f"CREATE TABLE {world.name(TABLE)} (id integer PRIMARY KEY, n numeric, f double precision, j json, x jsonb)"
    )
    connection.execute(
        f"INSERT INTO {world.name(TABLE)} VALUES (1, 1.0, 0, '{{}}', '1.0'), (2, 2, 2, '[1]', '2')"
    )
    columns = (
        column("id"),
        column("n", "numeric"),
        column("f", "double precision"),
        column("j", "json"),
        column("x", "jsonb"),
    )
    result = merge(
        world,
        connection,
        "VALUES (1, 1.00, '-0', '{ }', '1.00'), (2, 2, 2, '[1]', '2')",
        columns=columns,
    )
    assert (result.updated, result.unchanged) == (1, 1)
    assert world.rows(f"SELECT n::text, f::text, j::text, x::text FROM {world.name(TABLE)} WHERE id = 1") == [
        ("1.00", "-0", "{ }", "1.00")
    ]


def test_merge_by_a_key_of_several_columns(world):
    connection = world.connect()
    connection.execute(
        f'CREATE TABLE {world.name(TABLE)} ("Visit Id" integer, "sel""ect" text, value integer)'
    )
    connection.execute(f"INSERT INTO {world.name(TABLE)} VALUES (1, 'a', 1), (1, 'b', 1)")
    columns = (column("Visit Id"), column('sel"ect', "text"), column("value"))
    result = merge(
        world,
        connection,
        "VALUES (1, 'b', 2), (2, 'a', 3)",
        columns=columns,
        uniqueness_columns=("Visit Id", 'sel"ect'),
    )
    assert (result.inserted, result.updated) == (1, 1)
    assert content(world, order="1, 2") == [(1, "a", 1), (1, "b", 2), (2, "a", 3)]


def test_null_keys_are_refused_by_name(world):
    connection = world.connect()
    make(world, connection, "id integer, name text")
    with pytest.raises(ValueRefused, match="NULL stands in id in 2 rows, name in 1 rows"):
        merge(
            world, connection, "VALUES (NULL, 'a'), (NULL, NULL), (1, 'x')", uniqueness_columns=("id", "name")
        )
    assert content(world) == [(1, "old1"), (2, "old2"), (3, "old3")]


MARKED = (*ID_NAME, column("at"))


def test_of_duplicate_keys_the_last_by_watermark_wins_when_told_so(world):
    connection = world.connect()
    make(world, connection, "id integer PRIMARY KEY, name text, at integer")
    rows = "VALUES (1, 'late', 9), (1, 'early', 3), (1, 'never', NULL), (5, 'only', NULL)"
    with pytest.raises(
        ValueRefused, match=r"(?s)keys stand in several rows\..*\n  - id = 1 stands in 3 rows"
    ):
        merge(world, connection, rows, columns=MARKED)
    request = world.request(
        TABLE,
        "run1",
        MERGE,
        columns=("id", "name", "at"),
        uniqueness_columns=("id",),
        duplicates=Duplicates.LAST,
        watermark_column="at",
    )
    result = world.publish(connection, request)
    assert (result.inserted, result.updated) == (1, 1)
    assert content(world) == [(1, "late", 9), (2, "old2", None), (3, "old3", None), (5, "only", None)]


def test_two_last_rows_of_one_key_are_refused(world):
    connection = world.connect()
    make(world, connection, "id integer PRIMARY KEY, name text, at integer")
    with pytest.raises(ValueRefused, match="with the same at") as caught:
        merge(
            world,
            connection,
            "SELECT g % 7, 'n' || g, 1 FROM generate_series(1, 14) g",
            columns=MARKED,
            duplicates=Duplicates.LAST,
            watermark_column="at",
        )
    assert str(caught.value).count("stands in 2 rows") == 5
    assert content(world)[0] == (1, "old1", None)


def test_writers_wait_for_a_merge(world):
    connection = world.connect()
    make(world, connection)
    writer = world.connect()
    writer.execute("SET lock_timeout = 50")

    def write(cursor, result):
        with pytest.raises(psycopg.errors.LockNotAvailable):
            writer.execute(f"INSERT INTO {world.name(TABLE)} VALUES (99, 'theirs')")

    request = world.request(TABLE, method=MERGE, uniqueness_columns=("id",))
    world.stage(connection, request, "VALUES (4, 'ours')")
    world.publish(connection, request, write)
