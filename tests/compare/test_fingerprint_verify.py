"""A run's rows in Snowflake against those in its staging table: the whole way, and what the message says."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from snowmelt.compare.measure import verify_fingerprint
from snowmelt.drivers.snowflake import read_now
from snowmelt.errors import SourceError, TargetError, VerificationError
from snowmelt.ledger.runs import write_ledger
from snowmelt.plan.plan import Plan
from snowmelt.progress.verdict import describe_fingerprint
from snowmelt.sql.names import TableName
from snowmelt.types.type_names import parse_snowflake_type
from snowmelt.unload.chunks import Bucket, ChunkKey, plan_chunks, whole_table
from snowmelt.unload.statements import Location
from snowmelt.vocabulary import Mode
from tests.compare.fingerprint_cases import column
from tests.compare.fingerprint_world import postgres, snowflake_connection, snowflake_cursor

__all__ = ["postgres", "snowflake_connection", "snowflake_cursor"]

COLUMNS = (
    column("Visit Id", "NUMBER(38,0)", "bigint"),
    column("PAID", "NUMBER(12,2)"),
    column("SEEN", "TIMESTAMP_NTZ(6)"),
    column("NAME", "VARCHAR", value='(SHA2("NAME"))'),
    column("DETAILS", "VARIANT"),
)
ROWS = 1000
KEY = ChunkKey("Visit Id", parse_snowflake_type("NUMBER(38,0)"))
CHUNKS = plan_chunks(
    [Bucket("1", "333", 333), Bucket("334", "666", 333), Bucket("667", "1000", 334)], KEY, chunk_rows=333
)


def load_before_hashes(postgres, run="run1"):
    """The ledger of a run whose file was loaded by a version that kept no staged hash."""
    write_ledger(postgres)
    postgres.execute("DELETE FROM snowmelt.run WHERE run_id = %s", [run])
    postgres.execute(
        "INSERT INTO snowmelt.run (run_id, mode, source, target, request, fingerprint, plan, source_rows) "
        "VALUES (%s, 'full', 's', 't', '{}', '', '{}', 1000)",
        [run],
    )
    postgres.execute(
        "INSERT INTO snowmelt.staged_file (run_id, s3_key, chunk, batch, bytes, rows) VALUES (%s, 'k', 0, 0, 1, 1000)",
        [run],
    )
    postgres.execute(
        "INSERT INTO snowmelt.loaded_file (run_id, s3_key, etag, bytes, rows, load_method) VALUES (%s, 'k', 'e', 1, 1000, 'copy')",
        [run],
    )


@pytest.fixture
def plan(postgres, snowflake_connection, snowflake_cursor):
    snowflake_cursor.execute(
        'CREATE OR REPLACE TABLE VISITS ("Visit Id" NUMBER(38,0), PAID NUMBER(12,2), SEEN TIMESTAMP_NTZ(6), NAME VARCHAR, DETAILS VARIANT)'
    )
    rows = ", ".join(
        f"({number}, {number}.25, '2024-01-01 00:00:{number % 60:02d}.000001', 'name {number}', '{{\"a\":{number}}}')"
        for number in range(1, ROWS + 1)
    )
    snowflake_cursor.execute(
        f"INSERT INTO VISITS SELECT column1, column2, column3, column4, PARSE_JSON(column5) FROM VALUES {rows}"
    )
    load_before_hashes(postgres)
    postgres.execute("DROP TABLE IF EXISTS visits__stage")
    postgres.execute(
        'CREATE TABLE visits__stage ("visit id" bigint, paid numeric(12,2), seen timestamp, name varchar(64), details jsonb)'
    )
    postgres.execute(
        "INSERT INTO visits__stage SELECT i, i + 0.25, TIMESTAMP '2024-01-01 00:00:00.000001' + mod(i, 60) * interval '1 s', "
        "encode(sha256(convert_to('name ' || i, 'UTF8')), 'hex'), jsonb_build_object('a', i) FROM generate_series(1, %s) AS i",
        (ROWS,),
    )
    return Plan(
        run_id="run1",
        mode="full",
        source=TableName("FINGERPRINTS", "S", "VISITS"),
        target_schema="public",
        target_table="visits",
        staging_table="visits__stage",
        location=Location("bucket", "", "", "X"),
        path="p/",
        file_format="parquet",
        compression="snappy",
        max_file_bytes=1,
        load_method="copy",
        columns=COLUMNS,
        added_columns=(),
        where="",
        row_limit=0,
        snapshot=read_now(snowflake_connection),
        snapshot_note=None,
        source_rows=ROWS,
        chunks=CHUNKS,
        publish="swap",
        uniqueness_columns=(),
        watermark_column=None,
        watermark=None,
        watermark_before=None,
        bad_rows="reject",
        quarantine_limit=0,
        warehouse=None,
        warehouse_size=None,
        statement_timeout_s=None,
        fingerprint_rows=50_000_000,
        cleanup_after_load=False,
    )


@pytest.fixture
def verify(postgres, snowflake_connection):
    return lambda plan, rejected=0: verify_fingerprint(
        snowflake_connection, postgres, plan, rejected=rejected
    )


@pytest.fixture
def message(verify):
    def read(plan):
        with pytest.raises(VerificationError) as caught:
            verify(plan)
        return str(caught.value)

    return read


def test_equal_rows_are_verified(verify, plan):
    summary = verify(plan)
    assert summary.pop("seconds") >= 0
    assert len(summary.pop("hash")) == 16
    assert summary == {
        "compared": True,
        "scope": "all rows",
        "rows": 1000,
        "columns": 5,
        "staged": [],
        "approximate": ["DETAILS"],
    }


SMALL = plan_chunks([Bucket(str(low), str(low + 24), 25) for low in range(1, ROWS, 25)], KEY, chunk_rows=25)


def sample_of(verify, plan, fingerprint_rows=100):
    return verify(replace(plan, chunks=SMALL, fingerprint_rows=fingerprint_rows))


def test_of_many_rows_a_sample_of_chunks_is_compared(verify, plan):
    found = sample_of(verify, plan)
    assert (found["compared"], found["scope"], found["rows"]) == (True, "4 of 40 chunks", 100)
    assert describe_fingerprint(found).startswith("5 columns over 100 rows (4 of 40 chunks) agree, hash ")


def test_a_sample_has_twelve_chunks_at_most_and_one_at_least(verify, plan):
    assert sample_of(verify, plan, 999)["scope"] == "12 of 40 chunks"
    assert sample_of(verify, plan, 1)["scope"] == "1 of 40 chunks"


def test_each_run_compares_other_chunks_and_a_retry_the_same(verify, plan, postgres):
    for run in "abc":
        load_before_hashes(postgres, run)
    hashes = [sample_of(verify, replace(plan, run_id=run))["hash"] for run in ("a", "a", "b", "c")]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3


def test_a_difference_in_the_sample_is_named(message, plan, postgres):
    """Every chunk is wrong, so the sample is; the message is about the chunks that were compared."""
    postgres.execute("UPDATE visits__stage SET paid = paid + 0.01")
    text = message(replace(plan, chunks=SMALL, fingerprint_rows=100))
    assert "4 of 4 chunks differ, the first 3 are named" in text
    assert text.count('column "PAID": ') == 3


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"fingerprint_rows": 0}, "more than 0 rows, and fingerprint_rows is 0: only counts were compared"),
        (
            {"fingerprint_rows": 10, "chunks": whole_table(ROWS)},
            "more than 10 rows, and its rows are in one chunk: only counts were compared",
        ),
        (
            {"fingerprint_rows": 10, "columns": COLUMNS[1:]},
            (
                'more than 10 rows, and PostgreSQL cannot tell their chunks (the chunking column "Visit Id" is not copied): '
                "only counts were compared"
            ),
        ),
    ],
)
def test_a_sample_that_cannot_be_taken_says_why(verify, plan, change, reason):
    assert verify(replace(plan, **change)) == {"compared": False, "reason": reason}


def test_the_source_is_read_at_the_snapshot(verify, plan, snowflake_cursor):
    snowflake_cursor.execute("DELETE FROM VISITS WHERE PAID < 100")
    assert verify(plan)["rows"] == 1000


def test_the_filter_applies(verify, plan, postgres):
    postgres.execute('DELETE FROM visits__stage WHERE "visit id" > 10')
    assert verify(replace(plan, where='"Visit Id" <= 10'))["rows"] == 10


def test_a_changed_value_is_named_with_its_column_chunk_and_both_values(message, plan, postgres):
    postgres.execute('UPDATE visits__stage SET paid = paid + 0.01 WHERE "visit id" = 500')
    text = message(plan)
    assert "FINGERPRINTS.S.VISITS → public.visits, run run1" in text
    assert "1 of 3 chunks differ" in text
    assert (
        '  - chunk 001: Visit Id 334 … 667: column "PAID": sum 166583.25 in Snowflake, 166583.26 in PostgreSQL\n'
        in text
    )
    assert text.count("  - ") == 1
    assert "Nothing was published; the rows are in public.visits__stage" in text


def test_a_time_is_shown_as_a_time(message, plan, postgres):
    postgres.execute("UPDATE visits__stage SET seen = '1999-12-31 23:59:59.5' WHERE \"visit id\" = 1000")
    assert (
        'chunk 002: Visit Id 667 … end: column "SEEN": least value 2024-01-01 00:00:00.000001 in Snowflake, '
        "1999-12-31 23:59:59.500000 in PostgreSQL"
    ) in message(plan)


def test_a_masked_column_is_compared_as_its_mask(message, plan, postgres):
    postgres.execute("UPDATE visits__stage SET name = repeat('0', 64) WHERE \"visit id\" = 1")
    assert 'chunk 000: Visit Id start … 334: column "NAME": hash ' in message(plan)


def test_values_that_changed_places_are_told(message, plan, postgres):
    postgres.execute('UPDATE visits__stage SET paid = 503.25 - paid WHERE "visit id" IN (1, 502)')
    text = message(plan)
    assert "2 of 3 chunks differ" in text
    postgres.execute('UPDATE visits__stage SET paid = 503.25 - paid WHERE "visit id" IN (1, 502)')
    postgres.execute('UPDATE visits__stage SET paid = 3.50 - paid WHERE "visit id" IN (1, 2)')
    assert "chunk 000: Visit Id start … 334: the hash of all rows is " in message(plan)


def test_a_lost_and_a_doubled_row_are_told(message, plan, postgres):
    postgres.execute('DELETE FROM visits__stage WHERE "visit id" = 700')
    postgres.execute('INSERT INTO visits__stage SELECT * FROM visits__stage WHERE "visit id" = 1')
    text = message(plan)
    assert "chunk 000: Visit Id start … 334: 333 rows in Snowflake, 334 in PostgreSQL" in text
    assert "chunk 002: Visit Id 667 … end: 334 rows in Snowflake, 333 in PostgreSQL" in text


def test_a_lost_chunk_is_told(message, plan, postgres):
    postgres.execute('DELETE FROM visits__stage WHERE "visit id" BETWEEN 334 AND 666')
    assert "chunk 001: Visit Id 334 … 667: 333 rows in Snowflake, 0 in PostgreSQL" in message(plan)


def test_one_chunk_and_a_masked_chunking_column_are_compared_whole(message, plan, postgres):
    postgres.execute('UPDATE visits__stage SET paid = 0 WHERE "visit id" = 500')
    whole = replace(plan, chunks=whole_table(ROWS))
    assert "(the chunk is not known: the run has one chunk)" in message(whole)
    masked = replace(
        plan, columns=(replace(COLUMNS[0], value='CAST("Visit Id" * 1 AS NUMBER(38,0))'), *COLUMNS[1:])
    )
    text = message(masked)
    assert '(the chunk is not known: the chunking column "Visit Id" is masked)' in text
    assert (
        '  - column "PAID": least value 1.25 in Snowflake, 0.00 in PostgreSQL; sum 500750.00 in Snowflake, 500249.75'
        in text
    )


def test_a_csv_run_is_compared_by_the_same_values(verify, plan):
    names = (
        ("Visit Id", "NUMBER(38,0)", "bigint"),
        ("PAID", "NUMBER(12,2)", ""),
        ("SEEN", "TIMESTAMP_NTZ(6)", ""),
    )
    columns = tuple(column(*each, file_format="csv") for each in names)
    assert "TO_VARCHAR" in columns[2].select
    summary = verify(replace(plan, file_format="csv", columns=(*columns, *COLUMNS[3:])))
    assert (summary["compared"], summary["columns"]) == (True, 5)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            {"mode": Mode.LOAD},
            "this ledger does not know the unload that the files are of: only counts were compared",
        ),
        (
            {"row_limit": 50, "source_rows": 50},
            "a test copies any 50 rows, which Snowflake cannot name again: only counts were compared",
        ),
        (
            {"snapshot": None},
            "there is no snapshot, so the table may have changed since: only counts were compared",
        ),
    ],
)
def test_what_cannot_be_compared_says_so(verify, plan, change, reason):
    assert verify(replace(plan, **change)) == {"compared": False, "reason": reason}


def test_a_snapshot_before_the_source_was_created_is_a_reason(verify, plan):
    found = verify(replace(plan, snapshot="2001-01-01 00:00:00.000000000 +0000"))
    assert not found["compared"]
    assert re.fullmatch(
        r"Snowflake no longer has the snapshot 2001-01-01 00:00:00\.000000000 \+0000, for FINGERPRINTS\.S\.VISITS was created "
        r"again at 20[-0-9]{8} [:.0-9]+\+00:00: only counts were compared",
        found["reason"],
    )


def test_rows_set_aside_are_read_from_the_ledger(snowflake_connection, postgres, plan):
    assert verify_fingerprint(snowflake_connection, postgres, plan)["compared"]
    postgres.execute("UPDATE snowmelt.loaded_file SET rejected = 2 WHERE run_id = 'run1'")
    assert verify_fingerprint(snowflake_connection, postgres, plan)["reason"] == (
        "2 rows were set aside while loading, and their keys are not known: only counts were compared"
    )


def test_a_test_that_copied_everything_is_compared(verify, plan):
    assert verify(replace(plan, row_limit=5000))["compared"]


def test_errors_of_either_side_are_not_differences(verify, plan):
    with pytest.raises(TargetError, match=r"Computing the fingerprint of public\.gone"):
        verify(replace(plan, staging_table="gone"))
    with pytest.raises(SourceError, match=r"Computing the fingerprint of FINGERPRINTS\.S\.GONE"):
        verify(replace(plan, source=TableName("FINGERPRINTS", "S", "GONE")))
