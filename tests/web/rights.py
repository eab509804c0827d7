"""Users with different rights, for Airflow's simple auth manager."""

from __future__ import annotations

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

#: User → DAGs that the user may see; every other user may see all.
ONLY = {"narrow": {"migrate__analytics__dimpayer"}, "none": set()}


class SomeDags(SimpleAuthManager):
    """As the simple one, but for two users who may not see every DAG, and one who may not read task logs."""

    def is_authorized_dag(self, *, method, user, access_entity=None, details=None):
        seen = ONLY.get(user.username)
        if seen is not None and details is not None and details.id is not None and details.id not in seen:
            return False
        if user.username == "nologs" and access_entity is DagAccessEntity.TASK_LOGS:
            return False
        return super().is_authorized_dag(
            method=method, user=user, access_entity=access_entity, details=details
        )
