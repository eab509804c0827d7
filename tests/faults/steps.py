"""A worker that can be killed: one whole run, or a part of it, in a process of its own, with points at which it strikes itself.

What Airflow keeps between tasks (XComs, the task's state store) is kept in files here, each replaced in one step, so a
worker that comes after a dead one finds exactly what Airflow would have told it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snowmelt.airflow.retrying import translate
from snowmelt.json_values import from_json, to_json
from snowmelt.unload.manifest import StagedChunk
from tests.steps.runs import World

#: In the order in which a run passes them.
POINTS = (
    "planned",
    "unload: submitted",
    "unload: id kept",
    "unload: read",
    "files: recorded",
    "files: manifest written",
    "files: staging made",
    "load: before the claim",
    "load: claimed",
    "load: in the COPY",
    "load: copied",
    "load: before the commit",
    "load: committed",
    "verify: counted",
    "verify: recorded",
    "publish: indexed",
    "publish: before the commit",
    "publish: committed",
    "ended",
)


@dataclass(frozen=True)
class Job:
    """What a worker needs; it is pickled."""

    dsn: str
    bucket: str
    schema: str
    run: str
    table: dict[str, Any]
    folder: str
    s3: dict[str, str]
    #: Steps in order, of: plan, unload, files, load, verify, publish, end.
    steps: tuple[str, ...] = ("plan", "unload", "files", "load", "verify", "publish", "end")
    #: (point, how often it is passed before, signal)
    strike: tuple[str, int, int] | None = None
    params: dict[str, Any] = field(default_factory=dict)
    #: (look, silence, give_up_after) in seconds, of waiting for another session on the same file.
    patience: tuple[float, float, float] | None = None
    #: Seconds by which this worker's clock is wrong.
    clock: float = 0.0


class Kept:
    """Values by name, in files: what Airflow's database would hold."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def get(self, name: str) -> Any:
        path = self.folder / f"{name}.json"
        return json.loads(path.read_text()) if path.exists() else None

    def set(self, name: str, value: Any) -> None:
        made = self.folder / f".{name}.{os.getpid()}"
        made.write_text(json.dumps(value))
        made.replace(self.folder / f"{name}.json")


def open_world(job: Job) -> World:
    import boto3
    from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook
    from botocore.config import Config

    from snowmelt.drivers.snowflake import SESSION_PARAMETERS

    connection = SnowflakeHook(
        snowflake_conn_id="snowflake_default", session_parameters=dict(SESSION_PARAMETERS)
    ).get_conn()
    config = Config(retries={"mode": "standard", "max_attempts": 2}, read_timeout=5)
    return World(connection, boto3.client("s3", config=config, **job.s3), job.dsn, job.bucket, job.schema)


def work(job: Job) -> None:
    """The process's whole life. What it raised stands in `error`, and its exit code is then 1."""
    log = (Path(job.folder) / "worker.log").open("a")
    os.dup2(log.fileno(), 1)
    os.dup2(log.fileno(), 2)
    import logging

    logging.basicConfig(level=logging.WARNING, force=True)
    if job.strike is not None:
        install(*job.strike)
    if job.patience is not None:
        be_impatient(*job.patience)
    if job.clock:
        move_clock(job.clock)
    world = open_world(job)
    try:
        run_steps(world, job)
    except Exception as error:
        import traceback

        traceback.print_exc()
        error = translate(error, "Working on this task") or error  # as tasks/failing.py does
        Kept(job.folder).set("error", [type(error).__name__, str(error)])
        sys.stderr.flush()
        os._exit(1)
    finally:
        world.snowflake.close()
    os._exit(0)


def run_steps(world: World, job: Job) -> None:
    from snowmelt.ledger import files as ledger_files
    from snowmelt.ledger import runs as ledger
    from snowmelt.steps import load as loading
    from snowmelt.steps import planning
    from snowmelt.steps import publish as publishing
    from snowmelt.steps import register as registering
    from snowmelt.steps import verify as verification
    from snowmelt.steps.finish import finish_run

    kept = Kept(job.folder)

    @contextmanager
    def session():
        yield world.snowflake

    if "plan" in job.steps:
        world.plan(job.table, run=job.run, **job.params)
        passed("planned")
    with world.target() as postgres:
        plan = planning.read_plan(postgres, job.run)
        if "unload" in job.steps:
            for number, chunk in enumerate(pieces(plan)):
                unload_one(world, plan, chunk, number, kept)
        if "files" in job.steps:
            chunks = [
                from_json(StagedChunk, kept.get(f"chunk_{number}")) for number, _ in enumerate(pieces(plan))
            ]
            if kept.get("batches") is None:
                files = registering.register_files(
                    postgres, plan, look(world, chunks), s3=lambda: world.s3, snowflake=session
                )
                batches = (files.batches, files.key_batches)
                kept.set("batches", [[batch.index for batch in each] for each in batches])
        if "load" in job.steps:
            for part, batches in zip(plan.parts, kept.get("batches"), strict=False):
                task = loading.build_load_job(part, "us-east-1")
                for batch in batches:
                    if ledger.read_published(postgres, job.run) is None:
                        files = ledger_files.read_batch(postgres, part.run_id, batch)
                        loading.load_files(postgres, world.s3, files, task)
        if "verify" in job.steps:
            verification.verify_run(postgres, plan, snowflake=session)
            passed("verify: recorded")
        if "publish" in job.steps:
            publishing.publish_run(postgres, plan)
            passed("publish: committed")
        if "end" in job.steps:
            finish_run(postgres, plan, snowflake=session)
            passed("ended")


