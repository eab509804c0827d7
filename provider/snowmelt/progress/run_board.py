"""A run as its page shows it: every chunk and file with its state, made of the ledger's rows and Airflow's task states.

Where Airflow no longer knows the run, the ledger's rows alone make the board.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from snowmelt.progress.board import Failure, Half, Piece, RunBoard, RunRows, Worker, build_verdict
from snowmelt.progress.plots import Span, TaskState, build_steps, rate_of, tasks_of
from snowmelt.sql.names import load_session_name

#: The time left is estimated by the rate of the last minutes.
RECENT = timedelta(minutes=3)


def build_board(rows: RunRows, tasks: Sequence[TaskState]) -> RunBoard:
    """The board of a run.

    :param tasks: Airflow's task instances of the DAG run; empty when Airflow has forgotten it.
    """
    now = rows.run["now"]
    spans = (*_unload_spans(rows, tasks), *_load_spans(rows, now))
    unload = _half("unload", _chunk_pieces(rows, tasks, now), spans, now, rows.run["source_rows"])
    load = _half("load", _file_pieces(rows, tasks), spans, now, rows.run["staged_rows"])
    steps = build_steps(tasks, now) if tasks else ()
    staged = rows.run["staged_rows"]
    verdict = build_verdict(
        rows.run,
        staged_rows=None if staged is None else int(staged),
        loaded_rows=sum(int(row["rows"]) for row in rows.files if row["loaded_at"]) if rows.files else None,
    )
    return RunBoard(
        run=rows.run,
        now=now,
        steps=steps,
        unload=unload,
        load=load,
        spans=spans,
        workers=_workers(spans, now),
        failures=_failures(rows, tasks),
        verdict=verdict,
        live=_is_live(rows.run, tasks),
    )


def _is_live(run: Mapping[str, Any], tasks: Sequence[TaskState]) -> bool:
    if not tasks:
        return not run["outcome"].ended and run["finished_at"] is None
    words = {task.word for task in tasks}
    return bool(words & {"running", "queued", "retrying"}) or (
        "waiting" in words and not words & {"failed", "blocked"}
    )


def _chunk_pieces(rows: RunRows, tasks: Sequence[TaskState], now: datetime) -> tuple[Piece, ...]:
    staged = {row["chunk"]: row for row in rows.chunks}
    submitted = {row["chunk"]: str(row["query_id"]) for row in rows.submitted}
    states = tasks_of(tasks, "unload")
    return tuple(
        _chunk_piece(
            chunk, staged.get(chunk["index"]), states.get(place), now, submitted.get(chunk["index"], "")
        )
        for place, chunk in enumerate(rows.run["chunks"] or [])
    )


def _chunk_piece(
    chunk: Mapping[str, Any],
    staged: Mapping[str, Any] | None,
    task: TaskState | None,
    now: datetime,
    query_id: str,
) -> Piece:
    word = task.word if task is not None else "done" if staged is not None else "waiting"
    place = task.map_index if task is not None else int(chunk["index"])
    planned = None if chunk["rows"] is None else int(chunk["rows"])
    if staged is not None:
        rows = int(staged["rows"])
        return Piece(
            chunk["label"], word, "unload", place, rows, rows, int(staged["bytes"]), staged["seconds"],
            query_id=staged["query_id"], files=staged["files"],
        )  # fmt: skip
    seconds = None
    if task is not None and task.started is not None:
        seconds = ((task.ended or now) - task.started).total_seconds()
    done = (planned or 0) if word == "done" else 0
    return Piece(chunk["label"], word, "unload", place, planned, done, None, seconds, query_id=query_id)


def _file_pieces(rows: RunRows, tasks: Sequence[TaskState]) -> tuple[Piece, ...]:
    states = tasks_of(tasks, "load")
    run_id = str(rows.run["run_id"])
    copying = {row["application_name"]: row for row in rows.copying}
    return tuple(_file_piece(run_id, row, states.get(row["batch"]), copying) for row in rows.files)


def _file_piece(
    run_id: str, row: Mapping[str, Any], task: TaskState | None, copying: Mapping[str, Mapping[str, Any]]
) -> Piece:
    loaded = row["loaded_at"] is not None
    live = None if loaded else copying.get(load_session_name(run_id, row["s3_key"]))
    if loaded:
        word = "done"
    elif live is not None:
        word = "running"
    else:
        # A batch's task runs while its later files still wait; a task that ended did not load this file.
        word = task.word if task is not None else "waiting"
        word = {"running": "queued", "done": "waiting"}.get(word, word)
    done = int(row["rows"]) if loaded else int(live["rows"]) if live is not None else 0
    return Piece(
        label="/".join(str(row["s3_key"]).rsplit("/", 2)[-2:]),
        word=word,
        task_id="load",
        map_index=int(row["batch"]),
        rows=int(row["rows"]),
        rows_done=done,
        bytes=int(row["bytes"]),
        seconds=row["seconds"] if loaded else (live["seconds"] if live is not None else None),
        worker=row["worker"] or (task.worker if task is not None else ""),
        rejected=int(row["rejected"] or 0),
    )


def _half(
    step: str, pieces: tuple[Piece, ...], spans: Sequence[Span], now: datetime, total: int | None
) -> Half:
    own = [span for span in spans if span.step == step]
    return Half(
        pieces=pieces,
        rows_total=None if total is None else int(total),
        rows_done=sum(piece.rows_done for piece in pieces),
        bytes_done=sum(
            int((piece.bytes or 0) * piece.share) if piece.task_id == "load" else piece.bytes or 0
            for piece in pieces
        ),
        rate=rate_of(own, now),
        recent_rate=rate_of(own, now, RECENT),
    )


def _unload_spans(rows: RunRows, tasks: Sequence[TaskState]) -> tuple[Span, ...]:
    staged = {row["chunk"]: row for row in rows.chunks}
    states = tasks_of(tasks, "unload")
    spans = []
    for place, chunk in enumerate(rows.run["chunks"] or []):
        row, task = staged.get(chunk["index"]), states.get(place)
        if row is not None and row["started_at"] is not None:
            spans.append(
                Span(
                    "unload",
                    chunk["label"],
                    row["started_at"],
                    row["ended_at"],
                    int(row["rows"]),
                    int(row["bytes"]),
                )
            )
        elif row is None and task is not None and task.started is not None and task.word != "retrying":
            done = int(chunk["rows"] or 0) if task.word == "done" else 0
            state = task.word if task.word in {"done", "failed"} else "running"
            spans.append(Span("unload", chunk["label"], task.started, task.ended, done, 0, state))
    return tuple(spans)


def _load_spans(rows: RunRows, now: datetime) -> tuple[Span, ...]:
    run_id = str(rows.run["run_id"])
    copying = {row["application_name"]: row for row in rows.copying}
    spans = []
    for row in rows.files:
        label = "/".join(str(row["s3_key"]).rsplit("/", 2)[-2:])
        if row["loaded_at"] is not None:
            start = row["loaded_at"] - timedelta(seconds=row["seconds"] or 0.0)
            spans.append(
                Span("load", label, start, row["loaded_at"], int(row["rows"]), int(row["bytes"]), worker=row["worker"] or "")
            )  # fmt: skip
        elif (live := copying.get(load_session_name(run_id, row["s3_key"]))) is not None:
            start = now - timedelta(seconds=float(live["seconds"]))
            share = int(live["rows"]) / int(row["rows"]) if row["rows"] else 0.0
            spans.append(
                Span("load", label, start, None, int(live["rows"]), int(int(row["bytes"]) * share), "running")
            )
    return tuple(spans)


def _workers(spans: Sequence[Span], now: datetime) -> tuple[Worker, ...]:
    # A worker is host:process, and a task is a process: its host is what a person knows.
    by_host: dict[str, list[Span]] = {}
    for span in spans:
        if span.step == "load" and span.worker:
            by_host.setdefault(span.worker.rsplit(":", 1)[0], []).append(span)
    return tuple(
        Worker(
            name,
            len(own),
            sum(span.rows for span in own),
            sum(span.bytes for span in own),
            rate_of(own, now),
        )
        for name, own in sorted(by_host.items())
    )


def _failures(rows: RunRows, tasks: Sequence[TaskState]) -> tuple[Failure, ...]:
    failed = {(task.task_id, task.map_index): task for task in tasks if task.word in {"failed", "retrying"}}
    failures: list[Failure] = []
    seen = set()
    for row in rows.failures:
        place = (row["task_id"], row["map_index"])
        current = place in failed and place not in seen
        seen.add(place)
        failures.append(
            Failure(*place, row["try_number"], row["label"] or "", row["error"], row["failed_at"], current)
        )
    silent = [
        Failure(task.task_id, task.map_index, task.try_number, task.label or "", "Its log says why.", task.ended, current=True)
        for place, task in failed.items()
        if place not in seen
    ]  # fmt: skip
    return (*silent, *sorted(failures, key=lambda failure: not failure.current))
