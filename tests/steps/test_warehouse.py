"""A larger warehouse for the unload, and the old size afterwards, also when two runs share it or a run dies."""

from __future__ import annotations

import pytest

from snowmelt.errors import ConfigurationError
from snowmelt.ledger.runs import write_ledger
from snowmelt.steps.source import resize_warehouse, restore_warehouse


@pytest.fixture
def warehouse(world):
    """A warehouse of the session's own; a function that reads its size."""
    world.sql("CREATE OR REPLACE WAREHOUSE BURST WAREHOUSE_SIZE = 'SMALL'", "USE WAREHOUSE BURST")
    with world.target() as connection:
        write_ledger(connection)
        connection.execute("DELETE FROM snowmelt.resized_warehouse")

    def size():
        with world.snowflake.cursor() as cursor:
            cursor.execute("SHOW WAREHOUSES LIKE 'BURST'")
            names = [column.name for column in cursor.description]
            return dict(zip(names, cursor.fetchone(), strict=True))["size"]

    yield size
    world.sql("DROP WAREHOUSE BURST", "USE WAREHOUSE SNOWMELT_WH")


def test_it_is_resized_and_restored_once(world, warehouse):
    with world.target() as connection:
        done = resize_warehouse(connection, world.snowflake, "a", "XXLARGE")
        assert (done, warehouse()) == (
            {"warehouse": "BURST", "original": "SMALL", "size": "XXLARGE"},
            "2X-Large",
        )
        resize_warehouse(
            connection, world.snowflake, "a", "XXLARGE"
        )  # a retry does not take this for the original
        assert (restore_warehouse(connection, world.snowflake, "a"), warehouse()) == ("SMALL", "Small")
        world.sql("ALTER WAREHOUSE BURST SET WAREHOUSE_SIZE = 'MEDIUM'")
        assert (restore_warehouse(connection, world.snowflake, "a"), warehouse()) == (None, "Medium")


def test_the_last_of_two_runs_restores_it(world, warehouse):
    with world.target() as connection:
        resize_warehouse(connection, world.snowflake, "a", "LARGE")
        resize_warehouse(connection, world.snowflake, "b", "XLARGE")
        assert (restore_warehouse(connection, world.snowflake, "a"), warehouse()) == (None, "X-Large")
        assert (restore_warehouse(connection, world.snowflake, "b"), warehouse()) == ("SMALL", "Small")


def test_a_run_that_died_a_day_ago_does_not_keep_it_large(world, warehouse):
    with world.target() as connection:
        resize_warehouse(connection, world.snowflake, "dead", "LARGE")
        connection.execute("UPDATE snowmelt.resized_warehouse SET resized_at = now() - interval '25 hours'")
        world.sql("ALTER WAREHOUSE BURST SET WAREHOUSE_SIZE = 'SMALL'")
        resize_warehouse(connection, world.snowflake, "b", "LARGE")
        assert (restore_warehouse(connection, world.snowflake, "b"), warehouse()) == ("SMALL", "Small")


def test_a_failed_restore_is_tried_again(world, warehouse, monkeypatch):
    from snowmelt.steps import source as module

    with world.target() as connection:
        resize_warehouse(connection, world.snowflake, "a", "LARGE")
        monkeypatch.setattr(
            module, "build_resize", lambda *_: "ALTER WAREHOUSE NO_SUCH SET WAREHOUSE_SIZE = 'SMALL'"
        )
        with pytest.raises(Exception, match="NO_SUCH"):
            restore_warehouse(connection, world.snowflake, "a")
        monkeypatch.undo()
        assert (restore_warehouse(connection, world.snowflake, "a"), warehouse()) == ("SMALL", "Small")


def test_a_session_without_a_warehouse_says_where_to_name_one(world, monkeypatch):
    from snowmelt.steps import source as module

    monkeypatch.setattr(module, "CURRENT_WAREHOUSE", "SELECT NULL")
    with (
        world.target() as connection,
        pytest.raises(ConfigurationError, match=r"Set `warehouse` in the Snowflake"),
    ):
        resize_warehouse(connection, world.snowflake, "a", "LARGE")
