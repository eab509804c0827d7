"""What docs/schema-changes.md says: a table's columns change between two runs of it."""

from __future__ import annotations

import pytest

from snowmelt.errors import ConfigurationError, SchemaError, ValueRefused

FULL = {"source": "T"}
NIGHTLY = {"source": "T", "mode": "catch_up", "uniqueness_columns": ["ID"], "watermark_column": "AT"}
MODES = pytest.mark.parametrize("table", [FULL, NIGHTLY], ids=["full", "nightly"])
COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, col_description(a.attrelid, a.attnum)
FROM pg_attribute AS a WHERE a.attrelid = 'public.t'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""


@pytest.fixture
def copied(world):
    """A table that was copied once."""
    world.sql(
        "CREATE TABLE T (ID NUMBER(9,0) NOT NULL PRIMARY KEY, AT TIMESTAMP_NTZ(6), NAME VARCHAR(5) NOT NULL, N NUMBER(4,0))",
        "INSERT INTO T VALUES (1, '2026-01-01', 'one', 1), (2, '2026-01-02', 'two', 2)",
    )
    world.run(FULL | {"watermark_column": "AT", "mode": "full"})
    return world


def names(world):
    return [row[0] for row in world.query(COLUMNS)]


@MODES
def test_a_column_is_added_in_snowflake(copied, table):
    copied.sql(
        "ALTER TABLE T ADD COLUMN EXTRA NUMBER(38,2) COMMENT 'it''s new'",
        "UPDATE T SET EXTRA = 0.25, AT = '2026-01-03' WHERE ID = 2",
    )
    with pytest.raises(SchemaError, match='"EXTRA" has no target column'):
        copied.run(table)
    assert names(copied) == ["id", "at", "name", "n"]
    copied.run(table | {"schema_drift": "add_columns"})
    assert copied.query(COLUMNS)[-1] == ("extra", "numeric(38,2)", False, "it's new")
    assert copied.query("SELECT id, extra::text FROM public.t ORDER BY id") == [(1, None), (2, "0.25")]


@MODES
def test_nothing_is_added_by_a_run_that_fails(copied, table):
    copied.sql(
        "ALTER TABLE T ADD COLUMN EXTRA VARCHAR(3)",
        "INSERT INTO T VALUES (3, '2026-01-03', 'nul' || CHR(0), 3, 'x')",
    )
    with pytest.raises(ValueRefused, match=r"row \d, column NAME: .*NUL character"):
        copied.run(table | {"schema_drift": "add_columns"})
    assert names(copied) == ["id", "at", "name", "n"]
    assert copied.query("SELECT count(*) FROM public.t") == [(2,)]


@MODES
@pytest.mark.parametrize("change", ["DROP COLUMN N", "RENAME COLUMN N TO M"])
def test_a_column_is_dropped_or_renamed_in_snowflake(copied, table, change):
    copied.sql(f"ALTER TABLE T {change}")
    for drift in ("fail", "add_columns"):
        with pytest.raises(
            SchemaError, match=r'"n" of the target has no default, and no column of the source goes there'
        ):
            copied.run(table | {"schema_drift": drift})
    assert copied.query("SELECT n FROM public.t ORDER BY id") == [(1,), (2,)]
    rules = {"target_only": ["n"]} if change.startswith("DROP") else {"rename": {"M": "n"}}
    if (
        table is NIGHTLY and "rename" in rules
    ):  # another source column may have other values in the rows of earlier runs
        with pytest.raises(ConfigurationError, match='mask or expression of column "n": "N" → "M"'):
            copied.run(table | {"columns": rules})
    copied.run(table | {"columns": rules, "on_change": "full"})
    assert len(names(copied)) == 4


