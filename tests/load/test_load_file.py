"""One file, once: claims, counts, refusals, quarantine, and files that are not what the manifest says."""

from __future__ import annotations

import threading
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import psycopg
import pyarrow as pa
import pytest

from snowmelt.errors import ConfigurationError, SchemaError, StagingError, ValueRefused
from snowmelt.load import s3_object
from snowmelt.load.file import load_file
from snowmelt.load.s3_object import ReadAhead
from snowmelt.types.type_table import Form
from tests.load.load_world import claim, column, open_world, parquet_bytes

ID = column("ID", Form.INTEGER, "bigint", nullable=False)
NOTE = column("NOTE", Form.TEXT, "varchar(10)")


@pytest.fixture
def world(connection, s3_client, bucket):
    return open_world(connection, s3_client, bucket)


def three_rows(world, **options):
    data = parquet_bytes({"ID": pa.array([1, 2, 3]), "NOTE": pa.array(["a", None, "c"])})
    return world.put(data, 3, **options)


def claimed(world, file):
    return world.connection.execute("SELECT 1 FROM claimed WHERE s3_key = %s", (file.key,)).fetchone()


def test_a_file_is_loaded_once(world):
    target, file = world.table(ID, NOTE), three_rows(world)
    first, second = world.load(file, target), world.load(file, target)
    assert (first.rows, first.bytes, first.skipped) == (3, file.bytes, False)
    assert (second.rows, second.skipped) == (0, True)
    assert world.texts(target) == [("1", "a"), ("2", None), ("3", "c")]


def test_two_workers_on_one_file(world, postgres_dsn):
    """The second waits on the first one's ledger row, and skips once that is committed."""
    target, file = world.table(ID, NOTE), three_rows(world)
    meet = threading.Barrier(2)
    results = []

    def work():
        with psycopg.connect(postgres_dsn) as connection:
            meet.wait()
            with connection.transaction():
                options = {"bucket": world.bucket, "run_id": "r1", "claim": claim(file.key)}
                results.append(load_file(connection, world.s3, file, target, **options))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(result.skipped for result in results) == [False, True]
    assert world.count(target) == 3


def test_nothing_is_kept_of_a_failed_load(world):
    target, file = world.table(ID, NOTE), three_rows(world)
    with pytest.raises(StagingError, match="holds 3 rows, the manifest says 4"):
        world.load(replace(file, rows=4), target)
    assert world.count(target) == 0
    assert claimed(world, file) is None
    assert world.load(file, target).rows == 3


def test_outside_of_a_transaction_nothing_is_loaded(world):
    target, file = world.table(ID, NOTE), three_rows(world)
    with pytest.raises(ConfigurationError, match="outside of a transaction"):
        load_file(
            world.connection, world.s3, file, target, bucket=world.bucket, run_id="r", claim=claim(file.key)
        )
    assert claimed(world, file) is None


def test_progress_is_told_at_the_end(world):
    told = []
    world.load(three_rows(world), world.table(ID, NOTE), progress=told.append)
    assert told[-1].rows == 3
    assert told[-1].bytes > 40


def test_a_file_of_no_rows(world):
    data = parquet_bytes({"ID": pa.array([], pa.int64()), "NOTE": pa.array([], pa.string())})
    target = world.table(ID, NOTE)
    assert world.load(world.put(data, 0), target).rows == 0
    assert world.load(world.put(b"", 0), target, file_format="csv").rows == 0


def test_row_groups_and_batches_add_up(world):
    rows = 30_000
    data = parquet_bytes({"ID": pa.array(range(rows)), "NOTE": pa.array(["x"] * rows)}, row_group_size=11_000)
    target = world.table(ID, NOTE)
    assert world.load(world.put(data, rows), target).rows == rows
    found = world.connection.execute(
        f"SELECT count(DISTINCT id), min(id), max(id) FROM {target.name}"
    ).fetchone()
    assert found == (rows, 0, rows - 1)


def test_what_was_fetched_ahead_is_not_fetched_again(world, monkeypatch):
    """Row groups follow each other in the file: a GET that reached over their border would be another one the next time."""
    fetched = []
    fetch = ReadAhead.fetch

    def record(self, piece):
        fetched.append(piece)
        return fetch(self, piece)

    monkeypatch.setattr(ReadAhead, "fetch", record)
    columns = {"ID": pa.array(range(30_000)), "NOTE": pa.array([f"n{number}" for number in range(30_000)])}
    data = parquet_bytes(columns, row_group_size=11_000)
    world.load(world.put(data, 30_000), world.table(ID, NOTE))
    assert len(fetched) == 3  # one for each row group
    assert all(before[1] <= after[0] for before, after in pairwise(fetched))


