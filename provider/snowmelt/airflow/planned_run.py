"""What the steps of a planned run have in common: the run's id, and the connections of its two databases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseOperator


class PlannedRunOperator(BaseOperator):
    """A step of a run whose plan is in the ledger; everything else is read there.

    :param run_id: the run's id in the ledger. (templated)
    :param snowflake_conn_id: Airflow connection of the source.
    :param postgres_conn_id: Airflow connection of the target, which holds the ledger.
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
