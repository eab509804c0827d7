"""What the unmodified connector really raises over the stand-in, and what a person then reads."""

from __future__ import annotations

import uuid

import pytest

from snowmelt.drivers.snowflake_errors import snowflake_failures
from snowmelt.errors import AccessError, ConfigurationError, SourceError, SourceUnavailable


@pytest.fixture(scope="module")
def connect(sandbox):
    import snowflake.connector

    opened = []

    def make(**changes):
        connection = snowflake.connector.connect(
            user="SNOWMELT", password="any", account="sandbox", host="localhost",
            port=int(sandbox.env["SNOWMELT_SANDBOX_SNOWFLAKE_PORT"]), insecure_mode=True,
            login_timeout=5, network_timeout=changes.pop("network_timeout", 6), **changes,
        )  # fmt: skip
        opened.append(connection)
        return connection

    yield make
    for connection in opened:
        connection.close()


@pytest.fixture(scope="module")
def session(connect, sandbox):
    from sandbox.demo_data import surroundings

    connection = connect()
    with connection.cursor() as cursor:
        for statement in [
            *surroundings(sandbox.bucket),
            "CREATE DATABASE IF NOT EXISTS FAILURES",
            "USE SCHEMA FAILURES.PUBLIC",
            "CREATE OR REPLACE TABLE T (A NUMBER, Z TIMESTAMP_TZ)",
            "INSERT INTO T SELECT 1, CURRENT_TIMESTAMP()",
        ]:
            cursor.execute(statement)
    return connection


def raised(call):
    with pytest.raises(Exception) as caught, snowflake_failures("Unloading A.B.T, chunk 003"):
        call()
    error = caught.value
    assert str(error).startswith("Unloading A.B.T, chunk 003: Snowflake ")
    assert "\n" not in str(error)
    return error


def execute(connection, sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


COPY = "COPY INTO {to} FROM (SELECT * FROM T) {by} FILE_FORMAT = (TYPE = PARQUET) HEADER = TRUE"
STATEMENTS = [
    ("SELECT * FROM NOPE", SourceError, 2003, "snowflake-grant"),
    ("SELECT * FROM NODB.S.T", SourceError, 2003, "snowflake-grant"),
    ("SELEKT", SourceError, 1003, None),
    ("SELECT NOPE FROM T", SourceError, 904, None),
    ("SELECT * FROM T AT (TIMESTAMP => '2001-01-01'::TIMESTAMP_TZ)", SourceError, 707, "time-travel"),
    (COPY.format(to="@NO_STAGE/x/", by=""), SourceError, 2003, "stage-or-integration"),
    (
        COPY.format(to="'s3://snowmelt-staging/x/'", by="STORAGE_INTEGRATION = NOPE"),
        SourceError,
        2003,
        "stage-or-integration",
    ),
    (
        COPY.format(to="'s3://another-bucket/x/'", by="STORAGE_INTEGRATION = SNOWMELT_S3"),
        ConfigurationError,
        3127,
        "location-not-allowed",
    ),
    (
        COPY.format(to="@UTIL.STAGING.SNOWMELT_STAGE/no-time-zones/", by=""),
        SourceError,
        100171,
        "timestamp-tz-parquet",
    ),
]


@pytest.mark.parametrize(("sql", "family", "number", "anchor"), STATEMENTS, ids=lambda value: str(value)[:40])
def test_a_statement_that_fails(session, sql, family, number, anchor):
    error = raised(lambda: execute(session, sql))
    assert type(error) is family, error
    assert f"Snowflake answered {number:06d}: " in str(error)
    assert "(query " in str(error)
    if anchor:
        assert str(error).endswith(f"See docs/troubleshooting.md#{anchor}")


ON_ORDER = [
    (3001, "42501", "SQL access control error: Insufficient privileges to operate on table 'T'", AccessError, "snowflake-grant"),
    (3001, "42501", "SQL access control error: Insufficient privileges to operate on stage 'S'", SourceError, "stage-or-integration"),
    (606, "57P03", "No active warehouse selected in the current session.", ConfigurationError, "warehouse"),
    (90073, "22000", "Warehouse 'W' cannot be resumed because resource monitor 'R' has exceeded its quota.", ConfigurationError, "warehouse"),
    (604, "57014", "SQL execution canceled", SourceUnavailable, "query-ended"),
    (2115, "02000", "Future data is not yet available for table T.", SourceUnavailable, "time-travel"),
    (630, "57014", "Statement reached its statement or warehouse timeout of 5 second(s) and was canceled.", SourceUnavailable, "query-ended"),
    (603, "XX000", "SQL execution internal error: Processing aborted by error 300010", SourceUnavailable, "snowflake-unavailable"),
    (91003, "22000", "Failure using stage area. Cause: [Access Denied (Status Code: 403; Error Code: AccessDenied)]", AccessError, "stage-access"),
    (3167, "22000", "Error assuming AWS_ROLE. Please verify the role and externalId are configured correctly", AccessError, "stage-access"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("number", "sqlstate", "text", "family", "anchor"), ON_ORDER, ids=lambda value: str(value)[:40]
)
def test_what_the_stand_in_cannot_bring_about_by_itself(
    session, stand_ins, number, sqlstate, text, family, anchor
):
    rule = {
        "kind": "error",
        "match": "FAULT_PLEASE",
        "code": str(number),
        "sqlstate": sqlstate,
        "message": text,
    }
    with stand_ins.snowflake(rule):
        error = raised(lambda: execute(session, "SELECT 'FAULT_PLEASE'"))
    assert type(error) is family, error
    assert str(error).endswith(f"#{anchor}")
    assert ("It is retried." in str(error)) is (family is SourceUnavailable)


def test_a_query_that_someone_cancels(session, connect):
    with session.cursor() as cursor:
        cursor.execute_async("SELECT SYSTEM$WAIT(60)")
        query = cursor.sfqid
    execute(connect(), f"SELECT SYSTEM$CANCEL_QUERY('{query}')")

    def read():
        with session.cursor() as cursor:
            cursor.get_results_from_sfqid(query)
            cursor.fetchall()

    error = raised(read)
    assert type(error) is SourceUnavailable, error
    assert query in str(error)
    assert str(error).endswith("#query-ended")


def test_an_expired_session_is_renewed_by_the_connector(session, stand_ins):
    stand_ins.expire_sessions()
    assert execute(session, "SELECT 1") == [(1,)]


@pytest.mark.parametrize("status", [503, 429, 403])
def test_http_errors_that_stay_are_transient(connect, stand_ins, status):
    connection = connect(network_timeout=2)
    with stand_ins.snowflake({"kind": "http", "status": status, "match": "query-request", "count": 0}):
        error = raised(lambda: execute(connection, f"SELECT '{uuid.uuid4()}'"))
    assert type(error) is SourceUnavailable, error
    assert str(error).endswith("#snowflake-unavailable")


def test_an_answer_that_is_cut_is_transient(connect, stand_ins):
    """The connector does not ask again here, and lets the error of its HTTP library through."""
    connection = connect(network_timeout=20)
    with stand_ins.snowflake({"kind": "drop", "match": "query-request"}):
        error = raised(lambda: execute(connection, "SELECT 42"))
    assert type(error) is SourceUnavailable
    assert str(error).endswith("#snowflake-unavailable")


def test_nobody_listens(connect):
    with pytest.raises(SourceUnavailable, match="Snowflake"), snowflake_failures("Opening a session"):
        import snowflake.connector

        snowflake.connector.connect(
            user="u", password="p", account="a", host="localhost", port=9, insecure_mode=True, login_timeout=2
        )
