"""What the server said of one row: psycopg's error of a COPY, read as the line that it stopped at and the reason."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from snowmelt.core.load.rejects import CopyLine, RowFault, parse_copy_context
from snowmelt.core.load.target import LoadTarget

#: SQLSTATE classes and codes for which one row is to blame: data exceptions, NOT NULL, CHECK, and nesting or size beyond a limit.
_ROW_FAULTS = ("22", "23502", "23514", "54000", "54001")
#: A CSV file that is none, or has another number of columns.
_WRONG_SHAPE = "22P04"
#: The stream itself is wrong, not one row: never to be laid to a row's charge.
_WRONG_STREAM = "22P03"
_NOT_NULL = "23502"
#: Bytes that are no text, and characters that the database's encoding does not have.
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
        """Whether the line is no row at all: the file is damaged, or holds other columns."""
        return self.state == _WRONG_SHAPE

    @property
    def undecodable(self) -> bool:
        """Whether a value is no text, or none of the database's encoding; for CSV the server then names no column."""
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
    parts = (error.diag.message_primary, error.diag.message_detail)
    said = ": ".join(" ".join(part.split()).rstrip(".") for part in parts if part)
    return f"PostgreSQL answered {error.sqlstate}, {said}"
