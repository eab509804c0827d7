"""A task that fails leaves its reason in the ledger, where the pages show it when Airflow's logs are gone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from snowmelt.tasks.sessions import postgres_session

log = logging.getLogger(__name__)

#: Characters of an error that are kept: its beginning says what failed.
MOST_CHARACTERS = 8000


def build_failure_record(postgres_conn_id: str) -> Callable[[Mapping[str, Any]], None]:
    """A callback for on_failure_callback and on_retry_callback.

    It is for people to read, and nothing decides by it: where it cannot be written, the log says so, and the task fails
    with its own error all the same.
    """

    def record(context: Mapping[str, Any]) -> None:
        try:
            failure = describe_failure(context)
            from snowmelt.io.ledger import write_failure

            with postgres_session(postgres_conn_id) as connection:
                write_failure(connection, failure)
        except Exception as error:  # noqa: BLE001 - the task's own error must not be hidden by this one
            log.warning("The failure could not be noted in the ledger: %s", str(error).splitlines()[:1])

    return record


def describe_failure(context: Mapping[str, Any]) -> dict[str, Any]:
    """What the ledger keeps of a task's failure; what Airflow masks in logs is masked here too."""
    from airflow.sdk.log import redact  # type: ignore[attr-defined]  # it is what the logs are masked by

    ti = context["ti"]
    error = context.get("exception")
    text = str(error).strip() if error is not None else ""
    if error is not None and not text:
        text = type(error).__name__
    task = context.get("task")
    return {
        "dag_id": ti.dag_id,
        "dag_run_id": ti.run_id,
        "task_id": ti.task_id,
        "map_index": ti.map_index if ti.map_index is not None else -1,
        "try_number": ti.try_number,
        "label": str(getattr(task, "map_label", "") or "") or None,
        "error": str(redact(text or "The task ended without an error of its own; its log says more."))[
            :MOST_CHARACTERS
        ].replace("\x00", ""),
    }
