"""The ledger in a real PostgreSQL: written once, by whoever comes first, and the same ever after."""

from __future__ import annotations

import threading
from dataclasses import replace

import psycopg
import pytest

from snowmelt.errors import AccessError, PlanChanged, StagingError
from snowmelt.ledger import files as ledger_files
from snowmelt.ledger import runs as ledger
from snowmelt.ledger.reports import read_report
from snowmelt.unload.manifest import StagedChunk, StagedFile, plan_batches

RUN = {
    "run_id": "r1",
    "dag_id": "d",
    "dag_run_id": "manual",
    "mode": "full",
    "source": "A.B.T",
    "target": "public.t",
    "snapshot": "2026-11-22 16:00:00.000000000 +0000",
    "snapshot_note": None,
    "request": {"a": 1},
    "fingerprint": "f1",
    "plan": {"b": 2},
    "source_rows": 30,
}
FILES = tuple(StagedFile(f"p/run_r1/chunk_000/f{n}.parquet", 100 + n, 10, 0, f"etag{n}") for n in range(3))
CHUNK = StagedChunk(0, "bucket", "q", 1.0, FILES)


@pytest.fixture
def connection(database):
    with psycopg.connect(database, autocommit=True) as opened:
        yield opened


@pytest.fixture
def planned(connection):
    ledger.write_ledger(connection)
    ledger.write_run(connection, RUN)
    ledger_files.write_staged(connection, "r1", [CHUNK], plan_batches(FILES))
    return connection


def claim(connection, file, *, etag=None):
    with connection.transaction(), connection.cursor() as cursor:
        claimed = ledger_files.claim_file(cursor, "r1", file, etag=etag or file.etag, method="copy")
        if claimed:
            ledger_files.finish_file(cursor, "r1", file.key, seconds=0.5, rejected=0, method="copy")
        return claimed


def test_the_ledger_is_made_once_by_many_at_the_same_time(database):
    errors = []

    def make():
        try:
            with psycopg.connect(database, autocommit=True) as connection:
                ledger.write_ledger(connection)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=make) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_a_role_that_may_not_make_it_is_told_what_to_run(database, sandbox):
    name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    with psycopg.connect(sandbox.superuser_dsn(name), autocommit=True) as admin:
        admin.execute("DROP ROLE IF EXISTS nobody_here")
        admin.execute("CREATE ROLE nobody_here LOGIN PASSWORD 'x'")
        dsn = psycopg.conninfo.make_conninfo(database, user="nobody_here", password="x")
        with (
            psycopg.connect(dsn, autocommit=True) as connection,
            pytest.raises(AccessError, match='CREATE SCHEMA snowmelt AUTHORIZATION "nobody_here"'),
        ):
            ledger.write_ledger(connection)
        admin.execute("DROP OWNED BY nobody_here")
        admin.execute("DROP ROLE nobody_here")


def test_the_first_plan_is_kept(planned):
    again = ledger.write_run(planned, RUN | {"plan": {"b": 3}, "fingerprint": "f2"})
    assert (again["plan"], again["fingerprint"]) == ({"b": 2}, "f1")


def test_a_file_is_claimed_once(planned):
    assert [claim(planned, FILES[0]), claim(planned, FILES[0]), claim(planned, FILES[1])] == [
        True,
        False,
        True,
    ]


def test_a_claim_that_rolls_back_never_was(planned):
    with planned.cursor() as cursor, pytest.raises(ZeroDivisionError), planned.transaction():
        assert ledger_files.claim_file(cursor, "r1", FILES[0], etag="etag0", method="copy")
        raise ZeroDivisionError
    assert claim(planned, FILES[0])


def test_a_second_worker_waits_for_the_first_and_then_skips(planned, database):
    outcome = []

    def second():
        with psycopg.connect(database, autocommit=True) as other:
            outcome.append(claim(other, FILES[0]))

    thread = threading.Thread(target=second)
    with planned.transaction(), planned.cursor() as cursor:
        assert ledger_files.claim_file(cursor, "r1", FILES[0], etag="etag0", method="copy")
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
        assert outcome == []
    thread.join(10)
    assert outcome == [False]


def test_a_file_that_was_overwritten_after_its_load_is_noticed(planned):
    claim(planned, FILES[0])
    with pytest.raises(
        StagingError, match="was loaded in run r1 with ETag etag0 and 100 bytes; in S3 it now has ETag other"
    ):
        claim(planned, FILES[0], etag="other")


def test_the_same_files_again_change_nothing(planned):
    claim(planned, FILES[0])
    ledger_files.write_staged(planned, "r1", [CHUNK], plan_batches(FILES))
    assert ledger_files.read_batch(planned, "r1", 0) == (FILES[0],)
    assert ledger_files.read_staged(planned, "r1") == FILES


def test_other_files_are_taken_before_a_load_and_refused_after_it(planned):
    other = replace(CHUNK, files=(replace(FILES[0], key="p/run_r1/chunk_000/new.parquet"),))
    ledger_files.write_staged(planned, "r1", [other], plan_batches(other.files))
    assert [file.key for file in ledger_files.read_staged(planned, "r1")] == [
        "p/run_r1/chunk_000/new.parquet"
    ]
    claim(planned, other.files[0])
    with pytest.raises(
        PlanChanged,
        match="has loaded 1 of its 1 files, and now its chunks were unloaded again into 3 other files",
    ):
        ledger_files.write_staged(planned, "r1", [CHUNK], plan_batches(FILES))


def test_counts_are_told_by_chunk(planned):
    claim(planned, FILES[0])
    assert ledger_files.read_counts(planned, "r1") == [
        {"chunk": 0, "files": 3, "staged": 30, "loaded_files": 1, "loaded": 10, "rejected": 0}
    ]
    planned.execute("DELETE FROM snowmelt.staged_file WHERE s3_key = %s", (FILES[0].key,))
    assert ledger_files.read_unexpected_loaded(planned, "r1") == [FILES[0].key]


def test_a_run_is_published_once_and_its_watermark_moves_with_it(planned):
    watermark = {"source": "A.B.T", "target": "public.t", "column": "C", "value": "5", "run_id": "r1"}
    with planned.transaction(), planned.cursor() as cursor:
        assert ledger.write_published(cursor, "r1", {"rows_after": 30})
        ledger.write_watermark(cursor, **watermark)
        assert not ledger.write_published(cursor, "r1", {"rows_after": 31})
        assert ledger.is_published(cursor, "r1")
    assert ledger.read_published(planned, "r1") == {"rows_after": 30}
    assert ledger.read_watermark(planned, source="A.B.T", target="public.t", column="C") == "5"
    assert ledger.read_watermark(planned, source="A.B.T", target="public.u", column="C") is None
    report = read_report(planned, "r1")
    assert (report["outcome"], report["source_rows"], report["staged_rows"]) == ("published", 30, 30)
