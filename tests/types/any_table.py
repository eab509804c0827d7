"""Tables of any columns, under names of every kind."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.types.any_column import CHARACTERS, KINDS, Kind

#: PostgreSQL's own columns of every table; and what the tables of the test number their rows by.
TAKEN = {"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid", "id"}
NAMES = (
    *("a", "A_1", "a.b", "a.b.c", "a..b", ".", "..", "a.", ".a", "select", "SELECT", "user", "USER", "table", "oid", "null"),
    *('we"ird', '"', '""', '"a"', "'", "it's", " ", "  a", "a  ", "a b", "a;b", ";", "--", "/* a */", "$1", "$$", "%s", "%", "{}"),
    *("\\", "\\N", "a\\", "?", ":a", "@stage", "#", "*", "(a)", "[0]", "a,b", "1", "0x1", "1e5", "line\nfeed", "tab\t", "cr\r"),
    *("ünï", "ß", "İ", "ı", "𝔘", "🎈", "👩\u200d👧", "e\u0301", "é", "日本", "\u202eabc", "\u200b", "\ufeff", "\x01", "\x7f"),
    *("x" * 63, "x" * 64, "X" * 63, "X" * 64, "X" * 255, "é" * 31, "é" * 32, "🎈" * 15, "🎈" * 16, "🎈" * 255, "x" * 62 + "é"),
    *("x" * 54 + "🎈" * 3, "row_number", "file_name", "metadata$filename", "C1", "k0", "_offset", "A_OFFSET", "F__", "value"),
)  # fmt: skip


@dataclass(frozen=True)
class AnyColumn:
    """A generated column with the values of all rows."""

    name: str
    kind: Kind
    nullable: bool
    #: The offset goes into a second column.
    keep_offset: bool
    #: (literal, value) of each row; None is NULL.
    values: tuple[tuple[str, Any] | None, ...]

    def literals(self) -> list[str]:
        return ["NULL" if pair is None else pair[0] for pair in self.values]

    def expected(self) -> list[Any]:
        return [None if pair is None else pair[1] for pair in self.values]

    @property
    def target(self) -> str | None:
        """The target column's name; None where it is too long for PostgreSQL, which takes 63 bytes."""
        name = self.name.lower() if re.fullmatch(r"[A-Z_][A-Z0-9_$]*", self.name) else self.name
        return name if len(name.encode()) <= 63 else None


_names = st.one_of(
    st.sampled_from(NAMES),
    st.text(CHARACTERS, min_size=1, max_size=20),
    st.text(st.sampled_from("ab\"'. \\$%é🎈"), min_size=1, max_size=255),
    st.text(CHARACTERS, min_size=60, max_size=255),
)
_usable = _names.filter(lambda name: name.casefold() not in TAKEN)
#: Most tables have many columns and some rows: a run costs the same, and a few dozen tables meet every type.
_COLUMNS = (8, 8, 8, 7, 6, 4, 2, 1)
_ROWS = (5, 5, 4, 4, 3, 3, 2, 1, 0)


@st.composite
def any_tables(draw) -> list[AnyColumn]:
    rows, size = draw(st.sampled_from(_ROWS)), draw(st.sampled_from(_COLUMNS))
    # No two names are told apart by case alone: the stand-in for Snowflake cannot.
    names = draw(st.lists(_usable, min_size=size, max_size=size, unique_by=str.casefold))
    columns = []
    for name in names:
        kind, nullable = draw(KINDS), draw(st.booleans())
        values = st.none() | kind.values if nullable else kind.values
        keep_offset = kind.type.startswith("TIMESTAMP_TZ") and draw(st.sampled_from((True, True, False)))
        cells = tuple(draw(st.lists(values, min_size=rows, max_size=rows)))
        columns.append(AnyColumn(name, kind, nullable, keep_offset, cells))
    return columns
