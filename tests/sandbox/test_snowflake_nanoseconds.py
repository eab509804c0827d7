"""Times of nine digits: stored, changed, kept over time and restarts, read, formatted and computed with."""

from __future__ import annotations

import datetime
import subprocess
from pathlib import Path

import pytest

from tests.sandbox.snowflake_server import PYTHON, Server, free_port, start, stop, wait_for

DAY = "'YYYY-MM-DD HH24:MI:SS.FF9'"
INSTANT = "'YYYY-MM-DD HH24:MI:SS.FF9 TZHTZM'"
CREATE = (
    "CREATE TABLE T (ID NUMBER, H TIME, N TIMESTAMP_NTZ, Z TIMESTAMP_TZ, L TIMESTAMP_LTZ, N8 TIMESTAMP_NTZ(8), "
    "N6 TIMESTAMP_NTZ(6), N3 TIMESTAMP_NTZ(3), H0 TIME(0))"
)
SHOWN = (
    f"TO_VARCHAR(H, 'HH24:MI:SS.FF9'), TO_VARCHAR(N, {DAY}), TO_VARCHAR(Z, {INSTANT}), TO_VARCHAR(L, {INSTANT}), "
    f"TO_VARCHAR(N8, {DAY}), TO_VARCHAR(N6, {DAY}), TO_VARCHAR(N3, {DAY}), TO_VARCHAR(H0, 'HH24:MI:SS.FF9')"
)
WHOLE = (
    "10:00:00.123456789",
    "2026-01-01 10:00:00.123456789",
    "2026-01-01 10:00:00.123456789 +0530",
    "2026-01-01 10:00:00.123456789 -0800",
    "2026-01-01 10:00:00.123456780",
    "2026-01-01 10:00:00.123456000",
    "2026-01-01 10:00:00.123000000",
    "10:00:00.000000000",
)
MOMENT = "2026-01-01 10:00:00.123456789"
TEXTS = f"'10:00:00.123456789', '{MOMENT}', '{MOMENT} +05:30', '{MOMENT}', '{MOMENT}', '{MOMENT}', '{MOMENT}', '10:00:00.999999999'"
LITERALS = (
    f"'10:00:00.123456789'::TIME, '{MOMENT}'::TIMESTAMP_NTZ, '{MOMENT} +05:30'::TIMESTAMP_TZ, '{MOMENT}'::TIMESTAMP_LTZ, "
    f"'{MOMENT}'::TIMESTAMP_NTZ, '{MOMENT}'::TIMESTAMP_NTZ, '{MOMENT}'::TIMESTAMP_NTZ, '10:00:00.999999999'::TIME"
)


@pytest.fixture
def table(client):
    client.rows(CREATE)
    client.rows(f"INSERT INTO T SELECT 1, {LITERALS}")
    return client


@pytest.mark.parametrize(
    "source",
    [f"VALUES (1, {TEXTS})", f"VALUES (1, {LITERALS})", f"SELECT 1, {TEXTS}", f"SELECT 1, {LITERALS}"],
    ids=["texts", "literals", "a query of texts", "a query of literals"],
)
def test_a_column_keeps_the_digits_that_it_declares_and_cuts_the_rest(client, source):
    client.rows(CREATE)
    client.rows(f"INSERT INTO T {source}")
    client.rows("INSERT INTO T (ID) VALUES (2)")
    assert client.rows(f"SELECT {SHOWN} FROM T ORDER BY ID") == [WHOLE, (None,) * 8]


def test_nine_digits_are_on_the_wire(table):
    arrow = table.run("SELECT N, Z, L FROM T").fetch_arrow_all()  # of a TIME the connector keeps six digits
    assert [arrow.column(name)[0].value % 1_000_000_000 for name in ("N", "Z", "L")] == [123456789] * 3
    [(moment, time)] = table.rows("SELECT N, H FROM T")  # Python's own types end at the microsecond
    assert moment == datetime.datetime(2026, 1, 1, 10, 0, 0, 123456)
    assert time == datetime.time(10, 0, 0, 123456)


def test_bound_values_have_nine_digits(table):
    with table.server.connect(paramstyle="qmark") as connection, connection.cursor() as cursor:
        nanoseconds = "1767261600123456789"
        cursor.execute(
            f"SELECT TO_VARCHAR(?, {DAY}), TO_VARCHAR(?, 'FF9')",
            (("TIMESTAMP_NTZ", nanoseconds), ("TIME", "36000123456789")),
        )
        assert cursor.fetchall() == [(MOMENT, "123456789")]


