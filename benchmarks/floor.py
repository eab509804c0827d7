r"""The floor: psql's \copy of a file in PostgreSQL's own binary format, made by the same server from the same rows."""

from __future__ import annotations

import os
import re
import resource
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psycopg

from benchmarks.measure import Sample


@dataclass(frozen=True, slots=True)
class Floor:
    """A binary file and the way to send it."""

    psql: Path
    dsn: str
    file: Path

    def write(self, table: str) -> None:
        """Have the server write the rows of `table`."""
        if not self.file.exists():
            fresh = self.file.with_suffix(".new")
            self._psql(f"\\copy {table} to '{fresh}' (format binary)")
            fresh.rename(self.file)

    def copy(self, table: str) -> Sample:
        r"""Send the file once. Only the \copy and its commit are timed: not psql's start, not the connection."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        said = self._psql(
            "SELECT pg_backend_pid() AS pid \\gset",
            "\\setenv BACKEND :pid",
            "\\! cat /proc/$BACKEND/stat",
            "\\timing on",
            f"\\copy {table} from '{self.file}' (format binary)",
            "\\timing off",
            "\\! cat /proc/$BACKEND/stat",
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        timed = re.search(r"Time: ([\d.]+) ms", said)
        if timed is None:
            raise RuntimeError(said)
        ticks = [
            sum(map(int, line.rpartition(")")[2].split()[11:13]))
            for line in said.splitlines()
            if re.match(r"\d+ \(", line)
        ]
        server = (ticks[1] - ticks[0]) / os.sysconf("SC_CLK_TCK") if len(ticks) > 1 else 0.0
        client = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Sample(float(timed[1]) / 1e3, client, server)

    def _psql(self, *commands: str) -> str:
        info = psycopg.conninfo.conninfo_to_dict(self.dsn)
        environment = os.environ | {
            "PGHOST": str(info["host"]),
            "PGPORT": str(info["port"]),
            "PGUSER": str(info["user"]),
            "PGPASSWORD": str(info["password"]),
            "PGDATABASE": str(info["dbname"]),
        }
        done = subprocess.run(
            [self.psql, "--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1"],
            input="\n".join(commands),
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout
