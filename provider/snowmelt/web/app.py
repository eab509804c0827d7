"""The routes. Each asks for Airflow's authentication and for the right to the DAG whose rows it shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, get_user
from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.encoders import jsonable_encoder
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from sqlalchemy.orm import Session

from snowmelt.progress.board import RunBoard, RunRows
from snowmelt.progress.outlook import ProgressWatch, describe_progress
from snowmelt.progress.plots import TaskState
from snowmelt.progress.run_board import build_board
from snowmelt.web.airflow_state import MAY_LIST, MAY_READ_RUN, keep_readable, read_rights, read_tasks
from snowmelt.web.answers import bounded
from snowmelt.web.ledgers import read_overview, read_run, read_table
from snowmelt.web.pages import render_empty_run, render_help, render_overview, render_run, render_table

STATIC = Path(__file__).parent / "static"
_FILES = {
    "page.css": "text/css",
    "page.js": "text/javascript",
    "icon.svg": "image/svg+xml",
    "icon-dark.svg": "image/svg+xml",
}
#: The pages run no script and no style but their own files, load nothing from elsewhere, and are shown in no foreign frame.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "frame-ancestors 'self'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def build_application() -> FastAPI:
    """The application that Airflow's API server mounts below /snowmelt."""
    app = FastAPI(
        title="Snowmelt",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(refuse_nul), Depends(get_user)],
    )
    app.get("/migrations", dependencies=MAY_LIST)(bounded(show_tables))
    app.get("/migrations.json", dependencies=MAY_LIST)(bounded(list_tables))
    app.get("/table", dependencies=MAY_LIST)(bounded(show_table))
    app.get("/troubleshooting")(show_help)
    app.get("/run", dependencies=MAY_READ_RUN)(bounded(show_run))
    app.get("/run.json", dependencies=MAY_READ_RUN)(bounded(describe_run))
    app.get("/static/{name}")(send_file)
    return app


#: Runs on the page of one table.
_RUNS = 60


async def refuse_nul(request: Request) -> None:
    """A NUL is in no name, and no database takes one in a question."""
    if any("\x00" in text for pair in request.query_params.multi_items() for text in pair):
        raise HTTPException(400, "A parameter of the address holds a NUL character.")


def show_tables(session: Session, user: GetUserDep) -> HTMLResponse:
    """The page of all tables."""
    overview = read_overview(session, partial(keep_readable, user=user))
    errors_of = _keep_errors([table.run_dag_id for table in overview.tables], user)
    return _page(render_overview(overview, errors_of))


def list_tables(session: Session, user: GetUserDep) -> JSONResponse:
    """The same as JSON; error texts need a right of their own."""
    overview = read_overview(session, partial(keep_readable, user=user))
    errors_of = _keep_errors([table.run_dag_id for table in overview.tables], user)
    tables = [
        asdict(table) | ({} if table.run_dag_id in errors_of else {"error": None})
        for table in overview.tables
    ]
    return _json({"tables": tables, "unreadable": overview.unreadable, "now": overview.now})


def show_table(source: str, target: str, session: Session, user: GetUserDep) -> HTMLResponse:
    """The page of one table: its runs by DAGs that the user may read."""
    found = read_table(session, source, target, partial(keep_readable, user=user), limit=_RUNS)
    errors_of = _keep_errors({run["dag_id"] for run in found.runs}, user)
    return _page(render_table(found, source, target, errors_of))


def show_help() -> HTMLResponse:
    """What to do when a task fails."""
    return _page(render_help())


def _keep_errors(dag_ids: Iterable[str], user: Any) -> set[str]:
    return keep_readable(dag_ids, user, DagAccessEntity.TASK_LOGS)


#: What this process has seen of the runs that people look at.
_WATCH = ProgressWatch()


def _build(rows: RunRows, tasks: Sequence[TaskState]) -> RunBoard:
    since = _WATCH.observe(rows.run["run_id"], describe_progress(rows), rows.run["now"])
    return build_board(rows, tasks, still_since=since)


def show_run(
    dag_id: str,
    run_id: str,
    session: Session,
    user: GetUserDep,
    page: Annotated[int, Query(ge=0, le=10_000)] = 0,
) -> HTMLResponse:
    """The page of a DAG run.

    :param page: of the list of files.
    """
    tasks = read_tasks(session, dag_id, run_id)
    found = read_run(session, dag_id, run_id, tasks, page=page)
    rights = read_rights(dag_id, user)
    if found.rows is None:
        return _page(render_empty_run(found, dag_id, run_id, tasks, rights))
    return _page(render_run(_build(found.rows, tasks), dag_id, run_id, rights))


def describe_run(dag_id: str, run_id: str, session: Session, user: GetUserDep) -> JSONResponse:
    """The state of a DAG run, as JSON."""
    tasks = read_tasks(session, dag_id, run_id)
    found = read_run(session, dag_id, run_id, tasks)
    if found.rows is None:
        raise HTTPException(404, "No ledger has this DAG run.")
    rights = read_rights(dag_id, user)
    board = _build(found.rows, tasks)
    failures = [
        asdict(failure) | ({} if rights.read_errors else {"error": None}) for failure in board.failures
    ]
    names = (
        "run_id",
        "source",
        "target",
        "mode",
        "outcome",
        "failed_step",
        "target_check",
        "filter",
        "snapshot",
        "source_rows",
        "started_at",
        "published_at",
    )
    halves = {
        name: {
            "rows_total": half.rows_total,
            "rows_done": half.rows_done,
            "bytes_done": half.bytes_done,
            "rows_per_second": half.recent_rate or half.rate,
            "seconds_left": half.seconds_left,
        }
        for name, half in (("unload", board.unload), ("load", board.load))
    }
    return _json(
        {name: board.run[name] for name in names}
        | halves
        | {
            "live": board.live,
            "stalled_since": board.stall.since if board.stall else None,
            "seconds_left": board.run_seconds_left,
            "steps": [asdict(step) for step in board.steps],
            "failures": failures,
            "verified": board.verdict.word,
            "counts": [asdict(place) for place in board.verdict.places],
        }
    )


def send_file(name: str) -> FileResponse:
    """The style sheet, the script and the icons; nothing else."""
    if name not in _FILES:
        raise HTTPException(404, "There is no such file.")
    headers = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
    return FileResponse(STATIC / name, media_type=_FILES[name], headers=headers)


def _page(html: str) -> HTMLResponse:
    return HTMLResponse(html, headers=_HEADERS)


def _json(content: Any) -> JSONResponse:
    return JSONResponse(jsonable_encoder(content), headers=_HEADERS)
