"""COPY INTO <location>: what lands on S3, under which name, in which types."""

from __future__ import annotations

import datetime
import gzip
import io
import json
import re
import uuid
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest


def body(bucket, key: str) -> bytes:
    return bucket.Object(key).get()["Body"].read()


def parquet(bucket, key: str) -> pa.Table:
    return pq.read_table(io.BytesIO(body(bucket, key)))


def keys(bucket, prefix: str) -> list[str]:
    return sorted(o.key for o in bucket.objects.filter(Prefix=prefix))


@pytest.fixture
def table(client, stage) -> str:
    client.rows('CREATE TABLE T (ID NUMBER(38,0), "Visit Id" VARCHAR, AMOUNT NUMBER(19,3), AT TIMESTAMP_TZ)')
    client.rows(
        "INSERT INTO T VALUES (1, 'a', 1.5, '2024-01-01 10:00:00.123456 +05:30'::TIMESTAMP_TZ), (2, NULL, NULL, NULL)"
    )
    return stage


def test_parquet_with_names_and_exact_instants(client, bucket, table):
    rows = client.rows(
        'COPY INTO @ST/p/ FROM (SELECT ID, "Visit Id", AMOUNT, DATE_PART(EPOCH_MICROSECOND, AT) AS "AT us" FROM T) '
        "FILE_FORMAT = (TYPE = PARQUET COMPRESSION = SNAPPY) HEADER = TRUE DETAILED_OUTPUT = TRUE"
    )
    [(name, size, count)] = rows
    assert (name, count) == ("p/data_0_0_0.snappy.parquet", 2)
    assert size == len(body(bucket, table + name))
    assert parquet(bucket, table + name).to_pydict() == {
        "ID": [1, 2],
        "Visit Id": ["a", None],
        "AMOUNT": [Decimal("1.500"), None],
        "AT us": [1704083400123456, None],
    }


def test_without_header_parquet_columns_are_generic(client, bucket, table):
    client.rows("COPY INTO @ST/p/ FROM (SELECT ID, AMOUNT FROM T) FILE_FORMAT = (TYPE = PARQUET)")
    assert parquet(bucket, table + "p/data_0_0_0.snappy.parquet").column_names == ["_COL_0", "_COL_1"]


def test_number_types_follow_the_values_unless_switched_off(client, bucket, table):
    query = "(SELECT ID, AMOUNT, 2147483648 AS BIG, DATE_PART(EPOCH_SECOND, AT) AS E, CAST(ID AS BIGINT) AS B FROM T)"
    options = "FILE_FORMAT = (TYPE = PARQUET) HEADER = TRUE"
    client.rows(f"COPY INTO @ST/narrow/ FROM {query} {options}")
    client.rows("ALTER SESSION SET ENABLE_UNLOAD_PHYSICAL_TYPE_OPTIMIZATION = FALSE")
    client.rows(f"COPY INTO @ST/logical/ FROM {query} {options}")
    narrow = parquet(bucket, table + "narrow/data_0_0_0.snappy.parquet").schema
    logical = parquet(bucket, table + "logical/data_0_0_0.snappy.parquet").schema
    assert [str(t) for t in narrow.types] == ["int8", "decimal128(4, 3)", "int64", "int32", "int64"]
    assert [str(t) for t in logical.types] == [
        "decimal128(38, 0)",
        "decimal128(19, 3)",
        "decimal128(38, 0)",
        "decimal128(38, 0)",
        "int64",
    ]


