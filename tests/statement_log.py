"""What PostgreSQL was asked: the stand-in's log of every statement, from a moment on."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import psycopg

from tests.waiting import wait_until


class StatementLog:
    """Entries of the server's JSON log. Its collector writes a moment after the server answers, so a reader must wait."""

    def __init__(self, env: dict[str, str]) -> None:
        self._path = Path(env["SNOWMELT_SANDBOX_PG_STATEMENT_LOG"])
        self._dsn = env["SNOWMELT_SANDBOX_PG_SUPERUSER_DSN"]
        self._start = 0
        self.skip()

    def skip(self) -> None:
        """Read from now on only."""
        self.entries()
        self._start = self._path.stat().st_size

    def entries(self) -> list[dict[str, Any]]:
        """All that was said up to this call: a statement of this reader's own has come through after it."""
        mark = uuid.uuid4().hex
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            connection.execute(f"SELECT '{mark}'")
        wait_until(lambda: mark in self._text(), "a statement in PostgreSQL's log")
        lines = self._text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n") and mark not in line]

    def _text(self) -> str:
        with self._path.open("rb") as file:
            file.seek(self._start)
            return file.read().decode(errors="replace")  # the end may be half a character
