"""Setup and teardown around the unload: a larger warehouse for the burst, and the old size afterwards, whatever happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snowmelt.airflow.planned_run import PlannedRunOperator
from snowmelt.airflow.retrying import failing_fast
from snowmelt.airflow.sessions import postgres_session, run_session, snowflake_session, task_tag

if TYPE_CHECKING:
    from airflow.sdk import Context


class WarehouseResizeOperator(PlannedRunOperator):
    """Set the warehouse to the plan's size for a run's unload; the size it had is in the ledger first.

    Returns {warehouse, original, size}; nothing when the run has nothing to unload, or was planned without a size.
    """

    def execute(self, context: Context) -> dict[str, str]:
        """Record the size, then change it."""
        from snowmelt.steps.planning import read_plan
        from snowmelt.steps.source import resize_warehouse

        with failing_fast(), postgres_session(self.postgres_conn_id) as postgres:
            plan = read_plan(postgres, self.run_id)
            if not plan.chunks or plan.warehouse_size is None:
                return {}
            with run_session(self.snowflake_conn_id, plan, context) as snowflake:
                return resize_warehouse(postgres, snowflake, plan.run_id, plan.warehouse_size)


class WarehouseRestoreOperator(PlannedRunOperator):
    """Set the warehouse of a run back to the size it had, once no other run unloads by it.

    Returns the size, or None when nothing was to be done.
    """

    def execute(self, context: Context) -> str | None:
        """Change it back."""
        from snowmelt.steps.source import restore_warehouse

        with (
            failing_fast(),
            postgres_session(self.postgres_conn_id) as postgres,
            snowflake_session(self.snowflake_conn_id, tag=task_tag(context)) as snowflake,
        ):
            return restore_warehouse(postgres, snowflake, self.run_id)
