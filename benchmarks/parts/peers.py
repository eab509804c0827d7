"""The same lineitem file into the same table on the same server, by what else there is."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from benchmarks.bench import ROOT, SCHEMA, Bench
from benchmarks.measure import spread
from benchmarks.processes import Failed, load_command, run_together
from benchmarks.tables import LINEITEM

TITLE = "Peers"
#: Module → what is shown.
PEERS = {
    "adbc": "ADBC, adbc_ingest",
    "polars_adbc": "polars, write_database by ADBC",
    "arrow_csv": "pyarrow CSV + COPY",
    "pandas_copy": "pandas, to_sql by COPY",
    "dlt_adbc": "dlt, Parquet by ADBC",
    "duckdb_postgres": "DuckDB, postgres extension",
    "s3_to_sql": "Airflow's S3ToSqlOperator",
}


def run(bench: Bench, only: tuple[str, ...] = ()) -> dict[str, Any]:
    """Each with Snowmelt before it, so that both met the same machine, and neither what the other left the server to write."""
    made = bench.file(LINEITEM, bench.megabytes / 2)
    target = LINEITEM.target(SCHEMA, "peers")
    os.environ["SNOWMELT_BENCH_KEY"] = bench.upload(made).key
    found: dict[str, Any] = {}
    for name in only or PEERS:
        python = sys.executable if name == "s3_to_sql" else str(ROOT / ".venv-bench" / "bin" / "python")
        command = [
            python,
            "-m",
            f"benchmarks.peers.{name}",
            bench.dsn,
            made.path,
            SCHEMA,
            target.table,
            str(made.rows),
        ]
        ours: list[dict[str, Any]] = []
        theirs: list[dict[str, Any]] = []
        try:
            for _ in range(1 if name in {"s3_to_sql", "duckdb_postgres"} else bench.rounds):
                bench.create(target)
                bench.empty(target.name)
                ours += run_together([load_command(bench, [made], target, from_s3=False)])[1]
                bench.create(target)
                bench.empty(target.name)
                theirs += run_together([command])[1]
        except Failed as failed:
            found[name] = {"failed": str(failed).strip().splitlines()[-1][:300]}
            continue
        finally:
            bench.connection.execute(f"DROP TABLE IF EXISTS {target.name}")
            bench.connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA}_dlt CASCADE")
        found[name] = {"ours": ours, "theirs": theirs}
    return {"rows": made.rows, "bytes": made.bytes, "found": found}


def render(values: Mapping[str, Any]) -> str:
    """A table of seconds for the whole file, and how many times Snowmelt's."""
    lines = [
        f"{values['rows']:,} rows of lineitem, {values['bytes'] / 1e6:.0f} MB, from disk.",
        "",
        "| | seconds | Snowmelt's beside it | times | client CPU s |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, one in values["found"].items():
        if "failed" in one:
            lines.append(f"| {PEERS[name]} | failed: {one['failed'].replace('|', '/')} | | | |")
            continue
        share = values["rows"] / one["theirs"][0]["rows"]
        theirs, ours = (
            spread([each["seconds"] * share for each in one["theirs"]]),
            spread([each["seconds"] for each in one["ours"]]),
        )
        times = spread(
            [t["seconds"] * share / o["seconds"] for t, o in zip(one["theirs"], one["ours"], strict=True)]
        )
        cpu = spread([each["client_cpu"] * share for each in one["theirs"]]).median
        said = f" (from {one['theirs'][0]['rows']:,} rows)" if share > 1 else ""
        lines.append(f"| {PEERS[name]}{said} | {theirs:.2f} | {ours:.2f} | {times:.1f} | {cpu:.2f} |")
    return "\n".join(lines)
