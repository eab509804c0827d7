"""What Snowflake's documentation says of session parameters, files and time travel: each test names its page.

Pages are below docs.snowflake.com/en.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import pytest
import requests
import snowflake.connector

from tests.sandbox.snowflake_server import Server, free_port, start, stop, wait_for

VALUES = (
    "OBJECT_CONSTRUCT('d', '2024-01-02'::DATE, 'f', 1.23::FLOAT, 'n', '2024-01-02 03:04:05.123456789'::TIMESTAMP_NTZ,"
    " 't', '20:57:01.123456'::TIME, 'z', '2024-01-02 03:04:05.1 +02:00'::TIMESTAMP_TZ)"
)


def test_typed_values_inside_objects_are_printed_by_the_session_s_output_formats(client):
    """sql-reference/parameters (*_OUTPUT_FORMAT), user-guide/data-types-semistructured (16 digits of a FLOAT)."""
    client.rows(f"CREATE TABLE T AS SELECT {VALUES} AS V")
    expected = {
        "d": "2024-01-02",
        "n": "2024-01-02 03:04:05.123",
        "t": "20:57:01",
        "z": "2024-01-02 03:04:05.100 +0200",
    }
    printed = client.one("SELECT TO_JSON(V) FROM T")
    assert {k: v for k, v in json.loads(printed).items() if k != "f"} == expected
    assert '"f":1.230000000000000e+00' in printed
    assert client.one("SELECT V FROM T") == printed
    client.rows(
        "ALTER SESSION SET DATE_OUTPUT_FORMAT = 'DD/MM/YYYY', TIME_OUTPUT_FORMAT = 'HH24:MI:SS.FF9',"
        " TIMESTAMP_NTZ_OUTPUT_FORMAT = 'YYYY-MM-DD HH24:MI:SS.FF9', TIMESTAMP_TZ_OUTPUT_FORMAT = 'HH24:MI TZH'"
    )
    assert json.loads(client.one("SELECT TO_JSON(V) FROM T")) == {
        "d": "02/01/2024",
        "f": 1.23,
        "n": "2024-01-02 03:04:05.123456789",
        "t": "20:57:01.123456000",
        "z": "03:04 +02",
    }


def test_a_typed_value_comes_out_of_a_variant_as_it_went_in(client):
    """user-guide/data-types-semistructured: VARIANT keeps the type of a value; only its printing loses digits."""
    client.rows(
        "CREATE TABLE T AS SELECT '2024-01-02 03:04:05.123456'::TIMESTAMP_NTZ::VARIANT N, (0.1::FLOAT + 0.2::FLOAT)::VARIANT F"
    )
    assert client.one("SELECT TO_VARCHAR(N::TIMESTAMP_NTZ, 'HH24:MI:SS.FF6') FROM T") == "03:04:05.123456"
    assert client.one("SELECT F::FLOAT FROM T") == 0.1 + 0.2
    assert client.one("SELECT TYPEOF(N), TYPEOF(F) FROM T") == ("TIMESTAMP_NTZ", "DOUBLE")
    assert client.one("SELECT N::VARCHAR FROM T") == "2024-01-02 03:04:05.123"


def test_json_that_was_parsed_is_printed_as_it_was(client):
    """Texts that look like times are texts, and a number keeps its digits."""
    text = '{"a":"2024-01-02 03:04:05.123456789","b":1.5}'
    assert client.one(f"SELECT TO_JSON(PARSE_JSON('{text}'))") == text


def test_the_null_of_an_array_is_undefined(client):
    """user-guide/semistructured-considerations, sql-reference/parameters (STRICT_JSON_OUTPUT)."""
    client.rows("CREATE TABLE T AS SELECT ARRAY_CONSTRUCT(1, NULL, PARSE_JSON('null'), 'x') A")
    assert client.one("SELECT TO_JSON(A) FROM T") == '[1,undefined,null,"x"]'
    assert client.one("SELECT A[1] IS NULL FROM T") is True
    client.rows("ALTER SESSION SET STRICT_JSON_OUTPUT = TRUE")
    assert client.one("SELECT TO_JSON(A) FROM T") == '[1,null,null,"x"]'


@pytest.fixture
def set_default(client) -> Iterator[Callable[[str, str], None]]:
    """ALTER ACCOUNT or ALTER USER … SET, taken back afterwards."""
    undo = []

    def change(whose: str, setting: str) -> None:
        undo.append(f"ALTER {whose} UNSET {setting.partition('=')[0]}")
        client.rows(f"ALTER {whose} SET {setting}")

    yield change
    for statement in undo:
        client.rows(statement)


def test_a_session_s_parameter_hides_its_user_s_and_that_the_account_s(client, set_default):
    """sql-reference/parameters, "Parameter hierarchy and types"."""

    def shown() -> tuple[str, str]:
        [row] = client.rows("SHOW PARAMETERS LIKE 'TIME_OUTPUT_FORMAT'")
        return row[1], row[3]

    assert shown() == ("HH24:MI:SS", "")
    set_default("ACCOUNT", "TIME_OUTPUT_FORMAT = 'HH24'")
    assert shown() == ("HH24", "ACCOUNT")
    set_default("USER TESTER", "TIME_OUTPUT_FORMAT = 'MI'")
    assert shown() == ("MI", "USER")
    assert client.one("SELECT '01:02:03'::TIME::VARCHAR") == "02"
    client.rows("ALTER SESSION SET TIME_OUTPUT_FORMAT = 'SS'")
    assert shown() == ("SS", "SESSION")
    assert client.again(user="other").one("SELECT '01:02:03'::TIME::VARCHAR") == "01"


def test_texts_are_read_by_the_input_formats(client):
    """sql-reference/parameters: DATE_INPUT_FORMAT, TIME_INPUT_FORMAT, TIMESTAMP_INPUT_FORMAT."""
    client.rows(
        "ALTER SESSION SET DATE_INPUT_FORMAT = 'YYYY-DD-MM', TIME_INPUT_FORMAT = 'HH24.MI',"
        " TIMESTAMP_INPUT_FORMAT = 'DD-MON-YYYY HH24:MI:SS'"
    )
    assert client.one("SELECT '2024-02-01'::DATE::VARCHAR") == "2024-01-02"
    assert client.one("SELECT TO_DATE('2024-02-01')::VARCHAR") == "2024-01-02"
    assert client.one("SELECT '03.04'::TIME::VARCHAR") == "03:04:00"
    assert client.one("SELECT '02-JAN-2024 03:04:05'::TIMESTAMP_NTZ::VARCHAR") == "2024-01-02 03:04:05.000"
    refused = client.refused("SELECT '2024-01-02 03:04:05'::TIMESTAMP_NTZ")
    assert (refused.errno, refused.sqlstate) == (100096, "22007")
    assert client.one("SELECT TRY_TO_DATE('2024-31-31')") is None
    assert client.one("SELECT TO_DATE('2024-01-02', 'YYYY-MM-DD')::VARCHAR") == "2024-01-02"


def test_utc_is_printed_as_z(client):
    """sql-reference/data-types-datetime (the UTC indicator Z); mlorek/frostlake TemporalTextAndPrecisionTest, run on an account."""
    client.rows("ALTER SESSION SET TIMEZONE = 'UTC'")
    assert (
        client.one("SELECT '2024-01-02 03:04:05.678'::TIMESTAMP_LTZ::VARCHAR") == "2024-01-02 03:04:05.678 Z"
    )
    values = "'2024-01-02 03:04:05 +0000'::TIMESTAMP_TZ, '2024-01-02 03:04:05 -0330'::TIMESTAMP_TZ"
    printed = client.one(f"SELECT TO_JSON(ARRAY_CONSTRUCT({values}))")
    assert printed == '["2024-01-02 03:04:05.000 Z","2024-01-02 03:04:05.000 -0330"]'
    assert (
        client.one(
            "SELECT '2024-01-02 03:04:05.000 Z'::TIMESTAMP_TZ = '2024-01-02 03:04:05 +0000'::TIMESTAMP_TZ"
        )
        is True
    )


def test_quoted_names_are_upper_case_where_their_case_is_ignored(client):
    """sql-reference/parameters, QUOTED_IDENTIFIERS_IGNORE_CASE: stored and resolved in upper case."""
    client.rows('CREATE TABLE "Mixed" ("Visit Id" NUMBER)')
    client.rows("ALTER SESSION SET QUOTED_IDENTIFIERS_IGNORE_CASE = TRUE")
    assert client.refused('SELECT "Visit Id" FROM "Mixed"').errno == 2003
    client.rows('CREATE TABLE "Other" ("Visit Id" NUMBER)')
    assert [c.name for c in client.run('SELECT "visit id" FROM "other"').description] == ["VISIT ID"]
    client.rows("ALTER SESSION UNSET QUOTED_IDENTIFIERS_IGNORE_CASE")
    assert client.rows('SELECT "VISIT ID" FROM OTHER') == []
    assert client.refused('SELECT "Visit Id" FROM OTHER').errno == 904


def test_a_result_has_no_more_rows_than_the_parameter_says(client):
    """sql-reference/parameters, ROWS_PER_RESULTSET: 0 is no limit."""
    client.rows("CREATE TABLE T AS SELECT SEQ4() N FROM TABLE(GENERATOR(ROWCOUNT => 10))")
    client.rows("ALTER SESSION SET ROWS_PER_RESULTSET = 3")
    assert len(client.rows("SELECT * FROM T")) == 3
    assert client.one("SELECT COUNT(*) FROM T") == 10
    client.rows("ALTER SESSION SET ROWS_PER_RESULTSET = 0")
    assert len(client.rows("SELECT * FROM T")) == 10


def test_csv_encloses_the_text_of_null(client, bucket):
    """user-guide/data-unload-considerations, its example: NULL_IF = ('null') gives 1,'null','NULL value'."""
    client.rows(
        f"CREATE STORAGE INTEGRATION IF NOT EXISTS DOCUMENTED TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE"
        f" STORAGE_AWS_ROLE_ARN = 'arn:aws:iam::0:role/r' STORAGE_ALLOWED_LOCATIONS = ('s3://{bucket.name}/')"
    )
    for options, line in (
        ("NULL_IF = ('null') FIELD_OPTIONALLY_ENCLOSED_BY = ''''", "1,'null','NULL value'\n"),
        ("NULL_IF = () FIELD_OPTIONALLY_ENCLOSED_BY = ''''", "1,,'NULL value'\n"),
        ("NULL_IF = ('null')", "1,null,NULL value\n"),
    ):
        client.rows(
            f"COPY INTO 's3://{bucket.name}/{client.database}/' FROM (SELECT 1, NULL::VARCHAR, 'NULL value')"
            f" STORAGE_INTEGRATION = DOCUMENTED OVERWRITE = TRUE FILE_FORMAT = (TYPE = CSV COMPRESSION = NONE {options})"
        )
        [found] = bucket.objects.filter(Prefix=f"{client.database}/")
        assert found.get()["Body"].read().decode() == line


def test_a_time_ahead_of_the_clock_is_refused(client):
    """sql-reference/constructs/at-before: no data of the future."""
    client.rows("CREATE TABLE T (N NUMBER)")
    refused = client.refused("SELECT * FROM T AT (TIMESTAMP => DATEADD(HOUR, 1, CURRENT_TIMESTAMP()))")
    assert "Future data is not yet available for table T." in refused.msg
    assert client.rows("SELECT * FROM T AT (TIMESTAMP => CURRENT_TIMESTAMP())") == []


def test_a_status_can_be_no_data(client):
    """The connector's QueryStatus.NO_DATA: the service has nothing about a query yet; it counts as running."""
    cursor = client.connection.cursor()
    cursor.execute_async("SELECT 'told nothing of'")
    address = f"https://localhost:{client.server.port}/sandbox/faults"
    rule = {"kind": "no_data", "match": "told nothing of", "count": 2}
    requests.post(address, json=[rule], timeout=5).raise_for_status()
    try:
        found = [client.connection.get_query_status(cursor.sfqid) for _ in range(2)]
    finally:
        requests.post(address, json=[], timeout=5).raise_for_status()
    assert found == [snowflake.connector.constants.QueryStatus.NO_DATA] * 2
    assert client.connection.is_still_running(found[0])


