"""What grows with the rows and the files, by simulation: generated source statistics and file lists, the real planners, the real ledger.

No row of data is made; the files count as loaded once they are planned. Beside the run stand twenty others of 10,000 files each, so that a query that read other runs' rows would
show it. XCom bytes are those of Airflow's JSON.
"""

from __future__ import annotations

import json
import time
import tracemalloc
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import psycopg

from benchmarks.bench import Bench
from snowmelt.json_values import from_json, to_json
from snowmelt.ledger import files as ledger_files
from snowmelt.ledger import runs as ledger
from snowmelt.ledger.reports import READ_REPORT, read_report
from snowmelt.types.type_names import parse_snowflake_type
from snowmelt.unload.chunks import Bucket, ChunkKey, plan_chunks
from snowmelt.unload.manifest import (
    Manifest,
    StagedChunk,
    StagedFile,
    join_parts,
    parse_manifest,
    plan_batches,
    split_document,
)

TITLE = "Simulated, to 100,000 files and a billion rows"
#: (rows, files, rows aimed at in a chunk)
SIZES = (
    (10_000, 1, 5_000_000),
    (1_000_000, 10, 5_000_000),
    (10_000_000, 100, 1_000_000),
    (100_000_000, 1_000, 5_000_000),
    (272_000_000, 10_000, 5_000_000),
    (1_000_000_000, 100_000, 5_000_000),
)
OTHER_RUNS, OTHER_FILES = 20, 10_000
FILL_OTHERS = (
    """
INSERT INTO snowmelt.staged_file
SELECT %s, format('k/%%s', n), n %% 300, n %% 300, n::text, 1, 1 FROM generate_series(1, %s) AS n ON CONFLICT DO NOTHING
""",
    """
INSERT INTO snowmelt.loaded_file (run_id, s3_key, etag, bytes, rows, load_method)
SELECT %s, format('k/%%s', n), n::text, 1, 1, 'copy' FROM generate_series(1, %s) AS n ON CONFLICT DO NOTHING
""",
)
FILL_LOADED = """
INSERT INTO snowmelt.loaded_file (run_id, s3_key, etag, bytes, rows, load_method)
SELECT run_id, s3_key, etag, bytes, rows, 'copy' FROM snowmelt.staged_file WHERE run_id = %s
"""
#: Every statement of the ledger that a load task or the verification sends, by its parameters.
READS: dict[str, str] = {
    "READ_RUN": ledger.READ_RUN,
    "READ_BATCH": ledger_files.READ_BATCH,
    "READ_CLAIM": ledger_files.READ_CLAIM,
    "READ_COUNTS": ledger_files.READ_COUNTS,
    "READ_UNEXPECTED_LOADED": ledger_files.READ_UNEXPECTED_LOADED,
    "COUNT_LOADED": ledger_files.COUNT_LOADED,
    "READ_STAGED_KEYS": ledger_files.READ_STAGED_KEYS,
    "READ_REPORT": READ_REPORT,
}


