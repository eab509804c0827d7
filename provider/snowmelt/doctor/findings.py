"""What a check found, as values, what fixes it, and the report of all findings, as Markdown.

The doctor's tasks and checks by name: a test compares docs/doctor.md with this list. What fixes a finding: the grants and policies
of `snowmelt.rights`, and the statements that are not grants. Every name is quoted; an administrator reads a remedy before it is run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from snowmelt.config.faults import hide_secrets
from snowmelt.rights import postgres as postgres_rights
from snowmelt.rights import snowflake as snowflake_rights
from snowmelt.rights.iam import Principal, StagedPlace, build_policy
from snowmelt.rights.snowflake import SourceKind
from snowmelt.sql.names import LEDGER_SCHEMA, TableName, snowflake_identifier, snowflake_literal

#: A finding travels by XCom: a driver's longest message is cut here.
MAX_CHARACTERS = 1500


class Status(StrEnum):
    """The result of a check."""

    OK = "OK"
    #: Works, but needs attention: a masked column, no time travel.
    ATTENTION = "ATTENTION"
    WRONG = "WRONG"
    #: Could not be asked, because something before it is wrong.
    UNKNOWN = "NOT CHECKED"


@dataclass(frozen=True, slots=True)
class Remedy:
    """What fixes a finding, and where that is run."""

    #: Snowflake, PostgreSQL, AWS IAM, Airflow, the configuration file, the worker.
    where: str
    #: SQL statements in their order, a JSON policy, or a sentence.
    steps: tuple[str, ...]
    #: sql, json, or empty for a sentence.
    language: str = ""

    def to_text(self) -> str:
        """The steps as they are pasted: statements end in a semicolon."""
        return "\n".join(f"{step};" if self.language == "sql" else step for step in self.steps)


def snowflake_sql(*statements: str) -> Remedy:
    """SQL to be run in Snowflake, by a role that may."""
    return Remedy("Snowflake", statements, "sql")


def postgres_sql(*statements: str) -> Remedy:
    """SQL to be run in PostgreSQL's target database, by the owner of what it names."""
    return Remedy("PostgreSQL", statements, "sql")


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check on one subject."""

    #: A name of CHECKS.
    check: str
    #: A connection, table, stage …
    subject: str
    status: Status
    #: What was found, in a sentence.
    found: str
    remedy: Remedy | None = None

    @property
    def fails(self) -> bool:
        """Whether the task that made it has to fail."""
        return self.status in {Status.WRONG, Status.UNKNOWN}

    def to_text(self) -> str:
        """One finding as a message that a person can act on."""
        text = f"{self.check}, {self.subject}: {self.found}"
        if self.remedy is None:
            return text
        return f"{text}\nTo be done in {self.remedy.where}:\n{self.remedy.to_text()}"

    def to_json(self) -> dict[str, Any]:
        """A plain dict, as an XCom holds it."""
        return {
            "check": self.check,
            "subject": self.subject,
            "status": self.status.value,
            "found": self.found,
            "remedy": None
            if self.remedy is None
            else {
                "where": self.remedy.where,
                "steps": list(self.remedy.steps),
                "language": self.remedy.language,
            },
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Finding:
        """The finding that `to_json` wrote."""
        remedy = data["remedy"]
        return cls(
            data["check"],
            data["subject"],
            Status(data["status"]),
            data["found"],
            None if remedy is None else Remedy(remedy["where"], tuple(remedy["steps"]), remedy["language"]),
        )


def found(check: str, subject: str, status: Status, text: object, remedy: Remedy | None = None) -> Finding:
    """A finding whose text holds nothing secret and is not too long."""
    shown = hide_secrets(str(text))
    if len(shown) > MAX_CHARACTERS:
        shown = shown[: MAX_CHARACTERS - 1] + "…"
    return Finding(check, subject, status, shown, remedy)


def count_statuses(findings: Iterable[Finding]) -> dict[str, int]:
    """How many findings have each status, all four named."""
    listed = [finding.status for finding in findings]
    return {status.value: listed.count(status) for status in Status}


#: Task → its checks, and what each asks.
CHECKS: dict[str, dict[str, str]] = {
    "snowflake": {
        "Snowflake session": "does the connection open a session, with a role and a warehouse",
        "Warehouse": "may the role change the warehouse's size, where warehouse_size is configured",
    },
    "aws": {
        "S3 session": "has the connection credentials, and is a temporary key complete",
        "S3 region": "is the bucket in the connection's region",
        "S3 list": "may the connection list the bucket",
        "S3 get": "may the connection read objects",
        "S3 clean-up": "may the clean-up connection, where there is one, delete objects",
    },
    "postgres": {
        "PostgreSQL session": "does the connection open a session that can write, version 14 or later, UTF-8",
        "Ledger": "may the role create the schema snowmelt, or read and write the tables in it",
        "aws_s3": "may the role use the extension, where the configuration relies on it",
    },
    "stage": {
        "Stage": "does the stage exist, external and on the configured bucket; without one, are such unloads allowed",
        "Integration": "is the storage integration enabled, is the bucket allowed, may its IAM role read, write, list, delete",
    },
    "unload": {
        "Unload": "does Snowflake write one row and a manifest",
        "Staged files": "does Python read them at the sizes that Snowflake returned",
        "Removal": "does Snowflake's REMOVE remove them again",
        "Regions": "are the account and the bucket in the same region, or at least in the same partition of AWS",
    },
    "table": {
        "Source": "may the role read the table, and has every column a place in the target",
        "Time travel": "is the table's retention at least a day, so that all chunks read one snapshot",
        "Change tracking": "in mode changes, does Snowflake record what changes in the table",
        "Policies": "do masking, row access, projection or aggregation policies apply to it, by a tag or by themselves",
        "Target": "may the PostgreSQL role make, fill and replace the table",
    },
    "clocks": {
        "Clocks": "do worker, Snowflake and PostgreSQL agree on the time",
    },
    "assumptions": {
        "Assumption": "does the account behave as the copy relies on: see docs/live-account.md",
    },
    "leftovers": {
        "Runs": "has every run an outcome in the ledger whose process is gone; where not, it is recorded as failed",
        "Staging tables": "are tables of dead runs left in the target database",
        "Indexes": "does every index exist again that a publish dropped (defer_indexes)",
        "Sessions": "are transactions of Snowmelt idle or prepared in PostgreSQL",
        "Queries": "do queries of Snowmelt run in Snowflake for longer than a day",
        "Test files": "are files of a previous doctor left in the bucket",
    },
}

#: Hours without a sign of life after which what a run left is a leftover.
DEAD_AFTER_HOURS = 24
#: Seconds that two clocks may differ by. AWS refuses requests that are 15 minutes off; freshness is shown in minutes.
MAX_CLOCK_SECONDS = 60.0


_ORDER = {Status.WRONG: 0, Status.UNKNOWN: 1, Status.ATTENTION: 2, Status.OK: 3}


def build_report(findings: Sequence[Finding]) -> str:
    """What is wrong first, each with what fixes it, then a table of all checks.

    :param findings: in the order of the checks.
    """
    counts = ", ".join(f"{count} {status}" for status, count in count_statuses(findings).items() if count)
    parts = ["# Migration doctor", counts or "Nothing was checked."]
    open_ = [finding for finding in findings if finding.status is not Status.OK]
    if open_:
        parts.append("## To be done")
        parts += [_describe(finding) for finding in sorted(open_, key=lambda one: _ORDER[one.status])]
    rows = [
        f"| {_cell(finding.check)} | {_cell(finding.subject)} | {finding.status} | {_cell(finding.found)} |"
        for finding in findings
    ]
    parts.append("## All checks")
    parts.append("\n".join(["| check | of | result | found |", "| --- | --- | --- | --- |", *rows]))
    return "\n\n".join(parts) + "\n"


def _describe(finding: Finding) -> str:
    text = f"### {finding.status}: {finding.check}, {_line(finding.subject)}\n\n{_line(finding.found)}"
    remedy = finding.remedy
    if remedy is None:
        return text
    steps = remedy.to_text()
    if not remedy.language:
        return f"{text}\n\nIn {remedy.where}: {_line(steps)}"
    fence = "```"
    while fence in steps:
        fence += "`"
    return f"{text}\n\nIn {remedy.where}:\n\n{fence}{remedy.language}\n{steps}\n{fence}"


def _line(text: str) -> str:
    return " ".join(text.split())


def _cell(text: str) -> str:
    return _line(text).replace("|", "\\|")


def policy(principal: Principal, place: StagedPlace) -> Remedy:
    """The identity policy of a role that lacks a right on the bucket."""
    return Remedy("AWS IAM", (build_policy(principal, place).rstrip(),), "json")


def grant_login(user: str, role: str | None, warehouse: str | None) -> Remedy:
    """The role and the warehouse of a session that does not open, as far as its connection names them."""
    who = snowflake_identifier(user) if user else "<user>"
    statements = [f"GRANT ROLE {snowflake_identifier(role)} TO USER {who}"] if role else []
    if role and warehouse:
        grants = snowflake_rights.warehouse_grants(warehouse, resized=False)
        statements += snowflake_rights.grant_statements(grants, role)
    return snowflake_sql(*(statements or [f"DESC USER {who}"]))


def set_defaults(user: str, lacks: Iterable[str]) -> Remedy:
    """What a session begins with.

    :param lacks: role, warehouse or both.
    """
    who = snowflake_identifier(user)
    return snowflake_sql(*(f"ALTER USER {who} SET DEFAULT_{name.upper()} = <{name}>" for name in lacks))


def grant_warehouse(warehouse: str, role: str) -> Remedy:
    """To change the warehouse's size."""
    grants = snowflake_rights.warehouse_grants(warehouse, resized=True)
    return snowflake_sql(*snowflake_rights.grant_statements(grants, role))