@pytest.mark.parametrize(("abort", "status"), [("TRUE", "ABORTED"), ("FALSE", "RUNNING")])
def test_a_query_whose_session_is_gone_ends_where_detached_queries_are_aborted(
    tmp_path, s3_endpoint, abort, status
):
    """sql-reference/parameters, ABORT_DETACHED_QUERY; the server here waits one second in the place of five minutes."""
    port, log = free_port(), tmp_path / "statements.jsonl"
    process = start(
        ["-m", "sandbox.snowflake", "--port", str(port), "--s3-endpoint", s3_endpoint, "--statement-log", str(log),
         "--detached-seconds", "1"],
        tmp_path / "log",
    )  # fmt: skip
    try:
        wait_for(f"http://localhost:{port}/health", process, tmp_path / "log")
        server = Server(port, process, s3_endpoint, log, tls=False)
        connection = server.connect(session_parameters={"ABORT_DETACHED_QUERY": abort == "TRUE"})
        connection.cursor().execute_async("SELECT SYSTEM$WAIT(60)")
        time.sleep(3)
        found = [entry["status"] for entry in server.entries() if "SYSTEM$WAIT" in entry["sql"]]
        assert found[-1] == status
    finally:
        stop(process)


def test_texts_of_different_collations_cannot_be_put_together(client):
    """sql-reference/collation: LOWER and its like keep a collation, CAST drops it."""
    client.rows("CREATE TABLE T (A VARCHAR COLLATE 'en-ci', B VARCHAR COLLATE 'de', C VARCHAR)")
    client.rows("INSERT INTO T VALUES ('a', 'b', 'c')")
    for expression in ("A || B", "CONCAT(A, B)", "CONCAT(LOWER(A), '/', LEFT(B, 1))"):
        refused = client.refused(f"SELECT {expression} FROM T")
        assert refused.errno == 2322
        assert "Incompatible collations: 'en-ci', 'de'" in refused.msg
    for expression in ("A || C", "A || 'b'", "A::VARCHAR || B::VARCHAR"):
        client.rows(f"SELECT {expression} FROM T")


