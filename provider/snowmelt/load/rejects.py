"""Rows that PostgreSQL cannot hold: refuse the file, or set the rows aside and say so.

The policy `reject` rolls the whole file back and names the first row. `quarantine` writes the rows to
`snowmelt.rejected_row` in the file's own transaction, up to a limit for the run; rows loaded and rows rejected together
must be the manifest's rows.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from snowmelt.errors import ValueRefused
from snowmelt.vocabulary import BadRows

#: Characters of a value that a row set aside keeps. The file in S3 holds the whole of it.
KEPT_CHARACTERS = 4096
#: The largest integer that every reader of JSON keeps exactly.
_JSON_INTEGER = 2**53


@dataclass(frozen=True, slots=True)
class RowFault:
    """Why a row cannot go into the table."""

    #: The column's name in the file; empty where only the server could say and did not.
    column: str
    reason: str


@dataclass(frozen=True, slots=True)
class RejectPolicy:
    """What happens to a row that PostgreSQL cannot hold."""

    on_bad_row: BadRows = BadRows.REJECT
    #: Rows of a run that may be set aside; one more, and the file that it is in is refused.
    limit: int = 1000
    #: Those of other files of the run that are set aside already.
    before: int = 0

    @property
    def quarantines(self) -> bool:
        """Whether rows are set aside."""
        return self.on_bad_row is BadRows.QUARANTINE


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """One row set aside."""

    #: From 1, in the order of the file.
    number: int
    #: Its name in the file; empty where it is not known.
    column: str
    reason: str
    #: Column in the file → value, as JSON can say it.
    row: Mapping[str, Any]

    def parameters(self, run_id: str, key: str, *, ascii_only: bool = False) -> tuple[Any, ...]:
        """The values of a row of `snowmelt.rejected_row`.

        :param ascii_only: for a database that is not in UTF8, whose jsonb may not hold the very text that it refused.
        """
        if not ascii_only:
            return (
                run_id,
                key,
                self.number,
                self.column,
                self.reason,
                json.dumps(self.row, ensure_ascii=False),
            )
        row = {_ascii(name): _ascii_value(value) for name, value in self.row.items()}
        return run_id, key, self.number, _ascii(self.column), _ascii(self.reason), json.dumps(row)


@dataclass(slots=True)
class RejectedRows:
    """The rows of one file that were set aside so far, in the order of the file."""

    policy: RejectPolicy
    #: The file's address, for messages.
    origin: str
    rows: list[RejectedRow] = field(default_factory=list)

    def add(self, rejected: RejectedRow) -> None:
        """Set a row aside, or refuse the file.

        :raises ValueRefused: under the policy reject, or beyond the limit.
        """
        if not self.policy.quarantines:
            raise refuse_row(self.origin, rejected)
        if self.policy.before + len(self.rows) >= self.policy.limit:
            others = f" ({self.policy.before:,} of them in other files)" if self.policy.before else ""
            raise ValueRefused(
                f"{refuse_row(self.origin, rejected)} {self.policy.limit:,} rows of this run are set aside already{others}, "
                "which is its quarantine_limit."
            )
        self.rows.append(rejected)


def refuse_row(origin: str, rejected: RejectedRow) -> ValueRefused:
    """The error for a row under the policy reject; the row's values are for the quarantine alone."""
    return ValueRefused(
        f"{origin}, row {rejected.number:,}, column {rejected.column or '(not known)'}: {rejected.reason}. "
        "Nothing of this file was kept. Correct it at the source, exclude it by a filter or a mask, or set bad_rows to quarantine, "
        "which keeps the row in snowmelt.rejected_row.",
        column=rejected.column or None,
        file=origin,
        row=rejected.number,
    )


def keep_value(value: Any) -> Any:
    """A Python value as `rejected_row.row` holds it: exact, but for texts of more than 4096 characters.

    Numbers that JSON readers would round are written as text. What jsonb cannot hold (NUL, half a surrogate pair, bytes that are not UTF-8) is written as {"escaped": …} with backslash escapes.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            return {"escaped": _head(value.decode(errors="backslashreplace"))}
    if isinstance(value, int):
        return value if abs(value) <= _JSON_INTEGER else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    text = str(value)
    if "\x00" in text:
        return {"escaped": _head(json.dumps(text)[1:-1])}
    return _head(text)


def _ascii(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode()


def _ascii_value(value: Any) -> Any:
    return {"escaped": _ascii(value)} if isinstance(value, str) and not value.isascii() else value


def _head(text: str) -> str:
    left = len(text) - KEPT_CHARACTERS
    return text if left <= 0 else f"{text[:KEPT_CHARACTERS]}… ({left:,} more characters in the file)"


@dataclass(frozen=True, slots=True)
class CopyLine:
    """Where the server stopped in a COPY."""

    #: From 1, of the rows (or, for CSV, the lines) sent.
    line: int
    #: The target's column, where the server named one.
    column: str | None


def parse_copy_context(context: str | None, table: str, columns: Sequence[str]) -> CopyLine | None:
    """The line and column in an error's CONTEXT, `COPY orders, line 7, column amount: "x"`, in any lc_messages language.

    :param table: the bare name of the table that was copied into, and its columns' names.
    """
    names = "|".join(re.escape(name) for name in sorted(columns, key=len, reverse=True))
    pattern = re.compile(
        rf"^COPY {re.escape(table)}\D{{1,20}}?(?P<line>\d+)(?:\D{{1,20}}? (?P<column>{names})(?=$|:))?",
        re.MULTILINE,
    )
    match = pattern.search(context or "")
    return CopyLine(int(match["line"]), match["column"]) if match else None
