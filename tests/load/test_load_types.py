"""Each type, with and without NULLs, by each way in: the file is written by pyarrow or by hand, PostgreSQL prints it back."""

from __future__ import annotations

import itertools

import psycopg
import pyarrow as pa
import pytest

from tests.load.load_cases import CASES, Case
from tests.load.load_world import LoadWorld, column, open_world, parquet_bytes


@pytest.fixture
def world(connection, s3_client, bucket) -> LoadWorld:
    return open_world(connection, s3_client, bucket)


@pytest.fixture(scope="session")
def aws_s3(postgres_dsn):
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS aws_s3 CASCADE")


def _array(case: Case) -> pa.Array:
    return case.parquet.view(pa.date32()) if case.name == "date" else case.parquet


@pytest.mark.parametrize("nullable", [False, True], ids=["not null", "nullable"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_parquet(world, case, nullable):
    values = _array(case)
    expected = list(case.expected)
    if nullable:
        values = pa.concat_arrays([pa.nulls(1, values.type), values, pa.nulls(2, values.type)])
        expected = [None, *expected, None, None]
    target = world.table(column("C", case.form, case.target, nullable=nullable))
    file = world.put(parquet_bytes({"C": values}), len(values))
    result = world.load(file, target)
    assert world.texts(target) == [(text,) for text in expected]
    assert (result.rows, result.rejected, result.skipped) == (len(expected), 0, False)


@pytest.mark.parametrize("method", ["copy", "aws_s3"])
@pytest.mark.parametrize("nullable", [False, True], ids=["not null", "nullable"])
def test_csv(world, aws_s3, nullable, method):
    """All types side by side in one file; shorter columns begin again."""
    length = max(len(case.csv) for case in CASES)
    written, expected, columns = [], [], []
    for number, case in enumerate(CASES):
        cells, values = itertools.cycle(case.csv), itertools.cycle(case.expected)
        nulls = {number % length} if nullable else set()
        written.append(["" if row in nulls else next(cells) for row in range(length)])
        expected.append([None if row in nulls else next(values) for row in range(length)])
        columns.append(column(f"C{number}", case.form, case.target, nullable=nullable))
    text = "".join(",".join(line) + "\n" for line in zip(*written, strict=True))
    target = world.table(*columns)
    file = world.put(text.encode(), length)
    result = world.load(file, target, file_format="csv", method=method, region="us-east-1")
    found = zip(*world.texts(target), strict=True)
    names = [case.name for case in CASES]
    assert dict(zip(names, map(list, found), strict=True)) == dict(zip(names, expected, strict=True))
    assert result.rows == length
