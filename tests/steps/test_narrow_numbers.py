"""narrow_numbers: a new table takes the smallest types that its numbers fit, and what outgrows them is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from snowmelt.errors import SchemaError

NUMBERS = """
CREATE TABLE NUMBERS (
  ID NUMBER(38,0) NOT NULL PRIMARY KEY, SMALL NUMBER(38,0), MEDIUM NUMBER(38,0), LARGE NUMBER(38,0), HUGE NUMBER(38,0),
  NOTHING NUMBER(38,0), RULED NUMBER(38,0), DECLARED NUMBER(18,0), AMOUNT NUMBER(12,2))
"""
ROWS = (
    "INSERT INTO NUMBERS VALUES (1, -32768, -2147483648, -9223372036854775808, -9223372036854775809, NULL, 1, 1, 1.25), "
    "(70000, 32767, 2147483647, 9223372036854775807, 9223372036854775808, NULL, 2, 32768, 2.50)"
)
TABLE = {"source": "NUMBERS", "target": "numbers", "columns": {"type": {"RULED": "numeric(38,0)"}}}
TYPES = "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'numbers'::regclass AND attnum > 0 ORDER BY attnum"


@pytest.fixture
def numbers(world):
    world.sql(NUMBERS, ROWS)
    return world


def test_each_number_gets_the_smallest_type_that_takes_all_of_its_values(numbers):
    numbers.run({**TABLE, "narrow_numbers": True})
    assert numbers.query(TYPES) == [
        ("id", "integer"),
        ("small", "smallint"),
        ("medium", "integer"),
        ("large", "bigint"),
        ("huge", "numeric(38,0)"),
        ("nothing", "numeric(38,0)"),
        ("ruled", "numeric(38,0)"),
        ("declared", "integer"),
        ("amount", "numeric(12,2)"),
    ]
    assert numbers.query("SELECT id, small, medium, large, huge::text FROM numbers ORDER BY id") == [
        (1, -32768, -2147483648, -9223372036854775808, "-9223372036854775809"),
        (70000, 32767, 2147483647, 9223372036854775807, "9223372036854775808"),
    ]


def test_without_it_the_declared_digits_decide(numbers):
    numbers.run(TABLE)
    assert numbers.query(TYPES)[:2] == [("id", "numeric(38,0)"), ("small", "numeric(38,0)")]


def test_what_has_outgrown_the_table_stops_the_run_before_the_unload_with_the_way_out(numbers):
    table = {**TABLE, "narrow_numbers": True, "publish": "truncate"}
    numbers.run(table)
    numbers.sql(
        "INSERT INTO NUMBERS (ID, SMALL, MEDIUM, LARGE) VALUES (2, 32768, 3000000000, 9223372036854775808)"
    )
    with pytest.raises(SchemaError) as refused:
        numbers.plan(table)
    said = "\n".join(refused.value.faults)
    assert '"SMALL" has values from -32,768 to 32,768, and "small" of the target is smallint.' in said
    assert 'ALTER TABLE "public"."numbers" ALTER COLUMN "small" TYPE integer;' in said
    assert 'ALTER TABLE "public"."numbers" ALTER COLUMN "medium" TYPE bigint;' in said
    assert 'ALTER TABLE "public"."numbers" ALTER COLUMN "large" TYPE numeric;' in said
    assert len(refused.value.faults) == 3
    for column, wider in (("small", "integer"), ("medium", "bigint"), ("large", "numeric")):
        numbers.execute(f"ALTER TABLE public.numbers ALTER COLUMN {column} TYPE {wider}")
    numbers.run(table)
    assert numbers.query("SELECT small, medium, large FROM numbers WHERE id = 2") == [
        (32768, 3_000_000_000, 9223372036854775808)
    ]


def test_one_statement_asks_for_rows_and_ranges_at_the_snapshot(numbers, sandbox):
    plan = numbers.plan({**TABLE, "narrow_numbers": True})
    log = Path(sandbox.env["SNOWMELT_SANDBOX_SNOWFLAKE_STATEMENT_LOG"]).read_text()
    asked = {
        line
        for line in log.splitlines()
        if "COUNT(*)" in line and numbers.schema in line and "RUNNING" in line
    }
    assert len(asked) == 1
    (statement,) = asked
    assert 'MIN(\\"ID\\"), MAX(\\"ID\\")' in statement
    assert plan.snapshot in statement
