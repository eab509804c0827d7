"""What boto3 really raises, by the S3 stand-in, and what a person then reads."""

from __future__ import annotations

import boto3
import pytest
from botocore.config import Config

from snowmelt.drivers.s3_errors import s3_failures
from snowmelt.errors import AccessError, ConfigurationError, StagingError, StagingUnavailable

KEY = "failures/data_0.parquet"


@pytest.fixture(scope="module", autouse=True)
def object_there(sandbox):
    sandbox.s3().put_object(Bucket=sandbox.bucket, Key=KEY, Body=b"x" * 300_000)


@pytest.fixture
def client(sandbox):
    opened = []

    def make(user="AIRFLOW_READER", **changes):
        options = {
            "aws_access_key_id": sandbox.env[f"SNOWMELT_SANDBOX_{user}_ACCESS_KEY_ID"],
            "aws_secret_access_key": sandbox.env[f"SNOWMELT_SANDBOX_{user}_SECRET_ACCESS_KEY"],
            "region_name": sandbox.env["SNOWMELT_SANDBOX_S3_REGION"],
        } | changes
        made = boto3.client(
            "s3",
            endpoint_url=sandbox.env["SNOWMELT_SANDBOX_S3_ENDPOINT"],
            config=Config(retries={"total_max_attempts": 1}, read_timeout=1, s3={"addressing_style": "path"}),
            **options,
        )
        opened.append(made)
        return made

    yield make
    for each in opened:
        each.close()


def raised(call):
    with pytest.raises(Exception) as caught, s3_failures("Reading s3://b/k"):
        call()
    return caught.value


def ask(client, sandbox, operation, key=KEY, bucket=""):
    bucket = bucket or sandbox.bucket
    if operation == "list":
        return lambda: client.list_objects_v2(Bucket=bucket, Prefix="failures/")
    if operation == "head":
        return lambda: client.head_object(Bucket=bucket, Key=key)
    return lambda: client.get_object(Bucket=bucket, Key=key)["Body"].read()  # noqa: PLW0108 - asked when called


DENIED = [
    ("list", "access-denied-list", "s3:ListBucket on the bucket itself"),
    ("get", "access-denied-get", "s3:GetObject on the bucket's objects"),
    ("head", "access-denied-get", "s3:GetObject on the bucket's objects"),
]


@pytest.mark.parametrize(("operation", "anchor", "advice"), DENIED)
def test_the_missing_right_is_named(client, sandbox, operation, anchor, advice):
    error = raised(ask(client("NOBODY"), sandbox, operation))
    assert type(error) is AccessError
    assert advice in str(error)
    assert str(error).startswith("Reading s3://b/k: S3 answered ")
    assert str(error).endswith(f"See docs/troubleshooting.md#{anchor}")


def test_a_kms_key_is_told_from_a_missing_right_of_s3(client, sandbox, stand_ins):
    text = "User: arn:aws:iam::1:user/u is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:us-east-1:1:key/k"
    with stand_ins.s3({"kind": "error", "status": 403, "code": "AccessDenied", "message": text}):
        error = raised(ask(client(), sandbox, "get"))
    assert type(error) is AccessError
    assert "needs kms:Decrypt in its policy and in the key's" in str(error)
    assert str(error).endswith("#access-denied-kms")


KEYS = [
    ({"aws_access_key_id": "AKIAUNKNOWN000000000"}, "AWS does not know the access key", "access-key-unknown"),
    ({"aws_secret_access_key": "wrong"}, "does not belong to its access key", "secret-key"),
]


@pytest.mark.parametrize(("change", "advice", "anchor"), KEYS, ids=["unknown key", "wrong secret"])
def test_wrong_keys(client, sandbox, change, advice, anchor):
    error = raised(ask(client(**change), sandbox, "list"))
    assert type(error) is AccessError
    assert advice in str(error)
    assert str(error).endswith(f"#{anchor}")


