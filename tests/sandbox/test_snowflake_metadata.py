"""What Snowflake says about tables: DESCRIBE, SHOW, INFORMATION_SCHEMA, for every type and for odd names."""

from __future__ import annotations

import pytest

TYPES = [
    # column type, DESCRIBE TABLE, DATA_TYPE, (length, precision, scale, datetime precision)
    ("NUMBER", "NUMBER(38,0)", "NUMBER", (None, 38, 0, None)),
    ("INT", "NUMBER(38,0)", "NUMBER", (None, 38, 0, None)),
    ("NUMBER(19,3)", "NUMBER(19,3)", "NUMBER", (None, 19, 3, None)),
    ("DECIMAL(38,37)", "NUMBER(38,37)", "NUMBER", (None, 38, 37, None)),
    ("FLOAT", "FLOAT", "FLOAT", (None, None, None, None)),
    ("DOUBLE PRECISION", "FLOAT", "FLOAT", (None, None, None, None)),
    ("VARCHAR", "VARCHAR(16777216)", "TEXT", (16777216, None, None, None)),
    ("STRING", "VARCHAR(16777216)", "TEXT", (16777216, None, None, None)),
    ("VARCHAR(20)", "VARCHAR(20)", "TEXT", (20, None, None, None)),
    ("CHAR", "VARCHAR(1)", "TEXT", (1, None, None, None)),
    ("BINARY", "BINARY(8388608)", "BINARY", (None, None, None, None)),
    ("BOOLEAN", "BOOLEAN", "BOOLEAN", (None, None, None, None)),
    ("DATE", "DATE", "DATE", (None, None, None, 0)),
    ("TIME", "TIME(9)", "TIME", (None, None, None, 9)),
    ("TIME(3)", "TIME(3)", "TIME", (None, None, None, 3)),
    ("DATETIME", "TIMESTAMP_NTZ(9)", "TIMESTAMP_NTZ", (None, None, None, 9)),
    ("TIMESTAMP_NTZ(6)", "TIMESTAMP_NTZ(6)", "TIMESTAMP_NTZ", (None, None, None, 6)),
    ("TIMESTAMP_LTZ(0)", "TIMESTAMP_LTZ(0)", "TIMESTAMP_LTZ", (None, None, None, 0)),
    ("TIMESTAMP_TZ", "TIMESTAMP_TZ(9)", "TIMESTAMP_TZ", (None, None, None, 9)),
    ("VARIANT", "VARIANT", "VARIANT", (None, None, None, None)),
    ("OBJECT", "OBJECT", "OBJECT", (None, None, None, None)),
    ("ARRAY", "ARRAY", "ARRAY", (None, None, None, None)),
    ("GEOGRAPHY", "GEOGRAPHY", "GEOGRAPHY", (None, None, None, None)),
    ("GEOMETRY", "GEOMETRY", "GEOMETRY", (None, None, None, None)),
    ("VECTOR(FLOAT, 3)", "VECTOR(FLOAT, 3)", "VECTOR", (None, None, None, None)),
    ("VECTOR(INT, 2)", "VECTOR(INT, 2)", "VECTOR", (None, None, None, None)),
    ("UUID", "UUID", "UUID", (None, None, None, None)),
]


