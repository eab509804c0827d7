"""The PostgreSQL server: made once, started and asked whether it is well."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from string import Template

from sandbox.errors import SandboxError
from sandbox.postgres_home import PostgresHome, find_python, find_server
from sandbox.state import LISTEN, State

SUPERUSER = "postgres"
LOG_BYTES = 64 * 1024 * 1024  # a larger statement log is put aside when the server starts

#: For 2 cores and some GiB shared with Airflow and the other stand-ins.
#: fsync stays on, as in production. Measured: off makes no difference to COPY (220 MB in 1.6 s both ways); commits of
#: one row go from 8,800 to 23,000 a second, and the sandbox would flatter whatever commits too often.
#: log_statement costs some 20 microseconds a statement; what a task sends is then there to be looked at.
SETTINGS = """\
listen_addresses = '$listen'
port = $port
unix_socket_directories = ''
max_connections = 200
password_encryption = 'scram-sha-256'
shared_buffers = '512MB'
max_wal_size = '4GB'
min_wal_size = '256MB'
wal_compression = on
maintenance_work_mem = '256MB'
random_page_cost = 1.1
max_prepared_transactions = 10
timezone = 'UTC'
log_timezone = 'UTC'
datestyle = 'iso, mdy'
lc_messages = 'C'
extension_control_path = '$extensions:$$system'
logging_collector = on
log_destination = 'jsonlog'
log_directory = '$log'
log_filename = 'postgres.log'
log_rotation_age = 0
log_rotation_size = 0
log_statement = 'all'
log_connections = ''
log_lock_waits = on
log_line_prefix = ''
"""
HBA = f"host all all {'127.0.0.1/32' if LISTEN == '127.0.0.1' else '0.0.0.0/0'} scram-sha-256\n"

#: Roles and databases. `snowmelt` is no superuser: it owns the database `app`, no more, as on RDS.
SETUP = Template("""\
SELECT format('CREATE ROLE %I LOGIN PASSWORD %L', name, password)
  FROM (VALUES ('snowmelt', '$snowmelt'), ('airflow', '$airflow')) AS role (name, password)
  WHERE name NOT IN (SELECT rolname FROM pg_roles) \\gexec
SELECT format('CREATE DATABASE %I OWNER %I', name, owner)
  FROM (VALUES ('app', 'snowmelt'), ('airflow', 'airflow')) AS database (name, owner)
  WHERE name NOT IN (SELECT datname FROM pg_database) \\gexec
ALTER DATABASE airflow SET log_statement = 'none';
ALTER DATABASE airflow SET synchronous_commit = off;
REVOKE CONNECT ON DATABASE airflow FROM PUBLIC;
""")
SETUP_AWS = """\
CREATE EXTENSION IF NOT EXISTS aws_s3 CASCADE;
GRANT USAGE ON SCHEMA aws_s3, aws_commons TO snowmelt;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA aws_s3, aws_commons TO snowmelt;
"""


def initialise(home: PostgresHome, password: str) -> None:
    """initdb, unless it was done.

    In a folder of its own that gets its name when it is whole: an initdb goes on by itself when its caller is killed.
    """
    if home.data.is_dir():
        return
    for leftover in home.root.glob("initdb-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    home.ready.unlink(missing_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=home.root, prefix="initdb-"))
    password_file = fresh / "password"
    password_file.write_text(password)
    home.give(password_file, 0o600)
    home.give(fresh, 0o700)
    answer = home.run(
        home.binaries / "initdb", "--pgdata", fresh / "data", "--username", SUPERUSER, "--pwfile", password_file,
        "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale-provider", "builtin",
        "--builtin-locale", "C.UTF-8", "--locale", "C", "--no-sync",
    )  # fmt: skip
    if answer.returncode != 0:
        raise SandboxError(f"initdb failed in {fresh}:\n{answer.stdout}{answer.stderr}")
    (fresh / "data").rename(home.data)
    shutil.rmtree(fresh)


def write_settings(home: PostgresHome, port: int) -> None:
    """Written at each start: the port and the folders may have changed."""
    values = {"listen": LISTEN, "port": port, "log": _conf(home.log), "extensions": _conf(home.extensions)}
    (home.data / "sandbox.conf").write_text(Template(SETTINGS).substitute(values))
    (home.data / "pg_hba.conf").write_text(HBA)
    main = home.data / "postgresql.conf"
    if "include 'sandbox.conf'" not in main.read_text():
        with main.open("a") as file:
            file.write("\ninclude 'sandbox.conf'\n")
    for name in ("sandbox.conf", "pg_hba.conf", "postgresql.conf"):
        home.give(home.data / name, 0o600)
    statements = home.log / "postgres.json"
    if statements.exists() and statements.stat().st_size > LOG_BYTES:
        statements.replace(home.log / "postgres.json.1")


def _conf(path: Path) -> str:
    return str(path).replace("'", "''")


def install_aws_s3(
    state: State, home: PostgresHome, *, endpoint: str, access_key: str, secret_key: str
) -> bool:
    """Put the extension's files and its program in their place. False where no Python would run it."""
    python = find_python(home)
    if python is None:
        return False
    source = state.checkout / "sandbox" / "aws_s3"
    for path in (*source.glob("*.control"), *source.glob("*.sql")):
        _write(home, home.extensions / "extension" / path.name, path.read_text(), 0o600)
    _write(home, home.aws / "fetch.py", (source / "fetch.py").read_text(), 0o600)
    command = " ".join(shlex.quote(part) for part in python)
    script = f'#!/bin/sh\nexec {command} -E -s -S "$(dirname "$0")/fetch.py" "$@"\n'
    _write(home, home.aws / "fetch", script, 0o700)
    settings = {"endpoint": endpoint, "access_key": access_key, "secret_key": secret_key}
    _write(home, home.aws / "settings.json", json.dumps(settings), 0o600)
    (home.aws / "answers").mkdir(exist_ok=True)
    home.give(home.aws / "answers", 0o700)
    return True


