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
    ("SELECT 'x'::NUMBER", 100038, "22018", ""),
    ("SELECT NO_SUCH_FUNCTION(1)", 2140, "42601", ""),
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
