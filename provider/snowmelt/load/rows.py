"""What the server said of one row: psycopg's error of a COPY, read as the line that it stopped at and the reason.

The rows of a file as COPY takes them: all in one stream, or in blocks once the server has refused a row.

PostgreSQL stops at the first row that it cannot hold and says at which line, which is no more than a hint: in CSV it counts
lines inside of quotes, but not those of the first row, and a character that is not valid is reported before its line is read. So
the file is sent again in blocks, each under a savepoint, and a row is to blame only when it is refused alone.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import psycopg

from snowmelt.drivers.postgres_errors import describe_answer
from snowmelt.errors import StagingError
from snowmelt.load.copy_stream import PROGRESS_SECONDS, Progress
from snowmelt.load.rejects import CopyLine, RejectedRow, RejectedRows, RowFault, parse_copy_context
from snowmelt.load.target import LoadTarget

#: SQLSTATE classes and codes for which one row is to blame: data exceptions, NOT NULL, CHECK, and nesting or size beyond a limit.
_ROW_FAULTS = ("22", "23502", "23514", "54000", "54001")
#: What is not CSV, or has another number of columns.
_WRONG_SHAPE = "22P04"
#: The stream itself is wrong, not one row: never to be laid to a row's charge.
_WRONG_STREAM = "22P03"
_NOT_NULL = "23502"
#: Bytes that are not text, and characters that the database's encoding does not have.
_UNDECODABLE = frozenset({"22021", "22P05"})


@dataclass(frozen=True, slots=True)
class ServerFault:
    """A row that the server refused."""

    #: Of the COPY, from 1: a row in binary COPY, a line of text in CSV.
    line: int
    #: The column by its name in the file, empty where the server named none; and the server's words.
    fault: RowFault
    state: str

    @property
    def wrong_shape(self) -> bool:
        """Whether the line is not a row at all: the file is damaged, or holds other columns."""
        return self.state == _WRONG_SHAPE

    @property
    def undecodable(self) -> bool:
        """Whether a value is not a text, or not one of the database's encoding; for CSV the server then names no column."""
        return self.state in _UNDECODABLE


def read_server_fault(error: psycopg.Error, target: LoadTarget) -> ServerFault | None:
    """The row that is to blame for an error of a COPY; None when no single row is."""
    state = error.sqlstate or ""
    diagnosis = error.diag
    if state == _WRONG_STREAM or not state.startswith(_ROW_FAULTS):
        return None
    names = [column.target for column in target.columns]
    at = parse_copy_context(diagnosis.context, target.table, names)
    if at is None:
        return None
    return ServerFault(
        at.line, RowFault(_file_name(target, at, diagnosis.column_name), _reason(error)), state
    )


def _file_name(target: LoadTarget, at: CopyLine, named: str | None) -> str:
    column = at.column or named
    return next((each.file_name for each in target.columns if each.target == column), "")


def _reason(error: psycopg.Error) -> str:
    if error.sqlstate == _NOT_NULL:
        return "NULL in a NOT NULL column"
    return describe_answer(error, places=False)  # the caller knows the row in the file


log = logging.getLogger(__name__)

Cursor = psycopg.Cursor[Any]
ProgressCall = Callable[[Progress], None] | None


class Block(Protocol):
    """Rows that follow each other in a file, of which each can be sent or left out. Indexes are those in the block."""

    @property
    def rows(self) -> int:
        """How many there are."""

    def encode(self, start: int, stop: int) -> bytes:
        """A whole COPY of the rows from `start` to before `stop`."""

    def guess(self, fault: ServerFault, start: int) -> int:
        """Which row the server probably refused in the COPY that began at `start`."""

    def describe(self, index: int, fault: ServerFault) -> RejectedRow:
        """A row that was refused alone, as it is set aside."""


