"""Times that differ below the microsecond alone: compared, sorted, grouped, joined, cut into chunks, unloaded."""

from __future__ import annotations

import gzip
import io

import pyarrow.parquet as pq
import pytest

LOW, HIGH = "2026-01-01 10:00:00.123456001", "2026-01-01 10:00:00.123456789"
FF9 = "'YYYY-MM-DD HH24:MI:SS.FF9'"


@pytest.fixture(scope="module")
def rows(shared):
    """ID 1 and 2 by HIGH and LOW, 3 a second one by LOW, 4 by the bare microsecond, 5 by NULL."""
    shared.rows(
        "CREATE TABLE R (ID NUMBER, N TIMESTAMP_NTZ, H TIME, Z TIMESTAMP_TZ, L TIMESTAMP_LTZ, N6 TIMESTAMP_NTZ(6))"
    )
    for number, text in enumerate([HIGH, LOW, LOW, LOW[:-3], None], start=1):
        values = (
            f"'{text}', '{text[11:]}', '{text} {'+05:30' if number > 1 else '+05:00'}', '{text}', '{text}'"
            if text
            else "NULL, NULL, NULL, NULL, NULL"
        )
        shared.rows(f"INSERT INTO R VALUES ({number}, {values})")
    return shared


SELECTED = [
    ("{c} = {low}", [2, 3]),
    ("{c} <> {low}", [1, 4]),
    ("NOT ({c} = {low})", [1, 4]),
    ("{c} > {low}", [1]),
    ("{c} >= {low}", [1, 2, 3]),
    ("{c} < {low}", [4]),
    ("{c} <= {low}", [2, 3, 4]),
    ("{low} < {c}", [1]),
    ("{c} >= {bare}", [1, 2, 3, 4]),
    ("{c} > {bare}", [1, 2, 3]),
    ("{c} <= {bare}", [4]),
    ("{c} < {bare}", []),
    ("{c} = {bare}", [4]),
    ("{c} BETWEEN {low} AND {high}", [1, 2, 3]),
    ("{c} NOT BETWEEN {low} AND {low}", [1, 4]),
    ("{c} IN ({high}, {bare})", [1, 4]),
    ("{c} NOT IN ({high}, {bare})", [2, 3]),
    ("{c} IN (SELECT {c} FROM R WHERE ID = 2)", [2, 3]),
    ("{c} NOT IN (SELECT {c} FROM R WHERE ID = 2)", [1, 4]),
    ("{c} = (SELECT MAX({c}) FROM R)", [1]),
    ("{c} = ANY(SELECT {c} FROM R WHERE ID = 3)", [2, 3]),
    ("{c} IS DISTINCT FROM {low}", [1, 4, 5]),
    ("EQUAL_NULL({c}, {low})", [2, 3]),
    ("CASE {c} WHEN {high} THEN 1 WHEN {bare} THEN 1 END = 1", [1, 4]),
    ("{c} >= DATEADD('second', -1, {low})", [1, 2, 3, 4]),
    ("{c} >= DATEADD('nanosecond', 1, {low})", [1]),
]


@pytest.mark.parametrize(
    ("column", "kind"), [("N", "TIMESTAMP_NTZ(9)"), ("H", "TIME(9)"), ("L", "TIMESTAMP_LTZ(9)")]
)
@pytest.mark.parametrize(("condition", "expected"), SELECTED, ids=[c for c, _ in SELECTED])
def test_conditions(rows, column, kind, condition, expected):
    if column == "H" and "-1" in condition:
        expected = [1, 2, 3, 4]
    given = {
        name: f"'{text[11:] if column == 'H' else text}'::{kind}"
        for name, text in (("low", LOW), ("high", HIGH), ("bare", LOW[:-3]))
    }
    found = rows.rows(f"SELECT ID FROM R WHERE {condition.format(c=column, **given)} ORDER BY ID")
    assert [number for (number,) in found] == expected


