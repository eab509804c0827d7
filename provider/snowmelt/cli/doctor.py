"""`airflow snowmelt doctor`."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from snowmelt.cli.configuration import answering, read_configuration, use_airflow_connections
from snowmelt.doctor.findings import CHECKS, Finding, build_report, count_statuses
from snowmelt.errors import ConfigurationError, SnowmeltError

if TYPE_CHECKING:
    from snowmelt.airflow.doctor import Doctor
    from snowmelt.config.file import Config
    from snowmelt.doctor.record import Recorder


def run_doctor(arguments: argparse.Namespace) -> None:
    """Run the checks here and print their report; exits with 1 where one is wrong."""
    with answering() as out:
        try:
            config = read_configuration(arguments.config)
        except ConfigurationError as error:
            raise SystemExit(str(error)) from error
        use_airflow_connections()
        findings = _examine(config, arguments.check or tuple(CHECKS), arguments.record)
        if arguments.json:
            shown = {
                "counts": count_statuses(findings),
                "findings": [finding.to_json() for finding in findings],
            }
            out.write(json.dumps(shown, ensure_ascii=False, indent=1) + "\n")
        else:
            out.write(build_report(findings))
    for broken in config.broken:
        sys.stderr.write(f"Not checked, since its configuration is broken: {broken.path}\n")
    if config.broken or any(finding.fails for finding in findings):
        raise SystemExit(1)


def _examine(config: Config, checks: tuple[str, ...], record: str | None) -> list[Finding]:
    """The findings of these checks.

    :param record: the file that all questions and answers are written to; None: none.
    """
    from snowmelt.airflow.doctor import Doctor, run_check
    from snowmelt.airflow.doctor_record import build_recorder

    recorder = build_recorder(config) if record else None
    doctor = Doctor(config, recorder=recorder)
    tables = [Doctor(config, table, recorder=recorder) for table in config.tables if table.enabled]
    findings = [
        finding
        for check in checks
        for each in (tables if check == "table" else [doctor])
        for finding in run_check(check, each)
    ]
    if recorder is not None and record:
        _write(Path(record), recorder, findings, doctor)
    return findings


def _write(path: Path, recorder: Recorder, findings: list[Finding], doctor: Doctor) -> None:
    record = recorder.build(findings, _about(doctor))
    path.write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    sys.stderr.write(
        f"Wrote {path}. No name, value or secret of yours should be in it: look at it before you send it.\n"
    )


def _about(doctor: Doctor) -> dict[str, str]:
    from snowmelt.drivers.snowflake import read_rows

    about = {
        "snowmelt": version("airflow-provider-snowmelt"),
        "airflow": version("apache-airflow-core"),
        "snowflake-connector-python": version("snowflake-connector-python"),
        "python": platform.python_version(),
    }
    try:
        with doctor.snowflake() as session:
            sql = "SELECT CURRENT_VERSION(), CURRENT_REGION()"
            release, region = read_rows(session, sql, "Reading the account's version")[0]
    except SnowmeltError:  # the check `snowflake` says why
        return about
    return about | {"snowflake": str(release), "region": str(region)}
