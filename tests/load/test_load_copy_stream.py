"""The thread that makes bytes and the sender that takes them: order, bounds, errors and cancelling."""

from __future__ import annotations

import threading
import time

import psycopg
import pytest

from snowmelt.load.copy_stream import Ahead, Piece, send_copy
from tests.waiting import wait_until


def encoders():
    return [thread for thread in threading.enumerate() if thread.name.startswith("snowmelt-")]


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    wait_until(lambda: encoders() == [])


def test_pieces_come_in_order():
    with Ahead(iter([Piece(b"a", 1), Piece(b"b", 2)])) as ahead:
        assert list(ahead) == [Piece(b"a", 1), Piece(b"b", 2)]


def test_no_more_than_the_limit_waits():
    made = []

    def pieces():
        for number in range(100):
            made.append(number)
            yield Piece(bytes(10))

    with Ahead(pieces(), limit=50) as ahead:
        wait_until(lambda: len(made) == 6)
        time.sleep(0.2)
        assert len(made) == 6  # five wait, and one is made
        taken = iter(ahead)
        next(taken)
        wait_until(lambda: len(made) == 7)
        time.sleep(0.2)
        assert len(made) == 7
        assert sum(1 for _ in taken) == 99


def test_a_piece_beyond_the_limit_passes():
    with Ahead(iter([Piece(bytes(100)), Piece(bytes(100))]), limit=10) as ahead:
        assert [len(piece.data) for piece in ahead] == [100, 100]


def test_an_error_overtakes_what_waits():
    def pieces():
        yield Piece(b"a")
        raise ValueError("broken")

    with Ahead(pieces()) as ahead:
        wait_until(lambda: encoders() == [])
        taken = iter(ahead)
        with pytest.raises(ValueError, match="broken"):
            next(taken)


def test_leaving_ends_the_thread_and_closes_the_iterator():
    closed, left = threading.Event(), threading.Event()

    def pieces():
        try:
            while True:
                yield Piece(bytes(10))
        finally:
            closed.set()

    def leave():
        with Ahead(pieces(), limit=100, on_leave=left.set) as ahead:
            next(iter(ahead))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        leave()
    assert closed.is_set()
    assert left.is_set()
    assert encoders() == []


@pytest.fixture
def table(connection):
    connection.execute("DROP TABLE IF EXISTS stream; CREATE TABLE stream (c text)")
    return "COPY stream FROM STDIN"


def test_rows_and_bytes_are_counted(connection, table):
    told = []
    pieces = Ahead(iter([Piece(b"a\nb\n", 2), Piece(b"c\n", 1)]))
    with connection.cursor() as cursor:
        done = send_copy(cursor, table, pieces, told.append)
        assert cursor.rowcount == 3
    assert (done.rows, done.bytes) == (3, 6)
    assert told == [done]


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt(), SystemExit(143)], ids=repr)
def test_an_error_in_the_thread_aborts_the_copy(connection, table, error):
    def pieces():
        yield Piece(b"a\n")
        raise error

    with pytest.raises(type(error)), connection.cursor() as cursor:
        send_copy(cursor, table, Ahead(pieces()))
    assert connection.execute("SELECT count(*) FROM stream").fetchone() == (0,)


def test_an_error_of_the_sender_aborts_the_copy(connection, table, monkeypatch):
    """As when SIGTERM becomes an exception: here out of the progress call."""
    monkeypatch.setattr("snowmelt.load.copy_stream.PROGRESS_SECONDS", 0)

    def pieces():
        while True:
            yield Piece(b"a\n" * 1000)

    def stop(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), connection.cursor() as cursor:
        send_copy(cursor, table, Ahead(pieces()), stop)
    assert connection.execute("SELECT count(*) FROM stream").fetchone() == (0,)


def test_a_lost_connection_ends_the_thread(postgres_dsn, connection, table):
    victim = psycopg.connect(postgres_dsn, autocommit=True)

    def pieces():
        yield Piece(b"a\n")
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", (victim.info.backend_pid,))
        while True:
            yield Piece(b"a\n" * 10_000)

    with pytest.raises(psycopg.OperationalError), victim.cursor() as cursor:
        send_copy(cursor, table, Ahead(pieces()))
    victim.close()
    assert connection.execute("SELECT count(*) FROM stream").fetchone() == (0,)


def test_a_refused_statement_ends_the_thread(connection):
    with pytest.raises(psycopg.errors.UndefinedTable), connection.cursor() as cursor:
        send_copy(cursor, "COPY no_such_table FROM STDIN", Ahead(iter([Piece(b"a\n")])))