class FileRows(Protocol):
    """The rows of one file."""

    #: The file's address, for messages.
    origin: str
    target: LoadTarget
    #: The COPY … FROM STDIN that takes `Block.encode`.
    statement: str

    @property
    def staged_hash(self) -> int | None:
        """The staged hash of all its rows, once they were sent; None where it is not computed."""

    def send(self, cursor: Cursor, progress: ProgressCall = None) -> int:
        """Send the whole file, or let the server fetch it, in the cursor's transaction; the server's count of rows."""

    def blocks(self) -> Iterator[Block]:
        """All of them, read again from the start."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What PostgreSQL took of a file."""

    rows: int
    #: It refused a row of the whole file, which was then sent from here; the server may have fetched it before.
    in_blocks: bool


def load_rows(cursor: Cursor, file: FileRows, rejected: RejectedRows, progress: ProgressCall = None) -> Taken:
    """Load the whole file; rows that PostgreSQL refused are in `rejected`.

    :raises ValueRefused: a row that PostgreSQL cannot hold, under the policy reject or beyond the limit.
    :raises StagingError: the file is not a file of these columns, or counts differ.
    """
    try:
        with _savepoint(cursor, release=False):  # the transaction ends soon; one way to the server less
            return Taken(file.send(cursor, progress), in_blocks=False)
    except psycopg.Error as error:
        if _fault_of(error, file) is None:
            raise
    log.info("PostgreSQL refused a row of %s: it is sent again in blocks, to find out which", file.origin)
    rejected.rows.clear()
    began = reported = time.monotonic()
    taken = 0
    for block in file.blocks():
        taken += _send_block(cursor, file, block, rejected, 0, block.rows)
        if progress is not None and (now := time.monotonic()) - reported >= PROGRESS_SECONDS:
            reported = now
            progress(Progress(taken, 0, now - began))
    return Taken(taken, in_blocks=True)


def _send_block(
    cursor: Cursor, file: FileRows, block: Block, rejected: RejectedRows, start: int, stop: int
) -> int:
    """Send rows of a block, without those that are refused alone; how many were taken."""
    taken = 0
    while start < stop:
        try:
            return taken + _copy(cursor, file, block, start, stop)
        except psycopg.Error as error:
            fault = _fault_of(error, file)
            if fault is None:
                raise
        if stop - start == 1:
            rejected.add(block.describe(start, fault))
            return taken
        suspect = min(max(block.guess(fault, start), start), stop - 1)
        taken += _send_block(cursor, file, block, rejected, start, suspect)
        taken += _send_block(cursor, file, block, rejected, suspect, suspect + 1)
        start = suspect + 1
    return taken


def _copy(cursor: Cursor, file: FileRows, block: Block, start: int, stop: int) -> int:
    with _savepoint(cursor, release=True):
        with cursor.copy(file.statement) as copy:
            copy.write(block.encode(start, stop))
        if cursor.rowcount != stop - start:
            raise StagingError(
                f"{file.origin}: {stop - start:,} rows were sent, PostgreSQL counted {cursor.rowcount:,}. Nothing was committed."
            )
    return stop - start


def _fault_of(error: psycopg.Error, file: FileRows) -> ServerFault | None:
    fault = read_server_fault(error, file.target)
    if fault is not None and fault.wrong_shape:
        raise StagingError(
            f"{file.origin}, line {fault.line:,}: {fault.fault.reason}. It is damaged, or holds other columns than planned. "
            "Unload this run again."
        ) from None  # the error quotes the line
    return fault


@contextmanager
def _savepoint(cursor: Cursor, *, release: bool) -> Iterator[None]:
    cursor.execute("SAVEPOINT snowmelt_copy")
    try:
        yield
    except psycopg.Error:
        if not cursor.connection.broken:
            cursor.execute("ROLLBACK TO SAVEPOINT snowmelt_copy")
        raise
    if release:
        cursor.connection.execute("RELEASE SAVEPOINT snowmelt_copy")
