"""The documented notification, executed: the callback stands on every task, and sends the run's report."""

from __future__ import annotations

import re
import sys
from types import ModuleType
from typing import ClassVar

from snowmelt.airflow.retrying import RETRIES
from snowmelt.dag_factory import build_migrate_table, read_config
from tests.conftest import ROOT


class SmtpNotifier:
    """Keeps what it would send."""

    sent: ClassVar[list[SmtpNotifier]] = []

    def __init__(self, *, to: str, subject: str, html_content: str) -> None:
        self.to, self.subject, self.html_content = to, subject, html_content

    def notify(self, context: object) -> None:
        self.sent.append(self)


class Instance:
    dag_id, run_id, task_id = "migrate_table", "manual__never", "load"


def test_the_documented_notification_works(sandbox, monkeypatch):
    text = (ROOT / "docs/notifications.md").read_text()
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    names = {"__file__": str(ROOT / "dags" / "migrate_configured.py")}
    exec(code, names)  # noqa: S102 - the page's own code
    dags = {key: value for key, value in names.items() if key.startswith("migrate__")}
    assert len(dags) == 2
    for dag in dags.values():
        for task in dag.tasks:
            kept = task.partial_kwargs if task.is_mapped else vars(task)
            assert names["send_report"] in _listed(kept["on_failure_callback"]), task.task_id
            assert bool(_listed(kept.get("on_success_callback"))) == (task.task_id == "cleanup")
            assert kept["retries"] == RETRIES

    module = ModuleType("airflow.providers.smtp.notifications.smtp")
    module.SmtpNotifier = SmtpNotifier
    for part in ("airflow.providers.smtp", "airflow.providers.smtp.notifications"):
        monkeypatch.setitem(sys.modules, part, ModuleType(part))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    names["send_report"]({"ti": Instance(), "exception": RuntimeError("no space left")})
    (mail,) = SmtpNotifier.sent
    assert mail.subject == "migrate_table failed"
    assert "no space left" in mail.html_content


def test_default_args_go_over_snowmelts_own():
    config = read_config(ROOT / "include/config/s3copyconfig.json", {})
    dag = build_migrate_table(config, default_args={"retries": 1, "owner": "data"})
    plan = dag.get_task("plan")
    assert (plan.retries, plan.owner) == (1, "data")
    assert plan.retry_exponential_backoff
    assert build_migrate_table(config).get_task("plan").retries == RETRIES


def _listed(callbacks):
    return callbacks if isinstance(callbacks, list) else [] if callbacks is None else [callbacks]