def test_imported_databases_and_materialized_views_have_no_time_travel(client):
    """user-guide/data-share-consumers, user-guide/views-materialized."""
    shared = f"IMPORTED_{client.database}"
    client.rows("CREATE TABLE T AS SELECT 1 N")
    client.rows("CREATE MATERIALIZED VIEW M AS SELECT N FROM T")
    client.rows(f"CREATE DATABASE {shared} FROM SHARE PROVIDER.{client.database}")
    try:
        for name in (f"{shared}.S.T", f"{client.database}.S.M"):
            assert client.one(f"SELECT N FROM {name}") == 1
            refused = client.refused(f"SELECT N FROM {name} AT (OFFSET => 0)")
            assert "Unsupported feature 'TIME TRAVEL'" in refused.msg
            assert refused.errno != 707
    finally:
        client.rows(f"DROP DATABASE {shared}")
        client.rows(f"USE SCHEMA {client.database}.S")
    assert client.one("SELECT N FROM T AT (OFFSET => 0)") == 1
    found = client.rows(
        "SELECT TABLE_NAME, TABLE_TYPE FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'S'"
    )
    assert ("M", "MATERIALIZED VIEW") in found


def test_a_computed_column_is_virtual(client):
    """sql-reference/sql/desc-table (kind is COLUMN or VIRTUAL), sql-reference/sql/create-table (`AS (expr)`)."""
    client.rows(
        "CREATE TABLE T (A NUMBER(10,0), B NUMBER(12,0) AS (A * 2), C VARCHAR AS ('x' || A::VARCHAR))"
    )
    client.rows("INSERT INTO T VALUES (1), (2)")
    assert client.rows("SELECT * FROM T ORDER BY A") == [(1, 2, "x1"), (2, 4, "x2")]
    assert client.one("SELECT U.C FROM T AS U WHERE B > 2") == "x2"
    described = {row[0]: (row[2], row[8]) for row in client.rows("DESCRIBE TABLE T")}
    assert described == {
        "A": ("COLUMN", None),
        "B": ("VIRTUAL", "A * 2"),
        "C": ("VIRTUAL", "'x' || A::VARCHAR"),
    }
    client.rows("ALTER TABLE T ADD COLUMN D NUMBER DEFAULT 7")
    client.rows("UPDATE T SET A = 5 WHERE A = 1")
    assert client.rows("SELECT * FROM T ORDER BY A") == [(2, 4, "x2", 7), (5, 10, "x5", 7)]


