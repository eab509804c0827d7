"""The doctor's report, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from snowmelt.core.doctor.findings import Finding, Status, count_statuses

_ORDER = {Status.WRONG: 0, Status.UNKNOWN: 1, Status.ATTENTION: 2, Status.OK: 3}


def build_report(findings: Sequence[Finding]) -> str:
    """What is wrong first, each with what mends it, then a table of all checks.

    :param findings: in the order of the checks.
    """
    counts = ", ".join(f"{count} {status}" for status, count in count_statuses(findings).items() if count)
    parts = ["# Migration doctor", counts or "Nothing was checked."]
    mended = [finding for finding in findings if finding.status is not Status.OK]
    if mended:
        parts.append("## To be done")
        parts += [_describe(finding) for finding in sorted(mended, key=lambda one: _ORDER[one.status])]
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
