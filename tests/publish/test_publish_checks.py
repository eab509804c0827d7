"""What stands between verification and publish, and what the target holds afterwards: wrong rows are never published."""

from __future__ import annotations

from dataclasses import replace

import pytest

from snowmelt.errors import TargetError, ValueRefused, VerificationError
from snowmelt.publish.request import KeySet
from snowmelt.publish.staging import read_contents
from snowmelt.vocabulary import PublishMethod
from tests.publish.publish_rows import APPEND, MERGE, REPLACE, TABLE, content, make
from tests.publish.target_world import quote

#: PL/pgSQL that planning cannot judge by its text.
DROPS = "IF NEW.id = 2 THEN RETURN CASE WHEN false THEN NEW END; END IF; RETURN NEW;"
CHANGES = 'NEW := jsonb_populate_record(NEW, \'{"name": "other"}\'); RETURN NEW;'
LATER = "IF NEW.name <> 'other' THEN UPDATE {t} SET name = 'other' WHERE id = NEW.id; END IF; RETURN NEW;"
MORE = "IF NEW.id < 100 THEN INSERT INTO {t} VALUES (NEW.id + 100, 'more'); END IF; RETURN NEW;"
NEW_ROWS = "VALUES (1, 'new1'), (2, 'new2'), (7, 'new7')"


def add_trigger(world, connection, when, body):
    s, t = quote(world.schema), world.name(TABLE)
    kind = "CONSTRAINT TRIGGER" if "DEFERRED" in when else "TRIGGER"
    event, _, deferred = when.partition(" DEFERRED")
    later = "DEFERRABLE INITIALLY DEFERRED" if "DEFERRED" in when else deferred
    connection.execute(f"""
        CREATE FUNCTION {s}.act() RETURNS trigger LANGUAGE plpgsql AS $f$BEGIN {body.replace("{t}", t)} END$f$;
        CREATE {kind} "my act" {event} ON {t} {later} FOR EACH ROW EXECUTE FUNCTION {s}.act()""")


@pytest.mark.parametrize(
    ("method", "when", "body", "fault"),
    [
        (REPLACE, "BEFORE INSERT", DROPS, "Of 3 staged rows 2 arrived"),
        (REPLACE, "BEFORE DELETE", "RETURN CASE WHEN false THEN OLD END;", "3 rows remain after its DELETE"),
        (REPLACE, "BEFORE INSERT", CHANGES, "Its rows do not have the staged values"),
        (REPLACE, "AFTER INSERT", LATER, "Its rows do not have the staged values"),
        (REPLACE, "AFTER INSERT DEFERRED", LATER, "Its rows do not have the staged values"),
        (REPLACE, "AFTER INSERT", MORE, "3 rows remain after its DELETE"),
        (APPEND, "BEFORE INSERT", DROPS, "Of 3 staged rows 2 arrived"),
        (APPEND, "BEFORE INSERT", CHANGES, "Its rows do not have the staged values"),
        (APPEND, "AFTER INSERT DEFERRED", LATER, "3 rows were staged, and 5 were written"),  # two old ones, too
        (APPEND, "AFTER INSERT", MORE, "3 rows were staged, and 6 were written"),
        (MERGE, "BEFORE INSERT", DROPS.replace("2", "7"), "Of 3 staged keys 2 are in it"),
        (MERGE, "BEFORE UPDATE", DROPS, "Of 3 staged rows 2 have the staged values"),
        (MERGE, "BEFORE INSERT OR UPDATE", CHANGES, "Of 3 staged rows 0 have the staged values"),
        (MERGE, "AFTER UPDATE DEFERRED", LATER, "Of 3 staged rows 1 have the staged values"),
    ],
)  # fmt: skip
def test_rows_that_a_trigger_drops_or_changes_are_never_published(world, method, when, body, fault):
    connection = world.connect()
    make(world, connection, "id integer, name text")
    add_trigger(world, connection, when, body)
    before = content(world)
    request = world.request(TABLE, method=method, uniqueness_columns=("id",))
    world.stage(connection, request, NEW_ROWS)
    with pytest.raises(TargetError) as refused:
        world.publish(connection, request)
    assert fault in str(refused.value)
    assert 'Its trigger "my act" fired' in str(refused.value)
    assert content(world) == before


@pytest.mark.parametrize("method", [REPLACE, APPEND, MERGE])
def test_a_trigger_that_leaves_the_copied_values_alone_is_no_fault(world, method):
    connection = world.connect()
    make(world, connection, "id integer, name text, touched integer DEFAULT 0")
    add_trigger(
        world, connection, "BEFORE INSERT OR UPDATE OR DELETE", "NEW.touched := 1; RETURN coalesce(NEW, OLD);"
    )
    world.run(connection, TABLE, NEW_ROWS, method=method, uniqueness_columns=("id",))
    touched = [row[:2] for row in content(world) if row[2] == 1]
    assert [name for _, name in touched] == ["new1", "new2", "new7"]


def test_an_append_is_checked_by_its_own_rows_while_others_write(world):
    connection, other = world.connect(), world.connect()
    make(world, connection, "id integer, name text")
    add_trigger(world, connection, "AFTER INSERT", "PERFORM pg_sleep(0); RETURN NEW;")
    request = world.request(TABLE, method=APPEND)
    world.stage(connection, request, NEW_ROWS)
    world.publish(
        connection,
        request,
        already_published=lambda cursor: bool(
            other.execute(f"INSERT INTO {world.name(TABLE)} VALUES (50, 'theirs')") and 0
        ),
    )
    assert len(content(world)) == 3 + 3 + 1


