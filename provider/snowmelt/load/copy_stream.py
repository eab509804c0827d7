"""A COPY whose bytes are made in one thread and sent by another, never more than a fixed number of bytes apart."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

#: Bytes that may wait to be sent. Ten batches of a usual table; more gained nothing.
QUEUE_BYTES = 16 << 20
PROGRESS_SECONDS = 3.0
#: How long the thread may take to notice that it is given up. It checks at every batch and every megabyte.
_JOIN_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes for the COPY, and the rows that they complete (0 where that is not known, as in CSV)."""

    data: bytes
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a load is."""

    rows: int
    #: Bytes sent to PostgreSQL.
    bytes: int
    seconds: float


class _GivenUp(Exception):
    """The sender has gone."""


class Ahead:
    """Runs an iterator in a thread, up to `limit` bytes ahead of its reader.

    An exception of the iterator is raised in the reader at once, before what still waits. Leaving the `with` block, by
    whatever exception, ends the thread and closes the iterator.

    :param on_leave: called first when leaving, to wake an iterator that waits for something else.
    """

    def __init__(
        self,
        pieces: Iterator[Piece],
        *,
        limit: int = QUEUE_BYTES,
        on_leave: Callable[[], None] = lambda: None,
    ) -> None:
        self._pieces = pieces
        self._limit = limit
        self._on_leave = on_leave
        self._waiting: deque[Piece] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._error: BaseException | None = None
        self._ended = self._given_up = False
        self._thread = threading.Thread(target=self._run, name="snowmelt-encode", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._given_up = True
            self._changed.notify_all()
        self._on_leave()
        self._thread.join(_JOIN_SECONDS)
        self._waiting.clear()

    def __iter__(self) -> Iterator[Piece]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ended)
                if self._error is not None:
                    raise self._error
                if not self._waiting:
                    return
                piece = self._waiting.popleft()
                self._bytes -= len(piece.data)
                self._changed.notify_all()
            yield piece

    def _put(self, piece: Piece) -> None:
        with self._changed:
            # one piece always passes, however large it is
            self._changed.wait_for(
                lambda: self._given_up or not self._waiting or self._bytes + len(piece.data) <= self._limit
            )
            if self._given_up:
                raise _GivenUp
            self._waiting.append(piece)
            self._bytes += len(piece.data)
            self._changed.notify_all()

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            for piece in self._pieces:
                self._put(piece)
        except _GivenUp:
            pass
        except BaseException as raised:  # noqa: BLE001 - handed to the reader
            error = raised
        try:
            close = getattr(self._pieces, "close", None)
            if close is not None:
                close()
        finally:
            with self._changed:
                self._error = error
                self._ended = True
                self._changed.notify_all()


def send_copy(
    cursor: Any, statement: str, pieces: Ahead, progress: Callable[[Progress], None] | None = None
) -> Progress:
    """Send the pieces by one COPY. The cursor's rowcount is the server's count afterwards.

    :param cursor: a psycopg cursor. Whatever is raised here aborts the COPY.
    :param progress: called every few seconds, and at the end.
    """
    start = reported = time.monotonic()
    rows = sent = 0
    with pieces, cursor.copy(statement) as copy:
        for piece in pieces:
            copy.write(piece.data)
            rows += piece.rows
            sent += len(piece.data)
            if progress is not None and (now := time.monotonic()) - reported >= PROGRESS_SECONDS:
                reported = now
                progress(Progress(rows, sent, now - start))
    done = Progress(rows, sent, time.monotonic() - start)
    if progress is not None:
        progress(done)
    return done
