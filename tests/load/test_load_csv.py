"""CSV files: compression, shapes, counts, and the server's own import."""

from __future__ import annotations

import gzip

import pyarrow as pa
import pytest

from snowmelt.errors import StagingError
from snowmelt.types.type_table import Form
from tests.load.load_world import column, open_world

ID = column("ID", Form.INTEGER, "bigint", nullable=False)
NOTE = column("NOTE", Form.TEXT, "varchar(10)")


@pytest.fixture
def world(connection, s3_client, bucket):
    return open_world(connection, s3_client, bucket)


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_compressed_csv(world, compression):
    text = b"".join(b'%d,"n%d"\n' % (number, number % 1000) for number in range(200_000))
    packed = {
        "gzip": lambda: gzip.compress(text[:1_000_000]) + gzip.compress(text[1_000_000:]),
        "zstd": lambda: pa.compress(text, "zstd", asbytes=True),
    }[compression]()
    target = world.table(ID, NOTE)
    file = world.put(packed, 200_000)
    assert world.load(file, target, file_format="csv", compression=compression).rows == 200_000
    assert world.connection.execute(f"SELECT sum(id) FROM {target.name}").fetchone()[0] == 19_999_900_000
    cut = world.put(packed[:-20], 200_000)
    with pytest.raises(StagingError, match=f"{cut.key} is not a whole {compression} file"):
        world.load(cut, world.table(ID, NOTE), file_format="csv", compression=compression)
    noise = world.put(b"plain text, not compressed", 1)
    with pytest.raises(StagingError, match=f"not a whole {compression} file"):
        world.load(noise, world.table(ID, NOTE), file_format="csv", compression=compression)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\n", "line 1: .*missing data for column"),
        ('1,"a",2\n', "line 1: .*extra data"),
        ('1,"a\n', "line 1: .*unterminated CSV quoted field"),
    ],
)
def test_csv_of_another_shape(world, text, message):
    target, file = world.table(ID, NOTE), world.put(text.encode(), 1)
    with pytest.raises(StagingError, match=f"{file.key}, {message}"):
        world.load(file, target, file_format="csv")


@pytest.mark.parametrize("method", ["copy", "aws_s3"])
def test_rows_of_csv_are_counted(world, method):
    world.install_aws_s3()
    target, file = world.table(ID, NOTE), world.put(b'1,"a"\n2,"b"\n', 3)
    with pytest.raises(
        StagingError, match="PostgreSQL took 2 rows and 0 were set aside, the manifest says 3"
    ):
        world.load(file, target, file_format="csv", method=method, region="us-east-1")
    assert world.count(target) == 0


def test_aws_s3_takes_gzip_only_where_s3_says_so(world):
    world.install_aws_s3()
    options = {"file_format": "csv", "method": "aws_s3", "compression": "gzip", "region": "us-east-1"}
    packed = gzip.compress(b'1,"a"\n')
    target = world.table(ID, NOTE)
    with pytest.raises(StagingError, match="Content-Encoding is ''"):
        world.load(world.put(packed, 1), target, **options)
    assert world.load(world.put(packed, 1, ContentEncoding="gzip"), target, **options).rows == 1
