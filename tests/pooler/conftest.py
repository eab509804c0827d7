"""PgBouncer in front of the stand-in's PostgreSQL."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.waiting import wait_until

SETTINGS = """
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own_port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users
logfile = {folder}/log
pidfile = {folder}/pid
pool_mode = {mode}
default_pool_size = {size}
{rest}
"""


@pytest.fixture
def bouncer(database):
    """`with bouncer("session") as dsn:` the target database by way of a pooler."""
    server = conninfo_to_dict(database)

    @contextmanager
    def started(mode: str, size: int = 10, *rest: str) -> Iterator[str]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        folder = Path(tempfile.mkdtemp(prefix=f"pgbouncer-{uuid.uuid4().hex[:6]}-"))
        values = {"host": server["host"], "port": server["port"], "own_port": port, "folder": folder}
        (folder / "pgbouncer.ini").write_text(
            SETTINGS.format(**values, mode=mode, size=size, rest="\n".join(rest))
        )
        (folder / "users").write_text(f'"{server["user"]}" "{server["password"]}"\n')
        command = ["pgbouncer", str(folder / "pgbouncer.ini")]
        if os.geteuid() == 0:  # it refuses to be run by root, and takes another user's name
            shutil.chown(folder, "nobody")
            command[1:1] = ["-u", "nobody"]
            for path in folder.iterdir():
                shutil.chown(path, "nobody")
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        dsn = make_conninfo(database, host="127.0.0.1", port=port)

        def answers() -> bool:
            try:
                psycopg.connect(dsn, connect_timeout=2).close()
            except psycopg.OperationalError:
                assert process.poll() is None, (folder / "log").read_text()
                return False
            return True

        try:
            wait_until(answers, "an answer of PgBouncer")
            yield dsn
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)
            shutil.rmtree(folder)

    return started
