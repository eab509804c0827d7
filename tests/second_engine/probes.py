"""What is asked, and what an answer is; plain values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

BUCKET = "lake"
#: `<<name>>` in a statement stands for an instant that the engine printed while its tables were made.
MOMENT = re.compile(r"<<(\w+)>>")


@dataclass(frozen=True, slots=True)
class Probe:
    """One statement of a form that the product sends."""

    #: `<subject>: <what>`; tells it in verdicts.py and on the page.
    name: str
    sql: str
    #: Statements that are run first, in a session of its own.
    session: tuple[str, ...] = ()
    #: The probe whose answer this has to have, whatever the session's settings; empty: none.
    ordinary: str = ""
    #: The key prefix of the one file that the statement writes: its text is the answer.
    file: str = ""


@dataclass(frozen=True, slots=True)
class Error:
    """A refusal."""

    #: Snowflake's number; None in a reading whose source does not tell it.
    number: int | None
    text: str = ""

    def __str__(self) -> str:
        number = "" if self.number is None else f" {self.number:06d}"
        return f"error{number}{f': {self.text}' if self.text else ''}"


@dataclass(frozen=True, slots=True)
class Rows:
    """A result: the columns' names and types, and every value as text."""

    names: tuple[str, ...]
    types: tuple[str, ...]
    values: tuple[tuple[str | None, ...], ...]

    def column(self, name: str) -> tuple[str | None, ...] | None:
        """The cells of a column, row by row; None where there is none of that name."""
        if name not in self.names:
            return None
        place = self.names.index(name)
        return tuple(row[place] for row in self.values)

    def __str__(self) -> str:
        return (
            "; ".join(", ".join("NULL" if value is None else value for value in row) for row in self.values)
            or "no rows"
        )


Answer = Rows | Error


@dataclass(frozen=True, slots=True)
class Reading:
    """What documentation, or somebody's test that was run on an account, says that Snowflake answers."""

    #: The page of the documentation, or the repository and path of the test.
    source: str
    #: Rows in order; None where only the columns are known.
    values: tuple[tuple[str | None, ...], ...] | None = None
    #: Column of the result → its cells, row by row; for a result of which only these columns are known.
    cells: Mapping[str, tuple[str | None, ...]] = field(default_factory=dict)
    #: The columns' types, as the connector names them.
    types: tuple[str, ...] = ()
    #: Names that the result has among others.
    names: tuple[str, ...] = ()
    error: Error | None = None

    def agrees(self, answer: Answer) -> bool:
        """Whether an answer is what is read."""
        if self.error is not None:
            return (
                isinstance(answer, Error)
                and self.error.number in {None, answer.number}
                and self.error.text in answer.text
            )
        if isinstance(answer, Error):
            return False
        return (
            self.values in {None, answer.values}
            and self.types in {(), answer.types}
            and set(self.names) <= set(answer.names)
            and all(answer.column(name) == cells for name, cells in self.cells.items())
        )

    def __str__(self) -> str:
        if self.error is not None:
            return str(self.error)
        if self.values is not None:
            return str(Rows((), (), self.values))
        named = [f"columns {', '.join(self.names)}"] if self.names else []
        return "; ".join(
            named + [f"{name}: {', '.join(map(str, cells))}" for name, cells in self.cells.items()]
        )