def test_every_way_to_write_a_table_carries_them(table):
    table.rows("CREATE TABLE COPIED AS SELECT * FROM T")
    table.rows("CREATE TABLE CLONED CLONE T")
    table.rows("CREATE TABLE LIKED LIKE T")
    table.rows("INSERT INTO LIKED SELECT * FROM (SELECT * FROM T) AS Q")
    table.rows("CREATE VIEW V (ID, H, N, Z, L, N8, N6, N3, H0) AS SELECT * FROM T")
    for name in ("COPIED", "CLONED", "LIKED", "V"):
        assert table.rows(f"SELECT {SHOWN} FROM {name}") == [WHOLE], name
    described = [tuple(row[:2]) for row in table.rows("DESCRIBE TABLE T")]
    for name in ("COPIED", "CLONED", "LIKED", "V"):
        assert [tuple(row[:2]) for row in table.rows(f"DESCRIBE TABLE {name}")] == described, name


def test_update_and_merge_carry_them(table):
    table.rows(f"UPDATE T SET N = DATEADD(NANOSECOND, 1, N), H = '23:59:59.999999999', Z = '{MOMENT} -03:00'")
    assert table.rows(
        f"SELECT TO_VARCHAR(N, {DAY}), TO_VARCHAR(H, 'FF9'), TO_VARCHAR(Z, {INSTANT}) FROM T"
    ) == [("2026-01-01 10:00:00.123456790", "999999999", "2026-01-01 10:00:00.123456789 -0300")]
    table.rows("UPDATE T SET N = N8, H = DATE_TRUNC('MICROSECOND', H)")
    assert table.rows(f"SELECT TO_VARCHAR(N, {DAY}), TO_VARCHAR(H, 'FF9') FROM T") == [
        ("2026-01-01 10:00:00.123456780", "999999000")
    ]
    table.rows(
        "MERGE INTO T USING (SELECT 1 AS ID, '1969-12-31 23:59:59.000000001'::TIMESTAMP_NTZ AS N "
        "UNION ALL SELECT 2, '9999-12-31 23:59:59.999999999') S ON T.ID = S.ID "
        "WHEN MATCHED THEN UPDATE SET N = S.N WHEN NOT MATCHED THEN INSERT (ID, N) VALUES (S.ID, S.N)"
    )
    assert table.rows(f"SELECT ID, TO_VARCHAR(N, {DAY}) FROM T ORDER BY ID") == [
        (1, "1969-12-31 23:59:59.000000001"),
        (2, "9999-12-31 23:59:59.999999999"),
    ]


def test_altering_a_table_leaves_them_and_the_past(table):
    moment = table.one("SELECT TO_VARCHAR(SYSDATE(), 'YYYY-MM-DD HH24:MI:SS.FF6')")
    table.rows(f"ALTER TABLE T ADD COLUMN D TIMESTAMP_NTZ DEFAULT '{MOMENT}'::TIMESTAMP_NTZ")
    table.rows("ALTER TABLE T RENAME COLUMN N TO M")
    table.rows("ALTER TABLE T DROP COLUMN H")
    table.rows("INSERT INTO T (ID, M) VALUES (2, '2026-01-01 10:00:00.000000001')")
    assert table.rows(f"SELECT TO_VARCHAR(M, {DAY}), TO_VARCHAR(D, {DAY}) FROM T ORDER BY ID") == [
        (MOMENT, MOMENT),
        ("2026-01-01 10:00:00.000000001", MOMENT),
    ]
    table.rows("ALTER TABLE T ALTER COLUMN M SET DATA TYPE TIMESTAMP_NTZ(7)")
    assert table.rows(f"SELECT TO_VARCHAR(M, {DAY}) FROM T WHERE ID = 1") == [
        ("2026-01-01 10:00:00.123456700",)
    ]
    assert table.rows(f"SELECT {SHOWN} FROM T AT(TIMESTAMP => '{moment}'::TIMESTAMP_NTZ)") == [WHOLE]


def test_a_transaction_and_a_result_scan_carry_them(table):
    table.rows("BEGIN")
    table.rows("UPDATE T SET N = DATEADD(NANOSECOND, 1, N)")
    assert table.one("SELECT DATE_PART(NANOSECOND, N) FROM T") == 123456790
    table.rows("ROLLBACK")
    table.rows("SELECT N, ID FROM T")
    assert table.rows(f"SELECT TO_VARCHAR(N, {DAY}), ID FROM TABLE(RESULT_SCAN(LAST_QUERY_ID()))") == [
        (MOMENT, 1)
    ]


