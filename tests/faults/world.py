"""Runs that are sabotaged, and the one oracle over all of them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import psycopg

from snowmelt.ledger.reports import read_report
from snowmelt.publish.staging import drop_staging, list_leftovers
from tests.faults import steps
from tests.faults.source import Row, Source
from tests.faults.steps import Job, Kept
from tests.stand_ins import StandIns
from tests.steps.runs import World

ROWS = 6000
SECONDS = 90

#: One clean process that has everything imported; each worker is a fork of it: a kill costs milliseconds.
WORKERS = multiprocessing.get_context("forkserver")
WORKERS.set_forkserver_preload(
    [
        "tests.faults.steps", "boto3", "psycopg", "pgpq", "snowflake.connector", "snowmelt.steps.load",
        "airflow.providers.snowflake.hooks.snowflake", "snowmelt.steps.register", "snowmelt.steps.verify",
        "snowmelt.steps.finish", "snowmelt.steps.planning", "snowmelt.steps.publish",
    ]
)  # fmt: skip


@dataclass
class Sabotage:
    """One table on its way, which workers may be killed over."""

    world: World
    stand_ins: StandIns
    job: Job
    source: Source
    old: list[Row] | None
    new: list[Row]
    workers: list[BaseProcess] = field(default_factory=list)

    # ------------------------------------------------------------ workers

    def start(self, **changes: Any) -> BaseProcess:
        worker = WORKERS.Process(target=steps.work, args=(replace(self.job, **changes),))
        worker.start()
        self.workers.append(worker)
        return worker

    def run(self, **changes: Any) -> int:
        """Run to its end; the exit code, negative for a signal."""
        worker = self.start(**changes)
        worker.join(SECONDS)
        assert worker.exitcode is not None, f"the worker hangs\n{self.log()}"
        return worker.exitcode

    def finish(self) -> None:
        """The next try, without any fault, ends the job."""
        code = self.run()
        assert code == 0, f"the next try failed\n{self.log()}"

    def give_up(self) -> None:
        """What a person does with a run that cannot go on: its staging table, which its comment names, is dropped."""
        with self.world.target() as connection:
            for leftover in list_leftovers(connection):
                assert leftover.mark.run_id == self.job.run
                drop_staging(connection, leftover.schema, leftover.name)

    def again(self, version: int, *, published: bool = True) -> None:
        """The next run of the same table: what was new is old now, and the source has changed."""
        self.world.sql(self.source.sql(f"TESTS.{self.world.schema}.{self.job.table['source']}", version))
        for path in Path(self.job.folder).glob("*.json"):
            path.unlink()
        self.old = self.new if published else self.old
        self.new = self.source.target(self.old, version)
        self.job = replace(self.job, run=uuid.uuid4().hex)

    def stopped(self, worker: BaseProcess) -> None:
        """Wait until the worker has stopped itself (SIGSTOP)."""
        end = time.monotonic() + SECONDS
        while True:
            state = Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()[0]
            if state == "T":
                return
            assert state != "Z", self.log()
            assert time.monotonic() < end, self.log()
            time.sleep(0.01)

    def wake(self, worker: BaseProcess) -> int:
        os.kill(worker.pid, signal.SIGCONT)
        worker.join(SECONDS)
        assert worker.exitcode is not None, f"the worker hangs\n{self.log()}"
        return worker.exitcode

    def error(self) -> list[str]:
        return Kept(self.job.folder).get("error") or ["", ""]

    def log(self) -> str:
        return (Path(self.job.folder) / "worker.log").read_text()[-4000:]

    # ------------------------------------------------------------ the oracle

    def check(self) -> bool:
        """At any moment: the target is the old table or the whole new one, and the ledger says which. True: the new one."""
        with psycopg.connect(self.world.dsn, options="-c timezone=UTC") as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            known = connection.execute("SELECT to_regclass('snowmelt.run') IS NOT NULL").fetchone()[0]
            row = (
                connection.execute(
                    "SELECT published_at IS NOT NULL FROM snowmelt.run WHERE run_id = %s", (self.job.run,)
                ).fetchone()
                if known
                else None
            )
            published = bool(row and row[0])
            expected = self.new if published else self.old
            found = self.target_rows(connection)
            assert found == expected, differences(found, expected)
            if row and not published:
                self._check_staging(connection)
        return published

    def target_rows(self, connection: psycopg.Connection[Any]) -> list[Row] | None:
        there = connection.execute("SELECT to_regclass('public.t') IS NOT NULL").fetchone()[0]
        return (
            connection.execute("SELECT id, name, amount, at FROM public.t ORDER BY id").fetchall()
            if there
            else None
        )

    def _check_staging(self, connection: psycopg.Connection[Any]) -> None:
        """The rows of the staging table are those of the files that the ledger has as loaded, at each instant."""
        (staging,) = connection.execute(
            "SELECT plan->>'staging_table' FROM snowmelt.run WHERE run_id = %s", (self.job.run,)
        ).fetchone()
        if connection.execute("SELECT to_regclass(%s)", (f'public."{staging}"',)).fetchone() == (None,):
            return
        (count, distinct) = connection.execute(
            f'SELECT count(*), count(DISTINCT id) FROM public."{staging}"'
        ).fetchone()
        (loaded,) = connection.execute(
            "SELECT coalesce(sum(rows - rejected), 0) FROM snowmelt.loaded_file WHERE run_id = %s",
            (self.job.run,),
        ).fetchone()
        assert (count, distinct) == (loaded, loaded)

    def check_finished(self) -> None:
        """After the last try: the new table, and nothing left behind anywhere."""
        self.quiet()
        self.check_finished_but_sessions()

    def check_finished_but_sessions(self) -> None:
        assert self.check(), "the run is not published"
        with self.world.target() as connection:
            leftovers = [leftover.name for leftover in list_leftovers(connection)]
            prepared = connection.execute(
                "SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()"
            ).fetchone()
            report = read_report(connection, self.job.run)
            named = connection.execute(
                "SELECT count(*) FROM snowmelt.staged_file AS s FULL JOIN snowmelt.loaded_file AS l USING (run_id, s3_key) "
                "WHERE run_id = %s AND (s.s3_key IS NULL OR l.s3_key IS NULL)",
                (self.job.run,),
            ).fetchone()
        assert leftovers == []
        assert prepared == (0,)
        assert named == (0,)
        assert report["outcome"] == "published"
        assert self.world.query(f"SELECT error FROM snowmelt.run WHERE run_id = '{self.job.run}'") == [
            (None,)
        ]
        assert report["loaded_rows"] == report["staged_rows"] == report["source_rows"]

    def quiet(self) -> None:
        """No session of a worker and no query of Snowflake's goes on."""
        end = time.monotonic() + SECONDS
        with self.world.target() as connection:
            while True:
                sessions = connection.execute(
                    "SELECT pid, state, left(query, 80) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
                ).fetchall()
                queries = [
                    query for query in self.stand_ins.running_queries() if self.world.schema in query["sql"]
                ]
                if not sessions and not queries:
                    return
                assert time.monotonic() < end, (sessions, queries)
                time.sleep(0.05)

    def close(self) -> None:
        for worker in self.workers:
            if worker.is_alive():
                worker.kill()
            worker.join(SECONDS)
            worker.close()


