"""Files of an earlier unload, loaded by its manifest alone: masked, renamed and left out as they were, and never silently other."""

from __future__ import annotations

import pytest

from snowmelt.errors import SchemaError, StagingError, VerificationError
from snowmelt.unload.staged import read_manifest

TABLE = {
    "source": "P",
    "columns": {
        "exclude": ["NOISE"],
        "rename": {"NAME": "Full Name"},
        "type": {"ID": "bigint"},
        "mask": {"SECRET": {"expression": "SHA2(SECRET)", "type": "VARCHAR(64)"}},
        "keep_offset": ["AT"],
    },
}
HASH = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
SHOWN = (
    """SELECT id, "Full Name", secret, at AT TIME ZONE 'UTC' = '2025-12-31 18:30', at_offset FROM public."""
)


@pytest.fixture(params=["parquet", "csv"])
def unloaded(world, request):
    """A table that was copied once; its files and its manifest are there."""
    world.sql(
        "CREATE TABLE P (ID NUMBER(38,0) NOT NULL PRIMARY KEY, NAME VARCHAR(20), SECRET VARCHAR, NOISE VARCHAR, AT TIMESTAMP_TZ(6))",
        "INSERT INTO P VALUES (7, 'ann      ', 'x', 'y', '2026-01-01 00:00:00 +05:30')",
    )
    world.table = TABLE | {"file_format": request.param, "load_method": "copy"}
    world.run(world.table, run="first")
    return world


def load(world, table, **params):
    plan = world.plan(table, mode="load", run_id="first", **params)
    manifest = read_manifest(world.s3, plan.location.bucket, plan.location.key(plan.manifest_path))
    return world.finish(plan, list(manifest.chunks))


def test_into_the_same_table_and_into_another(unloaded):
    expected = [(7, "ann      ", HASH, True, 330)]
    assert unloaded.query(f"{SHOWN}p") == expected
    load(unloaded, unloaded.table)
    assert unloaded.query(f"{SHOWN}p") == expected
    load(unloaded, unloaded.table, target_table="q")
    assert unloaded.query(f"{SHOWN}q") == expected


OUTCOME = "SELECT outcome, verification->'fingerprint'->'compared' FROM snowmelt.run ORDER BY started_at DESC LIMIT 1"


def test_what_the_ledger_knows_of_the_unload_is_compared(unloaded):
    whole = load(unloaded, unloaded.table)["whole_target"]
    assert (whole["compared"], whole["source_rows"], whole["target_rows"]) == ("rows", 1, 1)
    assert unloaded.query(OUTCOME) == [("published", True)]
    other = "UPDATE public.{} SET secret = 'other'"
    plan = unloaded.plan(unloaded.table, mode="load", run_id="first")
    manifest = read_manifest(unloaded.s3, plan.location.bucket, plan.location.key(plan.manifest_path))
    with pytest.raises(VerificationError, match='column "SECRET"'):
        unloaded.finish(plan, list(manifest.chunks), before_verify=other.format(plan.staging_table))


def test_files_that_this_ledger_does_not_know_are_published_and_not_compared(unloaded):
    unloaded.execute("DROP SCHEMA snowmelt CASCADE")
    whole = load(unloaded, unloaded.table)["whole_target"]
    assert (whole["compared"], whole["source_rows"]) == ("", None)
    assert unloaded.query(OUTCOME) == [("published, not compared", False)]


def test_a_file_that_was_replaced_at_the_same_size_is_refused(unloaded):
    unloaded.execute("UPDATE snowmelt.staged_file SET etag = 'another'")
    with pytest.raises(
        StagingError, match=r"1 files were replaced after they were unloaded.*its ETag was another"
    ):
        load(unloaded, unloaded.table)


def test_a_manifest_that_was_replaced_is_refused(unloaded):
    unloaded.execute("UPDATE snowmelt.staged_file SET s3_key = s3_key || '.other'")
    with pytest.raises(StagingError, match="does not name the 1 files that the run registered"):
        load(unloaded, unloaded.table)


def test_a_mask_that_came_later_is_not_passed_by(unloaded):
    masked = {"NAME": {"expression": "MD5(NAME)", "type": "VARCHAR(32)"}}
    table = unloaded.table | {"columns": TABLE["columns"] | {"mask": TABLE["columns"]["mask"] | masked}}
    with pytest.raises(
        SchemaError, match=r'"NAME" was unloaded as "NAME", and columns.mask says MD5\(NAME\)'
    ):
        load(unloaded, table)
    assert unloaded.query("SELECT count(*) FROM public.p") == [(1,)]


def test_a_shorter_column_refuses_or_checks_never_cuts(unloaded):
    unloaded.execute(
        "DROP TABLE public.p",
        'CREATE TABLE public.p (id bigint, "Full Name" varchar(5), secret varchar(64), at timestamptz, at_offset smallint)',
    )
    said = "was unloaded to CSV" if unloaded.table["file_format"] == "csv" else "9 characters"
    with pytest.raises(Exception, match=said):
        load(unloaded, unloaded.table)
    assert unloaded.query("SELECT count(*) FROM public.p") == [(0,)]


def test_columns_that_only_the_target_has(world):
    world.sql(
        "CREATE TABLE O (ID NUMBER(9,0) NOT NULL PRIMARY KEY, V VARCHAR(9))",
        "INSERT INTO O VALUES (1, 'new'), (2, 'b')",
    )
    world.execute(
        "CREATE TABLE public.o (id integer PRIMARY KEY, v varchar(9), note text, since date NOT NULL DEFAULT '2026-01-01')",
        "INSERT INTO public.o VALUES (1, 'old', 'kept', '2025-01-01')",
    )
    with pytest.raises(
        SchemaError, match=r'"note" of the target has no default, and no column of the source goes there'
    ):
        world.run({"source": "O"})
    assert world.query("SELECT v, note FROM public.o") == [("old", "kept")]
    table = {"source": "O", "columns": {"target_only": ["note"]}}
    world.run(
        table
        | {
            "mode": "incremental",
            "uniqueness_columns": ["ID"],
            "watermark_column": "ID",
            "on_change": "full",
        },
    )
    assert world.query("SELECT id, v, note, since::text FROM public.o ORDER BY id") == [
        (1, "new", "kept", "2025-01-01"),
        (2, "b", None, "2026-01-01"),
    ]
    world.run(table)
    assert world.query("SELECT id, v, note, since::text FROM public.o ORDER BY id") == [
        (1, "new", None, "2026-01-01"),
        (2, "b", None, "2026-01-01"),
    ]


def test_texts_of_json_are_compared_with_those_of_the_unload(world):
    world.sql(
        "CREATE TABLE J (ID NUMBER(9,0) NOT NULL PRIMARY KEY, DOC VARIANT)",
        """INSERT INTO J SELECT 1, PARSE_JSON('{"b": 1, "a": [2]}')""",
    )
    world.run({"source": "J"}, run="first")
    load(world, {"source": "J"})
    assert world.query(OUTCOME) == [("published", True)]
