"""The S3 stand-in over the real clients: boto3 and pyarrow.fs."""

from __future__ import annotations

import datetime as dt
import gc
import io
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

import boto3
import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq
import pytest
import requests
from boto3.s3.transfer import TransferConfig
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.sandbox.sandbox_copy import CHECKOUT, PYTHON

BUCKET = "snowmelt-staging"
pytestmark = [
    # botocore leaves a socket to the garbage collector now and then; the fixture `server` collects it
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


class Server:
    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.folder, self.endpoint = folder, f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.clients: list = []

    def start(self) -> None:
        command = [PYTHON, "-m", "sandbox.s3", "--port", str(self.port)]
        command += ["--users", self.folder / "users.json", "--keep", self.folder / "kept"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=CHECKOUT, stdout=log, stderr=log)
        for _ in range(300):
            try:
                requests.get(f"{self.endpoint}/sandbox/health", timeout=5).raise_for_status()
            except requests.RequestException:
                time.sleep(0.05)
            else:
                return
        raise AssertionError((self.folder / "log").read_text())

    def stop(self, number: int = signal.SIGTERM) -> None:
        for client in self.clients:
            client.close()
        self.process.send_signal(number)
        self.process.wait(30)

    def keys(self, user: str) -> dict[str, str]:
        entry = json.loads((self.folder / "users.json").read_text())[user]
        return {"aws_access_key_id": entry["access_key"], "aws_secret_access_key": entry["secret_key"]}

    def client(self, user: str, *, region: str = "us-east-1", service: str = "s3", **more: object):
        config = Config(signature_version="s3v4", retries={"max_attempts": 1}) if service == "s3" else None
        keys = self.keys(user) | more
        client = boto3.client(service, endpoint_url=self.endpoint, region_name=region, config=config, **keys)
        self.clients.append(client)
        return client

    def filesystem(self, user: str) -> pyarrow.fs.S3FileSystem:
        keys = self.keys(user)
        return pyarrow.fs.S3FileSystem(
            access_key=keys["aws_access_key_id"], secret_key=keys["aws_secret_access_key"], region="us-east-1",
            endpoint_override=f"127.0.0.1:{self.port}", scheme="http",
        )  # fmt: skip


@pytest.fixture(scope="module")
def server():
    with tempfile.TemporaryDirectory(prefix="snowmelt-s3-") as folder:
        server = Server(Path(folder))
        server.start()
        yield server
        server.stop(signal.SIGKILL)
        server.clients.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def refusal(call, *arguments: object, **options: object) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        call(*arguments, **options)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


HOSTILE = ["plain", "a b/é ü/𝄞 ~_-.", 'it\'s +100% "q" & <x>;=?#:@,[]{}|', "a//b/./../c", "x" * 900]


@pytest.mark.parametrize("key", HOSTILE)
def test_any_key_is_written_listed_read_and_deleted(server, key):
    writer, reader = server.client("snowflake-writer"), server.client("airflow-reader")
    writer.put_object(
        Bucket=BUCKET, Key=key, Body=b"0123456789", ContentType="text/csv", Metadata={"one": "two"}
    )
    listed = reader.list_objects_v2(Bucket=BUCKET, Prefix=key[:20])["Contents"]
    assert [entry["Key"] for entry in listed if entry["Key"] == key] == [key]
    answer = reader.get_object(Bucket=BUCKET, Key=key)
    assert (answer["Body"].read(), answer["ContentType"], answer["Metadata"]) == (
        b"0123456789",
        "text/csv",
        {"one": "two"},
    )
    head = reader.head_object(Bucket=BUCKET, Key=key)
    assert (head["ContentLength"], head["ETag"]) == (10, answer["ETag"])
    assert abs(head["LastModified"] - answer["LastModified"]) <= dt.timedelta(seconds=1)
    server.client("airflow-cleanup").delete_object(Bucket=BUCKET, Key=key)
    assert refusal(reader.get_object, Bucket=BUCKET, Key=key) == (404, "NoSuchKey")


@pytest.mark.parametrize(
    ("header", "status", "body", "content_range"),
    [
        ("bytes=0-0", 206, b"0", "bytes 0-0/10"),
        ("bytes=3-5", 206, b"345", "bytes 3-5/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=7-99", 206, b"789", "bytes 7-9/10"),
        ("bytes=-4", 206, b"6789", "bytes 6-9/10"),
        ("bytes=-99", 206, b"0123456789", "bytes 0-9/10"),
        ("lines=1-2", 200, b"0123456789", None),
    ],
)
def test_ranges(server, header, status, body, content_range):
    server.client("admin").put_object(Bucket=BUCKET, Key="ranges", Body=b"0123456789")
    answer = server.client("airflow-reader").get_object(Bucket=BUCKET, Key="ranges", Range=header)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == status
    assert (answer["Body"].read(), answer.get("ContentRange")) == (body, content_range)


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=99-100", "bytes=-0"])
def test_a_range_beyond_the_end(server, header):
    server.client("admin").put_object(Bucket=BUCKET, Key="ranges", Body=b"0123456789")
    reader = server.client("airflow-reader")
    assert refusal(reader.get_object, Bucket=BUCKET, Key="ranges", Range=header) == (416, "InvalidRange")


def test_a_range_of_an_object_that_has_to_be_the_same(server):
    admin, reader = server.client("admin"), server.client("airflow-reader")
    etag = admin.put_object(Bucket=BUCKET, Key="same", Body=b"0123456789")["ETag"]
    asked = {"Bucket": BUCKET, "Key": "same", "Range": "bytes=2-4"}
    for right in (etag, etag.strip('"'), "*"):
        assert reader.get_object(**asked, IfMatch=right)["Body"].read() == b"234"
    admin.put_object(Bucket=BUCKET, Key="same", Body=b"9876543210")
    assert refusal(reader.get_object, **asked, IfMatch=etag) == (412, "PreconditionFailed")


def test_rights(server):
    admin, reader, cleanup = (server.client(user) for user in ("admin", "airflow-reader", "airflow-cleanup"))
    for key in ("rights/1", "rights/2"):
        admin.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    assert reader.get_bucket_location(Bucket=BUCKET)["LocationConstraint"] is None
    for user in (reader, cleanup):
        assert refusal(user.put_object, Bucket=BUCKET, Key="no", Body=b"y" * 3_000_000) == (
            403,
            "AccessDenied",
        )
        assert refusal(user.create_multipart_upload, Bucket=BUCKET, Key="no") == (403, "AccessDenied")
        assert refusal(user.list_buckets) == (403, "AccessDenied")
        assert refusal(user.create_bucket, Bucket="another") == (403, "AccessDenied")
    assert refusal(reader.delete_object, Bucket=BUCKET, Key="rights/1") == (403, "AccessDenied")
    # a bulk delete does not raise, neither on S3 nor here: its answer has to be read
    bulk = {"Objects": [{"Key": "rights/1"}, {"Key": "rights/2"}]}
    errors = reader.delete_objects(Bucket=BUCKET, Delete=bulk)["Errors"]
    assert [(error["Key"], error["Code"]) for error in errors] == [
        ("rights/1", "AccessDenied"),
        ("rights/2", "AccessDenied"),
    ]
    assert reader.list_objects_v2(Bucket=BUCKET, Prefix="rights/")["KeyCount"] == 2
    source = {"Bucket": BUCKET, "Key": "rights/1"}
    assert refusal(reader.copy_object, Bucket=BUCKET, Key="rights/3", CopySource=source) == (
        403,
        "AccessDenied",
    )
    assert len(cleanup.delete_objects(Bucket=BUCKET, Delete=bulk)["Deleted"]) == 2
    assert reader.list_objects_v2(Bucket=BUCKET, Prefix="rights/")["KeyCount"] == 0


def test_who_may_do_nothing_and_who_is_unknown(server):
    server.client("admin").put_object(Bucket=BUCKET, Key="there", Body=b"x")
    nobody = server.client("nobody")
    for key in ("there", "not there"):  # does not even tell which exists
        assert refusal(nobody.get_object, Bucket=BUCKET, Key=key) == (403, "AccessDenied")
        assert refusal(nobody.head_object, Bucket=BUCKET, Key=key) == (403, "403")
    assert refusal(nobody.list_objects_v2, Bucket=BUCKET) == (403, "AccessDenied")
    stranger = server.client("nobody", aws_access_key_id="AKIA0000000000000000")
    assert refusal(stranger.list_objects_v2, Bucket=BUCKET) == (403, "InvalidAccessKeyId")
    forger = server.client("airflow-reader", aws_secret_access_key="guessed")
    assert refusal(forger.list_objects_v2, Bucket=BUCKET) == (403, "SignatureDoesNotMatch")
    for path in (f"/{BUCKET}/there", f"/{BUCKET}", "/moto-api/data.json", "/"):
        assert requests.get(server.endpoint + path, timeout=5).status_code == 403
    with pytest.raises(ClientError, match="s3 and sts:GetCallerIdentity only"):
        server.client("admin", service="sts").get_session_token()


def test_a_session_key_needs_its_token(server):
    token = json.loads((server.folder / "users.json").read_text())["session"]["token"]
    assert server.keys("session")["aws_access_key_id"].startswith("ASIA")
    session = server.client("session", aws_session_token=token)
    assert session.head_bucket(Bucket=BUCKET)["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert refusal(server.client("session").list_objects_v2, Bucket=BUCKET) == (403, "InvalidAccessKeyId")
    wrong = server.client("session", aws_session_token="wrong")
    assert refusal(wrong.list_objects_v2, Bucket=BUCKET) == (400, "InvalidToken")


def test_who_am_i(server):
    arn = server.client("airflow-reader", service="sts").get_caller_identity()["Arn"]
    assert arn == "arn:aws:iam::123456789012:user/airflow-reader"


def test_a_wrong_region(server):
    admin = server.client("admin")
    admin.create_bucket(
        Bucket="bucket-in-ireland", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    stray = server.client("admin", region="eu-central-1")
    url = stray.generate_presigned_url("get_object", Params={"Bucket": "bucket-in-ireland", "Key": "x"})
    answer = requests.get(url, timeout=5)
    assert answer.status_code == 400
    assert "the region 'eu-central-1' is wrong; expecting 'eu-west-1'" in answer.text


def test_a_presigned_address(server):
    server.client("admin").put_object(Bucket=BUCKET, Key="a b/ü", Body=b"shared")
    url = server.client("airflow-reader").generate_presigned_url(
        "get_object", Params={"Bucket": BUCKET, "Key": "a b/ü"}, ExpiresIn=60
    )
    assert requests.get(url, timeout=5).content == b"shared"
    for broken in (url[:-4] + "0000", url.replace("Expires=60", "Expires=6000"), url.replace("%C3%BC", "u")):
        assert requests.get(broken, timeout=5).status_code == 403


class BodyNamedAs(S3SigV4Auth):
    """Signs a name in the place of the body's digest, as streaming clients do."""

    def __init__(self, name: str, credentials: Credentials) -> None:
        super().__init__(credentials, "s3", "us-east-1")
        self.name = name

    def payload(self, request: AWSRequest) -> str:
        return self.name


@pytest.mark.parametrize("payload", ["STREAMING-UNSIGNED-PAYLOAD-TRAILER", "UNSIGNED-PAYLOAD"])
def test_an_upload_whose_body_is_not_signed(server, payload):
    """As clients send what they cannot read twice: in chunks with a checksum behind them, or as it is."""
    body = b"3\r\nabc\r\n2\r\nde\r\n0\r\nx-amz-checksum-crc32:hYfVEQ==\r\n\r\n"
    headers = {
        "x-amz-content-sha256": payload,
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": "5",
        "x-amz-trailer": "x-amz-checksum-crc32",
    }
    if payload == "UNSIGNED-PAYLOAD":
        body, headers = b"abcde", {"x-amz-content-sha256": payload}
    keys = server.keys("snowflake-writer")
    for secret, status in ((keys["aws_secret_access_key"], 200), ("guessed", 403)):
        url = f"{server.endpoint}/{BUCKET}/streamed/{payload}"
        request = AWSRequest("PUT", url, headers=headers)
        BodyNamedAs(payload, Credentials(keys["aws_access_key_id"], secret)).add_auth(request)
        answer = requests.put(url, data=body, headers=dict(request.headers), timeout=5)
        assert answer.status_code == status
    found = server.client("admin").get_object(Bucket=BUCKET, Key=f"streamed/{payload}")
    assert found["Body"].read() == b"abcde"


@pytest.mark.parametrize(
    "change", ["another method", "another key", "a header", "an old signature", "another region"]
)
def test_a_signature_of_something_else(server, change):
    """What was signed is not what is sent: refused, whoever signed it."""
    keys = server.keys("admin")
    url = f"{server.endpoint}/{BUCKET}/signed"
    request = AWSRequest("PUT", url, data=b"x", headers={"x-amz-meta-a": "1"})
    credentials = Credentials(keys["aws_access_key_id"], keys["aws_secret_access_key"])
    signer = S3SigV4Auth(credentials, "s3", "eu-west-1" if change == "another region" else "us-east-1")
    signer.add_auth(request)
    headers = dict(request.headers)
    assert (
        change == "another region"
        or requests.put(url, data=b"x", headers=headers, timeout=5).status_code == 200
    )
    sent = {"another key": url + "2"}.get(change, url)
    if change == "a header":
        headers["x-amz-meta-a"] = "2"
    if change == "an old signature":
        headers["X-Amz-Date"] = "20200101T000000Z"
    answer = requests.request(
        "DELETE" if change == "another method" else "PUT", sent, data=b"x", headers=headers, timeout=5
    )
    expected = "AuthorizationHeaderMalformed" if change == "another region" else "SignatureDoesNotMatch"
    assert answer.status_code == (400 if change == "another region" else 403)
    assert f"<Code>{expected}</Code>" in answer.text


def test_multipart_upload_and_paging(server):
    writer, reader = server.client("snowflake-writer"), server.client("airflow-reader")
    data = os.urandom(21 * 1024 * 1024)
    parts = TransferConfig(multipart_threshold=5 * 1024 * 1024, multipart_chunksize=5 * 1024 * 1024)
    writer.upload_fileobj(io.BytesIO(data), BUCKET, "parts/large", Config=parts)
    answer = reader.get_object(Bucket=BUCKET, Key="parts/large")
    assert answer["Body"].read() == data
    assert answer["ETag"].endswith('-5"')
    for number in range(7):
        writer.put_object(Bucket=BUCKET, Key=f"parts/{number}", Body=b"")
    pages = reader.get_paginator("list_objects_v2").paginate(
        Bucket=BUCKET, Prefix="parts/", PaginationConfig={"PageSize": 3}
    )
    assert [[entry["Size"] for entry in page["Contents"]] for page in pages] == [
        [0, 0, 0],
        [0, 0, 0],
        [0, len(data)],
    ]


def test_pyarrow_reads_parquet_by_ranges(server):
    table = pa.table({"id": range(300_000), "text": [f"row {i * 7919}" for i in range(300_000)]})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, row_group_size=50_000)
    server.client("snowflake-writer").put_object(Bucket=BUCKET, Key="p/t.parquet", Body=buffer.getvalue())
    files = server.filesystem("airflow-reader")
    with files.open_input_file(f"{BUCKET}/p/t.parquet") as source:
        file = pq.ParquetFile(source, pre_buffer=True)
        batches = [batch for group in range(6) for batch in file.iter_batches(row_groups=[group])]
    assert pa.Table.from_batches(batches).equals(table)
    with pytest.raises(OSError, match="ACCESS_DENIED"):
        files.delete_file(f"{BUCKET}/p/t.parquet")
    with (
        pytest.raises(OSError, match="ACCESS_DENIED"),
        files.open_output_stream(f"{BUCKET}/p/other") as stream,
    ):
        stream.write(b"x")
    with pytest.raises(OSError, match="ACCESS_DENIED"):
        server.filesystem("nobody").get_file_info(f"{BUCKET}/p/t.parquet")
    with server.filesystem("snowflake-writer").open_output_stream(f"{BUCKET}/p/written") as stream:
        stream.write(buffer.getvalue() * 4)
    assert files.get_file_info(f"{BUCKET}/p/written").size == 4 * len(buffer.getvalue())


def test_an_object_replaced_while_it_is_read_is_never_mixed(server):
    writer, reader = server.client("snowflake-writer"), server.client("airflow-reader")
    size = 24 * 1024 * 1024
    writer.put_object(Bucket=BUCKET, Key="mixed", Body=b"a" * size)
    body = reader.get_object(Bucket=BUCKET, Key="mixed")["Body"]
    start = body.read(1024)
    writer.put_object(Bucket=BUCKET, Key="mixed", Body=b"b" * size)
    assert set(start + body.read()) == {ord("a")}


def test_objects_outlive_a_restart(tmp_path):
    server = Server(tmp_path)
    server.start()
    writer = server.client("snowflake-writer")
    body = os.urandom(18 * 1024 * 1024)
    writer.put_object(
        Bucket=BUCKET,
        Key="ü/1.csv",
        Body=b"x",
        ContentEncoding="gzip",
        ContentType="text/csv",
        Metadata={"a": "b"},
    )
    writer.upload_fileobj(io.BytesIO(body), BUCKET, "large")
    before = writer.list_objects_v2(Bucket=BUCKET)["Contents"]
    server.stop()
    assert server.process.returncode == 0
    server.start()
    try:
        assert writer.list_objects_v2(Bucket=BUCKET)["Contents"] == before
        answer = writer.get_object(Bucket=BUCKET, Key="ü/1.csv")
        assert (answer["ContentEncoding"], answer["ContentType"], answer["Metadata"]) == (
            "gzip",
            "text/csv",
            {"a": "b"},
        )
        assert writer.get_object(Bucket=BUCKET, Key="large")["Body"].read() == body
    finally:
        server.stop()