def test_timestamps_lose_microseconds_by_default(client, bucket, table):
    query = "(SELECT '2024-01-01 10:00:00.123456'::TIMESTAMP_NTZ AS T, '10:00:00.123456'::TIME AS H)"
    client.rows(f"COPY INTO @ST/ms/ FROM {query} FILE_FORMAT = (TYPE = PARQUET) HEADER = TRUE")
    client.rows("ALTER SESSION SET UNLOAD_PARQUET_TIME_TIMESTAMP_MILLIS = FALSE")
    client.rows(f"COPY INTO @ST/us/ FROM {query} FILE_FORMAT = (TYPE = PARQUET) HEADER = TRUE")
    assert parquet(bucket, table + "ms/data_0_0_0.snappy.parquet").to_pylist() == [
        {"T": datetime.datetime(2024, 1, 1, 10, 0, 0, 123000), "H": datetime.time(10, 0, 0, 123000)}
    ]
    assert parquet(bucket, table + "us/data_0_0_0.snappy.parquet").to_pylist() == [
        {"T": datetime.datetime(2024, 1, 1, 10, 0, 0, 123456), "H": datetime.time(10, 0, 0, 123456)}
    ]


@pytest.mark.parametrize("kind", ["TIMESTAMP_TZ", "TIMESTAMP_LTZ"])
def test_zoned_timestamps_are_refused_by_parquet(client, table, kind):
    error = client.refused(f"COPY INTO @ST/z/ FROM (SELECT AT::{kind} FROM T) FILE_FORMAT = (TYPE = PARQUET)")
    assert (error.errno, error.sqlstate) == (100171, "22000")
    assert (
        f"TIMESTAMP_TZ and LTZ types are not supported for unloading to Parquet. value get: {kind}"
        in error.msg
    )


def test_files_stay_below_the_size_asked_for(client, bucket, table):
    rows = client.rows(
        "COPY INTO @ST/many/ FROM (SELECT SEQ8() AS I, MD5(SEQ8()::VARCHAR) AS M FROM TABLE(GENERATOR(ROWCOUNT => 60000))) "
        "FILE_FORMAT = (TYPE = PARQUET) MAX_FILE_SIZE = 200000 DETAILED_OUTPUT = TRUE"
    )
    assert len(rows) > 8
    assert [r[0] for r in rows[:9]] == [f"many/data_0_{i}_0.snappy.parquet" for i in range(8)] + [
        "many/data_0_0_1.snappy.parquet"
    ]
    assert max(r[1] for r in rows) <= 200000
    assert sum(r[2] for r in rows) == 60000
    assert keys(bucket, table + "many/") == sorted(table + r[0] for r in rows)


def test_the_query_id_in_names_is_the_statement_s_own(client, bucket, table):
    cursor = client.run(
        "COPY INTO @ST/q/ FROM T FILE_FORMAT = (TYPE = CSV) INCLUDE_QUERY_ID = TRUE DETAILED_OUTPUT = TRUE"
    )
    assert [r[0] for r in cursor.fetchall()] == [f"q/data_{cursor.sfqid}_0_0_0.csv.gz"]
    assert str(uuid.UUID(cursor.sfqid)) == cursor.sfqid
    client.rows("COPY INTO @ST/q/ FROM T FILE_FORMAT = (TYPE = CSV) INCLUDE_QUERY_ID = TRUE")
    assert len(keys(bucket, table + "q/")) == 2


@pytest.mark.parametrize("other", ["OVERWRITE", "SINGLE"])
def test_query_id_excludes_overwrite_and_single(client, table, other):
    error = client.refused(f"COPY INTO @ST/q/ FROM T INCLUDE_QUERY_ID = TRUE {other} = TRUE")
    assert "INCLUDE_QUERY_ID" in error.msg
    assert other in error.msg


def test_no_rows_no_file(client, bucket, table):
    query = "(SELECT ID FROM T WHERE ID > 99)"
    assert (
        client.rows(f"COPY INTO @ST/e/ FROM {query} FILE_FORMAT = (TYPE = PARQUET) DETAILED_OUTPUT = TRUE")
        == []
    )
    assert client.rows(f"COPY INTO @ST/e/ FROM {query} FILE_FORMAT = (TYPE = PARQUET)") == [(0, 0, 0)]
    assert keys(bucket, table + "e/") == []


