"""The pages' HTML. Jinja escapes every value; the plots escape their own and are the only text that is trusted."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from snowmelt import __version__
from snowmelt.ledger.page_rows import FILES_PAGE
from snowmelt.progress import pace as shown
from snowmelt.progress.board import Failure, Half, Piece, RunBoard
from snowmelt.progress.history import MEASURES, build_history, plot_history
from snowmelt.progress.plots import TaskState, build_steps, plot_gantt, plot_rate
from snowmelt.progress.table_status import Standing
from snowmelt.state import describe_difference
from snowmelt.vocabulary import Outcome
from snowmelt.web.airflow_state import Rights
from snowmelt.web.ledgers import FoundRun, FoundTable, Overview
from snowmelt.web.troubleshooting import link_sections, render_troubleshooting

#: Rows of the list of chunks; what needs attention comes first.
MAX_LISTED = 150
_URGENT = ("failed", "retrying", "running", "queued", "blocked", "waiting", "done", "skipped")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("snowmelt.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": shown.show_count,
        "size": shown.show_bytes,
        "seconds": shown.show_seconds,
        "rate": shown.show_rate,
        "percent": shown.show_percent,
        "time": shown.show_time,
        "part": lambda text: quote(str(text), safe=""),
        "see": link_sections,
    }
    environment.globals |= {"age": shown.show_age, "version": __version__, "tasks_of_failures": _tasks_of}
    return environment


#: The style sheet's word for each standing.
_WORDS = {
    Standing.FAILING: "failed",
    Standing.LATE: "retrying",
    Standing.DIFFERS: "retrying",
    Standing.RUNNING: "running",
    Standing.GOOD: "done",
    Standing.NEVER: "waiting",
}


def render_overview(overview: Overview, errors_of: Collection[str]) -> str:
    """The page of all tables.

    :param errors_of: the DAGs whose errors are shown.
    """
    standings = [table.standing for table in overview.tables]
    return _environment().get_template("migrations.html").render(
        overview=overview, tables=overview.tables, now=overview.now, errors_of=errors_of, words=_WORDS,
        counts=[(standing, standings.count(standing)) for standing in Standing if standing in standings],
    )  # fmt: skip


def render_table(found: FoundTable, source: str, target: str, errors_of: Collection[str]) -> str:
    """The page of one table.

    :param errors_of: as of `render_overview`.
    """
    runs = build_history(found.runs)
    return _environment().get_template("table.html").render(
        source=source, target=target, status=found.status, runs=runs, now=found.now, errors_of=errors_of, words=_WORDS,
        plots=[(title, Markup(plot_history(runs, title))) for title in MEASURES],  # noqa: S704 - it escapes its text
    )  # fmt: skip


def render_help() -> str:
    """The page on what to do when a task fails."""
    return _environment().get_template("troubleshooting.html").render(text=render_troubleshooting())


def render_run(board: RunBoard, dag_id: str, run_id: str, rights: Rights) -> str:
    """The page of a run that has a plan."""
    return _environment().get_template("run.html").render(
        board=board,
        run=board.run,
        dag_id=dag_id,
        run_id=run_id,
        rights=rights,
        headline=headline(board),
        gantt=Markup(plot_gantt(board.spans, board.now, live=board.live)),  # noqa: S704 - its text is escaped where it is made
        rates=Markup(plot_rate(board.spans, board.now, live=board.live)),  # noqa: S704 - likewise
        byte_rates=Markup(plot_rate(board.spans, board.now, "bytes", live=board.live)),  # noqa: S704 - likewise
        halves=[
            ("unload", "Unload", "chunks", board.unload, _list_chunks(board.unload)),
            ("load", "Load", "files", board.load, board.load.listed),
        ],
        verified=describe_verified(board),
        pages=-(-board.load.total // FILES_PAGE),
        file_page=FILES_PAGE,
        most=MAX_LISTED,
    )  # fmt: skip


def render_empty_run(
    found: FoundRun, dag_id: str, run_id: str, tasks: Sequence[TaskState], rights: Rights
) -> str:
    """The page of a run that no ledger has: not planned yet, not a migration, or out of reach."""
    return _environment().get_template("empty.html").render(
        dag_id=dag_id,
        run_id=run_id,
        readable=found.readable,
        failures=found.failures,
        steps=build_steps(tasks, datetime.now(UTC)),
        rights=rights,
        live=any(task.word in {"running", "queued", "retrying", "waiting"} for task in tasks),
        now=datetime.now(UTC),
    )  # fmt: skip


def _tasks_of(failures: Sequence[Failure]) -> str:
    """The failed tasks as Airflow's clearTaskInstances takes them: one request for all, or the first would block the rest."""
    return json.dumps(
        [
            [failure.task_id, failure.map_index] if failure.map_index >= 0 else failure.task_id
            for failure in failures
        ]
    )


def headline(board: RunBoard) -> Mapping[str, Any]:
    """The state of the run: a word that the style sheet knows, and a text."""
    failed = ", ".join(step.title for step in board.steps if step.word == "failed")
    outcome: Outcome = board.run["outcome"]
    if outcome.ended and outcome is not Outcome.FAILED:
        later = (
            f", then failed in {failed or board.run['failed_step']}"
            if failed or board.run["failed_step"]
            else ""
        )
        return {
            "word": "done" if outcome.good and not later else "failed",
            "text": f"{_outcome(board, outcome)}{later}",
        }
    if board.stall is not None:
        since = shown.show_seconds((board.now - board.stall.since).total_seconds())
        return {"word": "retrying", "text": f"Stalled: no row for {since}"}
    if failed or (outcome is Outcome.FAILED and not board.live):
        return {
            "word": "failed",
            "text": f"Failed in {failed or board.run['failed_step'] or 'an unknown step'}",
        }
    running = next((step for step in board.steps if step.word in {"running", "retrying", "queued"}), None)
    coming = next((step for step in board.steps if step.word == "waiting"), None)
    if running is None and coming is not None:
        return {"word": "queued", "text": f"{coming.title} is next"}
    if running is None:
        return {"word": "open", "text": "Not finished, and Airflow does not know this run"}
    return {"word": "running", "text": running.title}


def _outcome(board: RunBoard, outcome: Outcome) -> str:
    if outcome is Outcome.DIFFERS:
        published = "Published, differs" if board.run["published_at"] else "Differs"
        return f"{published}: {describe_difference(board.run['publish_result'])}"
    return outcome.capitalize()


def describe_verified(board: RunBoard) -> tuple[str, str] | None:
    """What the verification says beside the outcome, as a word of the style sheet and a text: a verified staging table is not a target."""
    if board.verdict.word == "differs":
        return "failed", "Differs"
    if board.verdict.word != "verified":
        return None
    if board.run["published_at"] is not None:
        return "done", "Verified"
    return "waiting", "The staging table was verified; the target is not published"


def _list_chunks(half: Half) -> list[Piece]:
    """The chunks that are listed by name: what needs attention first."""
    return sorted(half.listed, key=lambda piece: _URGENT.index(piece.word))[:MAX_LISTED]
