"""What the servers heard: their own logs, read from a mark on, and statements cut into what is quoted and what is not."""

from __future__ import annotations

import json
import re
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path

from tests.statement_log import StatementLog

_QUOTED = r'"(?:[^"]|"")*"'
_SNOWFLAKE = re.compile(
    rf"(?P<string>'(?:[^'\\]|\\.|'')*')|(?P<name>{_QUOTED})|(?P<bad>\$\$|--|//|/\*|\*/|['\"])", re.DOTALL
)
_POSTGRES = re.compile(
    rf"(?P<escape>(?<![A-Za-z0-9_])[eE]'(?:[^'\\]|\\.|'')*')|(?P<string>'(?:[^']|'')*')|(?P<name>{_QUOTED})"
    r"|(?P<bad>\$[A-Za-z_]*\$|--|/\*|\*/|['\"])",
    re.DOTALL,
)  # fmt: skip


@dataclass(frozen=True)
class Statement:
    """One statement, without what is quoted in it, and the quoted pieces."""

    sql: str
    skeleton: str
    strings: list[str]
    #: Comments, dollar quotes and open quotes: whatever a reader of this simple kind does not expect.
    bad: list[str]


def cut(sql: str, pattern: re.Pattern[str]) -> Statement:
    strings: list[str] = []
    bad: list[str] = []

    def replace(match: re.Match[str]) -> str:
        if match.lastgroup == "bad":
            bad.append(match[0])
            return match[0]
        if match.lastgroup != "name":
            strings.append(match[0])
        return {"name": '"?"'}.get(str(match.lastgroup), "'?'")

    skeleton = " ".join(pattern.sub(replace, sql).split())
    return Statement(sql, skeleton, strings, bad)


def cut_snowflake(sql: str) -> Statement:
    return cut(sql, _SNOWFLAKE)


def cut_postgres(sql: str) -> Statement:
    return cut(sql, _POSTGRES)


@dataclass
class Ears:
    """The logs of the three servers, from now on."""

    env: dict[str, str]
    starts: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.statements = StatementLog(self.env)
        for name in ("SNOWFLAKE_STATEMENT_LOG", "S3_LOG"):
            self.starts[name] = self._path(name).stat().st_size

    def _path(self, name: str) -> Path:
        return Path(self.env[f"SNOWMELT_SANDBOX_{name}"])

    def _lines(self, name: str) -> list[str]:
        with self._path(name).open("rb") as file:
            file.seek(self.starts[name])
            return file.read().decode().splitlines()

    def snowflake(self) -> list[str]:
        """Each statement that Snowflake received."""
        entries = [json.loads(line) for line in self._lines("SNOWFLAKE_STATEMENT_LOG")]
        return [entry["sql"] for entry in entries if entry["status"] == "RUNNING"]

    def postgres(self, database: str) -> list[str]:
        """Each statement that PostgreSQL received for a database."""
        found = []
        for entry in self.statements.entries():
            match = re.match(r"(?:statement|execute [^:]+): (.*)", entry.get("message", ""), re.DOTALL)
            if entry.get("dbname") == database and match:
                found.append(match[1])
        return found

    def s3(self) -> list[tuple[str, str, str]]:
        """(user, method, key or listed prefix) of each request."""
        found = []
        for line in self._lines("S3_LOG"):
            match = re.match(r"(\S+) (GET|PUT|HEAD|DELETE|POST) (\S+) ", line)
            if match is None:
                continue
            url = urllib.parse.urlsplit(match[3])
            bucket_and_key = urllib.parse.unquote(url.path).lstrip("/")
            key = bucket_and_key.partition("/")[2] or urllib.parse.parse_qs(url.query).get("prefix", [""])[0]
            found.append((match[1], match[2], key))
        return found
