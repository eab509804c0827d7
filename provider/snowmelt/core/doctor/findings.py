"""What a check found, as values: a check's name, how it stands, what was found, and what mends it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from snowmelt.core.settings.secret_looks import hide_secrets

#: A finding travels by XCom: a driver's longest message is cut here.
MOST_CHARACTERS = 1500


class Status(StrEnum):
    """How a check stands."""

    OK = "OK"
    #: Works, but somebody should know: a masked column, no time travel.
    ATTENTION = "ATTENTION"
    WRONG = "WRONG"
    #: Could not be asked, because something before it is wrong.
    UNKNOWN = "NOT CHECKED"


@dataclass(frozen=True, slots=True)
class Remedy:
    """What mends a finding, and where that is run."""

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

    #: As core/doctor/checks.py names it.
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
        """A plain dict, as it stands in an XCom."""
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
    if len(shown) > MOST_CHARACTERS:
        shown = shown[: MOST_CHARACTERS - 1] + "…"
    return Finding(check, subject, status, shown, remedy)


def count_statuses(findings: Iterable[Finding]) -> dict[str, int]:
    """How many findings have each status, all four named."""
    listed = [finding.status for finding in findings]
    return {status.value: listed.count(status) for status in Status}
