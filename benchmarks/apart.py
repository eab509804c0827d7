"""One load in a process of its own: waits for a line after everything is imported and connected, then says what it took.

Reads a JSON document from its first argument: dsn, S3 (or none), files, the target's columns, the run.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pyarrow.parquet as pq

from benchmarks.disk_s3 import DiskS3
from snowmelt.load.rejects import RejectPolicy
from snowmelt.load.target import LoadColumn, LoadTarget
from snowmelt.steps.load import LoadJob, load_files
from snowmelt.types.type_names import parse_postgres_type
from snowmelt.types.type_table import Form
from snowmelt.unload.manifest import StagedFile


def resident(field: str) -> float:
    """A line of /proc/self/status, in MB. The peak is VmHWM and not ru_maxrss, which Linux carries over an exec."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1e3 for line in lines if line.startswith(field))


def main() -> None:
    """Load the files, one after another."""
    given: dict[str, Any] = json.loads(sys.argv[1])
    s3 = boto3.client("s3", **given["s3"]) if given["s3"] else DiskS3()
    files = [StagedFile(**file) for file in given["files"]]
    columns = tuple(
        LoadColumn(name, Form(form), target, parse_postgres_type(kind), nullable)
        for name, form, target, kind, nullable in given["columns"]
    )
    job = LoadJob(**given["job"] | {"target": LoadTarget(*given["table"], columns), "policy": RejectPolicy()})
    if files[0].key.endswith("parquet") and Path(files[0].key).exists():
        pq.read_metadata(files[0].key)
    with psycopg.connect(given["dsn"], autocommit=True) as connection:
        gc.collect()
        before = resident("VmRSS")
        print("ready", flush=True)
        sys.stdin.readline()
        start, cpu = time.perf_counter(), time.process_time()
        load_files(connection, s3, files, job)
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    print(
        json.dumps({"seconds": seconds, "client_cpu": cpu, "grown_mb": resident("VmHWM") - before}),
        flush=True,
    )


if __name__ == "__main__":
    main()