def test_an_instant_is_compared_whatever_its_offset(rows):
    same = f"'{LOW} +05:30'::TIMESTAMP_TZ"
    assert rows.rows(f"SELECT ID FROM R WHERE Z = {same} ORDER BY ID") == [(2,), (3,)]
    assert rows.rows(f"SELECT ID FROM R WHERE Z < CONVERT_TIMEZONE('UTC', {same}) ORDER BY ID") == [(4,)]
    text = LOW.replace("10:00", "04:30")
    assert rows.rows(f"SELECT ID FROM R WHERE Z > '{text} +00:00' ORDER BY ID") == [(1,)]


def test_a_text_is_compared_to_its_last_digit(rows):
    assert rows.rows(f"SELECT ID FROM R WHERE N = '{HIGH}'") == [(1,)]
    assert rows.rows(f"SELECT ID FROM R WHERE N6 = '{HIGH}' ORDER BY ID") == [(1,), (2,), (3,), (4,)]


@pytest.mark.parametrize("column", ["N", "H", "Z", "L"])
def test_order_groups_and_extremes(rows, column):
    ids = "SELECT ID FROM R WHERE ID <> 3 ORDER BY"
    assert [i for (i,) in rows.rows(f"{ids} {column}")] == [4, 2, 1, 5] if column != "Z" else [4, 2, 5, 1]
    assert rows.rows(f"SELECT ID, {column} FROM R WHERE ID IN (2, 4) ORDER BY 2 DESC")[0][0] == 2
    assert rows.rows(f"SELECT ID, {column} AS C FROM R WHERE ID IN (2, 4) ORDER BY C DESC")[0][0] == 2
    grouped = f"SELECT {column} AS C, COUNT(*) AS K FROM R GROUP BY {column}"
    assert rows.rows(f"SELECT DATE_PART(NANOSECOND, C), K FROM ({grouped}) ORDER BY 1") == [
        (123456000, 1),
        (123456001, 2),
        (123456789, 1),
        (None, 1),
    ]
    grouped = f"SELECT {column} AS C, COUNT(*) AS K FROM R GROUP BY 1"
    assert rows.rows(f"SELECT DATE_PART(NANOSECOND, C) FROM ({grouped}) WHERE K = 2") == [(123456001,)]
    extremes = f"DATE_PART(NANOSECOND, MIN({column})), DATE_PART(NANOSECOND, MAX({column}))"
    assert rows.rows(f"SELECT {extremes} FROM R WHERE ID > 1") == [(123456000, 123456001)]
    assert rows.one(f"SELECT COUNT(DISTINCT {column}) FROM R") == 3
    assert rows.one(f"SELECT COUNT(*) FROM (SELECT DISTINCT {column} FROM R)") == 4
    assert rows.one(f"SELECT COUNT_IF(MOD(DATE_PART(NANOSECOND, {column}), 1000) <> 0) FROM R") == 3


def test_windows(rows):
    window = "SELECT ID, {} OVER ({}) FROM R WHERE N IS NOT NULL ORDER BY ID"
    assert rows.rows(window.format("RANK()", "ORDER BY N")) == [(1, 4), (2, 2), (3, 2), (4, 1)]
    assert rows.rows(window.format("COUNT(*)", "PARTITION BY N")) == [(1, 1), (2, 2), (3, 2), (4, 1)]
    shown = "SELECT ID, TO_VARCHAR({}, 'FF9') FROM R WHERE N IS NOT NULL ORDER BY ID"
    assert rows.rows(shown.format("MAX(N) OVER (ORDER BY ID)"))[-1] == (4, "123456789")
    assert rows.rows(shown.format("LAG(N) OVER (ORDER BY N, ID)")) == [
        (1, "123456001"), (2, "123456000"), (3, "123456001"), (4, None)]  # fmt: skip
    assert (
        rows.rows("SELECT ID FROM R QUALIFY ROW_NUMBER() OVER (PARTITION BY TO_DATE(N) ORDER BY N DESC) = 1")
        != []
    )
    assert rows.one("SELECT LISTAGG(ID, ',') WITHIN GROUP (ORDER BY N, ID) FROM R WHERE ID < 5") == "4,2,3,1"
    assert rows.one("SELECT MAX_BY(ID, N) FROM R") == 1
    assert rows.rows("SELECT TO_VARCHAR(MAX_BY(N, ID), 'FF9'), TO_VARCHAR(GREATEST(MAX(N), MAX(N6)), 'FF9') FROM R WHERE ID < 4") == [
        ("123456001", "123456789")]  # fmt: skip


