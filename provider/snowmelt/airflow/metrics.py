"""What dashboards and alerts read: a run's outcome, rows, bytes, seconds and lag, by Airflow's own metrics (StatsD, OpenTelemetry, DataDog).

Each is sent twice, as Airflow sends its own: with tags, and with the DAG in its name for a StatsD that knows no tags.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import datetime, timedelta

from snowmelt.steps.report import Report
from snowmelt.vocabulary import Outcome

log = logging.getLogger(__name__)


def send_failure(dag_id: str, target: str, step: str) -> None:
    """Count a failed run."""
    tags = {
        "dag_id": dag_id,
        "target": target,
        "outcome": str(Outcome.FAILED),
        "step": step.partition(" ")[0],
    }
    _send("snowmelt.run.ended", dag_id, lambda stats, name, given: stats.incr(name, tags=given), tags)


def send_run(report: Report) -> None:
    """Count a run that ended well, and say what it copied."""
    dag_id = report.dag_id or ""
    tags = {"dag_id": dag_id, "target": report.target, "outcome": report.outcome}
    _send("snowmelt.run.ended", dag_id, lambda stats, name, given: stats.incr(name, tags=given), tags)
    gauges = {
        "snowmelt.run.rows": report.loaded_rows,
        "snowmelt.run.bytes": report.bytes,
        "snowmelt.target.lag_seconds": find_lag(report),
    }
    for metric, value in gauges.items():
        if value is not None:
            _send(
                metric,
                dag_id,
                lambda stats, name, given, value=value: stats.gauge(name, value, tags=given),
                tags,
            )
    seconds = next((step.seconds for step in report.steps if step.name == "all"), None)
    if seconds is not None:
        elapsed = timedelta(seconds=seconds)
        _send(
            "snowmelt.run.seconds",
            dag_id,
            lambda stats, name, given: stats.timing(name, elapsed, tags=given),
            tags,
        )


#: What Airflow takes in the name of a metric: other letters of a DAG's id would drop it.
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_.-]")


def find_lag(report: Report) -> float | None:
    """Seconds between the instant that was read and the end of the run; None without a snapshot."""
    if not report.snapshot or not report.finished_at:
        return None
    moment = report.snapshot.partition(" +")[0]
    read = datetime.fromisoformat(f"{moment[:26]}+00:00")
    return (datetime.fromisoformat(report.finished_at) - read).total_seconds()


def _send(metric: str, dag_id: str, send: Callable[..., None], tags: dict[str, str]) -> None:
    from airflow.providers.common.compat.sdk import Stats  # it has moved between Airflow 3.1 and 3.3

    try:
        send(Stats, metric, {name: value for name, value in tags.items() if value})
        if dag_id:
            send(Stats, f"{metric}.{_NOT_IN_A_NAME.sub('_', dag_id)}", None)
    except Exception:
        log.exception("The metric %s could not be sent", metric)
