"""CSV text into records and values: by pieces of any size, with line ends, quotes and NULLs wherever they stand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowmelt.load.csv_records import (
    CsvBlock,
    CsvRecord,
    collect_blocks,
    find_codec,
    find_undecodable,
    parse_record,
    split_records,
)
from snowmelt.load.target import LoadColumn
from snowmelt.types.type_names import parse_postgres_type
from snowmelt.types.type_table import Form


def column(name, form=Form.TEXT, text_limit=None):
    return LoadColumn(name, form, name.lower(), parse_postgres_type("text"), text_limit=text_limit)


COLUMNS = (column("ID", Form.INTEGER), column("A"), column("B"))


def write(row):
    return b",".join(b"" if cell is None else b'"' + cell.replace(b'"', b'""') + b'"' for cell in row) + b"\n"


cells = (
    st.none() | st.binary(max_size=12) | st.text(st.sampled_from('a",\n\r\\N '), max_size=8).map(str.encode)
)
rows = st.lists(st.tuples(cells, cells, cells), max_size=20)


@given(rows, st.lists(st.integers(1, 7), min_size=1, max_size=5))
def test_rows_come_back_from_pieces_of_any_size(rows, sizes):
    text = b"".join(map(write, rows))
    pieces, place, turn = [], 0, 0
    while place < len(text):
        size = sizes[turn % len(sizes)]
        pieces.append(text[place : place + size])
        place, turn = place + size, turn + 1
    records = list(split_records(pieces))
    assert b"".join(record.data for record in records) == text
    assert [tuple(parse_record(record, COLUMNS).values()) for record in records] == rows


@given(rows, st.integers(1, 40))
def test_blocks_hold_every_record_once_and_know_their_numbers(rows, size):
    records = list(split_records([b"".join(map(write, rows))]))
    blocks = list(collect_blocks(records, size))
    assert [record for block in blocks for record in block.records] == records
    for block in blocks:
        assert records[block.number - 1] is block.records[0]


def test_null_is_nothing_and_a_text_is_quoted():
    record = CsvRecord(b',"\\N",""\n')
    assert parse_record(record, COLUMNS) == {"ID": None, "A": b"\\N", "B": b""}
    assert parse_record(CsvRecord(b"\n"), COLUMNS[1:2]) == {"A": None}
    assert parse_record(CsvRecord(b"-1.5,x,\n"), COLUMNS) == {"ID": b"-1.5", "A": b"x", "B": None}


def test_a_last_record_without_a_line_end_is_one():
    assert [record.data for record in split_records([b'1,"a"\n2,', b'"b'])] == [b'1,"a"\n', b'2,"b']


@pytest.mark.parametrize(
    ("text", "row"),
    [
        (b"1\n", {"ID": b"1"}),
        (b'1,"a","b",2,"c"\n', {"ID": b"1", "A": b"a", "B": b"b", "(more)": b"2,c"}),
        (b'1,a"b,"c"\n', {"ID": b"1", "A": b'a"b,"c"\n'}),
    ],
)
def test_a_record_of_another_shape_is_shown_as_it_is(text, row):
    assert parse_record(CsvRecord(text), COLUMNS) == row


def test_the_end_that_marks_a_long_text_is_taken_off():
    limited = (column("A", text_limit=3), column("B"))
    assert parse_record(CsvRecord('"éèê!","éèê!"\n'.encode()), limited) == {
        "A": "éèê".encode(),
        "B": "éèê!".encode(),
    }
    assert parse_record(CsvRecord(b'"abc","d"\n'), limited)["A"] == b"abc"


def test_lines_are_counted_as_copy_counts_them():
    block = CsvBlock(tuple(split_records([b'1,"a\nb"\n2,"c\r\nd"\n3,x\n4,"e\nf"\n'])), 1)
    # seen with PostgreSQL 18: the first record counts one line for each carriage return, later ones for each line feed
    assert [block.guess(line, 0) for line in (1, 2, 3, 4, 5, 6, 9)] == [0, 1, 1, 2, 3, 3, 3]
    assert [block.guess(line, 1) for line in (1, 2, 3, 4)] == [1, 1, 2, 3]


@pytest.mark.parametrize(
    ("value", "codec", "found"),
    [
        (b"plain", None, ""),
        (b"a\x00b", None, "A"),
        (b"\xff", None, "A"),
        ("é".encode(), "iso8859-1", ""),
        ("🎈".encode(), "iso8859-1", "A"),
        ("🎈".encode(), None, ""),
    ],
)
def test_a_value_that_is_no_text_of_the_database_is_found(value, codec, found):
    assert find_undecodable({"ID": b"1", "A": value, "B": None}, codec) == found


@pytest.mark.parametrize(
    ("encoding", "codec"),
    [
        ("UTF8", "utf-8"),
        ("LATIN1", "iso8859-1"),
        ("WIN1252", "cp1252"),
        ("EUC_JP", "euc_jp"),
        ("MULE_INTERNAL", None),
        (None, None),
    ],
)
def test_encodings_of_postgres_have_their_codec(encoding, codec):
    assert find_codec(encoding) == codec
