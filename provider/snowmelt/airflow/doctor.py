"""What the doctor's checks work with: the configuration, and sessions whose failure to open is a finding.

The doctor's checks, each with the sessions it needs.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from snowmelt.airflow.sessions import postgres_session, s3_client, snowflake_session
from snowmelt.config.file import Config
from snowmelt.config.table import TableConfig
from snowmelt.doctor.findings import CHECKS, DEAD_AFTER_HOURS, Finding, Status, found
from snowmelt.doctor.remedies import grant_login, read_policy
from snowmelt.errors import ConfigurationError, SnowmeltError

if TYPE_CHECKING:
    from snowmelt.unload.location import Location


class SessionFailed(SnowmeltError):
    """A session did not open; the finding says which, why, and what mends it."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.to_text())
        self.finding = finding


@dataclass(frozen=True, slots=True)
class Doctor:
    """What a check is given."""

    config: Config
    #: The configured table of a mapped check; else None.
    table: TableConfig | None = None
    #: Whether leftovers are removed.
    remove: bool = False
    #: Hours without a sign of life that make a run dead.
    hours: int = DEAD_AFTER_HOURS

    @property
    def tables(self) -> tuple[TableConfig, ...]:
        """The enabled tables."""
        return tuple(table for table in self.config.tables if table.enabled)

    def connections(self, kind: str) -> list[str]:
        """The distinct connections of a kind that the configuration names: snowflake, aws, postgres, aws_cleanup."""
        every = [self.config.connections, *(table.connections for table in self.tables)]
        return [conn for conn in dict.fromkeys(getattr(one, kind) for one in every) if conn]

    @property
    def stage(self) -> tuple[str, str, str] | None:
        """The stage's name; None without one."""
        unload = self.config.snowflake_unload
        if not (unload.stage_database and unload.stage_schema and unload.stage_name):
            return None
        return unload.stage_database, unload.stage_schema, unload.stage_name

    @property
    def prefix(self) -> str:
        """The part of the prefix pattern that holds for all tables: folders before the first placeholder."""
        head = self.config.s3_staging.prefix_pattern.partition("{")[0]
        return head[: head.rfind("/") + 1]

    @contextmanager
    def snowflake(self, conn_id: str | None = None) -> Iterator[Any]:
        """A session of Snowflake; a failure to open it is a finding."""
        conn_id = conn_id or self.config.connections.snowflake
        warehouse = self.config.snowflake_unload.warehouse
        with ExitStack() as stack:
            try:
                session = stack.enter_context(snowflake_session(conn_id, warehouse=warehouse))
            except SnowmeltError as error:
                login, role, own = _snowflake_names(conn_id)
                remedy = grant_login(login, role, warehouse or own)
                finding = found("Snowflake session", conn_id, Status.WRONG, error, remedy)
                raise SessionFailed(finding) from error
            yield session

    @contextmanager
    def postgres(self, conn_id: str | None = None) -> Iterator[Any]:
        """A session of PostgreSQL; a failure to open it is a finding."""
        conn_id = conn_id or self.config.connections.postgres
        with ExitStack() as stack:
            try:
                session = stack.enter_context(postgres_session(conn_id))
            except SnowmeltError as error:
                raise SessionFailed(found("PostgreSQL session", conn_id, Status.WRONG, error)) from error
            yield session

    def s3(self, conn_id: str | None = None) -> Any:
        """A client of S3; a failure to make it is a finding."""
        conn_id = conn_id or self.config.connections.aws
        try:
            return s3_client(conn_id)
        except SnowmeltError as error:
            policy = read_policy(self.config.s3_staging.bucket, self.prefix)
            raise SessionFailed(found("S3 session", conn_id, Status.WRONG, error, policy)) from error

    def location(self, session: Any) -> Location:
        """Where Snowflake writes.

        :raises SessionFailed: the stage is wrong; the check `stage` says it too.
        """
        from snowmelt.doctor.snowflake import check_stage

        unload = self.config.snowflake_unload
        findings, location = check_stage(
            session, self.stage, self.config.s3_staging.bucket, unload.storage_integration
        )
        if location is None:
            raise SessionFailed(findings[0])
        return location

    def base(self) -> str:
        """The keys' beginning that the stage itself adds; empty where the stage cannot be asked."""
        try:
            with self.snowflake() as session:
                return self.location(session).base
        except SnowmeltError:
            return ""

    def path(self) -> str:
        """A folder of this doctor's own, below the stage."""
        return f"{self.prefix}doctor_{uuid.uuid4().hex[:12]}/"


def _snowflake_names(conn_id: str) -> tuple[str, str | None, str | None]:
    """Login, role and warehouse as the Airflow connection gives them; nothing secret is read."""
    from airflow.sdk import Connection

    try:
        connection = Connection.get(conn_id)
    except Exception:  # noqa: BLE001 - whichever backend failed said so when the session was opened
        return "", None, None
    extra = connection.extra_dejson
    return (
        str(connection.login or ""),
        extra.get("role") or extra.get("extra__snowflake__role"),
        extra.get("warehouse") or extra.get("extra__snowflake__warehouse"),
    )


log = logging.getLogger(__name__)


def run_check(name: str, doctor: Doctor) -> list[Finding]:
    """The findings of one task; a session that another check judges is `NOT CHECKED` here.

    :param name: a key of `snowmelt.doctor.findings.CHECKS`.
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
    from snowmelt.doctor.snowflake import check_session

    def check(doctor: Doctor, conn_id: str) -> list[Finding]:
        with doctor.snowflake(conn_id) as session:
            return check_session(session, conn_id)

    return _each(doctor, "snowflake", check)


def _aws(doctor: Doctor) -> list[Finding]:
    from snowmelt.doctor.staging import check_cleanup, check_s3

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
    from snowmelt.doctor.postgres import check_aws_s3, check_ledger, check_session

    needed = any(table.load_method == "aws_s3" for table in doctor.tables)

    def check(doctor: Doctor, conn_id: str) -> list[Finding]:
        with doctor.postgres(conn_id) as session:
            findings = check_session(session, conn_id)
            if findings[0].fails:
                return findings
            return findings + check_ledger(session, conn_id) + check_aws_s3(session, conn_id, needed=needed)

    return _each(doctor, "postgres", check)


def _stage(doctor: Doctor) -> list[Finding]:
    from snowmelt.doctor import snowflake as checks

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
    from snowmelt.doctor.staging import check_unload

    client = doctor.s3()
    with doctor.snowflake() as session:
        location = doctor.location(session)
        return check_unload(session, client, location, doctor.path())


def _table(doctor: Doctor) -> list[Finding]:
    from snowmelt.config.request import parse_request
    from snowmelt.doctor.tables import check_source, check_target

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
    from snowmelt.doctor.clocks import check_clocks

    with doctor.snowflake() as snowflake, doctor.postgres() as postgres:
        return check_clocks(snowflake, postgres)


def _assumptions(doctor: Doctor) -> list[Finding]:
    from snowmelt.doctor.assumptions import ask_questions, try_staging
    from snowmelt.doctor.tables import check_time_travel

    client = doctor.s3()
    with doctor.snowflake() as session:
        findings = ask_questions(session)
        findings += [check_time_travel(session, table.source) for table in doctor.tables[:1]]
        location = doctor.location(session)
        return findings + try_staging(session, client, location, doctor.path())


def _leftovers(doctor: Doctor) -> list[Finding]:
    from snowmelt.doctor import leftovers

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
