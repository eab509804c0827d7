"""Waiting for another session that loads the same file: as long as it works, not as long as it is frozen, never for ever."""

from __future__ import annotations

import threading
import time

import psycopg
import pytest

from snowmelt.errors import TargetUnavailable
from snowmelt.ledger import files as ledger_files
from snowmelt.ledger import runs as ledger
from snowmelt.load.file import ClaimPatience, claim_patiently
from snowmelt.unload.manifest import StagedFile
from tests.load.load_world import RUN

FILE = StagedFile("p/run_r1/chunk_000/data_0.snappy.parquet", 100, 10, 0, "etag")


@pytest.fixture
def sessions(database):
    opened = []

    def make():
        opened.append(psycopg.connect(database, autocommit=True))
        return opened[-1]

    first = make()
    ledger.write_ledger(first)
    ledger.write_run(first, RUN)
    first.execute("CREATE TABLE t (a text)")
    yield make
    for each in opened:
        each.close()


def claim(connection, patience):
    with connection.cursor() as cursor:
        return claim_patiently(
            cursor,
            lambda cursor: ledger_files.claim_file(cursor, "r1", FILE, etag="etag", method="copy"),
            run_id="r1",
            key=FILE.key,
            patience=patience,
        )


QUICK = ClaimPatience(look=0.1, silence=0.5, give_up_after=60)


def test_a_session_that_has_frozen_is_ended_and_its_file_loaded_here(sessions):
    frozen, second = sessions(), sessions()
    frozen.execute("BEGIN")
    assert claim(frozen, QUICK)
    with (
        frozen.cursor() as cursor,
        pytest.raises(psycopg.OperationalError),
        cursor.copy("COPY t FROM STDIN") as copy,
    ):
        copy.write("of the frozen one\n" * 1000)
        with second.transaction():
            assert claim(second, QUICK)
            second.execute("INSERT INTO t VALUES ('of the second')")
        while True:  # it wakes, and finds its connection gone
            copy.write("of the frozen one\n" * 10_000)
    assert second.execute("SELECT a FROM t").fetchall() == [("of the second",)]
    assert second.execute("SELECT count(*) FROM snowmelt.loaded_file").fetchone() == (1,)


def test_a_session_that_still_sends_is_waited_for(sessions):
    first, second = sessions(), sessions()
    outcome = []

    def wait():
        with second.transaction():
            outcome.append(claim(second, ClaimPatience(look=0.1, silence=2, give_up_after=60)))

    thread = threading.Thread(target=wait)
    with first.transaction():
        assert claim(first, QUICK)
        thread.start()
        with first.cursor() as cursor, cursor.copy("COPY t FROM STDIN") as copy:
            for _ in range(20):
                copy.write("still here\n" * 20_000)
                time.sleep(0.2)
        assert outcome == []
    thread.join(60)
    assert outcome == [False]
    assert second.execute("SELECT count(*) FROM t").fetchone() == (400_000,)


def test_the_wait_ends_and_names_the_other(sessions):
    first, second = sessions(), sessions()
    with first.transaction():
        assert claim(first, QUICK)
        patience = ClaimPatience(look=0.1, silence=1000, give_up_after=0.3)
        with pytest.raises(TargetUnavailable) as caught, second.transaction():
            claim(second, patience)
    assert (
        f"is being loaded by another session (pid {first.info.backend_pid}, role snowmelt, 0.0 MB so far"
        in str(caught.value)
    )
    assert str(caught.value).endswith("See docs/troubleshooting.md#lock-timeout")


def test_another_file_is_nobodys_business(sessions):
    first, second = sessions(), sessions()
    with first.transaction():
        assert claim(first, QUICK)
        with second.transaction(), second.cursor() as cursor:
            other = StagedFile("p/run_r1/chunk_001/data_0.snappy.parquet", 100, 10, 1, "etag")
            assert claim_patiently(
                cursor,
                lambda cursor: ledger_files.claim_file(cursor, "r1", other, etag="etag", method="copy"),
                run_id="r1",
                key=other.key,
                patience=QUICK,
            )