def test_a_row_group_that_is_streamed(world, monkeypatch):
    """One too large to be held: each column is read in blocks, one ahead."""
    monkeypatch.setattr("snowmelt.load.parquet.GROUP_BYTES", 10_000)
    monkeypatch.setattr("snowmelt.load.parquet.BLOCK_BYTES", 1)
    monkeypatch.setattr("snowmelt.load.parquet._SMALLEST_BLOCK", 10_000)
    rows = 20_000
    values = pa.array([f"text {number * 7919}" for number in range(rows)])
    columns = {"ID": pa.array(range(rows)), "NOTE": values.cast(pa.string())}
    data = parquet_bytes(columns, use_dictionary=False, data_page_size=5_000)
    target = world.table(ID, column("NOTE", Form.TEXT, "text"))
    world.load(world.put(data, rows), target)
    assert world.texts(target) == [(str(number), f"text {number * 7919}") for number in range(rows)]


# files that are not what the manifest says


def test_another_size(world):
    file = three_rows(world)
    with pytest.raises(StagingError, match=f"has {file.bytes} bytes, the manifest says {file.bytes + 1}"):
        world.load(replace(file, bytes=file.bytes + 1), world.table(ID, NOTE))


def test_another_etag(world):
    file = replace(three_rows(world), etag="0" * 32)
    with pytest.raises(StagingError, match=f"the manifest says {'0' * 32}"):
        world.load(file, world.table(ID, NOTE))


def test_the_etag_of_the_manifest(world):
    file = three_rows(world)
    etag = world.s3.head_object(Bucket=world.bucket, Key=file.key)["ETag"]
    assert world.load(replace(file, etag=etag.strip('"')), world.table(ID, NOTE)).rows == 3


def test_a_missing_file(world):
    with pytest.raises(StagingError, match="load/none"):
        world.load(replace(three_rows(world), key="load/none"), world.table(ID, NOTE))


def test_a_file_that_changes_while_it_is_read(world, monkeypatch):
    file, target = three_rows(world), world.table(ID, NOTE)
    original = s3_object.S3Object._get

    def overwrite_first(self, start, end):
        if start == 4:  # the first row group, after the footer
            world.s3.put_object(Bucket=world.bucket, Key=file.key, Body=b"x" * file.bytes)
        return original(self, start, end)

    monkeypatch.setattr(s3_object.S3Object, "_get", overwrite_first)
    with pytest.raises(StagingError, match="overwritten"):
        world.load(file, target)
    assert world.count(target) == 0


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"PAR1",
        lambda data: b"not parquet at all" * 100,
        lambda data: data[: len(data) // 2],
        lambda data: data[:-1],
        lambda data: data[len(data) // 2 :],
        lambda data: data[:200] + bytes(byte ^ 0x55 for byte in data[200:4000]) + data[4000:],
        lambda data: data[:-40] + bytes(byte ^ 0x55 for byte in data[-40:-8]) + data[-8:],
    ],
    ids=["empty", "magic only", "text", "first half", "last byte", "second half", "pages", "footer"],
)
def test_a_damaged_file(world, damage):
    whole = parquet_bytes(
        {"ID": pa.array(range(5000)), "NOTE": pa.array([f"n{number}" for number in range(5000)])},
        write_page_checksum=True,
    )
    target, file = world.table(ID, NOTE), world.put(damage(whole), 5000)
    with pytest.raises(StagingError, match=file.key):
        world.load(file, target)
    assert world.count(target) == 0


def test_a_worker_without_memory_blames_no_file(world, monkeypatch):
    """An error that is retried, not one of the file, which would be unloaded again for nothing."""
    target, file = world.table(ID, NOTE), three_rows(world)

    def full(self, start, end):
        raise pa.ArrowMemoryError("malloc of size 2097152 failed")

    monkeypatch.setattr(s3_object.S3Object, "_get", full)
    with pytest.raises(MemoryError, match="malloc of size"):
        world.load(file, target)
    assert world.count(target) == 0


def test_other_columns_than_planned(world):
    file = world.put(parquet_bytes({"ID": pa.array([1.5]), "EXTRA": pa.array([1])}), 1)
    with pytest.raises(SchemaError) as raised:
        world.load(file, world.table(ID, NOTE))
    assert file.key in str(raised.value)
    assert raised.value.faults == (
        "EXTRA: in the file, not planned",
        "ID: Arrow double, staged as integer, has no safe way into id bigint",
        "NOTE: planned for note, not in the file",
    )


