"""Programs that say `ready`, wait for a line, and end with a line of JSON: several can be let go at one moment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from benchmarks.bench import ROOT, Bench
from benchmarks.files import MadeFile
from snowmelt.load.target import LoadTarget
from snowmelt.unload.manifest import StagedFile


class Failed(Exception):
    """A program ended without an answer; its standard error is the text."""


def run_together(commands: Sequence[list[str]]) -> tuple[float, list[dict[str, Any]]]:
    """Seconds from the common start to the last end, and each one's answer."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    running = [
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for command in commands
    ]
    for process in running:
        if process.stdout is None or process.stdout.readline().strip() != "ready":
            raise Failed(process.communicate()[1][-2_000:])
    start = time.perf_counter()
    for process in running:
        process.stdin.write("\n")  # type: ignore[union-attr]
        process.stdin.flush()  # type: ignore[union-attr]
    said = [process.communicate() for process in running]
    seconds = time.perf_counter() - start
    for process, (_, errors) in zip(running, said, strict=True):
        if process.returncode:
            raise Failed(errors[-2_000:])
    return seconds, [json.loads(out.splitlines()[-1]) for out, _ in said]


def load_command(
    bench: Bench, files: Sequence[MadeFile], target: LoadTarget, *, from_s3: bool, **job: Any
) -> list[str]:
    """`apart.py` over these files, as a run of its own."""
    made = bench.job(target, **job)
    staged = [
        bench.upload(file) if from_s3 else StagedFile(file.path, file.bytes, file.rows, 0, "disk")
        for file in files
    ]
    access = {
        "endpoint_url": bench.env["SNOWMELT_SANDBOX_S3_ENDPOINT"],
        "region_name": bench.env["SNOWMELT_SANDBOX_S3_REGION"],
        "aws_access_key_id": bench.env["SNOWMELT_SANDBOX_ADMIN_ACCESS_KEY_ID"],
        "aws_secret_access_key": bench.env["SNOWMELT_SANDBOX_ADMIN_SECRET_ACCESS_KEY"],
    }
    columns = [[c.file_name, c.form, c.target, str(c.target_type), c.nullable] for c in target.columns]
    given = {
        "dsn": bench.dsn,
        "s3": access if from_s3 else None,
        "files": [asdict(file) for file in staged],
        "table": [target.schema, target.table],
        "columns": columns,
        "job": asdict(replace(made, target=LoadTarget("", "", ()))) | {"target": None, "policy": None},
    }
    return [sys.executable, "-m", "benchmarks.apart", json.dumps(given)]
