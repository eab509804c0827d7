"""A run as its page shows it: every chunk and file with its state, made of the ledger's rows and Airflow's task states.

Where Airflow no longer knows the run, the ledger's rows alone make the board.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from snowmelt.progress.board import RECENT, Failure, Half, Piece, RunBoard, RunRows, Worker, build_verdict
from snowmelt.progress.outlook import estimate_left, find_stall
from snowmelt.progress.plots import Span, TaskState, build_steps, tasks_of
from snowmelt.sql.names import load_session_name


def build_board(
    rows: RunRows, tasks: Sequence[TaskState], *, still_since: datetime | None = None
) -> RunBoard:
    """The board of a run.

    :param tasks: Airflow's task instances of the DAG run; empty when Airflow has forgotten it.
    :param still_since: since when nothing was seen to move; None: it is looked at for the first time.
    """
    now = rows.run["now"]
    live = _is_live(rows.run, tasks)
    copies = _live_copies(rows)
    spans = (*_unload_spans(rows, tasks), *_load_spans(rows, copies, now))
    staged = rows.run["staged_rows"]
    unload = _unload_half(rows, tasks, [span for span in spans if span.step == "unload"], now, live=live)
    load = _load_half(rows, tasks, copies, [span for span in spans if span.step == "load"], now, live=live)
    loaded = sum(int(row["loaded_rows"]) for row in rows.units) if rows.units else None
    return RunBoard(
        run=rows.run,
        now=now,
        steps=build_steps(tasks, now) if tasks else (),
        unload=unload,
        load=load,
        spans=spans,
        workers=tuple(_worker(row) for row in rows.workers),
        failures=_failures(rows, tasks),
        verdict=build_verdict(
            rows.run, staged_rows=None if staged is None else int(staged), loaded_rows=loaded
        ),
        live=live,
        page=rows.page,
        stall=find_stall(rows, load, tasks, still_since) if live else None,
        run_seconds_left=estimate_left(rows, unload, load) if live else None,
        earlier_runs=len(rows.earlier),
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


@dataclass(frozen=True, slots=True)
class _Copy:
    """A file that is loading now, as the server counts it."""

    key: str
    batch: int
    rows: int
    bytes: int
    seconds: float


def _live_copies(rows: RunRows) -> tuple[_Copy, ...]:
    sessions = {row["application_name"]: row for row in rows.copying}
    run_id = str(rows.run["run_id"])
    return tuple(
        _Copy(
            file["s3_key"],
            file["batch"],
            int(session["rows"]),
            int(file["bytes"] * session["rows"] / file["rows"]) if file["rows"] else 0,
            float(session["seconds"]),
        )
        for file in rows.loading
        if (session := sessions.get(load_session_name(run_id, file["s3_key"]))) is not None
    )


def _short(key: str) -> str:
    return "/".join(key.rsplit("/", 2)[-2:])


def _load_piece(row: Mapping[str, Any], task: TaskState | None, copies: Sequence[_Copy]) -> Piece:
    """A file, or the files of a task together."""
    files, loaded = int(row["files"]), int(row["loaded_files"])
    if loaded == files:
        word = "done"
    elif copies:
        word = "running"
    else:
        # A task runs while its later files still wait; a task that ended did not load this file.
        word = task.word if task is not None else "waiting"
        word = {"running": "running" if files > 1 else "queued", "done": "waiting"}.get(word, word)
    return Piece(
        label=_short(row["s3_key"]) if files == 1 else f"{files} files from {_short(row['s3_key'])}",
        word=word,
        task_id="load",
        map_index=int(row["batch"]),
        rows=int(row["rows"]),
        rows_done=int(row["loaded_rows"] or 0) + sum(copy.rows for copy in copies),
        bytes=int(row["bytes"]),
        seconds=row["seconds"] if loaded else max((copy.seconds for copy in copies), default=None),
        files=files,
        files_done=loaded,
        worker=row["worker"] or (task.worker if task is not None else ""),
        rejected=int(row["rejected"] or 0),
    )


def _rate(rows: float, spans: Sequence[Span], now: datetime, *, live: bool) -> float:
    """Rows a second since the first span began, until now where the step goes on."""
    if not spans:
        return 0.0
    end = now if live else max(span.until(now) for span in spans)
    seconds = (end - min(span.start for span in spans)).total_seconds()
    return rows / seconds if seconds > 0 else 0.0


def _load_half(
    rows: RunRows,
    tasks: Sequence[TaskState],
    copies: Sequence[_Copy],
    spans: Sequence[Span],
    now: datetime,
    *,
    live: bool,
) -> Half:
    states = tasks_of(tasks, "load")
    by_batch: dict[int, list[_Copy]] = {}
    for copy in copies:
        by_batch.setdefault(copy.batch, []).append(copy)

    def piece(row: Mapping[str, Any]) -> Piece:
        own = [
            copy for copy in by_batch.get(row["batch"], ()) if row["files"] > 1 or copy.key == row["s3_key"]
        ]
        return _load_piece(row, states.get(row["batch"]), own)

    pieces = tuple(piece(row) for row in rows.units)
    total = sum(int(row["files"]) for row in rows.units)
    done = sum(int(row["loaded_files"]) for row in rows.units)
    rows_done = sum(piece.rows_done for piece in pieces)
    going = live and done < total
    window = (
        min(RECENT.total_seconds(), (now - min(span.start for span in spans)).total_seconds())
        if spans
        else 0.0
    )
    recent = rows.recent_rows + sum(
        copy.rows * min(1.0, RECENT.total_seconds() / max(copy.seconds, 0.001)) for copy in copies
    )
    staged = rows.run["staged_rows"]
    return Half(
        pieces=pieces,
        rows_total=None if staged is None else int(staged),
        rows_done=rows_done,
        bytes_done=sum(int(row["loaded_bytes"]) for row in rows.units) + sum(copy.bytes for copy in copies),
        done=done,
        total=total,
        rate=_rate(rows_done, spans, now, live=going),
        recent_rate=recent / window if going and window > 0 else 0.0,
        listed=tuple(piece(row) for row in rows.files),
    )


def _unload_half(
    rows: RunRows, tasks: Sequence[TaskState], spans: Sequence[Span], now: datetime, *, live: bool
) -> Half:
    pieces = _chunk_pieces(rows, tasks, now)
    done = sum(piece.word in {"done", "skipped"} for piece in pieces)
    rows_done = sum(piece.rows_done for piece in pieces)
    going = live and done < len(pieces)
    total = rows.run["source_rows"]
    rate = _rate(rows_done, spans, now, live=going)
    return Half(
        pieces=pieces,
        rows_total=None if total is None else int(total),
        rows_done=rows_done,
        bytes_done=sum(piece.bytes or 0 for piece in pieces),
        done=done,
        total=len(pieces),
        rate=rate,
        # A chunk counts when it is through: over a few minutes that says nothing.
        recent_rate=rate,
        listed=pieces,
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


def _load_spans(rows: RunRows, copies: Sequence[_Copy], now: datetime) -> tuple[Span, ...]:
    done = [
        Span(
            "load", _short(row["s3_key"]) if row["files"] == 1 else f"{row['loaded_files']} files from {_short(row['s3_key'])}",
            row["started_at"], row["loaded_at"], int(row["loaded_rows"]), int(row["loaded_bytes"]), worker=row["worker"] or "",
        )
        for row in rows.units
        if row["loaded_at"] is not None
    ]  # fmt: skip
    going = [
        Span(
            "load",
            _short(copy.key),
            now - timedelta(seconds=copy.seconds),
            None,
            copy.rows,
            copy.bytes,
            "running",
        )
        for copy in copies
    ]
    return (*done, *going)


def _worker(row: Mapping[str, Any]) -> Worker:
    rate = row["rows"] / row["seconds"] if row["seconds"] else 0.0
    return Worker(row["name"], row["files"], row["rows"], row["bytes"], rate)


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
