"""What Airflow knows: who may see what, the DAGs of migrations, their next runs, the states of their tasks.

Airflow's own authentication and its own rights to DAGs are asked for every route.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import get_user, requires_access_dag
from airflow.models.dag import DagModel, DagTag
from airflow.models.dagrun import DagRun
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.taskinstance import TaskInstance
from airflow.utils.state import DagRunState, TaskInstanceState
from fastapi import Depends
from sqlalchemy import func, select, tuple_

from snowmelt.progress.plots import TaskState
from snowmelt.progress.table_status import AirflowRun, DagState

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

#: A user who may list DAGs may open the page of all tables. It shows only rows of DAGs that this user may read.
MAY_LIST = [Depends(get_user), Depends(requires_access_dag("GET"))]
#: The DAG of the query parameter `dag_id`, its runs and its task instances.
MAY_READ_RUN = [
    Depends(get_user),
    Depends(requires_access_dag("GET")),
    Depends(requires_access_dag("GET", DagAccessEntity.RUN)),
    Depends(requires_access_dag("GET", DagAccessEntity.TASK_INSTANCE)),
]


@dataclass(frozen=True, slots=True)
class Rights:
    """What a user may do with a DAG beyond looking at its runs."""

    #: Error texts come from task logs.
    read_errors: bool
    clear_tasks: bool


def keep_readable(
    dag_ids: Iterable[str], user: Any, entity: DagAccessEntity = DagAccessEntity.RUN
) -> set[str]:
    """Those of the DAGs whose runs (or logs) the user may read; DAGs that Airflow has forgotten are asked for as well."""
    wanted = sorted(set(dag_ids))
    teams = DagModel.get_dag_id_to_team_name_mapping(wanted) if wanted else {}
    manager = get_auth_manager()
    return {
        dag_id
        for dag_id in wanted
        if all(
            manager.is_authorized_dag(
                method="GET",
                access_entity=part,
                details=DagDetails(id=dag_id, team_name=teams.get(dag_id)),
                user=user,
            )
            for part in (None, entity)
        )
    }


def read_rights(dag_id: str, user: Any) -> Rights:
    """What the user may do with this DAG."""
    details = DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id))
    manager = get_auth_manager()
    return Rights(
        read_errors=manager.is_authorized_dag(
            method="GET", access_entity=DagAccessEntity.TASK_LOGS, details=details, user=user
        ),
        clear_tasks=manager.is_authorized_dag(
            method="PUT", access_entity=DagAccessEntity.TASK_INSTANCE, details=details, user=user
        ),
    )


#: The tag of every DAG that the factory makes.
TAG = "snowmelt"
#: Where the ledger is searched while Airflow has no DAG of Snowmelt.
DEFAULT_CONNECTION = "postgres_default"
#: A DAG's connection hardly ever changes, and reading it means reading the whole serialized DAG.
_KEPT_SECONDS = 60.0

_kept: dict[str, tuple[float, Settings]] = {}


@dataclass(frozen=True, slots=True)
class Settings:
    """What the pages need of a DAG's tasks, which the serialized DAG has."""

    #: The Airflow connection that holds its ledger; None: the DAG names none.
    postgres_conn_id: str | None = None
    #: Seconds; None: not configured.
    expect_fresh_within: int | None = None


def read_dags(session: Session) -> dict[str, DagState]:
    """All DAGs of Snowmelt's that Airflow has now."""
    found = session.execute(
        select(DagModel.dag_id, DagModel.is_paused, DagModel.next_dagrun_create_after)
        .join(DagTag, DagTag.dag_id == DagModel.dag_id)
        .where(DagTag.name == TAG, DagModel.is_stale.is_(False))
    )
    rows = [(dag_id, bool(paused), next_run) for dag_id, paused, next_run in found]
    settings = read_settings(session, [dag_id for dag_id, _, _ in rows])
    return {
        dag_id: DagState(dag_id, paused, next_run, settings[dag_id].expect_fresh_within)
        for dag_id, paused, next_run in rows
    }