#: What binary COPY would take without a word, as other values: a form, what stands in the file, the column it would go into.
CORRUPTING = {
    "a float as whole number": (Form.INTEGER, pa.array([1.5]), "bigint"),
    "a whole number as numeric's bytes": (Form.DOUBLE, pa.array([7]), "double precision"),
    "a timestamp as its own type": (Form.EPOCH_US, pa.array([0], pa.timestamp("ms")), "timestamp"),
    "a whole number as date": (Form.DATE, pa.array([7], pa.int32()), "date"),
    "a date as whole number": (Form.INTEGER, pa.array([7], pa.int32()).view(pa.date32()), "integer"),
    "four letters as integer": (Form.INTEGER, pa.array(["1234"]), "integer"),
    "16 letters as uuid": (Form.UUID, pa.array([b"0123456789abcdef"], pa.binary(16)), "uuid"),
    "text as bytes": (Form.BYTES, pa.array(["00ff"]), "bytea"),
    "bytes as text": (Form.TEXT, pa.array([b"00ff"]), "text"),
    "a 32-bit float": (Form.DOUBLE, pa.array([0.1], pa.float32()), "double precision"),
    "a fraction as whole number": (Form.INTEGER, pa.array([Decimal("1.5")]), "bigint"),
    "a fraction into a whole number's column": (Form.DECIMAL, pa.array([Decimal("1.5")]), "bigint"),
    "an instant as time": (Form.TIME_US, pa.array([0], pa.time64("us")), "time"),
    "a whole number as boolean": (Form.BOOLEAN, pa.array([1], pa.int8()), "boolean"),
    "a list as vector": (Form.VECTOR, pa.array([[1.5]], pa.list_(pa.float32())), "real[]"),
}


@pytest.mark.parametrize(("form", "array", "kind"), CORRUPTING.values(), ids=CORRUPTING)
def test_a_type_without_a_safe_way_is_refused_before_any_copy(world, monkeypatch, form, array, kind):
    monkeypatch.setattr("snowmelt.load.parquet.send_copy", None)  # would end in another error
    target = world.table(ID, column("C", form, kind))
    file = world.put(parquet_bytes({"ID": pa.array([1]), "C": array}), 1)
    with pytest.raises(SchemaError) as raised:
        world.load(file, target)
    (fault,) = raised.value.faults
    assert fault.startswith("C: Arrow ")
    assert file.key in str(raised.value)
    assert claimed(world, file) is None


def test_less_rows_taken_than_sent(world):
    """A trigger that swallows rows: PostgreSQL counts what it kept."""
    target, file = world.table(ID, NOTE), three_rows(world)
    world.connection.execute(
        "CREATE OR REPLACE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
    )
    world.connection.execute(
        f"CREATE TRIGGER s BEFORE INSERT ON {target.name} FOR EACH ROW EXECUTE FUNCTION swallow()"
    )
    with pytest.raises(StagingError, match="3 rows were sent, PostgreSQL counted 0"):
        world.load(file, target)
    assert claimed(world, file) is None


def test_other_errors_of_postgres_stay_what_they_are(world):
    target, file = world.table(ID, NOTE), three_rows(world)
    world.connection.execute(f"ALTER TABLE {target.name} ADD CHECK (id < 3), ADD UNIQUE (note)")
    with pytest.raises(ValueRefused, match=r"row 3, .* 23514"):
        world.load(file, target)
    twice = world.put(parquet_bytes({"ID": pa.array([1, 2]), "NOTE": pa.array(["a", "a"])}), 2)
    with pytest.raises(psycopg.errors.UniqueViolation) as raised:
        world.load(twice, target)
    assert raised.value.__notes__ == [f"while loading s3://{world.bucket}/{twice.key}"]


def test_combinations_that_cannot_work(world):
    target, file = world.table(ID, NOTE), three_rows(world)
    with pytest.raises(ConfigurationError, match="aws_s3 cannot load parquet"):
        world.load(file, target, method="aws_s3")
    with pytest.raises(ConfigurationError, match="load_method is auto here"):
        world.load(file, target, method="auto")
    with pytest.raises(ConfigurationError, match="choose none, gzip or zstd"):
        world.load(file, target, file_format="csv", compression="bzip2")
    assert claimed(world, file) is None
