"""Hostile names, values, comments and filters: both servers hear the intended statements, and no others.

Checked against the servers' own logs with a reader that is not the product's: outside of quotes no hostile text, no
second statement, no comment; and nothing but the kinds of statements that a copy consists of.
"""

from __future__ import annotations

import re

import pytest
from psycopg import conninfo

from snowmelt.ledger.tables import MIGRATIONS
from tests.security.hostile import MARK, NAMES, VALUES, literal, quote
from tests.security.logs import cut_postgres, cut_snowflake

SNOWFLAKE_KINDS = re.compile(
    r"((EXPLAIN USING JSON )?SELECT|WITH|COPY INTO '\?' FROM \(SELECT|DESC STAGE \"\?\"|DESCRIBE TABLE \"\?\"|SHOW OBJECTS LIKE '\?' IN SCHEMA \"\?\"|SHOW PRIMARY KEYS IN TABLE \"\?\"|REMOVE '\?')",
    re.IGNORECASE,  # the connector's own `select * from table(result_scan(…))`
)
POSTGRES_KINDS = re.compile(
    r"(SELECT|WITH|INSERT INTO|UPDATE|DELETE FROM (snowmelt\.|(ONLY )?\"\?\")|COPY|CREATE (UNLOGGED )?TABLE|CREATE SCHEMA snowmelt|CREATE (UNIQUE )?INDEX|"
    r"ALTER (TABLE|INDEX)|COMMENT ON|DROP TABLE \"\?\"|BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|SET |LOCK TABLE|ANALYZE|GRANT|REVOKE|SHOW|DEALLOCATE ALL$)"
)
TABLE = NAMES[2]
SCHEMA, TARGET = 'PWNED"; DROP SCHEMA app; --', "PWNED'\"; DROP TABLE victim; --{{ 7*7 }}\\"
KEY, MARKED, CHUNKED = NAMES[3], NAMES[0], NAMES[10]


def assert_snowflake(statements):
    assert statements
    for sql in statements:
        found = cut_snowflake(sql)
        assert not found.bad, (found.bad, sql[:500])
        assert MARK not in found.skeleton, found.skeleton[:2000]
        assert ";" not in found.skeleton, found.skeleton[:2000]
        assert SNOWFLAKE_KINDS.match(found.skeleton), found.skeleton[:200]
        for text in found.strings:
            if text.startswith("'@"):
                stage, _, path = text[2:-1].partition('"/')
                assert stage == '"UTIL"."STAGING"."SNOWMELT_STAGE', text
                assert re.fullmatch(r"[A-Za-z0-9_.=/-]*", path), text
                assert ".." not in path, text


def assert_postgres(statements):
    assert statements
    ours = {" ".join(script.split()) for script in MIGRATIONS}
    for sql in statements:
        if " ".join(sql.split()) in ours:
            continue
        found = cut_postgres(sql)
        assert not found.bad, (found.bad, sql[:500])
        assert MARK not in found.skeleton, found.skeleton[:2000]
        assert ";" not in found.skeleton, found.skeleton[:2000]
        assert POSTGRES_KINDS.match(found.skeleton), found.skeleton[:200]


@pytest.fixture
def hostile(world):
    """A table of 20 columns with hostile names and comments, and a row for each hostile value; a victim on both sides."""
    columns = ", ".join(
        f"{quote(name)} VARCHAR{' NOT NULL' if name == KEY else ''} COMMENT {literal(VALUES[-1 - place % 5])}"
        for place, name in enumerate(NAMES)
    )
    rows = []
    for place, value in enumerate(VALUES):
        cells = [
            literal(f"{place:02d}{value}") if name in {KEY, MARKED, CHUNKED} else literal(value)
            for name in NAMES
        ]
        rows.append(f"({', '.join(cells)})")
    source = f'"TESTS"."{world.schema}".{quote(TABLE)}'
    world.sql(
        "CREATE TABLE victim (X INT)",
        f"CREATE TABLE {source} ({columns}, PRIMARY KEY ({quote(KEY)}))",
        f"INSERT INTO {source} VALUES {', '.join(rows)}",
    )
    world.execute(f"CREATE SCHEMA {quote(SCHEMA)}", "CREATE TABLE victim (x int)")
    return world