def read_settings(session: Session, dag_ids: Iterable[str]) -> dict[str, Settings]:
    """What each DAG's tasks say; a DAG that Airflow does not have says nothing."""
    wanted = set(dag_ids)
    now = time.monotonic()
    stale = [dag_id for dag_id in wanted if dag_id not in _kept or _kept[dag_id][0] < now - _KEPT_SECONDS]
    if stale:
        for row in SerializedDagModel.get_latest_serialized_dags(dag_ids=stale, session=session):
            _kept[row.dag_id] = (now, find_settings(row.data or {}))
    return {dag_id: _kept[dag_id][1] if dag_id in _kept else Settings() for dag_id in wanted}


def read_connections(session: Session, dag_ids: Iterable[str]) -> dict[str, str]:
    """The Airflow connection that holds each DAG's ledger; without the DAGs that name none."""
    found = read_settings(session, dag_ids)
    return {dag_id: one.postgres_conn_id for dag_id, one in found.items() if one.postgres_conn_id}


def find_settings(serialized: Mapping[str, Any]) -> Settings:
    """The settings in a serialized DAG: of the first task that has each."""
    tasks = [task.get("__var", task) for task in serialized.get("dag", {}).get("tasks", [])]
    conn_ids = (task.get("postgres_conn_id") for task in tasks)
    seconds = (task.get("expect_fresh_within") for task in tasks)
    return Settings(
        next((one for one in conn_ids if isinstance(one, str) and one), None),
        next((one for one in seconds if isinstance(one, int)), None),
    )


def read_latest_runs(session: Session, dag_ids: Iterable[str]) -> dict[str, AirflowRun]:
    """The latest run of each DAG."""
    newest = (
        select(DagRun.dag_id, func.max(DagRun.id).label("id"))
        .where(DagRun.dag_id.in_(list(dag_ids)))
        .group_by(DagRun.dag_id)
        .subquery()
    )
    return {run.dag_id: run for run in _read_runs(session, DagRun.id.in_(select(newest.c.id)))}


def read_runs(session: Session, names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], AirflowRun]:
    """These DAG runs, (dag_id, run_id), as far as Airflow still has them."""
    wanted = tuple_(DagRun.dag_id, DagRun.run_id).in_(list(names))
    return {(run.dag_id, run.run_id): run for run in _read_runs(session, wanted)}


def _read_runs(session: Session, wanted: Any) -> list[AirflowRun]:
    rows = session.execute(
        select(DagRun.dag_id, DagRun.run_id, DagRun.state, DagRun.run_after, DagRun.end_date).where(wanted)
    ).all()
    unwell = [(row.dag_id, row.run_id) for row in rows if str(row.state) != DagRunState.SUCCESS.value]
    failed: dict[tuple[str, str], list[str]] = {}
    if unwell:
        tasks = select(TaskInstance.dag_id, TaskInstance.run_id, TaskInstance.task_id).distinct()
        where = tuple_(TaskInstance.dag_id, TaskInstance.run_id).in_(unwell)
        for dag_id, run_id, task_id in session.execute(
            tasks.where(where, TaskInstance.state == TaskInstanceState.FAILED)
        ):
            failed.setdefault((dag_id, run_id), []).append(task_id)
    return [
        AirflowRun(
            row.dag_id, row.run_id, str(getattr(row.state, "value", row.state)), row.run_after, row.end_date,
            tuple(sorted(failed.get((row.dag_id, row.run_id), ()))),
        )
        for row in rows
    ]  # fmt: skip


def read_tasks(session: Session, dag_id: str, run_id: str) -> list[TaskState]:
    """The task instances of a DAG run; empty when Airflow has forgotten it."""
    rows = session.execute(
        select(  # type: ignore[call-overload]  # one column is of a type that SQLAlchemy's overloads do not know
            TaskInstance.task_id,
            TaskInstance.map_index,
            TaskInstance.state,
            TaskInstance.rendered_map_index,
            TaskInstance.start_date,
            TaskInstance.end_date,
            TaskInstance.try_number,
            TaskInstance.hostname,
        ).where(TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id)
    )
    return [
        TaskState(
            task_id=task_id,
            map_index=map_index,
            state=None if state is None else str(getattr(state, "value", state)),
            label=label,
            started=started,
            ended=ended,
            try_number=try_number or 0,
            worker=worker or "",
        )
        for task_id, map_index, state, label, started, ended, try_number, worker in rows
    ]
