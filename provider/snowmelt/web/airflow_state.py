"""What Airflow knows: who may see what, the DAGs of migrations, their next runs, the states of their tasks.

Airflow's own authentication and its own rights to DAGs are asked for every route.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import get_user, requires_access_dag
from airflow.models.dag import DagModel, DagTag
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.taskinstance import TaskInstance
from fastapi import Depends
from sqlalchemy import select

from snowmelt.progress.plots import TaskState

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


def keep_readable(dag_ids: Iterable[str], user: Any) -> set[str]:
    """Those of the DAGs whose runs the user may read; DAGs that Airflow has forgotten are asked for as well."""
    wanted = sorted(set(dag_ids))
    teams = DagModel.get_dag_id_to_team_name_mapping(wanted) if wanted else {}
    manager = get_auth_manager()
    return {
        dag_id
        for dag_id in wanted
        if all(
            manager.is_authorized_dag(
                method="GET",
                access_entity=entity,
                details=DagDetails(id=dag_id, team_name=teams.get(dag_id)),
                user=user,
            )
            for entity in (None, DagAccessEntity.RUN)
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

_kept: dict[str, tuple[float, str]] = {}


@dataclass(frozen=True, slots=True)
class DagState:
    """A DAG of Snowmelt's, as Airflow has it."""

    dag_id: str
    paused: bool
    #: When the next scheduled run is created; None: no schedule.
    next_run: datetime | None


def read_dags(session: Session) -> dict[str, DagState]:
    """All DAGs of Snowmelt's that Airflow has now."""
    found = session.execute(
        select(DagModel.dag_id, DagModel.is_paused, DagModel.next_dagrun_create_after)
        .join(DagTag, DagTag.dag_id == DagModel.dag_id)
        .where(DagTag.name == TAG, DagModel.is_stale.is_(False))
    )
    return {dag_id: DagState(dag_id, bool(paused), next_run) for dag_id, paused, next_run in found}


def read_connections(session: Session, dag_ids: Iterable[str]) -> dict[str, str]:
    """The Airflow connection that holds each DAG's ledger; without the DAGs that name none."""
    wanted = set(dag_ids)
    now = time.monotonic()
    stale = [dag_id for dag_id in wanted if _kept.get(dag_id, (0.0, ""))[0] < now - _KEPT_SECONDS]
    if stale:
        for row in SerializedDagModel.get_latest_serialized_dags(dag_ids=stale, session=session):
            _kept[row.dag_id] = (now, find_connection(row.data or {}) or "")
    return {dag_id: _kept[dag_id][1] for dag_id in wanted if _kept.get(dag_id, (0.0, ""))[1]}


def find_connection(serialized: Mapping[str, Any]) -> str | None:
    """The postgres_conn_id of the first task that has one, in a serialized DAG."""
    for task in serialized.get("dag", {}).get("tasks", []):
        values = task.get("__var", task)
        found = values.get("postgres_conn_id")
        if isinstance(found, str) and found:
            return found
    return None


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