def look(world: World, chunks: list[StagedChunk]) -> list[StagedChunk]:
    from snowmelt.unload.staged import look_for_chunks

    return list(look_for_chunks(world.s3, tuple(chunks)).chunks)


def pieces(plan: Any) -> list[Any]:
    """Each chunk of the plan, then each of the plan of its keys."""
    return [chunk for part in plan.parts for chunk in part.chunks]


def unload_one(world: World, plan: Any, chunk: Any, number: int, kept: Kept) -> None:
    from snowmelt.plan.plan import build_unload_request
    from snowmelt.unload import chunk as unload

    if kept.get(f"chunk_{number}") is not None:
        return
    request = build_unload_request(plan, chunk.index)
    submitted = unload.find_submitted(world.snowflake, kept.get(f"query_{number}"), request)
    if submitted is None:
        submitted = unload.submit_unload(world.snowflake, request)
        passed("unload: submitted")
        kept.set(f"query_{number}", submitted)
    passed("unload: id kept")
    staged = unload.await_unload(world.snowflake, request, submitted, 0.02)
    passed("unload: read")
    kept.set(f"chunk_{number}", to_json(staged))


# ---------------------------------------------------------------- points

_strike: list[Any] = []


def passed(point: str) -> None:
    """Strike this process where it is told to."""
    if not _strike or _strike[0] != point:
        return
    if _strike[1] > 0:
        _strike[1] -= 1
        return
    _strike[1] = 1 << 30
    os.kill(os.getpid(), _strike[2])


def install(point: str, before: int, number: int) -> None:
    """Let the product's own functions pass the points that lie within them. Their work is not changed."""
    from snowmelt.load import csv as csv_rows
    from snowmelt.load import parquet as parquet_rows
    from snowmelt.steps import load as loading
    from snowmelt.steps import publish as publishing
    from snowmelt.steps import register as registering
    from snowmelt.steps import verify as verification

    _strike[:] = [point, before, number]

    def after(module: Any, name: str, what: str) -> None:
        real = getattr(module, name)

        def wrapped(*arguments: Any, **options: Any) -> Any:
            result = real(*arguments, **options)
            passed(what)
            return result

        setattr(module, name, wrapped)

    after(registering, "write_staged", "files: recorded")
    after(registering, "_write_manifest", "files: manifest written")
    after(registering, "make_staging", "files: staging made")
    after(loading, "claim_file", "load: claimed")
    for rows in (parquet_rows, csv_rows):
        after(rows, "send_copy", "load: copied")
    after(loading, "finish_file", "load: before the commit")
    after(loading, "_load_one", "load: committed")
    after(verification, "_read_counts", "verify: counted")
    after(publishing, "build_indexes", "publish: indexed")
    after(publishing, "_record", "publish: before the commit")
    real_claim = loading.claim_file

    def claim(*arguments: Any, **options: Any) -> bool:
        passed("load: before the claim")
        return real_claim(*arguments, **options)

    loading.claim_file = claim
    real_send = parquet_rows.send_copy

    def send(cursor: Any, statement: str, pieces: Any, progress: Any = None) -> Any:
        real_put = pieces.__class__.__iter__

        class Passing(pieces.__class__):
            def __iter__(self):
                for piece in real_put(self):
                    yield piece
                    passed("load: in the COPY")

        pieces.__class__ = Passing
        return real_send(cursor, statement, pieces, progress)

    parquet_rows.send_copy = csv_rows.send_copy = send


def be_impatient(look: float, silence: float, give_up_after: float) -> None:
    from functools import partial

    from snowmelt.load.file import ClaimPatience
    from snowmelt.steps import load as loading

    loading.claim_patiently = partial(
        loading.claim_patiently, patience=ClaimPatience(look, silence, give_up_after)
    )


def move_clock(seconds: float) -> None:
    """The wall clock of this process, for Python and for the signatures of boto3; no clock that measures spans."""
    import datetime
    import time

    import botocore.auth

    real_time, real_now = time.time, botocore.auth.get_current_datetime
    time.time = lambda: real_time() + seconds
    botocore.auth.get_current_datetime = lambda *arguments, **options: (
        real_now(*arguments, **options) + datetime.timedelta(seconds=seconds)
    )


KILL, STOP = int(signal.SIGKILL), int(signal.SIGSTOP)
