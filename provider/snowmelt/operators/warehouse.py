"""Setup and teardown around the unload: a larger warehouse for the burst, and the old size afterwards, whatever happens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from snowmelt.airflow.retrying import failing_fast
from snowmelt.airflow.sessions import postgres_session, snowflake_session, task_tag

if TYPE_CHECKING:
    from airflow.sdk import Context


class WarehouseResizeOperator(BaseOperator):
    """Set the warehouse to a size for a run's unload; the size it had stands in the ledger first.

    Returns {warehouse, original, size}; nothing when the run has nothing to unload.

    :param run_id: the run's id in the ledger. (templated)
    :param size: `LARGE`, `2X-Large` …
    :param warehouse: its name; None: the connection's.
    """

    template_fields: Sequence[str] = ("run_id",)
    ui_color = "#fff2cc"

    def __init__(
        self,
        *,
        run_id: str,
        size: str,
        warehouse: str | None = None,
        snowflake_conn_id: str = "snowflake_default",
        postgres_conn_id: str = "postgres_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.run_id = run_id
        self.size = size
        self.warehouse = warehouse
        self.snowflake_conn_id = snowflake_conn_id
        self.postgres_conn_id = postgres_conn_id

    def execute(self, context: Context) -> dict[str, str]:
        """Note the size, then change it."""
        from snowmelt.steps.planning import read_plan
        from snowmelt.steps.warehouse import resize_warehouse

        with failing_fast(), postgres_session(self.postgres_conn_id) as postgres:
            if not read_plan(postgres, self.run_id).chunks:
                return {}
            with snowflake_session(
                self.snowflake_conn_id, warehouse=self.warehouse, tag=task_tag(context)
            ) as snowflake:
                return resize_warehouse(postgres, snowflake, self.run_id, self.size)


class WarehouseRestoreOperator(BaseOperator):
    """Set the warehouse of a run back to the size it had, once no other run unloads by it.

    Returns the size, or None when nothing was to be done.

    :param run_id: the run's id in the ledger. (templated)
    """

    template_fields: Sequence[str] = ("run_id",)
    ui_color = "#fff2cc"

    def __init__(
        self,
        *,
        run_id: str,
        snowflake_conn_id: str = "snowflake_default",
        postgres_conn_id: str = "postgres_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.run_id = run_id
        self.snowflake_conn_id = snowflake_conn_id
        self.postgres_conn_id = postgres_conn_id

    def execute(self, context: Context) -> str | None:
        """Change it back."""
        from snowmelt.steps.warehouse import restore_warehouse

        with (
            failing_fast(),
            postgres_session(self.postgres_conn_id) as postgres,
            snowflake_session(self.snowflake_conn_id, tag=task_tag(context)) as snowflake,
        ):
            return restore_warehouse(postgres, snowflake, self.run_id)