def test_a_wrong_token(client, sandbox):
    error = raised(ask(client("SESSION", aws_session_token="old"), sandbox, "list"))
    assert type(error) is AccessError
    assert str(error).endswith("#session-token")


def test_a_temporary_key_without_its_token_is_told_before_aws_is_asked(sandbox, monkeypatch):
    import json

    from snowmelt.airflow.sessions import s3_client

    key = sandbox.env["SNOWMELT_SANDBOX_SESSION_ACCESS_KEY_ID"]
    secret = sandbox.env["SNOWMELT_SANDBOX_SESSION_SECRET_ACCESS_KEY"]
    connection = {"conn_type": "aws", "login": key, "password": secret}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_ASIA", json.dumps(connection))
    with pytest.raises(AccessError, match="without its session token") as caught:
        s3_client("aws_asia")
    assert str(caught.value).endswith("See docs/troubleshooting.md#asia-key")
    assert secret not in str(caught.value)


@pytest.mark.parametrize("operation", ["list", "get", "head"])
def test_a_wrong_region_says_so_or_is_followed(client, sandbox, operation):
    """botocore follows a bucket to its region by itself where S3 tells it; where it cannot, the message says what to set."""
    said = ""
    try:
        with s3_failures("Reading s3://b/k"):
            ask(client(region_name="eu-west-1"), sandbox, operation)()
    except ConfigurationError as error:
        said = str(error)
    assert not said or said.endswith("See docs/troubleshooting.md#wrong-region")


def test_a_region_that_cannot_be_followed(client, sandbox, stand_ins):
    rule = {"kind": "error", "status": 301, "code": "PermanentRedirect", "count": 0, "match": f"GET .*{KEY}"}
    with stand_ins.s3(rule):
        error = raised(ask(client(), sandbox, "get"))
    assert type(error) is ConfigurationError
    assert str(error).endswith("#wrong-region")


def test_what_is_not_there(client, sandbox):
    bucket = raised(ask(client(), sandbox, "list", bucket="no-such-bucket"))
    assert type(bucket) is ConfigurationError
    assert str(bucket).endswith("#bucket-missing")
    gone = raised(ask(client(), sandbox, "get", key="failures/none"))
    assert type(gone) is StagingError
    assert str(gone).endswith("#object-gone")
    changed = raised(lambda: client().get_object(Bucket=sandbox.bucket, Key=KEY, IfMatch='"other"'))
    assert type(changed) is StagingError
    assert str(changed).endswith("#object-changed")


TRANSIENT = [
    {"kind": "error", "status": 500, "code": "InternalError"},
    {"kind": "error", "status": 503, "code": "SlowDown"},
    {"kind": "error", "status": 503, "code": "SomethingNew"},
    {"kind": "error", "status": 403, "code": "RequestTimeTooSkewed"},
    {"kind": "stall", "seconds": 2.5},
    {"kind": "cut", "after": 1000},
    {"kind": "reset", "after": 150_000},
]


@pytest.mark.parametrize("rule", TRANSIENT, ids=lambda rule: rule.get("code") or rule["kind"])
def test_what_may_pass_is_transient(client, sandbox, stand_ins, rule):
    with stand_ins.s3({**rule, "match": f"GET .*{KEY}"}):
        error = raised(ask(client(), sandbox, "get"))
        assert stand_ins.s3_hits() == [1]
    assert type(error) is StagingUnavailable
    assert "It is retried. See docs/troubleshooting.md#" in str(error)


def test_no_server_at_all(client, sandbox):
    made = boto3.client(
        "s3", endpoint_url="http://127.0.0.1:9", aws_access_key_id="a", aws_secret_access_key="b",
        region_name="us-east-1", config=Config(retries={"total_max_attempts": 1}),
    )  # fmt: skip
    error = raised(made.list_buckets)
    made.close()
    assert type(error) is StagingUnavailable
    assert str(error).endswith("#s3-unavailable")
