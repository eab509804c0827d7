"""The Snowflake stand-in on ports of its own, with an S3 server beside it; the real connector talks to it over TLS."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import pytest

from tests.sandbox.snowflake_server import PYTHON, Client, Server, free_port, start, stop, wait_for


@pytest.fixture(scope="session")
def s3_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("moto") / "log"
    port = free_port()
    process = start(["-m", "moto.server", "-p", str(port)], log)
    wait_for(f"http://127.0.0.1:{port}/moto-api/", process, log)
    yield f"http://127.0.0.1:{port}"
    stop(process)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [str(PYTHON), "-m", "trustme", "-q", "-d", str(folder), "-i", "localhost", "127.0.0.1"], check=True
    )
    return folder


@pytest.fixture(scope="session")
def running_snowflake(
    s3_endpoint: str, certificates: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("snowflake")
    port = free_port()
    process = start(
        [
            *("-m", "sandbox.snowflake", "--port", str(port), "--s3-endpoint", s3_endpoint),
            *("--certfile", str(certificates / "server.pem"), "--keyfile", str(certificates / "server.key")),
            *("--statement-log", str(folder / "statements.jsonl")),
        ],
        folder / "log",
    )
    with trusting(certificates):
        wait_for(f"https://localhost:{port}/health", process, folder / "log")
    yield Server(port, process, s3_endpoint, folder / "statements.jsonl", tls=True)
    stop(process)


@pytest.fixture(scope="module")
def snowflake_server(running_snowflake: Server, certificates: Path) -> Iterator[Server]:
    """The server, trusted by this module alone: the tests of other folders talk to one with another certificate."""
    with trusting(certificates):
        yield running_snowflake


@contextmanager
def trusting(certificates: Path) -> Iterator[None]:
    authority = certificates / "client.pem"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(authority))
        patch.setenv("SSL_CERT_FILE", str(authority))
        yield


@pytest.fixture(scope="session")
def bucket(s3_endpoint: str):
    """The S3 bucket `lake`, as a boto3 resource."""
    lake = boto3.resource(
        "s3",
        endpoint_url=s3_endpoint,
        region_name="us-east-1",
        aws_access_key_id="writer",
        aws_secret_access_key="writer",
    ).Bucket("lake")
    lake.create()
    return lake


@contextmanager
def opened(server: Server) -> Iterator[Client]:
    name = f"T{uuid.uuid4().hex[:8].upper()}"
    connection = server.connect()
    made = Client(server, name, connection)
    made.rows(f"CREATE DATABASE {name}")
    made.rows("CREATE SCHEMA S")
    yield made
    for other in made.others:
        other.close()
    made.rows(f"DROP DATABASE IF EXISTS {name}")
    connection.close()


@pytest.fixture
def client(snowflake_server: Server) -> Iterator[Client]:
    with opened(snowflake_server) as made:
        yield made


@pytest.fixture(scope="module")
def shared(snowflake_server: Server) -> Iterator[Client]:
    """One session for tests that leave nothing behind."""
    with opened(snowflake_server) as made:
        yield made


@pytest.fixture
def stage(client: Client, bucket) -> str:
    """A stage of the test's own: returns its key prefix."""
    prefix = f"{client.database}/"
    client.rows(
        "CREATE OR REPLACE STORAGE INTEGRATION LAKE TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE "
        "STORAGE_AWS_ROLE_ARN = 'arn:aws:iam::1:role/r' STORAGE_ALLOWED_LOCATIONS = ('s3://lake/')"
    )
    client.rows(f"CREATE STAGE ST URL = 's3://lake/{prefix}' STORAGE_INTEGRATION = LAKE")
    return prefix
