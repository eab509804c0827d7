from __future__ import annotations

import json
from decimal import Decimal

import pytest

from snowmelt.errors import ValueRefused
from snowmelt.load.rejects import (
    CopyLine,
    RejectedRow,
    RejectedRows,
    RejectPolicy,
    keep_value,
    parse_copy_context,
)
from snowmelt.vocabulary import BadRows

QUARANTINE = RejectPolicy(BadRows.QUARANTINE, 2)


def bad_row(number, value="x" * 200):
    return RejectedRow(number, "NOTE", "holds a NUL character (0x00)", {"ID": 7, "NOTE": value})


def test_reject_names_file_row_column_and_reason_and_no_value():
    rows = RejectedRows(RejectPolicy(), "s3://b/k")
    with pytest.raises(ValueRefused) as raised:
        rows.add(bad_row(1234))
    assert str(raised.value).startswith(
        "s3://b/k, row 1,234, column NOTE: holds a NUL character (0x00). Nothing of this file was kept."
    )
    assert "xxx" not in str(raised.value)


def test_quarantine_ends_at_its_limit():
    rows = RejectedRows(QUARANTINE, "s3://b/k")
    rows.add(bad_row(1))
    rows.add(bad_row(2))
    with pytest.raises(
        ValueRefused,
        match=r"row 3, .* 2 rows of this run are set aside already, which is its quarantine_limit",
    ):
        rows.add(bad_row(3))


def test_the_limit_is_the_runs_not_the_files():
    rows = RejectedRows(RejectPolicy(BadRows.QUARANTINE, 1000, before=999), "s3://b/k")
    rows.add(bad_row(1))
    with pytest.raises(
        ValueRefused,
        match=r"1,000 rows of this run are set aside already \(999 of them in other files\), which is its quarantine_limit\.",
    ):
        rows.add(bad_row(2))


def test_a_database_that_is_not_in_utf8_gets_ascii_alone():
    row = RejectedRow(7, "Größe", 'holds "é"', {"Größe": "ü🎈", "ID": 7, "NOTE": "plain"})
    assert row.parameters("r", "k")[3:] == (
        "Größe",
        'holds "é"',
        '{"Größe": "ü🎈", "ID": 7, "NOTE": "plain"}',
    )
    column, reason, text = row.parameters("r", "k", ascii_only=True)[3:]
    assert (column, reason) == (r"Gr\xf6\xdfe", r'holds "\xe9"')
    assert json.loads(text) == {
        r"Gr\xf6\xdfe": {"escaped": r"\xfc\U0001f388"},
        "ID": 7,
        "NOTE": "plain",
    }


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (None, None),
        (True, True),
        (2**53, 2**53),
        (2**53 + 1, "9007199254740993"),
        (1.5, 1.5),
        (float("nan"), "nan"),
        (Decimal("1.10"), "1.10"),
        (b"text \xc3\xa9", "text é"),
        (b"\xff", {"escaped": "\\xff"}),
        (b"a\x00b", {"escaped": "a\\u0000b"}),
        (b"x" * 5000, "x" * 4096 + "… (904 more characters in the file)"),
    ],
)
def test_values_as_they_are_kept(value, kept):
    assert keep_value(value) == kept
    json.dumps(kept, allow_nan=False)


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        ("COPY t, line 1, column c", CopyLine(1, "c")),
        ('COPY t, line 12, column c: "a, line 3"', CopyLine(12, "c")),
        ('JSON data, line 1: {"a":NaN...\nCOPY t, line 4, column Visit Id', CopyLine(4, "Visit Id")),
        ('COPY t, line 4: "1,2,3"', CopyLine(4, None)),
        ("COPY t, Zeile 7, Spalte c", CopyLine(7, "c")),
        ("COPY t, 行 7, 列 c", CopyLine(7, "c")),
        ("COPY t", None),
        ("COPY other, line 3, column c", None),
        (None, None),
    ],
)
def test_context_lines(context, expected):
    assert parse_copy_context(context, "t", ["c", "cc", "Visit Id"]) == expected