def test_nobody_sees_where_they_are_kept(table):
    names = ["ID", "H", "N", "Z", "L", "N8", "N6", "N3", "H0"]
    assert [row[0] for row in table.rows("DESCRIBE TABLE T")] == names
    columns = (
        "SELECT COLUMN_NAME FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 'T' ORDER BY ORDINAL_POSITION"
    )
    assert [name for (name,) in table.rows(columns)] == names
    assert [row[2] for row in table.rows("SHOW COLUMNS IN TABLE T")] == names
    for query in (
        "SELECT * FROM T",
        "SELECT Q.* FROM (SELECT * FROM T) AS Q",
        "WITH C AS (SELECT * FROM T) SELECT * FROM C",
        "SELECT * FROM T UNION ALL SELECT * FROM T",
        "SELECT * FROM T NATURAL JOIN T AS U",
        "SELECT * FROM T WHERE N IN (SELECT N FROM T)",
    ):
        assert [c.name for c in table.run(query).description] == names, query
    titles = [
        c.name
        for c in table.run("SELECT N IN (SELECT N FROM T), (SELECT MAX(Z) FROM T), Z > L FROM T").description
    ]
    assert not [title for title in titles if "\x1f" in title or "NANOS" in title.upper()], titles
    assert table.rows("SELECT N IN (SELECT N FROM T), Z IS NULL FROM T") == [(True, False)]
    assert table.one("SELECT ROW_COUNT FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_NAME = 'T'") == 1
    assert len(table.rows("SELECT * FROM T")[0]) == len(names)


READ = [
    (f"TO_VARCHAR({{n}}, '{model}')", expected)
    for model, expected in [
        ("FF", "123456789"),
        ("FF8", "12345678"),
        ("FF7", "1234567"),
        ("FF6", "123456"),
        ("FF3", "123"),
    ]
] + [
    ("{n}::VARCHAR", "2026-01-01 10:00:00.123"),
    ("DATE_PART(NANOSECOND, {n})", 123456789),
    ("DATE_PART(EPOCH_NANOSECOND, {n})", 1767261600123456789),
    ("DATE_PART(EPOCH_MICROSECOND, {n})", 1767261600123456),
    ("DATE_PART(NANOSECOND, '1969-12-31 23:59:59.999999999'::TIMESTAMP_NTZ)", 999999999),
    ("DATE_PART(EPOCH_NANOSECOND, '1969-12-31 23:59:59.999999999'::TIMESTAMP_NTZ)", -1),
    ("DATE_PART(EPOCH_MICROSECOND, '1969-12-31 23:59:59.999999999'::TIMESTAMP_NTZ)", -1),
    ("DATE_PART(EPOCH_NANOSECOND, '9999-12-31 23:59:59.999999999'::TIMESTAMP_NTZ)", 253402300799999999999),
    ("DATE_PART(NANOSECOND, '0001-01-01 00:00:00.000000001'::TIMESTAMP_NTZ)", 1),
    *((f"DATE_PART(NANOSECOND, DATE_TRUNC('{unit}', {{n}}))", left) for unit, left in [
        ("NANOSECOND", 123456789), ("MICROSECOND", 123456000), ("MILLISECOND", 123000000), ("SECOND", 0)]),
    ("DATE_PART(NANOSECOND, DATE_TRUNC('MICROSECOND', '23:59:59.999999999'::TIME))", 999999000),
    ("DATEDIFF(MICROSECOND, '00:00:00'::TIME, '23:59:59.999999999'::TIME)", 86399999999),
    ("DATEDIFF(NANOSECOND, '00:00:00'::TIME, '23:59:59.999999999'::TIME)", 86399999999999),
    ("DATEDIFF(NANOSECOND, {n}, '2026-01-01 10:00:00.123457'::TIMESTAMP_NTZ)", 211),
    ("DATE_PART(NANOSECOND, DATEADD(NANOSECOND, 211, {n}))", 123457000),
    ("DATE_PART(NANOSECOND, DATEADD(NANOSECOND, -790, {n}))", 123455999),
    ("DATE_PART(NANOSECOND, DATEADD(DAY, 400, {n}))", 123456789),
    ("DATE_PART(NANOSECOND, CONVERT_TIMEZONE('UTC', {n}::TIMESTAMP_TZ))", 123456789),
    ("DATE_PART(NANOSECOND, CONVERT_TIMEZONE('UTC', 'Asia/Tokyo', {n}))", 123456789),
    *((f"DATE_PART(NANOSECOND, CAST({{n}} AS {kind}))", left) for kind, left in [
        ("TIMESTAMP_TZ", 123456789), ("TIMESTAMP_LTZ(9)", 123456789), ("TIME", 123456789),
        ("TIMESTAMP_NTZ(8)", 123456780), ("TIMESTAMP_NTZ(6)", 123456000), ("TIMESTAMP_NTZ(0)", 0)]),
    ("DATE_PART(NANOSECOND, TO_TIMESTAMP('20260101 100000.123456789', 'YYYYMMDD HH24MISS.FF9'))", 123456789),
    ("DATE_PART(NANOSECOND, TO_TIMESTAMP(1767261600123456789))", 123456789),
    ("DATE_PART(NANOSECOND, TO_TIMESTAMP(-1, 9))", 999999999),
    ("DATE_PART(NANOSECOND, TIMESTAMP_NTZ_FROM_PARTS(2026, 1, 1, 0, 0, 59, 999999999))", 999999999),
    ("DATE_PART(NANOSECOND, TIME_FROM_PARTS(23, 59, 59, 999999999))", 999999999),
    ("DATE_PART(NANOSECOND, TRY_CAST('no time' AS TIMESTAMP_NTZ))", None),
    ("DATE_PART(NANOSECOND, COALESCE(NULL, {n}))", 123456789),
    ("DATE_PART(NANOSECOND, IFF(FALSE, {n}::TIMESTAMP_NTZ(3), {n}))", 123456789),
    ("DATE_PART(NANOSECOND, CASE WHEN 1 = 2 THEN '2026-01-01'::TIMESTAMP_NTZ ELSE {n} END)", 123456789),
    ("DATE_PART(NANOSECOND, PARSE_JSON('\"2026-01-01 10:00:00.123456789\"')::TIMESTAMP_NTZ)", 123456789),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "expected"), READ, ids=[e[0] for e in READ])
