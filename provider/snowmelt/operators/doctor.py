"""Operators of the doctor: one check a task, and the report of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from snowmelt.airflow.versions import AirflowFailException
from snowmelt.doctor.findings import CHECKS, DEAD_AFTER_HOURS, Finding, Status, build_report, count_statuses

if TYPE_CHECKING:
    from airflow.sdk import Context

    from snowmelt.config.file import Config

#: XCom key of a check's findings: a list of small dicts.
FINDINGS_KEY = "findings"


@dataclass(frozen=True, slots=True)
class CheckedConfig:
    """The configuration that is checked, shown by its file's name: Airflow writes a mapped task's arguments into its database as text."""

    origin: str
    config: Config = field(repr=False)


class MigrationCheckOperator(BaseOperator):
    """Run one group of checks; fail, after all of them, when one is wrong.

    Returns how many findings have each status; the findings themselves are under the XCom key `findings`.

    :param config: the configuration that is checked.
    :param check: a key of `snowmelt.doctor.findings.CHECKS`.
    :param dag_id: the configured table, for the check `table`.
    """

    template_fields: Sequence[str] = ()
    ui_color = "#e8def8"

    def __init__(
        self, *, config: CheckedConfig, check: str, dag_id: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.config = config.config
        self.check = check
        self.table_dag_id = dag_id

    @property
    def map_label(self) -> str:
        """What the mapped task is called."""
        return str(self.table_dag_id or self.check)

    def execute(self, context: Context) -> dict[str, int]:
        """Check, hand the findings to the report, fail where one is wrong."""
        from snowmelt.airflow.doctor import Doctor, run_check

        params = context["params"]
        table = self.config.table(self.table_dag_id) if self.table_dag_id else None
        doctor = Doctor(
            self.config,
            table,
            remove=bool(params.get("remove_leftovers", False)),
            hours=int(params.get("dead_after_hours", DEAD_AFTER_HOURS)),
        )
        findings = run_check(self.check, doctor)
        context["ti"].xcom_push(key=FINDINGS_KEY, value=[finding.to_json() for finding in findings])
        for finding in findings:
            self.log.info("%s: %s, %s: %s", finding.status, finding.check, finding.subject, finding.found)
        wrong = [finding for finding in findings if finding.fails]
        if wrong:
            raise AirflowFailException("\n\n".join(finding.to_text() for finding in wrong))
        return count_statuses(findings)


class MigrationDoctorReportOperator(BaseOperator):
    """Print the report of all checks, Markdown, and fail when one of them is wrong.

    Returns how many findings have each status.

    :param tasks: the ids of the checks' tasks, in the report's order.
    """

    template_fields: Sequence[str] = ()
    ui_color = "#e8def8"

    def __init__(self, *, tasks: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tasks = tuple(tasks)

    def execute(self, context: Context) -> dict[str, int]:
        """Collect the findings of all tasks, the failed ones too."""
        findings: list[Finding] = []
        for task_id in self.tasks:
            pushed = context["ti"].xcom_pull(task_ids=task_id, key=FINDINGS_KEY)
            findings += _flatten(task_id, pushed)
        counts = count_statuses(findings)
        self.log.info("The report:\n%s", build_report(findings))
        wrong = counts[Status.WRONG] + counts[Status.UNKNOWN]
        if wrong:
            raise AirflowFailException(f"{wrong} checks are wrong; the report above says what fixes each.")
        return counts


def _flatten(task_id: str, pushed: Any) -> list[Finding]:
    """What one task pushed, or the tasks of one map; a task that died without a word is a finding too."""
    lists = [pushed] if pushed and isinstance(pushed[0], dict) else list(pushed or ())
    findings = [Finding.from_json(one) for listed in lists for one in listed or ()]
    if not findings and task_id != "table":
        text = "the task ended without a finding: its log says why"
        return [Finding(next(iter(CHECKS[task_id])), task_id, Status.UNKNOWN, text)]
    return findings