def _write(home: PostgresHome, path: Path, text: str, mode: int) -> None:
    if path.exists() and path.read_text() == text:
        return
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    home.give(fresh, mode)
    fresh.replace(path)


def clear_pid_file(home: PostgresHome) -> None:
    """End a server of this folder that no state file names; remove the pid file of one that crashed.

    The server would refuse to start when the pid of a crashed one belongs to another process by now.
    """
    server = find_server(home.data)
    if server is not None:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=30)
    (home.data / "postmaster.pid").unlink(missing_ok=True)


def run_sql(home: PostgresHome, port: int, password: str, sql: str, *, database: str = "postgres") -> str:
    """Run statements as the superuser by psql, from standard input; they are not logged (there are passwords in them)."""
    answer = subprocess.run(
        [
            home.binaries / "psql",
            "--no-psqlrc",
            "--quiet",
            "--tuples-only",
            "--no-align",
            "-v",
            "ON_ERROR_STOP=1",
        ],
        input=sql,
        capture_output=True,
        text=True,
        check=False,
        env={
            "PATH": os.environ.get("PATH", os.defpath),
            "PGHOST": "127.0.0.1",
            "PGPORT": str(port),
            "PGUSER": SUPERUSER,
            "PGPASSWORD": password,
            "PGDATABASE": database,
            "PGOPTIONS": "-c log_statement=none -c log_min_error_statement=panic",
            "PGCONNECT_TIMEOUT": "5",
            "PGAPPNAME": "sandbox",
        },
    )
    if answer.returncode != 0:
        raise SandboxError(answer.stderr.strip())
    return answer.stdout.strip()


def is_healthy(home: PostgresHome, port: int, password: str) -> bool:
    try:
        return run_sql(home, port, password, "SELECT 1") == "1"
    except SandboxError as error:
        if "password authentication failed" in str(error):
            raise SandboxError(
                f"PostgreSQL in {home.data} has other passwords than this state folder. "
                "Remove both (down --purge) and start again."
            ) from None
        return False


def set_up(home: PostgresHome, port: int, secrets: dict[str, str], *, aws_s3: bool) -> None:
    """Roles, databases and the extension; once."""
    version = f"1 {'aws_s3' if aws_s3 else ''}".strip()
    if home.ready.exists() and home.ready.read_text() == version:
        return
    superuser = secrets["postgres_superuser"]
    names = {"snowmelt": secrets["postgres_snowmelt"], "airflow": secrets["postgres_airflow"]}
    run_sql(home, port, superuser, SETUP.substitute(names))
    if aws_s3:
        run_sql(home, port, superuser, SETUP_AWS, database="app")
    _write(home, home.ready, version, 0o600)