def test_a_merge_into_a_target_with_a_repeated_key_destroys_no_row(world):
    connection = world.connect()
    make(world, connection, "id integer, name text")
    connection.execute(f"INSERT INTO {world.name(TABLE)} VALUES (2, 'another')")
    request = world.request(TABLE, method=MERGE, uniqueness_columns=("id",))
    world.stage(connection, request, NEW_ROWS)
    with pytest.raises(
        TargetError, match=r"3 staged keys are in 4 rows of it: its unique key \(id\) is not unique"
    ):
        world.publish(connection, request)
    assert (2, "another") in content(world)


CHANGED_STAGING = [
    "UPDATE {s} SET name = 'other' WHERE id = 2",
    "UPDATE {s} SET name = name WHERE id = 2",
    "DELETE FROM {s} WHERE id = 2; INSERT INTO {s} VALUES (2, 'other')",
]


@pytest.mark.parametrize("change", CHANGED_STAGING)
@pytest.mark.parametrize("method", list(PublishMethod))
def test_staged_rows_that_were_changed_after_the_verification_are_not_published(world, method, change):
    connection = world.connect()
    make(world, connection)
    request = world.request(TABLE, method=method, uniqueness_columns=("id",), expected_rows=3)
    world.stage(connection, request, "VALUES (11, 'new1'), (2, 'new2'), (7, 'new7')")
    verified = read_contents(connection, world.schema, request.staging)
    connection.execute(f"VACUUM FREEZE {world.name(request.staging)}")  # which changes no row
    connection.execute(change.format(s=world.name(request.staging)))
    before = content(world)
    with pytest.raises(VerificationError, match="was changed after it was verified: it holds 3 rows"):
        world.publish(connection, replace(request, contents=verified.state))
    assert content(world) == before


def test_a_first_publish_of_changed_rows_is_refused_too(world):
    connection = world.connect()
    request = world.request(TABLE, expected_rows=3)
    world.stage(connection, request, NEW_ROWS)
    verified = read_contents(connection, world.schema, request.staging)
    connection.execute(f"UPDATE {world.name(request.staging)} SET name = 'other'")
    with pytest.raises(VerificationError, match="was changed after it was verified"):
        world.publish(connection, replace(request, contents=verified.state))


def test_keys_that_were_changed_after_the_verification_remove_nothing(world):
    connection = world.connect()
    make(world, connection)
    connection.execute(
        f"CREATE TABLE {world.name('snowmelt_keys')} AS SELECT g AS id FROM generate_series(1, 3) g"
    )
    verified = read_contents(connection, world.schema, "snowmelt_keys")
    keys = KeySet(table="snowmelt_keys", expected_rows=3, contents=verified.state)
    request = world.request(TABLE, method=MERGE, uniqueness_columns=("id",), keys=keys)
    world.stage(connection, request, "VALUES (1, 'new')")
    connection.execute(f"UPDATE {world.name('snowmelt_keys')} SET id = 4 WHERE id = 3")
    with pytest.raises(VerificationError, match=r"The table of keys .* was changed after it was verified"):
        world.publish(connection, request)
    assert len(content(world)) == 3


def test_a_run_publishes_what_it_verified(run_world):
    """The whole way: what verification records is what the publish compares."""
    world = run_world
    world.sql("CREATE TABLE T (ID INTEGER, AT INTEGER)", "INSERT INTO T VALUES (1, 1), (1, 2), (2, 1)")
    world.execute("DROP TABLE IF EXISTS public.checked")
    table = {"source": "T", "target": "checked", "mode": "catch_up"}
    table |= {"uniqueness_columns": ["ID"], "watermark_column": "AT"}
    plan = world.plan(table)
    with pytest.raises(VerificationError, match="was changed after it was verified"):
        world.finish(
            plan,
            world.unload(plan),
            before_publish=f"UPDATE public.{plan.staging_table} SET at = 9 WHERE id = 2",
        )
    assert (
        world.run(table)["rows_after"] == 2
    )  # the last of each key: rows were taken out after the verification
    world.sql("INSERT INTO T VALUES (3, 3)")
    assert world.run(table)["inserted"] == 1


@pytest.mark.parametrize(
    ("digests", "said"), [(130, r"index row size \d+ exceeds"), (300, r"index row requires \d+ bytes")]
)
@pytest.mark.parametrize("method", [APPEND, PublishMethod.SWAP])
def test_a_value_that_an_index_cannot_take_is_refused_with_the_reason(world, method, digests, said):
    connection = world.connect()
    make(world, connection)
    connection.execute(f"CREATE INDEX wide ON {world.name(TABLE)} (name)")
    long = f"(SELECT string_agg(md5(g::text), '') FROM generate_series(1, {digests}) g)"
    with pytest.raises(
        ValueRefused, match=rf"index.* cannot take the loaded rows: .*{said}.*Drop it from the target"
    ):
        world.run(connection, TABLE, f"VALUES (9, {long})", method=method)
    assert len(content(world)) == 3
