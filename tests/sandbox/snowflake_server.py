"""Starting a Snowflake stand-in and talking to it with the real connector."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests
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
            if requests.get(url, timeout=2).status_code == 200:
                return
        except requests.ConnectionError:
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

    def refused(self, sql: str) -> snowflake.connector.errors.DatabaseError:
        with pytest.raises(snowflake.connector.errors.DatabaseError) as caught:
            self.rows(sql)
        return caught.value

    def again(self, **options):
        """Another session in the same database."""
        connection = self.server.connect(database=self.database, schema="S", **options)
        self.others.append(connection)
        return Client(self.server, self.database, connection)