def test_joins_and_unions(rows):
    pairs = [(1, 1), (2, 2), (2, 3), (3, 2), (3, 3), (4, 4)]
    assert rows.rows("SELECT A.ID, B.ID FROM R A JOIN R B ON A.N = B.N ORDER BY 1, 2") == pairs
    assert rows.rows("SELECT A.ID, B.ID FROM R A JOIN R B USING (N) ORDER BY 1, 2") == pairs
    sides = "(SELECT N, ID AS I FROM R WHERE ID = 1) A", "(SELECT N, ID AS J FROM R WHERE ID = 2) B"
    for join in (f"{sides[0]} FULL JOIN {sides[1]} USING (N)", f"{sides[0]} NATURAL FULL JOIN {sides[1]}"):
        assert rows.rows(f"SELECT DATE_PART(NANOSECOND, N), I, J FROM (SELECT * FROM {join}) ORDER BY N") == [
            (123456001, None, 2),
            (123456789, 1, None),
        ]
    united = (
        "SELECT N FROM R UNION SELECT '2026-01-01 10:00:00.123456002'::TIMESTAMP_NTZ UNION SELECT N6 FROM R"
    )
    assert rows.rows(f"SELECT TO_VARCHAR(N, 'FF9') FROM ({united}) ORDER BY N") == [
        ("123456000",), ("123456001",), ("123456002",), ("123456789",), (None,)]  # fmt: skip
    assert rows.rows("SELECT COUNT(*) FROM (SELECT N FROM R EXCEPT SELECT N FROM R WHERE ID = 2)") == [(3,)]
    everything = "SELECT -1 AS I, NULL AS C UNION ALL SELECT ID, N FROM R WHERE ID < 3 ORDER BY I"
    assert rows.rows(f"SELECT I, TO_VARCHAR(C, 'FF9') FROM ({everything}) ORDER BY I") == [
        (-1, None), (1, "123456789"), (2, "123456001")]  # fmt: skip
    joined = "SELECT A.N, B.N, A.ID FROM R A LEFT JOIN R B ON B.ID = A.ID + 1 WHERE A.ID IN (1, 5)"
    moments = rows.run(f"{joined} ORDER BY 3").fetch_arrow_all()
    assert [column[0].value % 1000 for column in moments.columns[:2]] == [789, 1]
    assert moments.column(1)[1].as_py() is None


def test_other_names_and_positions(rows):
    assert rows.rows("SELECT B, TO_VARCHAR(A, 'FF9') FROM (SELECT Z, ID FROM R) AS Q(A, B) WHERE B = 1") == [
        (1, "123456789")
    ]
    assert rows.rows("WITH C(A, B) AS (SELECT Z, ID FROM R) SELECT B FROM C WHERE A IS NOT NULL ORDER BY 1") == [
        (1,), (2,), (3,), (4,)]  # fmt: skip
    assert rows.rows("SELECT Z, N, -ID FROM R ORDER BY 3")[0][2] == -5
    assert rows.rows("SELECT TO_DATE(N)::VARCHAR AS N, COUNT(*) FROM R GROUP BY 1 ORDER BY N") == [
        ("2026-01-01", 4), (None, 1)]  # fmt: skip
    assert rows.rows("SELECT * EXCLUDE (Z, L, N6, H) RENAME N AS M FROM R WHERE ID = 5") == [(5, None)]
    assert [c.name for c in rows.run("SELECT * ILIKE 'n%' FROM R").description] == ["N", "N6"]


