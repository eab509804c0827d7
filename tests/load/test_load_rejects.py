"""Values that PostgreSQL cannot hold, by each way in: the file is refused with its row, or the row is set aside."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest

from snowmelt.errors import ValueRefused
from snowmelt.load.rejects import RejectPolicy
from snowmelt.types.type_table import Form
from snowmelt.vocabulary import BadRows
from tests.load.load_world import IMPORTED, PARQUET, STREAMED, WAYS, column, open_world, parquet_bytes

ID = column("ID", Form.INTEGER, "bigint", nullable=False)
NOTE = column("NOTE", Form.TEXT, "varchar(10)")
DATA = column("DATA", Form.JSON, "jsonb")

every_way = pytest.mark.parametrize("way", WAYS, ids=str)


@pytest.fixture
def world(connection, s3_client, bucket):
    made = open_world(connection, s3_client, bucket)
    made.install_aws_s3()
    return made


def numbers(*values):
    return pa.array([None if value is None else Decimal(value) for value in values], pa.decimal128(38, 0))


#: ID, NOTE, DATA, and the column that the row is refused for; None where it is not.
ROWS = (
    (1, "ok", "{}", None),
    (None, "null id", "{}", "ID"),
    (3, "nul\x00", "{}", "NOTE"),
    (4, "much too long", "{}", "NOTE"),
    (5, "ok too", '"\\ud800"', "DATA"),
    (6, None, '{"a":[1]}', None),
    (2**63, "large", "{}", "ID"),
    (8, "on\ntwo", '"line"', None),
    (9, "not JSON", '{"a":NaN}', "DATA"),
    (10, 'say "x"', "[1e200000]", "DATA"),
    (11, "nul json", '"a\\u0000b"', "DATA"),
    (12, "last\n\n", "null", None),
)
BAD = [(number, row) for number, row in enumerate(ROWS, start=1) if row[3] is not None]
GOOD = [row for row in ROWS if row[3] is None]


def table_of(rows):
    return {
        "ID": numbers(*(row[0] for row in rows)),
        "NOTE": pa.array([row[1] for row in rows], pa.string()),
        "DATA": pa.array([row[2] for row in rows], pa.string()),
    }


def shown(value):
    if value is None or isinstance(value, str):
        return {"escaped": value.replace("\x00", "\\u0000")} if value and "\x00" in value else value
    return str(value)


@every_way
@pytest.mark.parametrize(("number", "row"), BAD, ids=[f"row {number}" for number, _ in BAD])
def test_reject_names_file_row_and_column_and_no_value(world, way, number, row):
    """One bad row behind the good ones, some of which stand on several lines."""
    target = world.table(ID, NOTE, DATA)
    file = way.put(world, table_of([*GOOD, row, ROWS[0]]))
    with pytest.raises(ValueRefused) as raised:
        world.load(file, target, **way.options)
    said = str(raised.value)
    assert f"/{file.key}, row {len(GOOD) + 1}, column {row[3]}: " in said
    assert (raised.value.row, raised.value.column) == (len(GOOD) + 1, row[3])
    value = row[("ID", "NOTE", "DATA").index(row[3])]
    assert value is None or str(value) not in said
    assert "Nothing of this file was kept." in said
    assert world.count(target) == 0
    assert world.rejected(file) == []
    # the claim went with it: the corrected file loads
    assert world.load(way.put(world, table_of(GOOD)), target, **way.options).rows == len(GOOD)


@every_way
def test_quarantine_sets_each_bad_row_aside_and_loads_the_others(world, way):
    target, file = world.table(ID, NOTE, DATA), way.put(world, table_of(ROWS))
    result = world.load(file, target, policy=RejectPolicy(BadRows.QUARANTINE, len(BAD)), **way.options)
    assert (result.rows, result.rejected) == (len(GOOD), len(BAD))
    assert result.rows + result.rejected == file.rows
    assert [row[:2] for row in world.texts(target)] == [(str(row[0]), row[1]) for row in GOOD]
    rejected = world.rejected(file)
    assert [(number, name) for number, name, _, _ in rejected] == [(number, row[3]) for number, row in BAD]
    assert [row for *_, row in rejected] == [
        {"ID": shown(row[0]), "NOTE": shown(row[1]), "DATA": shown(row[2])} for _, row in BAD
    ]
    assert all(reason for _, _, reason, _ in rejected)


@every_way
def test_quarantine_has_a_limit_for_the_run(world, way):
    target, file = world.table(ID, NOTE, DATA), way.put(world, table_of(ROWS))
    for policy in (
        RejectPolicy(BadRows.QUARANTINE, len(BAD) - 1),
        RejectPolicy(BadRows.QUARANTINE, 100, before=101 - len(BAD)),
    ):
        with pytest.raises(ValueRefused, match=r"rows of this run are set aside already.*quarantine_limit"):
            world.load(file, target, policy=policy, **way.options)
        assert world.count(target) == 0
        assert world.rejected(file) == []


@every_way
def test_many_bad_rows_in_a_large_file(world, way):
    """More than a batch and more than a block; what only the server can refuse, too."""
    rows, bad = 30_000, {number for number in range(1, 30_001) if number % 150 == 7}
    columns = {
        "ID": numbers(*range(1, rows + 1)),
        "NOTE": pa.array(["two\nlines" if number % 11 else None for number in range(rows)]),
        "DATA": pa.array(
            ["[1,]" if number in bad else f'{{"number": {number}}}' for number in range(1, rows + 1)]
        ),
    }
    target, file = world.table(ID, NOTE, DATA), way.put(world, columns)
    result = world.load(file, target, policy=RejectPolicy(BadRows.QUARANTINE, 1000), **way.options)
    assert (result.rows, result.rejected) == (rows - len(bad), len(bad))
    found = world.connection.execute(
        f"SELECT count(DISTINCT id), sum(id), count(*) FILTER (WHERE (data->>'number')::bigint <> id) FROM {target.name}"
    ).fetchone()
    assert found == (rows - len(bad), sum(range(1, rows + 1)) - sum(bad), 0)
    assert [(number, row["ID"]) for number, _, _, row in world.rejected(file)] == [
        (number, str(number)) for number in sorted(bad)
    ]


@every_way
def test_a_check_of_the_table_is_a_reason_too(world, way):
    target = world.table(ID, NOTE)
    world.connection.execute(f"ALTER TABLE {target.name} ADD CONSTRAINT small CHECK (id < 3)")
    columns = {"ID": numbers(1, 3, 2, 4), "NOTE": pa.array(["a", "b", "c", None])}
    with pytest.raises(ValueRefused, match=r"row 2, .*23514.*\"small\""):
        world.load(way.put(world, columns), target, **way.options)
    file = way.put(world, columns)
    result = world.load(file, target, policy=RejectPolicy(BadRows.QUARANTINE), **way.options)
    assert (result.rows, result.rejected) == (2, 2)
    assert [(number, row) for number, _, _, row in world.rejected(file)] == [
        (2, {"ID": "3", "NOTE": "b"}),
        (4, {"ID": "4", "NOTE": None}),
    ]


@pytest.mark.parametrize("way", [STREAMED, IMPORTED], ids=str)
def test_a_nul_far_into_a_file_of_several_megabytes_is_found(world, way):
    """The server decodes long before it looks at lines."""
    rows = 120_000
    notes = [f"note\n{number}" for number in range(rows)]
    notes[77_777] = "a\x00b"
    columns = {"ID": numbers(*range(rows)), "NOTE": pa.array(notes)}
    target = world.table(ID, column("NOTE", Form.TEXT, "text"))
    with pytest.raises(ValueRefused, match=r"row 77,778, column NOTE: "):
        world.load(way.put(world, columns), target, **way.options)
    result = world.load(
        way.put(world, columns), target, policy=RejectPolicy(BadRows.QUARANTINE, 1), **way.options
    )
    assert (result.rows, result.rejected) == (rows - 1, 1)


@pytest.mark.parametrize("way", [STREAMED, IMPORTED], ids=str)
def test_the_end_that_an_unload_gave_to_a_long_text_is_not_shown(world, way):
    note = column("NOTE", Form.TEXT, "varchar(10)", text_limit=10)
    target = world.table(ID, note)
    columns = {"ID": numbers(1, 2), "NOTE": pa.array(["ten chars!", "abcdefghij  !"])}
    with pytest.raises(ValueRefused, match=r"row 2, column NOTE: .*22001"):
        world.load(way.put(world, columns), target, **way.options)
    file = way.put(world, columns)
    world.load(file, target, policy=RejectPolicy(BadRows.QUARANTINE), **way.options)
    assert world.texts(target) == [("1", "ten chars!")]
    assert [row for *_, row in world.rejected(file)] == [{"ID": "2", "NOTE": "abcdefghij  "}]


def test_bytes_are_kept_as_postgres_writes_them(world):
    target = world.table(column("ID", Form.INTEGER, "smallint"), column("RAW", Form.BYTES, "bytea"))
    file = PARQUET.put(world, {"ID": numbers(40_000), "RAW": pa.array([b"abc\xff"])})
    world.load(file, target, policy=RejectPolicy(BadRows.QUARANTINE))
    assert world.rejected(file)[0][3] == {"ID": "40000", "RAW": "\\x616263ff"}


def test_text_that_is_no_utf8(world):
    for note in (NOTE, column("NOTE", Form.JSON, "jsonb")):
        raw = pa.array([b'"ok"', b'"\xff\xfe"']).cast(pa.binary()).view(pa.string())
        target, data = world.table(ID, note), parquet_bytes({"ID": numbers(1, 2), "NOTE": raw})
        with pytest.raises(ValueRefused, match=r"row 2, column NOTE: "):
            world.load(world.put(data, 2), target)
        file = world.put(data, 2)
        result = world.load(file, target, policy=RejectPolicy(BadRows.QUARANTINE, 1))
        assert (result.rows, result.rejected) == (1, 1)
        assert world.rejected(file)[0][3] == {"ID": "2", "NOTE": {"escaped": '"\\xff\\xfe"'}}