def entry(**rest):
    return {
        "source": quote(TABLE),
        "target": quote(TARGET),
        "chunking_column": CHUNKED,
        "chunk_rows": 5,
        "uniqueness_columns": [KEY],
        "text_watermark": True,
    } | rest


RUNS = [
    {"mode": "full", "publish": "swap"},
    {"mode": "full", "publish": "swap"},
    {"mode": "full", "publish": "truncate", "source_filter": f"{quote(KEY)} <> {literal(VALUES[2])} OR TRUE"},
    {"mode": "incremental", "watermark_column": MARKED, "on_change": "full"},
    {"mode": "incremental", "watermark_column": MARKED},
    {"mode": "test", "row_limit": 3},
    {"mode": "full", "publish": "swap", "file_format": "csv", "load_method": "copy"},
]


def test_only_the_intended_statements_reach_the_servers(hostile, ears):
    database = conninfo.conninfo_to_dict(hostile.dsn)["dbname"]
    heard = ears()
    for params in RUNS:
        hostile.run(entry(), target_schema=quote(SCHEMA), **params)
        if params["mode"] != "test":
            rows = hostile.query(f"SELECT * FROM {quote(SCHEMA)}.{quote(TARGET)}")
            assert len(rows) == len(VALUES), params
            assert sorted(row[4] for row in rows) == sorted(VALUES), params
    assert_snowflake(heard.snowflake())
    assert_postgres(heard.postgres(database))
    assert hostile.sql("SELECT COUNT(*) FROM victim") == [(0,)]
    assert hostile.query("SELECT count(*) FROM victim") == [(0,)]
    names = [
        name
        for (name,) in hostile.query(
            "SELECT attname FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid "
            f"WHERE c.relname = {literal(TARGET).replace(chr(92) * 2, chr(92))} AND attnum > 0 ORDER BY attnum"
        )
    ]
    assert names == list(NAMES)
    # Nothing was written or read in S3 beside the table's own folder.
    folder = re.escape(f"TESTS/{hostile.schema}/PWNED=22=3B=20DROP=20TABLE=20victim=3B=20--/")
    assert {user for user, _, _ in heard.s3()} == {"airflow-reader", "snowflake-writer"}
    assert all(re.match(folder, key) for _, _, key in heard.s3()), heard.s3()
    assert {method for user, method, _ in heard.s3() if user == "airflow-reader"} <= {"GET", "HEAD"}


@pytest.mark.parametrize(
    "text",
    [
        "\x00",
        "a\x00b",
        "",
        " ",
        "x" * 10_000,
        "\ud800",
    ],
)
@pytest.mark.parametrize(
    "parameter", ["source_table", "target_schema", "target_table", "chunking_column", "watermark_column"]
)
def test_what_no_name_can_be_is_refused_before_anything_is_asked(world, ears, text, parameter):
    if text.strip() == "" and parameter != "source_table":
        return  # a field that was left empty
    from snowmelt.errors import ConfigurationError

    heard = ears()
    params = {parameter: text}
    if text.strip() == "":
        params = {parameter: '""'}
    with pytest.raises(ConfigurationError) as raised:
        world.plan({"source": "T"}, **params)
    assert "\x00" not in str(raised.value)
    assert len(str(raised.value)) < 2000
    assert heard.snowflake() == []


@pytest.mark.parametrize("run_id", ["../x", "a/b", "..", "x y", "a'b", "a\nb", "x" * 300, "{{ 7*7 }}"])
def test_a_run_id_is_no_path(world, ears, run_id):
    from snowmelt.errors import ConfigurationError

    heard = ears()
    with pytest.raises(ConfigurationError):
        world.plan({"source": "T"}, mode="load", run_id=run_id)
    assert heard.s3() == []