def test_timestamp_is_the_type_that_the_mapping_names(client):
    """sql-reference/parameters, TIMESTAMP_TYPE_MAPPING: TIMESTAMP and TO_TIMESTAMP follow it, DATETIME does not."""
    client.rows("ALTER SESSION SET TIMESTAMP_TYPE_MAPPING = 'TIMESTAMP_LTZ', TIMEZONE = 'Europe/Paris'")
    client.rows("CREATE TABLE T (A TIMESTAMP, B TIMESTAMP_NTZ, C TIMESTAMP(3), D DATETIME)")
    assert [row[1] for row in client.rows("DESCRIBE TABLE T")] == [
        "TIMESTAMP_LTZ(9)",
        "TIMESTAMP_NTZ(9)",
        "TIMESTAMP_LTZ(3)",
        "TIMESTAMP_NTZ(9)",
    ]
    for expression in ("'2024-01-02 03:04:05'::TIMESTAMP", "TO_TIMESTAMP('2024-01-02 03:04:05')"):
        assert client.one(f"SELECT {expression}::VARCHAR") == "2024-01-02 03:04:05.000 +0100"
    refused = client.refused("ALTER SESSION SET TIMESTAMP_TYPE_MAPPING = 'TIMESTAMP'")
    assert "invalid value [TIMESTAMP]" in refused.msg


