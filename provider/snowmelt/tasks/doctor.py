"""The doctor's checks, each with the sessions it needs."""

from __future__ import annotations

import logging
from collections.abc import Callable

from snowmelt.core.doctor.checks import CHECKS
from snowmelt.core.doctor.findings import Finding, Status, found
from snowmelt.errors import ConfigurationError, SnowmeltError
from snowmelt.tasks.doctor_sessions import Doctor, SessionFailed

log = logging.getLogger(__name__)


def run_check(name: str, doctor: Doctor) -> list[Finding]:
    """The findings of one task; a session that another check judges is `NOT CHECKED` here.

    :param name: a key of `snowmelt.core.doctor.checks.CHECKS`.
    """
    try:
        findings = _RUN[name](doctor)
    except SessionFailed as error:
        findings = [error.finding]
    except SnowmeltError as error:
        findings = [found(next(iter(CHECKS[name])), name, Status.UNKNOWN, error)]
    except Exception as error:
        log.exception("The check %s broke", name)
        text = f"the check itself broke: {type(error).__name__}: {error}"
        findings = [found(next(iter(CHECKS[name])), name, Status.UNKNOWN, text)]
    own = CHECKS[name].keys()
    return [
        finding
        if finding.check in own
        else found(
            next(iter(own)),
            doctor.table.dag_id if doctor.table else name,
            Status.UNKNOWN,
            f"{finding.check} ({finding.subject}) is wrong: {finding.found}",
            finding.remedy,
        )
        for finding in findings
    ]


def _each(doctor: Doctor, kind: str, check: Callable[[Doctor, str], list[Finding]]) -> list[Finding]:
    findings: list[Finding] = []
    for conn_id in doctor.connections(kind):
        try:
            findings += check(doctor, conn_id)
        except SessionFailed as error:
            findings.append(error.finding)
    return findings


def _snowflake(doctor: Doctor) -> list[Finding]:
    from snowmelt.io.doctor.snowflake import check_session

    def check(doctor: Doctor, conn_id: str) -> list[Finding]:
        with doctor.snowflake(conn_id) as session:
            return check_session(session, conn_id)

    return _each(doctor, "snowflake", check)


def _aws(doctor: Doctor) -> list[Finding]:
    from snowmelt.io.doctor.staging import check_cleanup, check_s3

    bucket = doctor.config.s3_staging.bucket
    prefix = f"{doctor.base()}{doctor.prefix}"

    def check(doctor: Doctor, conn_id: str) -> list[Finding]:
        client = doctor.s3(conn_id)
        opened = found("S3 session", conn_id, Status.OK, f"credentials for {client.meta.region_name}")
        return [opened, *check_s3(client, conn_id, bucket, prefix)]

    def check_removal(doctor: Doctor, conn_id: str) -> list[Finding]:
        return [check_cleanup(doctor.s3(conn_id), conn_id, bucket, prefix)]

    return _each(doctor, "aws", check) + _each(doctor, "aws_cleanup", check_removal)


def _postgres(doctor: Doctor) -> list[Finding]:
    from snowmelt.io.doctor.postgres import check_aws_s3, check_ledger, check_session

    needed = any(table.load_method == "aws_s3" for table in doctor.tables)

    def check(doctor: Doctor, conn_id: str) -> list[Finding]:
        with doctor.postgres(conn_id) as session:
            findings = check_session(session, conn_id)
            if findings[0].fails:
                return findings
            return findings + check_ledger(session, conn_id) + check_aws_s3(session, conn_id, needed=needed)

    return _each(doctor, "postgres", check)


def _stage(doctor: Doctor) -> list[Finding]:
    from snowmelt.io.doctor import snowflake as checks

    unload = doctor.config.snowflake_unload
    with doctor.snowflake() as session:
        findings, location = checks.check_stage(
            session, doctor.stage, doctor.config.s3_staging.bucket, unload.storage_integration
        )
        if location is None:
            return findings
        integration = checks.read_integration(session, doctor.stage, unload.storage_integration)
        return findings + checks.check_integration(session, integration, location)


def _unload(doctor: Doctor) -> list[Finding]:
    from snowmelt.io.doctor.staging import check_unload

    client = doctor.s3()
    with doctor.snowflake() as session:
        location = doctor.location(session)
        return check_unload(session, client, location, doctor.path())


def _table(doctor: Doctor) -> list[Finding]:
    from snowmelt.core.settings.request import parse_request
    from snowmelt.io.doctor.tables import check_source, check_target

    table = doctor.table
    if table is None:
        raise ConfigurationError("The check `table` was given no table.")
    request = parse_request({}, doctor.config, table)
    findings: list[Finding] = []
    with doctor.postgres(table.connections.postgres) as postgres:
        findings += check_target(postgres, request)
        with doctor.snowflake(table.connections.snowflake) as snowflake:
            return check_source(snowflake, postgres, request) + findings


def _clocks(doctor: Doctor) -> list[Finding]:
    from snowmelt.io.doctor.clocks import check_clocks

    with doctor.snowflake() as snowflake, doctor.postgres() as postgres:
        return check_clocks(snowflake, postgres)


def _assumptions(doctor: Doctor) -> list[Finding]:
    from snowmelt.io.doctor.assumptions import ask_questions, try_staging
    from snowmelt.io.doctor.tables import check_time_travel

    client = doctor.s3()
    with doctor.snowflake() as session:
        findings = ask_questions(session)
        findings += [check_time_travel(session, table.source) for table in doctor.tables[:1]]
        location = doctor.location(session)
        return findings + try_staging(session, client, location, doctor.path())


def _leftovers(doctor: Doctor) -> list[Finding]:
    from snowmelt.io.doctor import leftovers

    def check(doctor: Doctor, conn_id: str) -> list[Finding]:
        with doctor.postgres(conn_id) as session:
            return leftovers.check_postgres(session, conn_id, doctor.hours, remove=doctor.remove)

    findings = _each(doctor, "postgres", check)
    client = doctor.s3()
    with doctor.snowflake() as session:
        database = doctor.config.snowflake_unload.stage_database or next(
            (table.source.database for table in doctor.tables), "SNOWFLAKE"
        )
        findings += leftovers.check_queries(
            session, doctor.config.connections.snowflake, database, doctor.hours, remove=doctor.remove
        )
        location = doctor.location(session)
        prefix = f"{doctor.prefix}doctor_"
        return findings + leftovers.check_test_files(
            session, client, location, prefix, doctor.hours, remove=doctor.remove
        )


_RUN: dict[str, Callable[[Doctor], list[Finding]]] = {
    "snowflake": _snowflake,
    "aws": _aws,
    "postgres": _postgres,
    "stage": _stage,
    "unload": _unload,
    "table": _table,
    "clocks": _clocks,
    "assumptions": _assumptions,
    "leftovers": _leftovers,
}
