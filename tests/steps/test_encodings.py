"""A target database that is not in UTF8: texts are converted, and what it does not have is refused or set aside, never changed."""

from __future__ import annotations

import uuid

import pytest

from snowmelt.errors import ValueRefused
from tests.load.ways import WAYS, allow_aws_s3

TABLE = {"source": '"Größe"', "target": '"Größe"'}


@pytest.fixture
def encoded(world, sandbox, encoding):
    """The world with a target database in another encoding."""
    name = f"encoded_{uuid.uuid4().hex[:8]}"
    world.dsn = sandbox.create_database(name, encoding)
    allow_aws_s3(world, sandbox)
    yield world
    sandbox.drop_database(name)


@pytest.fixture
def latin1(encoded):
    encoded.sql(
        'CREATE TABLE "Größe" (ID NUMBER(9,0) NOT NULL PRIMARY KEY, "Maß" VARCHAR(10), J VARIANT)',
        """INSERT INTO "Größe" SELECT 1, 'éèüß', PARSE_JSON('{"é": "ü"}')""",
    )
    return encoded


@pytest.mark.parametrize("encoding", ["LATIN1"])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_texts_and_names_arrive(latin1, way):
    latin1.run(TABLE, **way)
    query = """SELECT id, "Maß", encode(convert_to("Maß", 'UTF8'), 'hex'), j FROM public."Größe\""""
    assert latin1.query(query) == [(1, "éèüß", "éèüß".encode().hex(), {"é": "ü"})]


@pytest.mark.parametrize("encoding", ["LATIN1"])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_character_that_the_database_does_not_have_is_a_row_that_does_not_fit(latin1, way):
    latin1.run(TABLE, **way)
    latin1.sql(
        """INSERT INTO "Größe" SELECT 2, 'zwei 🎈', NULL""",
        """INSERT INTO "Größe" SELECT 3, 'drei ü', NULL""",
    )
    with pytest.raises(ValueRefused, match=r"row 2, column Maß: .*22P05"):
        latin1.run(TABLE, **way)
    assert latin1.query('SELECT count(*) FROM public."Größe"') == [(1,)]
    latin1.run(TABLE | {"bad_rows": "quarantine"}, **way)
    assert latin1.query('SELECT id, "Maß" FROM public."Größe" ORDER BY id') == [(1, "éèüß"), (3, "drei ü")]
    ((column, row),) = latin1.query('SELECT column_name, "row" FROM snowmelt.rejected_row')
    assert column == r"Ma\xdf"
    assert row[r"Ma\xdf"] == {"escaped": r"zwei \U0001f388"}


@pytest.mark.parametrize("encoding", ["SQL_ASCII"])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_database_that_knows_no_encoding_keeps_the_bytes(encoded, way):
    encoded.sql("CREATE TABLE B (ID NUMBER(9,0), S VARCHAR(10))", "INSERT INTO B VALUES (1, 'é🎈')")
    encoded.run({"source": "B"}, **way)
    assert encoded.query("SELECT id, encode(s::bytea, 'hex') FROM public.b") == [(1, "é🎈".encode().hex())]