def test_an_external_table_has_virtual_columns_alone_and_no_time_travel(client, bucket):
    """user-guide/tables-external-intro, sql-reference/sql/desc-table."""
    client.rows(
        f"CREATE STORAGE INTEGRATION IF NOT EXISTS DOCUMENTED TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE"
        f" STORAGE_AWS_ROLE_ARN = 'arn:aws:iam::0:role/r' STORAGE_ALLOWED_LOCATIONS = ('s3://{bucket.name}/')"
    )
    client.rows(
        f"CREATE STAGE ST URL = 's3://{bucket.name}/{client.database}/' STORAGE_INTEGRATION = DOCUMENTED"
    )
    client.rows("COPY INTO @ST/e/ FROM (SELECT 7 ID, 'x' NAME) HEADER = TRUE FILE_FORMAT = (TYPE = PARQUET)")
    client.rows(
        "CREATE EXTERNAL TABLE E (ID NUMBER AS (VALUE:ID::NUMBER), NAME VARCHAR AS (VALUE:NAME::VARCHAR))"
        " LOCATION = @ST/e/ FILE_FORMAT = (TYPE = PARQUET)"
    )
    assert client.rows("SELECT ID, NAME FROM E") == [(7, "x")]
    assert [(row[0], row[2]) for row in client.rows("DESCRIBE TABLE E")] == [
        ("VALUE", "VIRTUAL"),
        ("ID", "VIRTUAL"),
        ("NAME", "VIRTUAL"),
    ]
    assert "Unsupported feature 'TIME TRAVEL'" in client.refused("SELECT ID FROM E AT (OFFSET => 0)").msg


