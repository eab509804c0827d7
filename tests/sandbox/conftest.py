"""The Snowflake stand-in on ports of its own, with an S3 server beside it; the real connector talks to it over TLS."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import boto3
import pytest
import snowflake.connector

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / "sandbox" / ".venv" / "bin" / "python"
AWS = {
    "AWS_ACCESS_KEY_ID": "writer",
    "AWS_SECRET_ACCESS_KEY": "writer",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(arguments: list[str], log: Path) -> subprocess.Popen:
    with log.open("ab") as out:
        return subprocess.Popen(
            [str(PYTHON), *arguments],
            cwd=ROOT,
            env={**os.environ, **AWS},
            stdout=out,
            stderr=out,
            start_new_session=True,
        )


def stop(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_for(url: str, process: subprocess.Popen, log: Path) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"{url} does not answer\n{log.read_text()}")


@dataclass
class Server:
    """A running stand-in. `tls` False: plain HTTP."""

    port: int
    process: subprocess.Popen
    s3_endpoint: str
    statement_log: Path
    tls: bool

    def connect(self, **options):
        arguments = {
            "user": "tester",
            "password": "any",
            "account": "sandbox",
            "host": "localhost",
            "port": self.port,
            "protocol": "https" if self.tls else "http",
            "login_timeout": 10,
            "network_timeout": 60,
            "role": "LOADER",
            "warehouse": "WH",
            **options,
        }
        return snowflake.connector.connect(**arguments)

    def entries(self) -> list[dict]:
        return [json.loads(line) for line in self.statement_log.read_text().splitlines()]


@dataclass
class Client:
    """A session in a database of its own, dropped afterwards."""

    server: Server
    database: str
    connection: snowflake.connector.SnowflakeConnection
    others: list = field(default_factory=list)

    def run(self, sql: str, *arguments):
        cursor = self.connection.cursor()
        cursor.execute(sql, *arguments)
        return cursor

    def rows(self, sql: str, *arguments) -> list[tuple]:
        with self.run(sql, *arguments) as cursor:
            return cursor.fetchall()

    def one(self, sql: str):
        rows = self.rows(sql)
        assert len(rows) == 1, rows
        return rows[0][0] if len(rows[0]) == 1 else rows[0]

    def refused(self, sql: str) -> snowflake.connector.errors.ProgrammingError:
        with pytest.raises(snowflake.connector.errors.ProgrammingError) as caught:
            self.rows(sql)
        return caught.value

    def again(self, **options):
        """Another session in the same database."""
        connection = self.server.connect(database=self.database, schema="S", **options)
        self.others.append(connection)
        return Client(self.server, self.database, connection)


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
def snowflake_server(
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
    authority = certificates / "client.pem"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(authority))
        patch.setenv("SSL_CERT_FILE", str(authority))
        wait_for(f"https://localhost:{port}/health", process, folder / "log")
        yield Server(port, process, s3_endpoint, folder / "statements.jsonl", tls=True)
    stop(process)


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


@pytest.fixture
def client(snowflake_server: Server) -> Iterator[Client]:
    name = f"T{uuid.uuid4().hex[:8].upper()}"
    connection = snowflake_server.connect()
    made = Client(snowflake_server, name, connection)
    made.rows(f"CREATE DATABASE {name}")
    made.rows("CREATE SCHEMA S")
    yield made
    for other in made.others:
        other.close()
    made.rows(f"DROP DATABASE IF EXISTS {name}")
    connection.close()


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