def columns(client, sql: str) -> list[dict]:
    cursor = client.run(sql)
    names = [c.name for c in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def test_every_type_is_described(client):
    definitions = ", ".join(f"C{i} {kind}" for i, (kind, *_) in enumerate(TYPES))
    client.rows(f"CREATE TABLE T ({definitions})")
    described = columns(client, "DESCRIBE TABLE T")
    assert [(r["name"], r["type"]) for r in described] == [(f"C{i}", d) for i, (_, d, *_) in enumerate(TYPES)]
    rows = client.rows(
        "SELECT DATA_TYPE, CHARACTER_MAXIMUM_LENGTH, NUMERIC_PRECISION, NUMERIC_SCALE, DATETIME_PRECISION "
        "FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA = 'S' AND TABLE_NAME = 'T' ORDER BY ORDINAL_POSITION"
    )
    assert rows == [(name, *sizes) for _, _, name, sizes in TYPES]


def test_types_outlive_a_query(client):
    definitions = ", ".join(f"C{i} {kind}" for i, (kind, *_) in enumerate(TYPES))
    client.rows(f"CREATE TABLE T ({definitions})")
    client.rows("CREATE TABLE COPY1 AS SELECT * FROM (SELECT * FROM T)")
    client.rows("CREATE VIEW V AS SELECT * FROM T")
    expected = [d for _, d, *_ in TYPES]
    assert [r["type"] for r in columns(client, "DESCRIBE TABLE COPY1")] == expected
    assert [r["type"] for r in columns(client, "DESC VIEW V")] == expected


@pytest.mark.parametrize("kind", ["MAP(VARCHAR, INT)", "FILE", "INTERVAL YEAR"])
def test_types_the_sandbox_lacks_are_refused_by_name(client, kind):
    error = client.refused(f"CREATE TABLE T (C {kind})")
    assert kind.split("(", maxsplit=1)[0].split()[0] in error.msg


def test_keys_nulls_defaults_and_comments(client):
    client.rows(
        "CREATE TABLE T (B VARCHAR NOT NULL DEFAULT 'x''y' COMMENT 'the b', A NUMBER(5,0), C NUMBER UNIQUE, "
        "CONSTRAINT PK PRIMARY KEY (A, B)) CLUSTER BY (A) COMMENT = 'a table'"
    )
    client.rows("INSERT INTO T (A) VALUES (1)")
    assert [
        (r["name"], r["null?"], r["default"], r["primary key"], r["unique key"], r["comment"])
        for r in columns(client, "DESCRIBE TABLE T")
    ] == [
        ("B", "N", "'x''y'", "Y", "N", "the b"),
        ("A", "N", None, "Y", "N", None),
        ("C", "Y", None, "N", "Y", None),
    ]
    keys = columns(client, f"SHOW PRIMARY KEYS IN TABLE {client.database}.S.T")
    assert [(r["column_name"], r["key_sequence"]) for r in keys] == [("A", 1), ("B", 2)]
    [table] = columns(client, "SELECT * FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_NAME = 'T'")
    assert (
        table["ROW_COUNT"],
        table["TABLE_TYPE"],
        table["CLUSTERING_KEY"],
        table["RETENTION_TIME"],
        table["COMMENT"],
    ) == (
        1,
        "BASE TABLE",
        "LINEAR(A)",
        1,
        "a table",
    )
    assert client.rows("SELECT B FROM T") == [("x'y",)]
    client.rows("INSERT INTO T (A, B) VALUES (1, 'x''y')")  # keys are declared, not enforced
    assert client.refused("INSERT INTO T (A, B) VALUES (NULL, 'b')").errno == 100072


ODD = ['"a b"', '"Quo""te"', '"dot.ted"', '"lower"', '"ünï 😀"', '"select"', '"semi;colon"', '"x\'y"', '"%d"']


def test_odd_names_work_everywhere(client, stage):
    listed = ", ".join(f"{name} NUMBER" for name in ODD)
    exact = [name[1:-1].replace('""', '"') for name in ODD]
    client.rows('CREATE SCHEMA "My S.1"')
    client.rows(f'CREATE TABLE "My S.1"."T ""q"" t" ({listed})')
    target = f'"{client.database}"."My S.1"."T ""q"" t"'
    client.rows(
        f"INSERT INTO {target} ({', '.join(ODD)}) VALUES ({', '.join(str(i) for i in range(len(ODD)))})"
    )
    assert [r["name"] for r in columns(client, f"DESCRIBE TABLE {target}")] == exact
    assert columns(client, f"SELECT * FROM {target}") == [dict(zip(exact, range(len(ODD)), strict=True))]
    assert client.rows(f"SELECT {', '.join('X.' + n for n in ODD)} FROM {target} X") == [
        tuple(range(len(ODD)))
    ]
    [(_, _, rows)] = client.rows(
        f'COPY INTO @"{client.database}"."S".ST/odd/ FROM {target} FILE_FORMAT = (TYPE = PARQUET) HEADER = TRUE '
        "DETAILED_OUTPUT = TRUE"
    )
    assert rows == 1
    assert [r["name"] for r in columns(client, """SHOW TABLES LIKE 'T "q" t' IN SCHEMA "My S.1" """)] == [
        'T "q" t'
    ]


def test_the_case_of_names_counts(client):
    client.rows('CREATE TABLE T ("Visit Id" NUMBER, PLAIN NUMBER)')
    client.rows('CREATE TABLE "t" (OTHER NUMBER)')
    assert client.rows('SELECT plain, "PLAIN", "Visit Id" FROM t') == []
    for sql, name in [
        ('SELECT "visit id" FROM T', '"visit id"'),
        ('SELECT "plain" FROM T', '"plain"'),
        ("SELECT X.NOPE FROM T X", "X.NOPE"),
        ('SELECT 1 FROM T WHERE "VISIT ID" = 1', '"VISIT ID"'),
        ('SELECT PLAIN FROM (SELECT "Visit Id" FROM T)', "PLAIN"),
    ]:
        error = client.refused(sql)
        assert (error.errno, error.sqlstate) == (904, "42000")
        assert f"invalid identifier '{name}'" in error.msg
    assert [r["name"] for r in columns(client, 'DESCRIBE TABLE "t"')] == ["OTHER"]


def test_altering_tables(client):
    client.rows("CREATE TABLE T (A NUMBER, B VARCHAR(5))")
    client.rows("INSERT INTO T VALUES (1, 'x')")
    for sql in [
        "ALTER TABLE T ADD COLUMN C DATE DEFAULT '2024-01-01'::DATE, D TIMESTAMP_TZ",
        "ALTER TABLE T RENAME COLUMN B TO BB",
        "ALTER TABLE T ALTER COLUMN BB SET DATA TYPE VARCHAR(50)",
        "ALTER TABLE T MODIFY COLUMN A SET NOT NULL",
        "ALTER TABLE T ADD PRIMARY KEY (A)",
        "ALTER TABLE T DROP COLUMN D",
        "ALTER TABLE T SET DATA_RETENTION_TIME_IN_DAYS = 0 COMMENT = 'new'",
        "COMMENT ON COLUMN T.BB IS 'text'",
        "ALTER TABLE T RENAME TO U",
    ]:
        client.rows(sql)
    assert [
        (r["name"], r["type"], r["null?"], r["primary key"], r["comment"])
        for r in columns(client, "DESCRIBE TABLE U")
    ] == [
        ("A", "NUMBER(38,0)", "N", "Y", None),
        ("BB", "VARCHAR(50)", "Y", "N", "text"),
        ("C", "DATE", "Y", "N", None),
    ]
    assert [tuple(map(str, r)) for r in client.rows("SELECT * FROM U")] == [("1", "x", "2024-01-01")]
    [shown] = columns(client, "SHOW TABLES LIKE 'u'")
    assert (shown["name"], shown["rows"], shown["retention_time"], shown["comment"]) == ("U", 1, "0", "new")
    error = client.refused("DESCRIBE TABLE T")
    assert (error.errno, error.sqlstate) == (2003, "02000")
    assert "Table 'T' does not exist or not authorized." in error.msg


def test_the_result_s_own_description(client):
    cursor = client.run(
        "SELECT COUNT(*), MAX(1.5) AS M, '2024-01-01'::DATE D, CURRENT_TIMESTAMP() FROM (SELECT 1)"
    )
    assert [(c.name, c.type_code) for c in cursor.description] == [
        ("COUNT(*)", 0),
        ("M", 0),
        ("D", 3),
        ("CURRENT_TIMESTAMP()", 6),
    ]
    assert [c.name for c in client.connection.cursor().describe("SELECT 1 AS A, 'x' AS B")] == ["A", "B"]
