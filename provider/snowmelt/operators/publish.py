"""MigrationPublishOperator: the one step that readers of the target notice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from snowmelt.assets import PUBLISHED, published_table
from snowmelt.links import MigrationLink
from snowmelt.tasks.failing import failing_fast
from snowmelt.tasks.sessions import postgres_session

if TYPE_CHECKING:
    from airflow.sdk import Context

    from snowmelt.core.settings.execution import Execution

#: What an asset's event tells of a publish.
_REPORTED = ("method", "rows_before", "rows_after", "inserted", "updated", "deleted", "unchanged")


class MigrationPublishOperator(BaseOperator):
    """Make a verified run's rows the target's, in one transaction with its ledger row.

    A run in mode `test` is not published: its table is dropped. Publishing twice does nothing the second time.

    Returns what the publish did: method, rows_before, rows_after, inserted, updated, deleted, seconds.

    With `snowmelt.assets.PUBLISHED` among its outlets, the table's asset gets an event with the numbers of rows.

    :param run_id: the run's id in the ledger.
    :param execution: how patient to be with locks, and what an index build may use; None: the defaults.
    :param postgres_conn_id: Airflow connection of the target, which holds the ledger. (templated)
    """

    # The connection stands among them so that the serialized DAG tells the pages where the ledger is.
    template_fields: Sequence[str] = ("run_id", "postgres_conn_id")
    ui_color = "#d9ead3"
    operator_extra_links = (MigrationLink(),)

    def __init__(
        self,
        *,
        run_id: str,
        postgres_conn_id: str = "postgres_default",
        execution: Execution | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.run_id = run_id
        self.postgres_conn_id = postgres_conn_id
        self.execution = execution

    def execute(self, context: Context) -> dict[str, Any]:
        """Build the indexes, then publish."""
        from snowmelt.io.publish.run import publish_run
        from snowmelt.io.unload.planning import read_plan

        with failing_fast(), postgres_session(self.postgres_conn_id) as postgres:
            plan = read_plan(postgres, self.run_id)
            if plan.mode == "unload":
                raise AirflowSkipException("Mode unload: nothing was loaded")
            result = publish_run(postgres, plan, self.execution)
        self.log.info("%s: %s", plan.target, result)
        if plan.mode != "test" and PUBLISHED in self.outlets:
            asset = published_table(plan.target_schema, plan.target_table, self.postgres_conn_id)
            extra = {name: result[name] for name in _REPORTED if name in result}
            extra |= {"run_id": plan.run_id, "source": str(plan.source), "snapshot": plan.snapshot}
            context["outlet_events"][PUBLISHED].add(asset, extra=extra)
        return result

    def get_openlineage_facets_on_start(self) -> Any:
        """The table and the files that the rows come from, for OpenLineage's provider."""
        from snowmelt.tasks.lineage import build_publish_lineage

        return build_publish_lineage(self, ended=False)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """The table read and the target written, column by column, for OpenLineage's provider."""
        from snowmelt.tasks.lineage import build_publish_lineage

        return build_publish_lineage(self, ended=True)