@pytest.mark.parametrize(
    ("provider", "scheme", "partition"),
    [("S3", "s3", "aws"), ("S3GOV", "s3gov", "aws-us-gov"), ("S3CHINA", "s3china", "aws-cn")],
)
def test_each_partition_of_aws_has_its_provider_and_its_scheme(client, bucket, provider, scheme, partition):
    """sql-reference/sql/create-storage-integration, sql-reference/sql/create-stage, sql-reference/functions/system_validate_storage_integration."""
    url = f"{scheme}://{bucket.name}/{client.database}/"
    other = "s3" if scheme != "s3" else "s3gov"
    create = (
        f"CREATE OR REPLACE STORAGE INTEGRATION PARTITIONED TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = '{provider}' ENABLED = TRUE"
        f" STORAGE_AWS_ROLE_ARN = 'arn:{partition}:iam::0:role/r' STORAGE_ALLOWED_LOCATIONS = "
    )
    assert client.refused(f"{create} ('{other}://{bucket.name}/')").errno == 1026
    client.rows(f"{create} ('{url}')")
    shown = {row[0]: row[2] for row in client.rows("DESC INTEGRATION PARTITIONED")}
    assert (shown["STORAGE_PROVIDER"], shown["STORAGE_ALLOWED_LOCATIONS"]) == (provider, url)
    assert shown["STORAGE_AWS_IAM_USER_ARN"].startswith(f"arn:{partition}:iam::")
    answer = client.one(f"SELECT SYSTEM$VALIDATE_STORAGE_INTEGRATION('PARTITIONED', '{url}', 'x.txt', 'all')")
    assert json.loads(answer)["status"] == "success"
    client.rows(f"CREATE STAGE ST URL = '{url}' STORAGE_INTEGRATION = PARTITIONED")
    client.rows("COPY INTO @ST/a/ FROM (SELECT 1 N) FILE_FORMAT = (TYPE = PARQUET)")
    [(name, *_)] = client.rows("LIST @ST/a/")
    assert name.startswith(f"{url}a/")
    direct = f"COPY INTO '{url}b/' FROM (SELECT 1 N) FILE_FORMAT = (TYPE = PARQUET) STORAGE_INTEGRATION = PARTITIONED"
    client.rows(direct)
    assert client.refused(direct.replace(f"'{scheme}:", f"'{other}:")).errno == 3127
    assert client.refused(f"CREATE STAGE BAD URL = 's3us://{bucket.name}/'").errno == 1026


def test_files_are_given_the_acl_of_the_integration(client, bucket):
    """sql-reference/sql/create-storage-integration, STORAGE_AWS_OBJECT_ACL; sql-reference/sql/desc-integration."""
    create = (
        f"CREATE OR REPLACE STORAGE INTEGRATION FOREIGN_BUCKET TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE"
        f" STORAGE_AWS_ROLE_ARN = 'arn:aws:iam::0:role/r' STORAGE_ALLOWED_LOCATIONS = ('s3://{bucket.name}/')"
    )
    assert client.refused(f"{create} STORAGE_AWS_OBJECT_ACL = 'public-read'").errno == 1008
    client.rows(f"{create} STORAGE_AWS_OBJECT_ACL = 'bucket-owner-full-control'")
    shown = {row[0]: row[2] for row in client.rows("DESC INTEGRATION FOREIGN_BUCKET")}
    assert shown["STORAGE_AWS_OBJECT_ACL"] == "bucket-owner-full-control"
    client.rows(
        f"COPY INTO 's3://{bucket.name}/{client.database}/' FROM (SELECT 1 N) FILE_FORMAT = (TYPE = PARQUET)"
        " STORAGE_INTEGRATION = FOREIGN_BUCKET"
    )
    assert len(list(bucket.objects.filter(Prefix=f"{client.database}/"))) == 1
    client.rows("ALTER STORAGE INTEGRATION FOREIGN_BUCKET UNSET STORAGE_AWS_OBJECT_ACL")
    assert "STORAGE_AWS_OBJECT_ACL" not in {row[0] for row in client.rows("DESC INTEGRATION FOREIGN_BUCKET")}