def create_stage(
    stage: tuple[str, str, str], place: StagedPlace, integration: str | None, role: str
) -> Remedy:
    """A stage on the bucket, and the right to use it."""
    by = snowflake_identifier(integration) if integration else "<storage integration>"
    return snowflake_sql(
        f"CREATE STAGE IF NOT EXISTS {snowflake_identifier(*stage)} URL = {snowflake_literal(place.url)} "
        f"STORAGE_INTEGRATION = {by}",
        *snowflake_rights.grant_statements(snowflake_rights.stage_grants(*stage), role),
    )


def move_stage(stage: tuple[str, str, str], place: StagedPlace) -> Remedy:
    """The stage that points to another bucket."""
    url = snowflake_literal(place.url)
    return snowflake_sql(f"ALTER STAGE {snowflake_identifier(*stage)} SET URL = {url}")


def grant_integration(integration: str, role: str) -> Remedy:
    """To unload without a stage."""
    grants = snowflake_rights.integration_grants(integration)
    return snowflake_sql(*snowflake_rights.grant_statements(grants, role))


def allow_location(integration: str, allowed: Sequence[str], wanted: str) -> Remedy:
    """The integration's allowed locations with one more."""
    listed = ", ".join(snowflake_literal(location) for location in [*allowed, wanted])
    return snowflake_sql(
        f"ALTER STORAGE INTEGRATION {snowflake_identifier(integration)} SET STORAGE_ALLOWED_LOCATIONS = ({listed})"
    )