def differences(found: list[Row] | None, expected: list[Row] | None) -> str:
    if found is None or expected is None:
        return f"found {'no table' if found is None else f'{len(found)} rows'}, expected {'no table' if expected is None else f'{len(expected)} rows'}"
    missing, strange = set(expected) - set(found), set(found) - set(expected)
    return f"{len(found)} rows, expected {len(expected)}; missing {len(missing)}: {sorted(missing)[:3]}; strange {len(strange)}: {sorted(strange)[:3]}"


@contextmanager
def sabotage(
    world: World, sandbox: Any, stand_ins: StandIns, *, old: str | None = "rows", source: Source = Source(ROWS),
    chunk_rows: int = 1500, dsn: str | None = None, **table: Any,
) -> Iterator[Sabotage]:  # fmt: skip
    """A source table and a target with older rows (`old` None: no target yet)."""
    name = f"T{uuid.uuid4().hex[:8].upper()}"
    world.sql(source.sql(f"TESTS.{world.schema}.{name}", 1))
    before = Source(500).made(0) if old else None
    if before is not None:
        world.execute(
            "CREATE TABLE public.t (id bigint PRIMARY KEY, name varchar(60), amount numeric(12,2), at timestamp(6))",
            "CREATE INDEX ON public.t (name)",
        )
        with world.target() as connection, connection.cursor() as cursor:
            cursor.executemany("INSERT INTO public.t VALUES (%s, %s, %s, %s)", before)
    config = {
        "source": name, "target": "t", "chunking_column": "ID", "chunk_rows": chunk_rows, "mode": "full",
    } | table  # fmt: skip
    env = sandbox.env
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        (Path(folder) / "worker.log").touch()
        job = Job(
            dsn or world.dsn, world.bucket, world.schema, uuid.uuid4().hex, config, folder,
            {
                "endpoint_url": env["SNOWMELT_SANDBOX_S3_ENDPOINT"],
                "region_name": env["SNOWMELT_SANDBOX_S3_REGION"],
                "aws_access_key_id": env["SNOWMELT_SANDBOX_AIRFLOW_READER_ACCESS_KEY_ID"],
                "aws_secret_access_key": env["SNOWMELT_SANDBOX_AIRFLOW_READER_SECRET_ACCESS_KEY"],
            },
        )  # fmt: skip
        made = Sabotage(world, stand_ins, job, source, before, source.target(before, 1))
        try:
            yield made
        finally:
            made.close()
