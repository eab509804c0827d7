"""Who may see what: Airflow's own authentication and its own rights to DAGs, asked for every route."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import get_user, requires_access_dag
from airflow.models.dag import DagModel
from fastapi import Depends

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
