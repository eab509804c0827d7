"""A target that is locked, or is another than the load began with, when it is to be swapped."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from snowmelt.errors import PlanChanged, TargetError, TargetUnavailable
from snowmelt.publish.staging import create_staging
from snowmelt.vocabulary import PublishMethod
from tests.publish.target_world import ID_NAME, QUICK, plain_table


def test_a_table_that_stays_locked_is_given_up_naming_who_holds_it(world):
    connection = world.connect()
    plain_table(world, connection)
    request = world.request("fact", patience=replace(QUICK, lock_timeout=0.1, give_up_after=0.4))
    world.stage(connection, request, "VALUES (1, 'new')")
    holder = world.person(autocommit=False, application_name="report")
    holder.execute(f"SELECT count(*) FROM {world.name('fact')}")
    with pytest.raises(
        TargetUnavailable,
        match=f"pid {holder.info.backend_pid}, role snowmelt_reader, report, AccessShareLock",
    ):
        world.publish(connection, request)
    holder.rollback()
    world.publish(connection, request)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            "ALTER TABLE {t} ADD COLUMN more text",
            "its columns: 'id, name, more' in the target, 'id, name' in the staging table",
        ),
        (
            "ALTER TABLE {t} ALTER COLUMN id TYPE bigint",
            "column 'id', type: 'bigint' in the target, 'integer' in the staging table",
        ),
        ("ALTER TABLE {t} ALTER COLUMN name SET DEFAULT 'x'", "column 'name', default"),
        ("ALTER TABLE {t} ADD CHECK (id > 0)", "constraint 'fact_id_check' is missing in the staging table"),
        ("ALTER TABLE {t} RENAME TO elsewhere", "was dropped or renamed"),
    ],
)
def test_a_target_changed_since_the_load_began_is_refused(world, change, said):
    connection = world.connect()
    plain_table(world, connection)
    request = world.request("fact")
    world.stage(connection, request, "VALUES (1, 'new')")
    connection.execute(change.format(t=world.name("fact")))
    with pytest.raises(PlanChanged, match="fact") as caught:
        world.publish(connection, request)
    assert said in str(caught.value)
    with pytest.raises(PlanChanged):  # a late load task is told, too
        create_staging(
            connection,
            schema=world.schema,
            table="fact",
            staging=request.staging,
            run_id="run1",
            method=request.method,
            columns=ID_NAME,
        )


@pytest.mark.parametrize(
    ("change", "fault", "said"),
    [
        (
            "ALTER TABLE {t} ADD COLUMN late text",
            TargetUnavailable,
            "was changed at the moment of its publish",
        ),
        (
            "CREATE VIEW {v} AS SELECT id FROM {t}",
            TargetError,
            "reads it: drop it before and create it again after each publish; or set publish to replace",
        ),
    ],
)
def test_a_change_while_the_publish_waits_for_the_lock_is_noticed(world, change, fault, said):
    connection = world.connect()
    plain_table(world, connection)
    request = world.request("fact", snapshot_wait=None)
    world.stage(connection, request, "VALUES (1, 'new')")
    holder = world.connect(autocommit=False)
    holder.execute(f"SELECT count(*) FROM {world.name('fact')}")
    faults = []

    def attempt():
        try:
            world.publish(connection, request)
        except Exception as error:
            faults.append(error)

    publisher = threading.Thread(target=attempt)
    publisher.start()
    world.wait_for_a_lock_wait("fact")
    holder.execute(change.format(t=world.name("fact"), v=world.name("v")))
    holder.commit()
    publisher.join(10)
    assert [type(error) for error in faults] == [fault]
    assert said in str(faults[0])
    assert world.rows(f"SELECT count(*) FROM {world.name('fact')}") == [(1000,)]


def test_an_index_added_meanwhile_is_built_by_the_next_try(world):
    connection = world.connect()
    plain_table(world, connection)
    request = world.request("fact")
    world.stage(connection, request, "VALUES (1, 'new')")
    connection.execute(f"CREATE INDEX by_name ON {world.name('fact')} (name)")
    with pytest.raises(TargetUnavailable, match='index "by_name"'):
        world.publish(connection, request)
    world.stage(connection, request, "VALUES (2, 'new')")
    world.publish(connection, request)
    assert world.rows(
        f"SELECT count(*) FROM pg_indexes WHERE schemaname = '{world.schema}' AND tablename = 'fact'"
    ) == [(2,)]


def test_a_table_that_appeared_meanwhile_is_not_replaced(world):
    connection = world.connect()
    request = world.request("fact")
    world.stage(connection, request, "VALUES (1, 'new')")
    connection.execute(f"CREATE TABLE {world.name('fact')} (id integer, name text)")
    with pytest.raises(PlanChanged, match="was created while run run1"):
        world.publish(connection, request)


def test_a_staging_table_made_for_another_method_or_run_is_refused(world):
    connection = world.connect()
    plain_table(world, connection)
    request = world.request("fact")
    world.stage(connection, request, "VALUES (1, 'new')")
    with pytest.raises(TargetError, match="not made for publish = replace"):
        world.publish(connection, replace(request, method=PublishMethod.REPLACE))
    with pytest.raises(TargetError, match="the mark of run run1"):
        world.publish(connection, replace(request, run_id="run2"))