def test_existing_files_stop_an_unload_and_overwrite_replaces_the_same_name(client, bucket, table):
    client.rows("COPY INTO @ST/x/ FROM (SELECT ID FROM T) FILE_FORMAT = (TYPE = PARQUET)")
    bucket.put_object(Key=table + "x/data_0_9_0.snappy.parquet", Body=b"stale")
    error = client.refused("COPY INTO @ST/x/ FROM (SELECT 1) FILE_FORMAT = (TYPE = PARQUET)")
    assert (error.errno, error.sqlstate) == (1030, "22000")
    assert "Files already existing at the unload destination: @ST/x/. Use overwrite option" in error.msg
    client.rows(
        "COPY INTO @ST/x/ FROM (SELECT 7 AS N) FILE_FORMAT = (TYPE = PARQUET) OVERWRITE = TRUE HEADER = TRUE"
    )
    assert parquet(bucket, table + "x/data_0_0_0.snappy.parquet").to_pydict() == {"N": [7]}
    assert body(bucket, table + "x/data_0_9_0.snappy.parquet") == b"stale"


def test_a_path_without_a_slash_is_the_beginning_of_the_names(client, bucket, table):
    client.rows("COPY INTO @ST/part FROM T FILE_FORMAT = (TYPE = CSV COMPRESSION = NONE)")
    client.rows("COPY INTO @ST/one.csv FROM T FILE_FORMAT = (TYPE = CSV COMPRESSION = NONE) SINGLE = TRUE")
    assert keys(bucket, table) == [table + "one.csv", table + "part_0_0_0.csv"]


def test_single_must_fit_the_size(client, table):
    error = client.refused(
        "COPY INTO @ST/one FROM (SELECT MD5(SEQ8()::VARCHAR) FROM TABLE(GENERATOR(ROWCOUNT => 20000))) "
        "FILE_FORMAT = (TYPE = CSV COMPRESSION = NONE) SINGLE = TRUE MAX_FILE_SIZE = 100000"
    )
    assert "Max file size (100000) exceeded for unload single file mode" in error.msg


CSV_ROW = (
    "SELECT 1, 'a,\"b\"', '', NULL, 0.1::FLOAT, TRUE, '2024-01-31'::DATE, '10:11:12.5'::TIME, "
    "'2024-01-31 10:11:12.5'::TIMESTAMP_NTZ, '2024-01-31 10:11:12 +02:00'::TIMESTAMP_TZ, "
    "TO_BINARY('C3A9', 'HEX'), PARSE_JSON('{\"k\": [1, null]}'), 12.340::NUMBER(10,3)"
)


def test_csv_with_enclosed_texts(client, bucket, table):
    client.rows(
        f"COPY INTO @ST/c/ FROM ({CSV_ROW}) FILE_FORMAT = (TYPE = CSV COMPRESSION = NONE FIELD_OPTIONALLY_ENCLOSED_BY = '\"')"
    )
    assert body(bucket, table + "c/data_0_0_0.csv").decode() == (
        '1,"a,""b""","","\\N",0.1,true,2024-01-31,10:11:12,2024-01-31 10:11:12.500,'
        '2024-01-31 10:11:12.000 +0200,"C3A9","{""k"":[1,null]}",12.340\n'
    )


def test_csv_options(client, bucket, table):
    client.rows(
        "COPY INTO @ST/c/ FROM (SELECT 'a|b\\\\c' AS \"T x\", NULL AS N, '2024-01-31'::DATE AS D, TO_BINARY('C3A9', 'HEX') AS B) "
        "FILE_FORMAT = (TYPE = CSV COMPRESSION = GZIP FIELD_DELIMITER = '|' RECORD_DELIMITER = '\\r\\n' NULL_IF = ('NUL') "
        "DATE_FORMAT = 'DD.MM.YYYY' BINARY_FORMAT = BASE64 FILE_EXTENSION = 'txt.gz') HEADER = TRUE"
    )
    text = gzip.decompress(body(bucket, table + "c/data_0_0_0.txt.gz")).decode()
    assert text == "T x|N|D|B\r\na\\|b\\\\c|NUL|31.01.2024|w6k=\r\n"


