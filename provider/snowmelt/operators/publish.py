"""MigrationPublishOperator: the one step that readers of the target notice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from snowmelt.links import MigrationLink
from snowmelt.tasks.failing import failing_fast
from snowmelt.tasks.sessions import postgres_session

if TYPE_CHECKING:
    from airflow.sdk import Context


class MigrationPublishOperator(BaseOperator):
    """Make a verified run's rows the target's, in one transaction with its ledger row.

    A run in mode `test` is not published: its table is dropped. Publishing twice does nothing the second time.

    Returns what the publish did: method, rows_before, rows_after, inserted, updated, deleted, seconds.

    :param run_id: the run's id in the ledger.
    :param postgres_conn_id: Airflow connection of the target, which holds the ledger. (templated)
    """

    # The connection stands among them so that the serialized DAG tells the pages where the ledger is.
    template_fields: Sequence[str] = ("run_id", "postgres_conn_id")
    ui_color = "#d9ead3"
    operator_extra_links = (MigrationLink(),)

    def __init__(self, *, run_id: str, postgres_conn_id: str = "postgres_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.run_id = run_id
        self.postgres_conn_id = postgres_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Build the indexes, then publish."""
        from snowmelt.io.publish.run import publish_run
        from snowmelt.io.unload.planning import read_plan

        with failing_fast(), postgres_session(self.postgres_conn_id) as postgres:
            plan = read_plan(postgres, self.run_id)
            if plan.mode == "unload":
                raise AirflowSkipException("Mode unload: nothing was loaded")
            result = publish_run(postgres, plan)
        self.log.info("%s: %s", plan.target, result)
        return result
