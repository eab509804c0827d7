"""The demo: both configured tables by their real DAGs (`airflow dags test`), then what arrived, from the ledger.

Runs in .venv with <state>/env sourced (`make demo`).
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from sandbox.airflow import migrate
from sandbox.errors import SandboxError, read_tail, run_command
from sandbox.state import read_setting

DAGS = ("migrate__analytics__dimpayer", "migrate__analytics__factvisitcallperformance_cr")
READ_RUN = """
SELECT r.*, (SELECT coalesce(sum(l.rows - l.rejected), 0) FROM snowmelt.loaded_file AS l WHERE l.run_id = r.run_id) AS loaded_rows,
  (SELECT count(*) FROM snowmelt.staged_chunk AS c WHERE c.run_id = r.run_id) AS chunks,
  (SELECT max(c.seconds) FROM snowmelt.staged_chunk AS c WHERE c.run_id = r.run_id) AS longest_unload,
  (SELECT sum(c.seconds) FROM snowmelt.staged_chunk AS c WHERE c.run_id = r.run_id) AS unload_seconds,
  (SELECT sum(l.seconds) FROM snowmelt.loaded_file AS l WHERE l.run_id = r.run_id) AS load_seconds
FROM snowmelt.run AS r WHERE r.dag_id = %s ORDER BY r.started_at DESC LIMIT 1
"""


#: What Airflow writes once its tables know the DAG, and how long that is waited for.
BEGUN = "starting task_id="
BEGIN_SECONDS = 120


def run_dags(logs: Path) -> None:
    """Run the DAGs side by side to their ends, each in a process of Airflow's; their logs go to files."""
    started = time.monotonic()
    running = {}
    for dag_id in DAGS:
        with (logs / f"{dag_id}.log").open("w") as output:
            running[dag_id] = subprocess.Popen(
                [sys.executable, "-m", "airflow", "dags", "test", dag_id],
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        wait_for_begin(running[dag_id], logs / f"{dag_id}.log")
    for dag_id, process in running.items():
        code = process.wait()
        if code:
            log = logs / f"{dag_id}.log"
            raise SandboxError(f"{dag_id} failed. Its log, {log}, ends:\n{read_tail(log, lines=25)}")
        print(f"  {dag_id}: done after {time.monotonic() - started:.0f} s", flush=True)


def wait_for_begin(process: subprocess.Popen[bytes], log: Path) -> None:
    """Until Airflow has entered the DAG into its tables: two processes that do so at once on empty tables collide."""
    ends = time.monotonic() + BEGIN_SECONDS
    while process.poll() is None and time.monotonic() < ends:
        if BEGUN in log.read_text(errors="replace"):
            return
        time.sleep(0.2)


def read_run(dag_id: str) -> dict[str, Any]:
    """The DAG's latest run, from the ledger."""
    with psycopg.connect(read_setting("SNOWMELT_SANDBOX_PG_DSN")) as connection:
        row = connection.cursor(row_factory=dict_row).execute(READ_RUN, (dag_id,)).fetchone()
    if row is None:
        raise SandboxError(f"The ledger has no run of {dag_id}.")
    if row["outcome"] != "published" or row["verified_at"] is None:
        raise SandboxError(f"The run {row['run_id']} of {dag_id} ended as {row['outcome']!r}: {row['error']}")
    return row


def show(runs: list[dict[str, Any]]) -> str:
    """A table for the terminal."""
    header = ("source", "target", "rows", "chunks", "files", "MB", "unload", "rows/s", "load", "rows/s", "")
    lines = [header]
    for run in runs:
        rows = int(run["loaded_rows"])
        unload, load = float(run["unload_seconds"] or 0), float(run["load_seconds"] or 0)
        lines.append(
            (
                run["source"],
                run["target"],
                f"{rows:,}",
                str(run["chunks"]),
                str(run["staged_files"]),
                f"{run['staged_bytes'] / 1e6:.1f}",
                f"{unload:.1f} s",
                f"{rows / unload:,.0f}" if unload else "-",
                f"{load:.1f} s",
                f"{rows / load:,.0f}" if load else "-",
                "verified",
            )
        )
    widths = [max(len(line[place]) for line in lines) for place in range(len(header))]
    right = {2, 3, 4, 5, 6, 7, 8, 9}
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def main() -> int:
    return run_command("demo", run)


def run() -> int:
    state = Path(read_setting("SNOWMELT_SANDBOX_STATE"))
    print("Preparing Airflow's own tables …", flush=True)
    migrate()
    print("Copying two tables by `airflow dags test`, side by side:", flush=True)
    run_dags(state / "log")
    runs = [read_run(dag_id) for dag_id in DAGS]
    print(f"\n{show(runs)}\n")
    print(
        "Seconds of unload and load are summed over the tasks; the Snowflake and S3 here are stand-ins (docs/sandbox.md).\n"
    )
    print("Where to look next:")
    print("  make up                            Airflow with its web UI; trigger migrate_table there")
    print(
        '  psql "$SNOWMELT_SANDBOX_PG_DSN"     the tables, and the ledger in schema snowmelt (first: set -a; . .sandbox/env)'
    )
    print(f"  {state / 'log'}   the tasks' logs, and every statement the stand-ins received")
    return 0


if __name__ == "__main__":
    sys.exit(main())
