"""The link from a task to its run's tab."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseOperatorLink

from snowmelt.core.addresses import build_tab_url

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class MigrationLink(BaseOperatorLink):
    """The tab `Migration` of the task's run."""

    @property
    def name(self) -> str:
        """What the button says."""
        return "Migration"

    @property
    def xcom_key(self) -> str:
        """Where the address is stored."""
        return "migration_link"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The tab's address, below Airflow's own."""
        from airflow.sdk.configuration import conf

        base = conf.get("api", "base_url", fallback="") or ""
        return build_tab_url(base, ti_key.dag_id, ti_key.run_id)
