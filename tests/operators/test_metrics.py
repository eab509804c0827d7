"""A run's numbers in Airflow's own metrics, as a backend receives them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from airflow.sdk.observability import stats

from snowmelt.airflow.metrics import send_failure, send_run
from snowmelt.steps.report import build_report

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


class Backend:
    """What Airflow hands to StatsD, OpenTelemetry or DataDog."""

    def __init__(self):
        self.sent = {}

    def incr(self, stat, count=1, rate=1, *, tags=None):
        self.sent[stat] = (count, tags)

    def gauge(self, stat, value, rate=1, delta=False, *, tags=None):
        self.sent[stat] = (value, tags)

    def timing(self, stat, dt, *, tags=None):
        self.sent[stat] = (dt, tags)


@pytest.fixture
def sent():
    backend = Backend()
    stats.initialize(factory=lambda: backend, export_legacy_names=True)
    yield backend.sent
    from airflow.sdk.observability.metrics.stats_utils import get_stats_factory

    stats.initialize(factory=get_stats_factory(), export_legacy_names=True)


def test_a_run_that_ended_well(sent):
    row = dict.fromkeys(
        "run_id dag_run_id mode snapshot_note source_policies error failed_step target_check audit column_rules files_sha256 verification "
        "publish_result staged_files staged_rows staged_at verified_at published_at load_started_at source_rows".split()
    ) | {
        "dag_id": "migrate__a__t", "source": "A.B.T", "target": "public.t", "outcome": "published", "filter": "", "rejected_rows": 0,
        "loaded_rows": 100, "load_ended_at": NOON, "staged_bytes": 5000, "started_at": NOON - timedelta(minutes=2), "finished_at": NOON,
        "snapshot": "2026-11-28 11:57:00.123456789 +0000",
    }  # fmt: skip
    send_run(build_report(row, ()))
    tags = {"dag_id": "migrate__a__t", "target": "public.t", "outcome": "published"}
    assert sent["snowmelt.run.ended"] == (1, tags)
    assert sent["snowmelt.run.rows"] == (100, tags)
    assert sent["snowmelt.run.bytes"] == (5000, tags)
    assert sent["snowmelt.run.seconds"] == (timedelta(minutes=2), tags)
    assert sent["snowmelt.target.lag_seconds"][0] == pytest.approx(179.876544)
    assert sent["snowmelt.run.rows.migrate__a__t"] == (100, None)


def test_a_run_that_failed(sent):
    send_failure("d", "public.t", "load [3]")
    assert sent["snowmelt.run.ended"][1] == {
        "dag_id": "d",
        "target": "public.t",
        "outcome": "failed",
        "step": "load",
    }


def test_a_backend_that_breaks_ends_no_run(sent, caplog, monkeypatch):
    monkeypatch.setattr(Backend, "incr", lambda *_, **__: 1 / 0)
    send_failure("d", "public.t", "load")
    assert "could not be sent" in caplog.text