def test_expressions(shared, expression, expected):
    assert shared.rows("SELECT " + expression.format(n=f"'{MOMENT}'::TIMESTAMP_NTZ")) == [(expected,)]


def test_a_restart_keeps_them_also_of_a_table_that_had_none(s3_endpoint, tmp_path: Path):
    port, log = free_port(), tmp_path / "log"
    arguments = ["-m", "sandbox.snowflake", "--port", str(port), "--s3-endpoint", s3_endpoint]
    arguments += ["--db-path", str(tmp_path / "data"), "--statement-log", str(tmp_path / "statements.jsonl")]

    def ask(*statements: str) -> list[tuple]:
        process = start(arguments, log)
        try:
            wait_for(f"http://127.0.0.1:{port}/health", process, log)
            server = Server(port, process, s3_endpoint, tmp_path / "statements.jsonl", tls=False)
            with server.connect() as connection, connection.cursor() as cursor:
                return [cursor.execute(statement).fetchall() for statement in statements][-1]
        finally:
            stop(process)

    ask("CREATE DATABASE D", CREATE, f"INSERT INTO T SELECT 1, {LITERALS}")
    assert ask("USE SCHEMA D.PUBLIC", f"SELECT {SHOWN} FROM T") == [WHOLE]
    [database] = tmp_path.glob("data/data.duckdb")
    drop_hidden_columns(database)
    assert ask(
        "USE SCHEMA D.PUBLIC",
        f"INSERT INTO T (ID, N) VALUES (2, '{MOMENT}')",
        f"SELECT ID, TO_VARCHAR(N, {DAY}) FROM T ORDER BY ID",
    ) == [(1, "2026-01-01 10:00:00.123456000"), (2, MOMENT)]


def drop_hidden_columns(database: Path) -> None:
    """The tables as they were before the stand-in kept nanoseconds."""
    program = (
        "import duckdb, sys\n"
        "db = duckdb.connect(sys.argv[1])\n"
        "found = db.execute(\"SELECT table_name, column_name FROM duckdb_columns() WHERE column_name LIKE '%nanos'\")\n"
        "for table, column in found.fetchall():\n"
        '    db.execute(f\'ALTER TABLE "{table}" DROP COLUMN "{column}"\')\n'
    )
    subprocess.run([str(PYTHON), "-c", program, str(database)], check=True)
