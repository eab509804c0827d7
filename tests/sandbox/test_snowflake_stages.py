"""Storage integrations, stages, LIST and REMOVE, and what is said when something is not allowed."""

from __future__ import annotations

import json

import pytest


def columns(client, sql: str) -> list[dict]:
    cursor = client.run(sql)
    names = [c.name for c in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def properties(client, sql: str) -> dict[str, str]:
    return {r["property"]: r["property_value"] for r in columns(client, sql)}


def test_an_integration_is_described_and_changed(client, stage):
    name = f"I_{client.database}"
    client.rows(
        f"CREATE STORAGE INTEGRATION {name} TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE "
        "STORAGE_AWS_ROLE_ARN = 'arn:aws:iam::1:role/r' STORAGE_ALLOWED_LOCATIONS = ('s3://lake/a/', 's3://lake/b/')"
    )
    assert (
        "already exists"
        in client.refused(
            f"CREATE STORAGE INTEGRATION {name} TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE "
            "STORAGE_AWS_ROLE_ARN = 'arn' STORAGE_ALLOWED_LOCATIONS = ('*')"
        ).msg
    )
    client.rows(f"ALTER STORAGE INTEGRATION {name} SET STORAGE_BLOCKED_LOCATIONS = ('s3://lake/a/secret/')")
    described = properties(client, f"DESC STORAGE INTEGRATION {name}")
    assert described["ENABLED"] == "true"
    assert described["STORAGE_ALLOWED_LOCATIONS"] == "s3://lake/a/,s3://lake/b/"
    assert described["STORAGE_BLOCKED_LOCATIONS"] == "s3://lake/a/secret/"
    assert described["STORAGE_AWS_ROLE_ARN"] == "arn:aws:iam::1:role/r"
    listed = columns(client, f"SHOW STORAGE INTEGRATIONS LIKE '{name}'")
    assert [(r["name"], r["enabled"]) for r in listed] == [(name, "true")]
    client.rows(f"DROP INTEGRATION {name}")
    error = client.refused(f"DESC INTEGRATION {name}")
    assert (error.errno, error.sqlstate) == (2003, "02000")
    assert f"Integration '{name}' does not exist or not authorized." in error.msg


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("s3://lake/a/x/", True),
        ("s3://lake/a", True),
        ("s3://lake/ab/", False),
        ("s3://lake/a/secret/x", False),
        ("s3://pond/a/", False),
        ("s3://lake/open/x/", True),
        ("s3://lake/opening/", False),
    ],
)
def test_an_integration_covers_whole_folders(client, stage, url, allowed):
    name = f"I_{client.database}"
    client.rows(
        f"CREATE STORAGE INTEGRATION {name} TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE "
        "STORAGE_AWS_ROLE_ARN = 'arn' STORAGE_ALLOWED_LOCATIONS = ('s3://lake/a/', 's3://lake/open') "
        "STORAGE_BLOCKED_LOCATIONS = ('s3://lake/a/secret/')"
    )
    statement = f"CREATE STAGE X URL = '{url}' STORAGE_INTEGRATION = {name}"
    if allowed:
        assert client.rows(statement) == [("Stage area X successfully created.",)]
    else:
        error = client.refused(statement)
        assert (error.errno, error.sqlstate) == (3127, "42601")
        assert f"Location '{url}' is not allowed by integration '{name}'" in error.msg


def test_a_disabled_integration_stops_the_unload(client, stage):
    name = f"I_{client.database}"
    client.rows(
        f"CREATE STORAGE INTEGRATION {name} TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE "
        "STORAGE_AWS_ROLE_ARN = 'arn' STORAGE_ALLOWED_LOCATIONS = ('s3://lake/')"
    )
    client.rows(f"CREATE STAGE X URL = 's3://lake/{stage}' STORAGE_INTEGRATION = {name}")
    client.rows(f"ALTER STORAGE INTEGRATION {name} SET ENABLED = FALSE")
    assert f"Integration '{name}' is not enabled." in client.refused("COPY INTO @X/a/ FROM (SELECT 1)").msg
    client.rows(f"DROP INTEGRATION {name}")
    assert f"Integration '{name}' does not exist" in client.refused("COPY INTO @X/a/ FROM (SELECT 1)").msg


def test_a_stage_is_described_and_shown(client, stage):
    assert properties(client, "DESC STAGE ST") == {
        "TYPE": "CSV",
        "ON_ERROR": "ABORT_STATEMENT",
        "URL": f'["s3://lake/{stage}"]',
        "STORAGE_INTEGRATION": "LAKE",
        "ENABLE": "false",
    }
    [shown] = columns(client, "SHOW STAGES LIKE 'st'")
    assert (shown["name"], shown["url"], shown["storage_integration"], shown["type"]) == (
        "ST",
        f"s3://lake/{stage}",
        "LAKE",
        "EXTERNAL",
    )


