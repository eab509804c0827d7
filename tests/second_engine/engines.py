"""The two engines that answer: the sandbox's Snowflake stand-in, and fakesnow, each behind the real connector.

fakesnow is somebody else's reading of Snowflake. It has the same SQL parser and database underneath as the stand-in, so what
these do alike is settled by readings.py alone.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import snowflake.connector
from snowflake.connector.constants import FIELD_ID_TO_NAME

from snowmelt.errors import SnowmeltError
from tests.sandbox.snowflake_server import ROOT, Server, free_port, start, stop, wait_for
from tests.second_engine.probes import BUCKET, MOMENT, Error, Probe, Rows
from tests.second_engine.statements import SESSION_PARAMETERS, pin_session

_NUMBER = re.compile(r"^\d{6} \(\w{5}\): ")
FAKESNOW = ROOT / ".venv-second-engine" / "bin" / "fakesnow"
#: How long a statement may take, in seconds. fakesnow ends a statement that it does not know with HTTP 500, which the connector
#: would try again until then.
STATEMENT_SECONDS = {"the stand-in": 60, "fakesnow": 4}


@dataclass
class Engine:
    """A running engine, in a database of its own."""

    name: str
    server: Server
    #: The bucket's files, where the engine writes any.
    files: Any = None
    #: Instants that statements name, as the engine printed them.
    moments: dict[str, str] = field(default_factory=dict)
    #: A setting, and whether it is pinned → the session, or why there is none.
    sessions: dict[tuple[str, bool], Any] = field(default_factory=dict)

    def answer(self, probe: Probe) -> Rows | Error:
        """What the engine says to a probe, in a session with the probe's setting."""
        session = self._session(probe.setting, probe.pinned)
        return session if isinstance(session, Error) else self._ask(session, probe)

    def close(self) -> None:
        for session in self.sessions.values():
            if not isinstance(session, Error):
                with suppress(snowflake.connector.errors.Error):
                    session.close()

    def _session(self, setting: str, pinned: bool) -> Any:
        """A session with this setting, made once; the refusal where the engine refuses it."""
        key = (setting, pinned)
        if key not in self.sessions:
            session = self.connect()
            answer = self._ask(session, Probe("", setting)) if setting else None
            if pinned and not isinstance(answer, Error):
                answer = _pin(session)
            if isinstance(answer, Error):
                session.close()
            self.sessions[key] = answer if isinstance(answer, Error) else session
        return self.sessions[key]

    def connect(self) -> Any:
        return self.server.connect(
            database="SECOND",
            schema="S",
            network_timeout=STATEMENT_SECONDS[self.name],
            session_parameters=dict(SESSION_PARAMETERS),
        )

    def run(self, sql: str) -> Rows | Error:
        return self.answer(Probe("", sql))

    def _ask(self, connection: Any, probe: Probe) -> Rows | Error:
        sql = MOMENT.sub(lambda found: self.moments.get(found[1], found[0]), probe.sql)
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                rows = cursor.fetchall()
                names = tuple(column[0] for column in cursor.description or ())
                types = tuple(FIELD_ID_TO_NAME[column[1]] for column in cursor.description or ())
        except snowflake.connector.errors.Error as error:
            return Error(
                error.errno if isinstance(error.errno, int) else -1, _plain(str(error.raw_msg or error.msg))
            )
        if probe.file:
            return Rows((), (), ((self._read(probe.file),),))
        return Rows(names, types, tuple(tuple(_text(value) for value in row) for row in rows))

    def _read(self, prefix: str) -> str | None:
        """The bytes of the one file below a prefix, as text."""
        found = [] if self.files is None else list(self.files.objects.filter(Prefix=prefix))
        return found[0].get()["Body"].read().decode() if found else None


def _pin(session: Any) -> Error | None:
    try:
        pin_session(session)
    except SnowmeltError as error:
        return Error(None, _plain(str(error)))
    return None


def _plain(message: str) -> str:
    """A message on one line, without its number."""
    return _NUMBER.sub("", " ".join(message.split()))[:160]


def _text(value: Any) -> str | None:
    match value:
        case None:
            return None
        case bool():
            return str(value).lower()
        case float():
            return repr(value)
        case Decimal() | int():
            return format(Decimal(value), "f")
        case datetime() | date():
            return value.isoformat(sep=" ") if isinstance(value, datetime) else value.isoformat()
        case bytes() | bytearray():
            return bytes(value).hex()
    return str(value)


@contextmanager
def running_stand_in() -> Iterator[Engine]:
    """The stand-in with an S3 server beside it; stopped afterwards."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        s3_port, port = free_port(), free_port()
        s3 = start(["-m", "moto.server", "-p", str(s3_port)], folder / "s3.log")
        stack.callback(stop, s3)
        endpoint = f"http://127.0.0.1:{s3_port}"
        wait_for(f"{endpoint}/moto-api/", s3, folder / "s3.log")
        bucket = boto3.resource(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="writer",
            aws_secret_access_key="writer",
        ).Bucket(BUCKET)
        bucket.create()
        log = folder / "log"
        process = start(
            [
                *("-m", "sandbox.snowflake", "--port", str(port), "--s3-endpoint", endpoint),
                *("--statement-log", str(folder / "statements.jsonl")),
            ],
            log,
        )
        stack.callback(stop, process)
        wait_for(f"http://127.0.0.1:{port}/health", process, log)
        yield stack.enter_context(
            _opened("the stand-in", Server(port, process, endpoint, log, tls=False), bucket)
        )


@contextmanager
def running_fakesnow() -> Iterator[Engine]:
    """fakesnow's own server; stopped afterwards."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        port = free_port()
        with (folder / "log").open("ab") as out:
            process = subprocess.Popen(
                [str(FAKESNOW), "--server", "--port", str(port)],
                stdout=out,
                stderr=out,
                env={**os.environ, "PYTHONWARNINGS": "ignore"},
                start_new_session=True,
            )
        stack.callback(stop, process)
        server = Server(port, process, "", folder / "log", tls=False)
        yield stack.enter_context(_opened("fakesnow", server, None))


@contextmanager
def _opened(name: str, server: Server, files: Any) -> Iterator[Engine]:
    until = time.monotonic() + 60
    while True:
        assert server.process.poll() is None, server.statement_log.read_text()
        try:
            with closing(server.connect(login_timeout=5, network_timeout=STATEMENT_SECONDS[name])) as first:
                first.cursor().execute("CREATE DATABASE SECOND")
                first.cursor().execute("CREATE SCHEMA SECOND.S")
            break
        except snowflake.connector.errors.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
    engine = Engine(name, server, files)
    try:
        yield engine
    finally:
        engine.close()
