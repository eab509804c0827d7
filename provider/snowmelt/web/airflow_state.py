"""What Airflow's own database knows of migrations: their DAGs, their next runs, the states of their tasks."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.models.dag import DagModel, DagTag
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.taskinstance import TaskInstance
from sqlalchemy import select

from snowmelt.progress.spans import TaskState

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

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