def make_chunks(rows: int, files: int, chunk_rows: int) -> tuple[StagedChunk, ...]:
    """The chunks as the real planner cuts them, and files as the unload would return them."""
    count = max(1, min(300, rows // chunk_rows))
    buckets = [
        Bucket(str(n * chunk_rows), str((n + 1) * chunk_rows - 1), rows // count) for n in range(count)
    ]
    key = ChunkKey("ID", parse_snowflake_type("NUMBER(38,0)"))
    staged = []
    for chunk in plan_chunks(buckets, key, chunk_rows=chunk_rows):
        query, mine = uuid.UUID(int=chunk.index + 1), files // count + (chunk.index < files % count)
        names = (
            f"A/B/T/run_x/{chunk.folder}/data_{query}_{n % 8}_{n // 8}_0.snappy.parquet" for n in range(mine)
        )
        staged.append(
            StagedChunk(
                chunk=chunk.index,
                query_id=str(query),
                bucket="bucket",
                files=tuple(
                    StagedFile(name, 60_000_000 + n % 1_000_000, rows // files, chunk.index, f"{n:032x}")
                    for n, name in enumerate(names)
                ),
                seconds=1.0,
            )
        )
    return tuple(staged)


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.process_time()
    done = work()
    return done, time.process_time() - start


def measure(connection: psycopg.Connection[Any], rows: int, files: int, chunk_rows: int) -> dict[str, Any]:
    """One size: planning, XComs, the ledger."""
    run_id = f"scale_{uuid.uuid4().hex}"
    tracemalloc.start()
    chunks = make_chunks(rows, files, chunk_rows)
    every = [file for chunk in chunks for file in chunk.files]
    batches, plan_cpu = _timed(lambda: plan_batches(every))
    _write_run(connection, run_id)
    start = time.perf_counter()
    ledger_files.write_staged(connection, run_id, chunks, batches)
    written = time.perf_counter() - start
    _manifest_round_trip(run_id, chunks)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    document_cpu = _timed(lambda: _manifest_round_trip(run_id, chunks))[
        1
    ]  # tracing made it several times slower
    start = time.perf_counter()
    read = ledger_files.read_batch(connection, run_id, batches[0].index)
    read_seconds = time.perf_counter() - start
    connection.execute(FILL_LOADED, (run_id,))
    connection.execute("ANALYZE snowmelt.staged_file, snowmelt.loaded_file")
    start = time.perf_counter()
    ledger_files.read_counts(connection, run_id)
    ledger_files.read_unexpected_loaded(connection, run_id)
    counted = time.perf_counter() - start
    start = time.perf_counter()
    read_report(connection, run_id)
    reported = time.perf_counter() - start
    return {
        "rows": rows,
        "files": files,
        "chunks": len(chunks),
        "load_tasks": len(batches),
        "files_of_first_task": len(read),
        "plan_cpu": plan_cpu,
        "write_staged_seconds": written,
        "read_batch_seconds": read_seconds,
        "read_counts_seconds": counted,
        "read_report_seconds": reported,
        "document_cpu": document_cpu,
        "peak_mb": peak / 1e6,
        "largest_unload_xcom": max(len(json.dumps(to_json(chunk))) for chunk in chunks),
        "files_xcom": len(json.dumps([{"batch": b.index, "label": b.label} for b in batches])),
    }


def _manifest_round_trip(run_id: str, chunks: tuple[StagedChunk, ...]) -> None:
    """What the task `files` does besides the ledger: chunks from XComs, the manifest's documents made, and read again."""
    read = tuple(from_json(StagedChunk, json.loads(json.dumps(to_json(chunk)))) for chunk in chunks)
    manifest = Manifest(run_id, "A.B.T", None, "parquet", "snappy", "bucket", "A/B/T/run_x/", (), read)
    whole, parts = split_document(manifest.to_document())
    text = json.dumps(whole)
    if parts:
        text = join_parts(text, [json.dumps(part) for part in parts])
    parse_manifest(text, origin="a simulation")


def _write_run(connection: psycopg.Connection[Any], run_id: str) -> None:
    run = dict.fromkeys(("dag_id", "dag_run_id", "snapshot", "snapshot_note"))
    run |= {"run_id": run_id, "mode": "full", "source": "A.B.T", "target": "b.t", "fingerprint": ""}
    ledger.write_run(connection, run | {"request": {}, "plan": {}, "source_rows": 0})


def fill_others(connection: psycopg.Connection[Any]) -> str:
    """The rows of other runs; the id of one of them."""
    for number in range(OTHER_RUNS):
        run_id = f"scale_other_{number}"
        _write_run(connection, run_id)
        for sql in FILL_OTHERS:
            connection.execute(sql, (run_id, OTHER_FILES))
    connection.execute("ANALYZE snowmelt.staged_file, snowmelt.loaded_file, snowmelt.run")
    return "scale_other_0"


def explain_reads(connection: psycopg.Connection[Any], run_id: str) -> dict[str, dict[str, Any]]:
    """For each statement: the rows of the ledger's tables that it reads, and whether it walks a whole table of files."""
    found = {}
    for name, sql in READS.items():
        parameters: tuple[Any, ...] = (run_id,)
        if name == "READ_BATCH":
            parameters = (run_id, 0)
        if name == "READ_CLAIM":
            parameters = (run_id, "k/1")
        answer = connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", parameters).fetchone()
        nodes = list(_walk((answer or [[{}]])[0][0]["Plan"]))
        scans = [node for node in nodes if node.get("Relation Name") in {"staged_file", "loaded_file"}]
        found[name] = {
            "rows_read": sum(
                (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
                for node in scans
            ),
            "whole_table": [node["Relation Name"] for node in scans if node["Node Type"] == "Seq Scan"],
        }
    return found


def _walk(node: Mapping[str, Any]) -> Any:
    yield node
    for child in node.get("Plans", []):
        yield from _walk(child)


def run(bench: Bench) -> dict[str, Any]:
    """All sizes, among the rows of other runs."""
    other = fill_others(bench.connection)
    sizes = [measure(bench.connection, *size) for size in SIZES]
    reads = explain_reads(bench.connection, other)
    bench.connection.execute("DELETE FROM snowmelt.run WHERE run_id LIKE 'scale%'")
    return {"sizes": sizes, "reads": reads}


def render(values: Mapping[str, Any]) -> str:
    """Two tables."""
    lines = [
        "| rows | files | unload tasks | load tasks | batches planned, CPU s | ledger written, s | manifest, CPU s | a task's files read, ms | verify: counts, ms | publish: report, ms | memory of it all, MB | largest unload XCom, kB | the map's XCom, kB |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {s['rows']:,} | {s['files']:,} | {s['chunks']} | {s['load_tasks']} | {s['plan_cpu']:.2f} | {s['write_staged_seconds']:.2f} "
        f"| {s['document_cpu']:.2f} | {s['read_batch_seconds'] * 1e3:.1f} | {s['read_counts_seconds'] * 1e3:.1f} "
        f"| {s['read_report_seconds'] * 1e3:.1f} | {s['peak_mb']:.0f} "
        f"| {s['largest_unload_xcom'] / 1e3:.1f} | {s['files_xcom'] / 1e3:.1f} |"
        for s in values["sizes"]
    ]
    lines += [
        "",
        f"Statements of the ledger, for a run of {OTHER_FILES:,} files among {OTHER_RUNS} such runs:",
        "",
        "| statement | rows of files read | tables walked whole |",
        "| --- | ---: | --- |",
    ]
    lines += [
        f"| {name} | {one['rows_read']:,.0f} | {', '.join(one['whole_table']) or 'none'} |"
        for name, one in values["reads"].items()
    ]
    return "\n".join(lines)
