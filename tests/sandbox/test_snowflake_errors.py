"""Any failure is a Snowflake error, at once: never HTTP 500, which the connector repeats for minutes."""

from __future__ import annotations

import pytest

CASES = [
    ("SELEC 1", 1003, "42000", "syntax error line 1 at position 0 unexpected 'SELEC'."),
    ("SELECT FROM WHERE", 1003, "42000", "syntax error"),
    ("SELECT 'open", 1003, "42000", ""),
    ("SELECT * FROM NOPE", 2003, "42S02", "Object 'NOPE' does not exist or not authorized."),
    ("SELECT * FROM NODB.S.T", 2003, "02000", "Database 'NODB' does not exist or not authorized."),
    ("SELECT NOPE", 904, "42000", "invalid identifier 'NOPE'"),
    ("SELECT 'x'::NUMBER", 100038, "22018", "Numeric value 'x' is not recognized"),
    ("SELECT 'it''s'::FLOAT", 100038, "22018", "Numeric value 'it's' is not recognized"),
    ("SELECT 'x'::DATE", 100040, "22007", "Date 'x' is not recognized"),
    ("SELECT '2024-02-30'::DATE", 100040, "22007", "Date '2024-02-30' is not recognized"),
    ("SELECT 'x'::TIMESTAMP_NTZ", 100035, "22007", "Timestamp 'x' is not recognized"),
    ("SELECT 'x'::TIMESTAMP_TZ", 100035, "22007", "Timestamp 'x' is not recognized"),
    ("SELECT '25:00:00'::TIME", 100108, "22007", "Time '25:00:00' is not recognized"),
    ("SELECT 'x'::BOOLEAN", 100037, "22018", "Boolean value 'x' is not recognized"),
    ("SELECT PARSE_JSON('{a')", 100069, "22P02", "Error parsing JSON"),
    ("SELECT 1 / 0", 100051, "22012", "Division by zero"),
    ("SELECT MOD(1, 0)", 100051, "22012", "Division by zero"),
    ("SELECT 1::FLOAT / (1 - 1)", 100051, "22012", "Division by zero"),
    ("SELECT NO_SUCH_FUNCTION(1)", 2140, "42601", "Unknown function NO_SUCH_FUNCTION"),
    (
        "SELECT 1; SELECT 2",
        8,
        "0A000",
        "Actual statement count 2 did not match the desired statement count 1.",
    ),
    ("INSERT INTO NOPE VALUES (1)", 2003, "42S02", "Object 'NOPE' does not exist or not authorized."),
    ("DROP TABLE NOPE", 2003, "02000", "Table 'NOPE' does not exist or not authorized."),
    ("CALL SOMETHING()", 2, "0A000", "CALL"),
    ("PUT file:///x @ST", 2, "0A000", "PUT"),
    ("COPY INTO @", 1003, "42000", ""),
    ("ALTER TABLE", 1003, "42000", "unexpected '<EOF>'"),
]


@pytest.mark.parametrize(("sql", "errno", "sqlstate", "text"), CASES, ids=[c[0] for c in CASES])
def test_failures_are_snowflake_errors_at_once(shared, sql, errno, sqlstate, text):
    before = len(shared.server.entries())
    error = shared.refused(sql)
    assert [entry["status"] for entry in shared.server.entries()[before:]] == ["RUNNING", "FAILED_WITH_ERROR"]
    assert (error.errno, error.sqlstate) == (errno, sqlstate)
    assert text in error.msg


def test_only_a_division_that_is_made_is_refused(client):
    """docs.snowflake.com/en/sql-reference/functions/div0, .../iff: the other branch is not evaluated."""
    client.rows("CREATE TABLE T (A NUMBER)")
    client.rows("INSERT INTO T VALUES (0), (2), (NULL)")
    assert client.rows("SELECT IFF(A = 0, -1, 6 / A) AS B FROM T ORDER BY B") == [(-1,), (3,), (None,)]
    assert client.one("SELECT COUNT(*) FROM T WHERE A <> 0 AND 4 / NULLIF(A, 0) = 2") == 1
    assert client.one("SELECT 1 / NULL") is None
    assert client.refused("SELECT COUNT(*) FROM T WHERE 4 / A = 2").errno == 100051


def test_values_that_do_not_fit(client):
    client.rows("CREATE TABLE T (A VARCHAR(3), B NUMBER(3,0) NOT NULL)")
    assert (
        "String 'long' is too long and would be truncated"
        in client.refused("INSERT INTO T VALUES ('long', 1)").msg
    )
    assert client.refused("INSERT INTO T VALUES ('a', 1000)").sqlstate in {"22003", "22018"}
    assert "NULL result in a non-nullable column" in client.refused("INSERT INTO T VALUES ('a', NULL)").msg
    assert "expecting 2 but got 1" in client.refused("INSERT INTO T VALUES ('a')").msg
    assert client.one("SELECT COUNT(*) FROM T") == 0


def test_no_current_schema(client):
    with (
        client.server.connect() as connection,
        connection.cursor() as cursor,
        pytest.raises(Exception) as caught,
    ):
        cursor.execute("SELECT * FROM T")
    assert caught.value.errno == 90105
    assert "This session does not have a current database" in caught.value.msg


def test_a_session_goes_on_after_a_failure(client):
    client.rows("CREATE TABLE T (A NUMBER)")
    client.refused("INSERT INTO T SELECT 'x'")
    client.rows("INSERT INTO T VALUES (1)")
    assert client.rows("SELECT * FROM T") == [(1,)]


def test_a_name_twice_in_a_join_is_ambiguous(client):
    client.rows("CREATE TABLE T (A NUMBER)")
    error = client.refused("SELECT A FROM T X JOIN T Y ON X.A = Y.A")
    assert error.sqlstate in {"42601", "42702"}
