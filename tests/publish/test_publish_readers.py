"""Readers of a table that is published see the old one or the new one, nothing else, and wait for neither."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import psycopg
import pytest

from snowmelt.errors import TargetUnavailable
from snowmelt.publish.staging_table import LOCK_NAME
from snowmelt.vocabulary import PublishMethod
from tests.publish.target_world import plain_table


class Reader(threading.Thread):
    """Reads whole tables in a loop and notes what it saw. It waits for no lock longer than it says: that is a fault."""

    def __init__(self, connection, sql, longest_wait):
        super().__init__()
        self.connection, self.sql = connection, sql
        self.connection.execute("SELECT set_config('lock_timeout', %s, false)", (longest_wait,))
        self.stop, self.seen, self.faults = threading.Event(), set(), []
        self.reads = 0

    def run(self):
        while not self.stop.is_set():
            try:
                self.seen.update(self.connection.execute(self.sql).fetchall())
            except psycopg.Error as error:
                self.faults.append(error)
            self.reads += 1

    def end(self):
        self.stop.set()
        self.join()


def test_readers_see_one_whole_table_and_wait_no_longer_than_the_lock_timeout(world):
    connection = world.connect()
    plain_table(world, connection, rows=5000)
    sql = f"SELECT count(*), count(DISTINCT name), min(name) FROM {world.name('fact')}"
    readers = [Reader(world.person(prepare_threshold=threshold), sql, "2s") for threshold in (None, 0)]
    for reader in readers:
        reader.start()
    attempts = []
    for turn in range(2):
        slow = world.connect("reader", autocommit=False)
        slow.execute(sql)
        leaving = threading.Timer(4, slow.commit)
        leaving.start()
        result = world.run(
            connection,
            "fact",
            f"SELECT g, 'new{turn}' FROM generate_series(1, {6000 + turn}) g",
            f"run{turn}",
        )
        leaving.join()
        attempts.append(result.attempts)
    for reader in readers:
        reader.end()
    allowed = {(5000, 1, "old"), *((6000 + turn, 1, f"new{turn}") for turn in range(2))}
    for reader in readers:
        assert (
            reader.faults == []
        )  # the publish waited for the slow one without keeping the others in its queue
        assert reader.seen <= allowed
        assert reader.reads > 20
    assert min(attempts) > 1


@pytest.mark.parametrize("method", [PublishMethod.SWAP, PublishMethod.REPLACE])
def test_while_a_million_rows_are_loaded_and_published_readers_see_the_old_table_or_the_new_one(
    world, method
):
    connection = world.connect()
    plain_table(world, connection, rows=1000)
    reader = Reader(
        world.connect("reader"), f"SELECT count(*), min(name), max(name) FROM {world.name('fact')}", "2s"
    )
    reader.start()
    result = world.run(
        connection, "fact", "SELECT g, 'new' FROM generate_series(1, 1000000) g", method=method
    )
    while (1_000_000, "new", "new") not in reader.seen and not reader.faults:
        time.sleep(0.05)
    reader.end()
    assert reader.faults == []
    assert reader.seen == {(1000, "old", "old"), (1_000_000, "new", "new")}
    assert result.locked_seconds < 1  # whatever the size


def test_a_transaction_older_than_the_load_is_waited_for_and_never_sees_half(world):
    connection = world.connect()
    plain_table(world, connection, rows=10)
    request = world.request("fact")
    world.stage(connection, request, "SELECT g, 'new' FROM generate_series(1, 50) g")
    old = world.connect("reader", autocommit=False)
    old.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    old.execute("SELECT 1")
    connection.execute(
        f"INSERT INTO {world.name(request.staging)} SELECT g, 'new' FROM generate_series(51, 100) g"
    )

    with pytest.raises(TargetUnavailable, match=f"pid {old.info.backend_pid}, role snowmelt_reader"):
        world.publish(connection, replace(request, snapshot_wait=0.2))
    results = []
    publisher = threading.Thread(target=lambda: results.append(world.publish(connection, request)))
    publisher.start()
    time.sleep(0.3)
    young = world.connect("reader", autocommit=False)
    young.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    young.execute(
        "SELECT 1"
    )  # begun before the swap, after the load: it is not waited for, and sees all of the new table
    assert results == []
    assert old.execute(f"SELECT count(*) FROM {world.name('fact')}").fetchone() == (10,)
    old.commit()
    publisher.join(10)
    assert results[0].rows_after == 100
    assert young.execute(f"SELECT count(*) FROM {world.name('fact')}").fetchone() == (100,)


def test_the_build_of_another_table_is_not_waited_for(world):
    connection = world.connect()
    plain_table(world, connection, rows=10)
    request = world.request("fact", snapshot_wait=0.5)
    world.stage(connection, request, "VALUES (1, 'new')")
    builder = world.connect(autocommit=False)
    builder.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    builder.execute(LOCK_NAME, ("another table",))
    assert world.publish(connection, request).rows_after == 1
