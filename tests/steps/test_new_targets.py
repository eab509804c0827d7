"""A table that is made by the run: key, NOT NULL, lengths, comments, and names of any length."""

from __future__ import annotations

import pytest

from snowmelt.errors import SchemaError
from tests.steps.runs import World

COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, col_description(a.attrelid, a.attnum)
FROM pg_attribute AS a WHERE a.attrelid = 'public.{}'::regclass AND a.attnum > 0 ORDER BY a.attnum
"""
KEY = """
SELECT array_agg(a.attname ORDER BY k.place) FROM pg_index AS i, unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)
JOIN pg_attribute AS a ON a.attnum = k.attnum WHERE i.indrelid = 'public.{0}'::regclass AND a.attrelid = i.indrelid AND i.indisprimary
"""
WAYS = [("parquet", "copy"), ("csv", "copy")]


@pytest.mark.parametrize("way", WAYS, ids=" ".join)
def test_a_new_table_has_what_the_source_declares(world: World, way):
    world.sql(
        "CREATE TABLE V (B VARCHAR(7) NOT NULL COMMENT 'it''s the \"second\" of the key', A NUMBER(9,0) NOT NULL COMMENT 'die erste, $$ \\\\ 🎈', "
        "M NUMBER(20,4) NOT NULL, N VARCHAR(10485760), L VARCHAR(10485761), R BINARY(3), T TIMESTAMP_TZ(3), CONSTRAINT K PRIMARY KEY (A, B))",
        "INSERT INTO V (A, B, M) VALUES (1, 'seven77', 0.0001)",
    )
    file_format, load_method = way
    world.run({"source": "V"}, file_format=file_format, load_method=load_method)
    assert world.query(COLUMNS.format("v")) == [
        ("b", "character varying(7)", True, 'it\'s the "second" of the key'),
        ("a", "integer", True, "die erste, $$ \\ 🎈"),
        ("m", "numeric(20,4)", True, None),
        ("n", "character varying(10485760)", False, None),
        ("l", "text", False, None),
        ("r", "bytea", False, None),
        ("t", "timestamp with time zone", False, None),
    ]
    assert world.query(KEY.format("v")) == [(["a", "b"],)]
    assert world.query("SELECT a, b, m::text FROM public.v") == [(1, "seven77", "0.0001")]


def test_a_key_whose_columns_are_not_all_copied_is_no_key(world):
    world.sql(
        "CREATE TABLE V (A NUMBER(9,0) NOT NULL, B NUMBER(9,0) NOT NULL, PRIMARY KEY (A, B))",
        "INSERT INTO V VALUES (1, 1), (1, 2)",
    )
    world.run({"source": "V", "columns": {"exclude": ["B"]}})
    assert world.query(KEY.format("v")) == [(None,)]
    assert world.query("SELECT count(*) FROM public.v WHERE a = 1") == [(2,)]


def test_names_of_255_characters_are_refused_or_shortened_without_collisions(world):
    """Two tables and two columns whose first 254 characters are the same, of 4 bytes each: 63 bytes are 15 of them."""
    tables = ["🎈" * 254 + end for end in "ab"]
    columns = ["ü" * 254 + end for end in "ab"]
    for number, table in enumerate(tables):
        world.sql(
            f'CREATE TABLE "{table}" ("{columns[0]}" NUMBER(9,0) NOT NULL PRIMARY KEY, "{columns[1]}" VARCHAR(3))',
            f"INSERT INTO \"{table}\" VALUES ({number}, 'x{number}')",
        )
    with pytest.raises(SchemaError) as refused:
        world.run({"source": f'"{tables[0]}"', "target": "short"})
    assert [fault.partition(": ")[0] for fault in refused.value.faults] == [f'"{name}"' for name in columns]
    assert all("PostgreSQL takes 63" in fault for fault in refused.value.faults)
    for table in tables:
        world.run({"source": f'"{table}"', "long_names": "shorten"})
    made = world.query(
        "SELECT c.oid, c.relname FROM pg_class AS c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' ORDER BY 2"
    )
    assert len(made) == 2
    found = set()
    for oid, name in made:
        assert name.startswith("🎈" * 13 + "_")
        assert len(name.encode()) <= 63
        named = [
            row[0]
            for row in world.query(
                f"SELECT attname FROM pg_attribute WHERE attrelid = {oid} AND attnum > 0 ORDER BY attnum"
            )
        ]
        assert all(len(one.encode()) <= 63 and one.startswith("ü" * 27) for one in named)
        assert len(set(named)) == 2
        quoted = [f'"{one}"' for one in named]
        found.update(world.query(f'SELECT {", ".join(quoted)} FROM public."{name}"'))
    assert found == {(0, "x0"), (1, "x1")}
    # the same names again: the same tables
    world.run({"source": f'"{tables[1]}"', "long_names": "shorten"})
    assert (
        len(world.query("SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"))
        == 2
    )