def test_the_bounds_of_chunks(rows):
    """The shape of the product's own statement."""
    text = f"TO_VARCHAR(CONVERT_TIMEZONE('UTC', {{}}), {FF9})"
    found = rows.rows(
        'WITH "KEYS" AS (SELECT "Z" AS "K", COUNT(*) AS "N" FROM "R" GROUP BY 1), "RUNNING" AS (SELECT "K", "N", '
        'SUM("N") OVER (ORDER BY "K" ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - "N" AS "B" '
        'FROM "KEYS" WHERE "K" IS NOT NULL), "BUCKETS" AS (SELECT FLOOR("B" / 2) AS "I", MIN("K") AS "LOW", '
        'MAX("K") AS "HIGH", SUM("N") AS "ROWS" FROM "RUNNING" GROUP BY 1 '
        'UNION ALL SELECT -1, NULL, NULL, "N" FROM "KEYS" WHERE "K" IS NULL) '
        f'SELECT {text.format(chr(34) + "LOW" + chr(34))}, {text.format(chr(34) + "HIGH" + chr(34))}, "ROWS" '
        'FROM "BUCKETS" ORDER BY "I"'
    )
    assert found == [
        (None, None, 1),
        ("2026-01-01 04:30:00.123456000", "2026-01-01 04:30:00.123456001", 3),
        ("2026-01-01 05:00:00.123456789", "2026-01-01 05:00:00.123456789", 1),
    ]


def test_unloads_hold_what_the_query_shows(client, bucket, stage):
    client.rows("CREATE TABLE T (N TIMESTAMP_NTZ, Z TIMESTAMP_TZ, H TIME, ID NUMBER)")
    client.rows(
        f"INSERT INTO T VALUES ('{HIGH}', '{HIGH} +05:30', '10:00:00.999999999', 1), (NULL, NULL, NULL, 2)"
    )
    client.rows("COPY INTO @ST/p/ FROM (SELECT N, H, ID FROM T) FILE_FORMAT = (TYPE = PARQUET) HEADER = TRUE")
    table = pq.read_table(
        io.BytesIO(bucket.Object(f"{stage}p/data_0_0_0.snappy.parquet").get()["Body"].read())
    )
    assert table.column_names == ["N", "H", "ID"]
    assert [str(t) for t in table.schema.types[:2]] == ["timestamp[ms]", "time32[ms]"]
    assert str(table.to_pydict()["N"][0]) == "2026-01-01 10:00:00.123000"
    client.rows(
        "ALTER SESSION SET TIMESTAMP_OUTPUT_FORMAT = 'YYYY-MM-DD HH24:MI:SS.FF9 TZHTZM', TIME_OUTPUT_FORMAT = 'HH24:MI:SS.FF'"
    )
    client.rows(
        "COPY INTO @ST/c/ FROM T FILE_FORMAT = (TYPE = CSV TIMESTAMP_FORMAT = 'YYYY-MM-DD HH24:MI:SS.FF9') HEADER = TRUE"
    )
    text = gzip.decompress(bucket.Object(f"{stage}c/data_0_0_0.csv.gz").get()["Body"].read()).decode()
    assert text == f"N,Z,H,ID\n{HIGH},{HIGH},10:00:00.999999999,1\n\\N,\\N,\\N,2\n"
    client.rows("CREATE TABLE AGAIN LIKE T")
    client.rows("COPY INTO AGAIN FROM @ST/c/ FILE_FORMAT = (TYPE = CSV SKIP_HEADER = 1)")
    assert client.rows(f"SELECT TO_VARCHAR(N, {FF9}), TO_VARCHAR(H, 'FF9') FROM AGAIN WHERE ID = 1") == [
        (HIGH, "999999999")
    ]