def enable_integration(integration: str) -> Remedy:
    """The integration that is switched off."""
    return snowflake_sql(f"ALTER STORAGE INTEGRATION {snowflake_identifier(integration)} SET ENABLED = TRUE")


def use_stage() -> Remedy:
    """The form with a stage, which account policies and private connectivity allow."""
    return Remedy(
        "the configuration file",
        ("Set stage_database, stage_schema and stage_name; airflow snowmelt setup-sql writes the stage.",),
    )


def grant_source(table: TableName, kind: SourceKind, role: str) -> Remedy:
    """To read a source."""
    grants = snowflake_rights.source_grants(table, kind)
    return snowflake_sql(*snowflake_rights.grant_statements(grants, role))


def set_retention(table: TableName, days: int = 1) -> Remedy:
    """So many days of time travel; more than one needs Snowflake's Enterprise Edition."""
    return snowflake_sql(f"ALTER TABLE {table.sql} SET DATA_RETENTION_TIME_IN_DAYS = {days:d}")


def grant_ledger(role: str, *, exists: bool) -> Remedy:
    """The schema of the ledger, or the rights in one that another role owns."""
    if not exists:
        return postgres_sql(postgres_rights.create_schema(LEDGER_SCHEMA, role))
    grants = postgres_rights.ledger_grants(exists=True)
    return postgres_sql(*postgres_rights.grant_statements(grants, role))


def grant_aws_s3(role: str, *, installed: bool) -> Remedy:
    """The extension, and the right to use it."""
    grants = postgres_rights.grant_statements(postgres_rights.aws_s3_grants(), role)
    return postgres_sql(*(() if installed else (postgres_rights.CREATE_AWS_S3,)), *grants)