def test_named_file_format_and_the_stage_s_own(client, bucket, table):
    client.rows("CREATE FILE FORMAT FF TYPE = CSV COMPRESSION = NONE FIELD_DELIMITER = ';'")
    client.rows("COPY INTO @ST/f/ FROM (SELECT 1, 2) FILE_FORMAT = (FORMAT_NAME = 'FF')")
    client.rows(
        f"CREATE STAGE PQ URL = 's3://lake/{table}pq/' STORAGE_INTEGRATION = LAKE FILE_FORMAT = (TYPE = PARQUET)"
    )
    client.rows("COPY INTO @PQ FROM (SELECT 1 AS A) HEADER = TRUE")
    assert body(bucket, table + "f/data_0_0_0.csv") == b"1;2\n"
    assert parquet(bucket, table + "pq/data_0_0_0.snappy.parquet").to_pydict() == {"A": [1]}


def test_json_takes_one_variant(client, bucket, table):
    client.rows(
        "COPY INTO @ST/j/ FROM (SELECT OBJECT_CONSTRUCT('id', ID) FROM T ORDER BY ID) FILE_FORMAT = (TYPE = JSON)"
    )
    lines = gzip.decompress(body(bucket, table + "j/data_0_0_0.json.gz")).decode().splitlines()
    assert [json.loads(line) for line in lines] == [{"id": 1}, {"id": 2}]
    assert (
        "one and only one column"
        in client.refused("COPY INTO @ST/j2/ FROM T FILE_FORMAT = (TYPE = JSON)").msg
    )


def test_quoted_locations_and_urls(client, bucket, table):
    client.rows(f"CREATE STAGE \"My St\" URL = 's3://lake/{table}q' STORAGE_INTEGRATION = LAKE")
    client.rows(f"""COPY INTO '@"{client.database}"."S"."My St"/a b/' FROM T FILE_FORMAT = (TYPE = CSV)""")
    client.rows(
        f"COPY INTO 's3://lake/{table}direct/' FROM T STORAGE_INTEGRATION = LAKE FILE_FORMAT = (TYPE = CSV)"
    )
    assert keys(bucket, table) == [table + "direct/data_0_0_0.csv.gz", table + "q/a b/data_0_0_0.csv.gz"]


def test_validation_mode_returns_rows_and_writes_nothing(client, bucket, table):
    assert client.rows(
        "COPY INTO @ST/v/ FROM (SELECT ID FROM T ORDER BY ID) VALIDATION_MODE = RETURN_ROWS"
    ) == [(1,), (2,)]
    assert keys(bucket, table) == []


def test_unknown_options_are_named(client, table):
    assert "invalid property 'HEADR' for 'COPY'" in client.refused("COPY INTO @ST/v/ FROM T HEADR = TRUE").msg
    assert "PARTITION BY" in client.refused("COPY INTO @ST/v/ FROM T PARTITION BY (ID)").msg


def test_a_cancelled_unload_stops_writing(client, bucket, table):
    cursor = client.connection.cursor()
    cursor.execute_async(
        "COPY INTO @ST/big/ FROM (SELECT MD5(A.RANGE::VARCHAR || B.RANGE) FROM TABLE(GENERATOR(ROWCOUNT => 100000)) A, "
        "TABLE(GENERATOR(ROWCOUNT => 100000)) B) FILE_FORMAT = (TYPE = CSV COMPRESSION = NONE) MAX_FILE_SIZE = 500000"
    )
    while not keys(bucket, table + "big/"):
        assert client.connection.is_still_running(client.connection.get_query_status(cursor.sfqid))
    assert re.search("terminated", client.one(f"SELECT SYSTEM$CANCEL_QUERY('{cursor.sfqid}')"))
    while client.connection.get_query_status(cursor.sfqid).name == "RUNNING":
        pass
    assert client.connection.get_query_status(cursor.sfqid).name == "ABORTED"
    left = keys(bucket, table + "big/")
    assert left == keys(bucket, table + "big/")