@MODES
def test_a_type_gets_wider_and_its_values_are_checked(copied, table):
    copied.sql(
        "ALTER TABLE T ALTER COLUMN NAME SET DATA TYPE VARCHAR(20)",
        "ALTER TABLE T ALTER COLUMN N SET DATA TYPE NUMBER(9,0)",
        "INSERT INTO T VALUES (3, '2026-01-03', 'three', 32767)",
    )
    copied.run(table)
    assert copied.query("SELECT name, n FROM public.t WHERE id = 3") == [("three", 32767)]
    copied.sql("UPDATE T SET NAME = 'three ', AT = '2026-01-04' WHERE ID = 3")
    with pytest.raises(ValueRefused, match=r"column NAME: 6 characters"):
        copied.run(table)
    copied.sql("UPDATE T SET NAME = 'three', N = 32768, AT = '2026-01-05' WHERE ID = 3")
    with pytest.raises(ValueRefused, match=r"column N: out of range for smallint"):
        copied.run(table)
    assert copied.query("SELECT name, n FROM public.t WHERE id = 3") == [("three", 32767)]


@MODES
def test_not_null_is_dropped_in_snowflake(copied, table):
    copied.sql("ALTER TABLE T ALTER COLUMN NAME DROP NOT NULL")
    copied.run(table)
    copied.sql("INSERT INTO T VALUES (3, '2026-01-03', NULL, 3)")
    with pytest.raises(ValueRefused, match=r"column NAME: NULL in a NOT NULL column"):
        copied.run(table)
    assert copied.query("SELECT count(*) FROM public.t") == [(2,)]


@MODES
def test_columns_are_added_in_postgresql(copied, table):
    copied.execute(
        "ALTER TABLE public.t ADD COLUMN seen timestamptz DEFAULT now(), ADD COLUMN twice integer GENERATED ALWAYS AS (n * 2) STORED"
    )
    copied.run(table)
    assert copied.query("SELECT count(seen), sum(twice) FROM public.t") == [(2, 6)]
    copied.execute("ALTER TABLE public.t ADD COLUMN note text, ADD COLUMN must integer NOT NULL DEFAULT 5")
    with pytest.raises(SchemaError) as refused:
        copied.run(table)
    assert [fault.partition(" ")[0] for fault in refused.value.faults] == ['"note"']
    copied.execute("ALTER TABLE public.t ALTER COLUMN must DROP DEFAULT")
    with pytest.raises(SchemaError) as refused:
        copied.run(table | {"columns": {"target_only": ["note", "must"]}})
    assert [fault.partition(" ")[0] for fault in refused.value.faults] == ['"must"']


@MODES
@pytest.mark.parametrize("drift", ["widen_columns", "add_and_widen_columns"])
@pytest.mark.parametrize("publish", ["swap", "replace"])
def test_a_column_takes_the_sources_wider_type(copied, table, drift, publish):
    if table is NIGHTLY and publish == "replace":
        return
    copied.sql(
        "ALTER TABLE T ALTER COLUMN NAME SET DATA TYPE VARCHAR(20)",
        "ALTER TABLE T ALTER COLUMN N SET DATA TYPE NUMBER(9,0)",
        "INSERT INTO T VALUES (3, '2026-01-03', 'a longer name', 40000)",
    )
    settings = {"schema_drift": drift} | ({"publish": publish} if table is FULL else {})
    with pytest.raises(ValueRefused):
        copied.run(table | settings | {"schema_drift": "add_columns"})
    copied.run(table | settings)
    assert [row[:2] for row in copied.query(COLUMNS)][2:] == [
        ("name", "character varying(20)"),
        ("n", "integer"),
    ]
    assert copied.query("SELECT id, name, n FROM public.t ORDER BY id") == [
        (1, "one", 1), (2, "two", 2), (3, "a longer name", 40000),
    ]  # fmt: skip
    copied.run(table | settings)


def test_nothing_is_widened_by_a_run_that_fails(copied):
    copied.sql(
        "ALTER TABLE T ALTER COLUMN NAME SET DATA TYPE VARCHAR(20)",
        "INSERT INTO T VALUES (3, '2026-01-03', 'nul' || CHR(0), 3)",
    )
    with pytest.raises(ValueRefused):
        copied.run(FULL | {"schema_drift": "widen_columns"})
    assert copied.query(COLUMNS)[2][1] == "character varying(5)"
