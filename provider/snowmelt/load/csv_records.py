"""CSV text into records, and a record into its values, by the dialect of unload/statements.py. For files that a COPY has refused.

A record ends at a line feed outside of quotes. COPY counts lines, those inside of quotes too, but for the first record:
before it has seen how lines end, it counts carriage returns there (PostgreSQL's copyfromparse.c calls that "a little fragile").
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from snowmelt.errors import StagingError
from snowmelt.load.target import LoadColumn
from snowmelt.types.type_table import Form

#: Bytes of records that are sent together once a file has been refused. Each bad row costs another COPY of the rest.
BLOCK_BYTES = 1 << 20

#: The longest record that is held in memory; it is copied once. A quote that is never closed makes the rest of a file one record.
MAX_RECORD_BYTES = 96 << 20

_FIELD = re.compile(rb'(?:"(?P<text>[^"]*(?:""[^"]*)*)"|(?P<bare>[^",\n]*))(?P<end>,|\n|\Z)')


@dataclass(frozen=True, slots=True)
class CsvRecord:
    """One row as it is in the file, its line feed included."""

    data: bytes

    def lines(self, *, first: bool) -> int:
        """Lines that COPY counts for it.

        :param first: whether the COPY begins with it.
        """
        return 1 + self.data.count(b"\r") if first else max(1, self.data.count(b"\n"))


@dataclass(frozen=True, slots=True)
class CsvBlock:
    """Records that follow each other."""

    records: tuple[CsvRecord, ...]
    #: Of its first record in the file, from 1.
    number: int

    def guess(self, line: int, start: int) -> int:
        """Index of the record that holds a line (from 1) of a COPY that began with the record `start`."""
        for index in range(start, len(self.records)):
            line -= self.records[index].lines(first=index == start)
            if line <= 0:
                return index
        return len(self.records) - 1


def split_records(pieces: Iterable[bytes]) -> Iterator[CsvRecord]:
    """The records of a text that comes in pieces; what follows the last line feed is one, too.

    :raises StagingError: a record is longer than `MAX_RECORD_BYTES`.
    """
    lines: list[bytes] = []
    rest: list[bytes] = []
    quotes = held = 0
    for piece in pieces:
        held += len(piece)
        if held > MAX_RECORD_BYTES:
            raise StagingError(
                f"A record of the CSV file is longer than {MAX_RECORD_BYTES >> 20} MB, as if a quote were never closed: the file is damaged. "
                "Unload this run again, or as Parquet."
            )
        first, *others = piece.split(b"\n")
        rest.append(first)
        for after in others:
            line = b"".join(rest)
            rest = [after]
            lines.append(line)
            quotes += line.count(b'"')
            if quotes % 2 == 0:
                yield CsvRecord(b"\n".join(lines) + b"\n")
                lines, quotes = [], 0
                held = len(after)
    left = b"\n".join([*lines, b"".join(rest)])
    if left:
        yield CsvRecord(left)


def collect_blocks(records: Iterable[CsvRecord], block_bytes: int = BLOCK_BYTES) -> Iterator[CsvBlock]:
    """Records in blocks of at least that many bytes; the last one is smaller."""
    held: list[CsvRecord] = []
    size, number = 0, 1
    for record in records:
        held.append(record)
        size += len(record.data)
        if size >= block_bytes:
            yield CsvBlock(tuple(held), number)
            number += len(held)
            held, size = [], 0
    if held:
        yield CsvBlock(tuple(held), number)


def parse_record(record: CsvRecord, columns: Sequence[LoadColumn]) -> dict[str, bytes | None]:
    r"""The values of a record by the file's column names; NULL is None, a text is without its quotes.

    A record with another number of values than columns keeps what it has; what is too much is under "(more)".
    """
    values: list[bytes | None] = []
    place = 0
    while True:
        match = _FIELD.match(record.data, place)
        if match is None:  # a quote where none may be: the rest as it is
            values.append(record.data[place:])
            break
        text = match["text"]
        values.append(
            text.replace(b'""', b'"') if text is not None else None if not match["bare"] else match["bare"]
        )
        place = match.end()
        if match["end"] != b",":
            break
    row = {column.file_name: _unmark(value, column) for column, value in zip(columns, values, strict=False)}
    more = values[len(columns) :]
    return row | {"(more)": b",".join(value or b"" for value in more)} if more else row


def _unmark(value: bytes | None, column: LoadColumn) -> bytes | None:
    """Without the end that the unload gave a text which is longer than its column."""
    limit = column.text_limit
    if value is None or limit is None or column.form is not Form.TEXT:
        return value
    return value[:-1] if len(value.decode(errors="replace")) > limit else value


def find_undecodable(row: dict[str, bytes | None], codec: str | None = None) -> str:
    """The first column whose value is not a text of the database: a NUL, bytes that are not UTF-8, a character that it does not have.

    :param codec: of the database, as `find_codec` gives it; None: not checked.
    :returns: the column's name; empty when there is none.
    """
    return next((name for name, value in row.items() if value is not None and not _is_text(value, codec)), "")


def _is_text(value: bytes, codec: str | None) -> bool:
    try:
        text = value.decode()
        if codec is not None:
            text.encode(codec)
    except UnicodeError:
        return False
    return "\x00" not in text


def find_codec(server_encoding: str | None) -> str | None:
    """Python's codec for a server_encoding of PostgreSQL's, such as LATIN1 or WIN1252; None where it has none."""
    name = (server_encoding or "").lower()
    try:
        return codecs.lookup(name.replace("win", "cp")).name
    except LookupError:
        return None