def test_list_and_remove_by_prefix_and_pattern(client, bucket, stage):
    for key in ("a/1.csv", "a/2.parquet", "ab/3.csv"):
        bucket.put_object(Key=stage + key, Body=b"12345")
    listed = client.rows("LIST @ST/a")
    assert [(r[0], r[1]) for r in listed] == [
        (f"s3://lake/{stage}a/1.csv", 5),
        (f"s3://lake/{stage}a/2.parquet", 5),
        (f"s3://lake/{stage}ab/3.csv", 5),
    ]
    assert listed[0][2] == "827ccb0eea8a706c4c34a16891f84e7b"
    assert [r[0] for r in client.rows("LS @ST/a/ PATTERN = '.*[.]csv'")] == [f"s3://lake/{stage}a/1.csv"]
    assert client.rows(f"""REMOVE '@"{client.database}"."S"."ST"/a/'""") == [
        (f"s3://lake/{stage}a/1.csv", "removed"),
        (f"s3://lake/{stage}a/2.parquet", "removed"),
    ]
    assert [o.key for o in bucket.objects.filter(Prefix=stage)] == [f"{stage}ab/3.csv"]


def test_what_is_missing_is_named(client, stage):
    for sql, errno, sqlstate, text in [
        ("COPY INTO @NO/x FROM (SELECT 1)", 2003, "02000", f"Stage '{client.database}.S.NO' does not exist"),
        ("COPY INTO @NODB.S.X/x FROM (SELECT 1)", 2003, "02000", "Database 'NODB' does not exist"),
        (
            "COPY INTO @NOSCHEMA.X/x FROM (SELECT 1)",
            2003,
            "02000",
            f"Schema '{client.database}.NOSCHEMA' does not exist",
        ),
        ("COPY INTO @ST/x FROM NOTABLE", 2003, "42S02", "Object 'NOTABLE' does not exist or not authorized."),
        (
            "COPY INTO @ST/x FROM (SELECT 1) FILE_FORMAT = (FORMAT_NAME = NF)",
            2003,
            "02000",
            "NF' does not exist",
        ),
        (
            "COPY INTO 's3://lake/x' FROM (SELECT 1) STORAGE_INTEGRATION = NOI",
            2003,
            "02000",
            "Integration 'NOI' does not",
        ),
        (
            "CREATE STAGE Z URL = 's3://lake/z' STORAGE_INTEGRATION = NOI",
            2003,
            "02000",
            "Integration 'NOI' does not",
        ),
    ]:
        error = client.refused(sql)
        assert (error.errno, error.sqlstate) == (errno, sqlstate), sql
        assert text in error.msg


def test_a_missing_bucket_is_reported(client, stage):
    name = f"I_{client.database}"
    client.rows(
        f"CREATE STORAGE INTEGRATION {name} TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE "
        "STORAGE_AWS_ROLE_ARN = 'arn' STORAGE_ALLOWED_LOCATIONS = ('*')"
    )
    client.rows(f"CREATE STAGE GONE URL = 's3://no-such-bucket-here/' STORAGE_INTEGRATION = {name}")
    assert "The specified bucket does not exist" in client.refused("COPY INTO @GONE/x FROM (SELECT 1)").msg
    outcome = json.loads(
        client.one(
            f"SELECT SYSTEM$VALIDATE_STORAGE_INTEGRATION('{name}', 's3://no-such-bucket-here/', 'f.txt', 'all')"
        )
    )
    assert outcome["status"] == "failure"
    assert outcome["actions"]["WRITE"]["status"] == "failure"


def test_an_integration_is_validated_by_trying(client, stage):
    outcome = json.loads(
        client.one(
            f"SELECT SYSTEM$VALIDATE_STORAGE_INTEGRATION('LAKE', 's3://lake/{stage}', 'check.txt', 'all')"
        )
    )
    assert outcome == {
        "status": "success",
        "message": "OK",
        "actions": {k: {"status": "success"} for k in ("READ", "DELETE", "LIST", "WRITE")},
    }


def test_rows_come_back_from_a_stage(client, bucket, stage):
    client.rows("CREATE TABLE T (ID NUMBER(38,0), NAME VARCHAR, D DATE)")
    client.rows(
        "COPY INTO @ST/p/ FROM (SELECT 1 AS ID, 'x' AS NAME, '2024-01-01'::DATE AS D) FILE_FORMAT = (TYPE = PARQUET) HEADER = TRUE"
    )
    client.rows("COPY INTO @ST/c/ FROM (SELECT 2, NULL, '2024-01-02'::DATE) FILE_FORMAT = (TYPE = CSV)")
    assert client.rows("COPY INTO T FROM @ST/p/ FILE_FORMAT = (TYPE = PARQUET)")[0][1:4] == ("LOADED", 1, 1)
    client.rows("COPY INTO T FROM @ST/c/ FILE_FORMAT = (TYPE = CSV)")
    assert [(r[0], r[1], str(r[2])) for r in client.rows("SELECT * FROM T ORDER BY ID")] == [
        (1, "x", "2024-01-01"),
        (2, None, "2024-01-02"),
    ]
