"""Functions with Snowflake's meaning where DuckDB's differs."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest

EXPRESSIONS = [
    # instants
    ("DATE_PART(EPOCH_MICROSECOND, '1969-12-31 23:59:59.5'::TIMESTAMP_NTZ)", -500000),
    ("DATE_PART(EPOCH_SECOND, '1969-12-31 23:59:59.5'::TIMESTAMP_NTZ)", -1),
    ("DATE_PART(EPOCH_NANOSECOND, '1900-01-01 00:00:00.000001 +0000'::TIMESTAMP_LTZ)", -2208988799999999000),
    ("DATE_PART(EPOCH_MICROSECOND, '2024-01-01 10:00:00.5 +05:30'::TIMESTAMP_TZ)", 1704083400500000),
    ("DATE_PART(NANOSECOND, '1960-01-01 00:00:00.25'::TIMESTAMP_NTZ)", 250000000),
    ("DATEDIFF(MICROSECOND, '00:00:00'::TIME, '10:11:12.123456'::TIME)", 36672123456),
    (
        "DATE_TRUNC('DAY', '2024-01-01 23:00:00 -08:00'::TIMESTAMP_TZ)::VARCHAR",
        "2024-01-01 00:00:00.000 -0800",
    ),
    # offsets
    ("'2024-01-01 10:00:00 +05:30'::TIMESTAMP_TZ::VARCHAR", "2024-01-01 10:00:00.000 +0530"),
    ("'2024-01-01 10:00:00 +05:30'::TIMESTAMP_TZ::TIMESTAMP_NTZ", datetime.datetime(2024, 1, 1, 10)),
    (
        "CONVERT_TIMEZONE('UTC', '2024-01-01 10:00:00 +05:30'::TIMESTAMP_TZ)::TIMESTAMP_NTZ",
        datetime.datetime(2024, 1, 1, 4, 30),
    ),
    (
        "CONVERT_TIMEZONE('Asia/Tokyo', '2024-01-01 00:00:00 +00:00'::TIMESTAMP_TZ)::VARCHAR",
        "2024-01-01 09:00:00.000 +0900",
    ),
    (
        "CONVERT_TIMEZONE('America/New_York', 'UTC', '2024-01-01 10:00:00'::TIMESTAMP_NTZ)",
        datetime.datetime(2024, 1, 1, 15),
    ),
    ("DATE_PART(TZH, '2024-01-01 10:00:00 -03:30'::TIMESTAMP_TZ)", -3),
    ("'2024-01-01 00:00:00 +0000'::TIMESTAMP_LTZ::VARCHAR", "2023-12-31 16:00:00.000 -0800"),
    (
        "TIMESTAMP_TZ_FROM_PARTS(2024, 7, 1, 12, 0, 0, 0, 'Europe/Paris')::VARCHAR",
        "2024-07-01 12:00:00.000 +0200",
    ),
    # text
    ("TO_VARCHAR('0001-01-01'::DATE, 'YYYY-MM-DD')", "0001-01-01"),
    ("TO_VARCHAR('10:11:12.123456'::TIME, 'HH24:MI:SS.FF9')", "10:11:12.123456000"),
    (
        "TO_VARCHAR('2024-01-01 10:00:00.1 +05:30'::TIMESTAMP_TZ, 'YYYY-MM-DD HH24:MI:SS.FF6 TZH:TZM')",
        "2024-01-01 10:00:00.100000 +05:30",
    ),
    ("TO_VARCHAR(1.1::FLOAT, 'TME')", "1.1000000000000001E+00"),
    ("TO_VARCHAR(-0.0::FLOAT, 'TME')", "-0E0"),
    ("(0.1::FLOAT + 0.2::FLOAT)::VARCHAR", "0.3"),
    ("TRUE::VARCHAR", "true"),
    ("TO_VARCHAR('-0.5'::NUMBER(1,1))", "-0.5"),
    ("'0.1234567890123456789012345678901234567'::NUMBER(37,37)::VARCHAR", f"0.{'1234567890' * 3}1234567"),
    ("'\\\\x' || HEX_ENCODE(TO_BINARY('c3a9', 'HEX'))", "\\xC3A9"),
    ("HEX_ENCODE(TO_BINARY('C3A9', 'HEX'), 0)", "c3a9"),
    ("LOWER(HEX_ENCODE(TO_BINARY('C3A9', 'HEX')))", "c3a9"),
    ("BASE64_ENCODE(TO_BINARY('c3a9', 'HEX'))", "w6k="),
    ("MD5('abc')", "900150983cd24fb0d6963f7d28e17f72"),
    ("MD5_NUMBER_LOWER64('abc')", 0xD6963F7D28E17F72),
    ("MD5_NUMBER_UPPER64('abc')", 0x900150983CD24FB0),
    ("SHA2('abc', 256)", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ("REGEXP_LIKE('abc', 'b')", False),
    ("REGEXP_LIKE('ABC', 'a.c', 'i')", True),
    ("'50%' LIKE '50^%' ESCAPE '^'", True),
    # parts are those of the value's own wall clock
    ("YEAR('9999-12-31 23:30:00 -08:00'::TIMESTAMP_TZ)", 9999),
    ("YEAR(CONVERT_TIMEZONE('UTC', '9999-12-31 23:30:00 -08:00'::TIMESTAMP_TZ))", 10000),
    ("YEAR(CONVERT_TIMEZONE('UTC', '0001-01-01 00:00:00 +08:00'::TIMESTAMP_TZ))", 0),
    (
        "HOUR('2026-01-01 00:30:00 +05:30'::TIMESTAMP_TZ) * 100 + MINUTE('2026-01-01 00:30:00 +05:30'::TIMESTAMP_TZ)",
        30,
    ),
    ("MONTH('2026-02-03'::DATE) * 100 + DAY('2026-02-03'::DATE)", 203),
    ("DAYOFYEAR('2026-02-03'::DATE) + QUARTER('2026-02-03'::DATE) * 1000", 1034),
    ("SECOND('10:11:12.9'::TIME)", 12),
    # JSON
    (
        "TO_JSON(PARSE_JSON('{\"a\": [1, null, 12345678901234567890123]}'))",
        '{"a":[1,null,12345678901234567890123]}',
    ),
    ("TO_JSON(PARSE_JSON('null'))", "null"),
    (
        r"""TO_JSON(PARSE_JSON('{"n": [0.1234567890123456789012345678901234567, -1.10, 1e400], "1.5": "\\u0022 2.5e7 \\\\"}'))""",
        r"""{"n":[0.1234567890123456789012345678901234567,-1.10,1e400],"1.5":"\" 2.5e7 \\"}""",
    ),
    (
        'TO_JSON(PARSE_JSON(\'[ 12345678901234567890.123456789012345678,\t{"a b": "1 2"} ]\'))',
        '[12345678901234567890.123456789012345678,{"a b":"1 2"}]',
    ),
    ("PARSE_JSON('0.12345678901234567890123456789012345678')::VARCHAR", f"0.{'1234567890' * 3}12345678"),
    ("GET(PARSE_JSON('{\"a\":\"x\"}'), 'a')::VARCHAR", "x"),
    ('PARSE_JSON(\'{"a":{"b":[1,2]}}\'):a.b[1]::NUMBER', 2),
    ("OBJECT_CONSTRUCT('a', 1, 'b', NULL)", '{"a":1}'),
    ("TO_JSON([1.5, 0.1]::VECTOR(FLOAT, 2)::ARRAY)", "[1.5,0.10000000149011612]"),
    ("ST_ASEWKT(TO_GEOGRAPHY('POINT(1 2)'))", "SRID=4326;POINT(1 2)"),
    ("ST_ASWKT(TO_GEOGRAPHY('POINT (1 2)'))", "POINT(1 2)"),
    # the rest
    ("IFF(1 > 2, 'a', 'b')", "b"),
    ("NVL(NULL, 'z')", "z"),
    ("COALESCE(NULL, 3)", 3),
    ("EQUAL_NULL(NULL, NULL)", True),
    ("TRY_CAST('x' AS NUMBER)", None),
    ("TRY_CAST('12.34' AS NUMBER(5,1))", Decimal("12.3")),
    ("WIDTH_BUCKET(5, 0, 10, 5)", 3),
    ("MOD(-7, 3)", -1),
    ("EXISTS(SELECT 1)", True),
    ("'NaN'::FLOAT = 'NaN'::FLOAT", True),
]


@pytest.mark.parametrize(("expression", "expected"), EXPRESSIONS, ids=[e[0] for e in EXPRESSIONS])
def test_expressions(shared, expression, expected):
    assert shared.rows(f"SELECT {expression}") == [(expected,)]


def test_aggregates(client):
    client.rows("CREATE TABLE T (I NUMBER(38,0), F FLOAT, S VARCHAR, G VARCHAR)")
    client.rows(
        "INSERT INTO T VALUES (99999999999999999999999999999999999990, 0.5, 'b', 'x'), (4, 1.5, 'a', 'x'), (5, NULL, NULL, 'y')"
    )
    assert client.rows(
        "SELECT SUM(I), MIN(I), MAX(I), COUNT_IF(I > 4), LISTAGG(S, ',') WITHIN GROUP (ORDER BY S), "
        "ARRAY_AGG(S) WITHIN GROUP (ORDER BY S DESC), BITXOR_AGG(I % 8), PERCENTILE_DISC(0.5) WITHIN GROUP (ORDER BY I), "
        "PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY F), APPROX_PERCENTILE(F, 0.5) FROM T"
    ) == [
        (
            99999999999999999999999999999999999999,
            4,
            99999999999999999999999999999999999990,
            2,
            "a,b",
            '["b","a"]',
            (99999999999999999999999999999999999990 % 8) ^ 4 ^ 5,
            5,
            1.0,
            1.0,
        )
    ]
    assert client.rows(
        "SELECT I, NTILE(2) OVER (ORDER BY I), ROW_NUMBER() OVER (ORDER BY I) FROM T ORDER BY I LIMIT 2"
    ) == [
        (4, 1, 1),
        (5, 1, 2),
    ]


def test_hash_agg_depends_on_the_rows_not_on_their_order(client):
    client.rows(
        "CREATE TABLE A AS SELECT SEQ8() AS N, MD5(SEQ8()::VARCHAR) AS M FROM TABLE(GENERATOR(ROWCOUNT => 1000))"
    )
    client.rows("CREATE TABLE B AS SELECT * FROM A ORDER BY M")
    client.rows("CREATE TABLE C AS SELECT N, IFF(N = 7, 'x', M) AS M FROM A")
    a, b, c = (client.one(f"SELECT HASH_AGG(*) FROM {t}") for t in "ABC")
    assert a == b
    assert a != c
    assert client.one("SELECT HASH_AGG(N, M) FROM A") == a


@pytest.mark.parametrize(("scale", "kept"), [(0, 0), (3, 123000), (6, 123456), (9, 123456)])
def test_subsecond_digits_are_cut_to_the_column_s(client, scale, kept):
    client.rows(f"CREATE TABLE T (H TIME({scale}), N TIMESTAMP_NTZ({scale}), Z TIMESTAMP_TZ({scale}))")
    client.rows(
        "INSERT INTO T VALUES ('23:59:59.123456', '1969-12-31 23:59:59.123456', '2024-01-01 00:00:00.123456 +02:00')"
    )
    [(time, moment, zoned)] = client.rows("SELECT * FROM T")
    assert time == datetime.time(23, 59, 59, kept)
    assert moment == datetime.datetime(1969, 12, 31, 23, 59, 59, kept)
    assert zoned.isoformat(timespec="microseconds") == f"2024-01-01T00:00:00.{kept:06d}+02:00"


def test_sentinel_times_come_through(client):
    client.rows("CREATE TABLE T (N TIMESTAMP_NTZ, D DATE, L TIMESTAMP_LTZ)")
    client.rows(
        "INSERT INTO T VALUES ('9999-12-31 23:59:59.999999', '0001-01-01', '1900-01-01 00:00:00 +0000')"
    )
    assert client.rows(
        "SELECT N, D, DATE_PART(EPOCH_MICROSECOND, N), DATE_PART(EPOCH_MICROSECOND, L) FROM T"
    ) == [
        (
            datetime.datetime(9999, 12, 31, 23, 59, 59, 999999),
            datetime.date(1, 1, 1),
            253402300799999999,
            -2208988800000000,
        )
    ]


def test_offsets_go_through_queries_and_tables(client):
    client.rows("CREATE TABLE T (ID NUMBER, Z TIMESTAMP_TZ)")
    client.rows("INSERT INTO T VALUES (1, '2024-01-01 10:00:00 +05:30'), (2, '2024-01-01 10:00:00 -0800')")
    client.rows("UPDATE T SET Z = DATEADD(HOUR, 1, Z)")
    client.rows("CREATE TABLE U AS SELECT ID, Q.Z AS ZZ FROM (SELECT * FROM T) Q")
    client.rows("CREATE VIEW V AS SELECT ZZ, ID FROM U")
    assert client.rows(
        "WITH C AS (SELECT * FROM V) SELECT ZZ::VARCHAR, ZZ::TIMESTAMP_NTZ FROM C ORDER BY ID"
    ) == [
        ("2024-01-01 11:00:00.000 +0530", datetime.datetime(2024, 1, 1, 11)),
        ("2024-01-01 11:00:00.000 -0800", datetime.datetime(2024, 1, 1, 11)),
    ]
    assert [r[0].isoformat() for r in client.rows("SELECT ZZ FROM U ORDER BY ID")] == [
        "2024-01-01T11:00:00+05:30",
        "2024-01-01T11:00:00-08:00",
    ]
    assert client.one("SELECT COUNT(*) FROM U WHERE ZZ = '2024-01-01 05:30:00 +0000'::TIMESTAMP_TZ") == 1
    assert client.rows("SELECT MAX(ZZ)::VARCHAR FROM U") == [("2024-01-01 11:00:00.000 -0800",)]
