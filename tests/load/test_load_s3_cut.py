"""A transfer that the network cuts: a server that promises more than it sends."""

from __future__ import annotations

import http.server
import threading

import boto3
import pytest
from botocore.config import Config

from snowmelt.errors import StagingUnavailable
from snowmelt.load import s3_object
from snowmelt.load.s3_object import S3Object
from snowmelt.unload.manifest import StagedFile

SIZE = 100_000


class Cutting(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.send_response(200)
        self.send_header("Content-Length", str(SIZE))
        self.send_header("ETag", '"e"')
        self.end_headers()

    def do_GET(self):
        self.server.gets += 1
        self.send_response(206)
        self.send_header("Content-Length", str(SIZE))
        self.send_header("ETag", '"e"')
        self.end_headers()
        self.wfile.write(b"x" * (SIZE if self.server.gets > self.server.cuts else 1000))
        self.close_connection = True

    def log_message(self, *arguments):
        pass


@pytest.fixture
def cutting():
    with http.server.HTTPServer(("127.0.0.1", 0), Cutting) as server:
        server.gets = 0
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def source(cutting, monkeypatch):
    monkeypatch.setattr(s3_object, "_PAUSE_SECONDS", 0.01)
    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{cutting.server_port}",
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
        config=Config(s3={"addressing_style": "path"}),
    )
    yield S3Object(client, "bucket", StagedFile("key", SIZE, 0, 0))
    client.close()


def test_it_is_begun_again(cutting, source):
    cutting.cuts = 2
    assert source.read_at(0, SIZE).to_pybytes() == b"x" * SIZE
    assert cutting.gets == 3


def test_it_is_transient_when_it_stays(cutting, source):
    cutting.cuts = 99
    with pytest.raises(StagingUnavailable, match="s3://bucket/key"):
        source.read_at(0, SIZE)
