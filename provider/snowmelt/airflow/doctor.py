"""The doctor's checks, each with the sessions it needs; a session that does not open is a finding."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from snowmelt.airflow.doctor_record import snowflake_names
from snowmelt.airflow.sessions import postgres_session, s3_client, snowflake_session
from snowmelt.config.file import Config
from snowmelt.config.table import TableConfig
from snowmelt.doctor.findings import CHECKS, DEAD_AFTER_HOURS, Finding, Status, found, grant_login, policy
from snowmelt.doctor.record import Recorder
from snowmelt.errors import ConfigurationError, SnowmeltError
from snowmelt.rights.iam import Partition, Principal, StagedPlace
from snowmelt.setup.facts import SetupFacts, SetupScope, plan_scope

if TYPE_CHECKING:
    from snowmelt.doctor.runs import DagRunState
    from snowmelt.unload.statements import Location


class SessionFailed(SnowmeltError):
    """A session did not open; the finding says which, why, and what fixes it."""

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
    #: Keeps what Snowflake is asked and answers.
    recorder: Recorder | None = None

    @property
    def scope(self) -> SetupScope:
        """What the configuration touches."""
        return plan_scope(self.config, SetupFacts())

    def place(self, location: Location | None = None, region: str | None = None) -> StagedPlace:
        """Where the staged files are.

        :param location: of the stage, which may add folders of its own.
        :param region: of the AWS connection: it decides the partition.
        """
        place = self.scope.place
        prefix = location.key(place.prefix) if location else place.prefix
        return StagedPlace(place.bucket, prefix, Partition.of_region(region))

    @contextmanager
    def snowflake(self, conn_id: str | None = None) -> Iterator[Any]:
        """A session of Snowflake; a failure to open it is a finding."""
        conn_id = conn_id or self.config.connections.snowflake
        warehouse = self.config.snowflake_unload.warehouse
        with ExitStack() as stack:
            try:
                session = stack.enter_context(snowflake_session(conn_id, warehouse=warehouse))
            except SnowmeltError as error:
                login, role, own = snowflake_names(conn_id)
                remedy = grant_login(login, role, warehouse or own)
                finding = found("Snowflake session", conn_id, Status.WRONG, error, remedy)
                raise SessionFailed(finding) from error
            yield session if self.recorder is None else self.recorder.connection(session)

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
            client = s3_client(conn_id)
            return client if self.recorder is None else self.recorder.client(client)
        except SnowmeltError as error:
            remedy = policy(Principal.AIRFLOW, self.place())
            raise SessionFailed(found("S3 session", conn_id, Status.WRONG, error, remedy)) from error

    def location(self, session: Any) -> Location:
        """Where Snowflake writes.

        :raises SessionFailed: the stage is wrong; the check `stage` says it too.
        """
        from snowmelt.doctor.staging import check_stage

        scope, integration = self.scope, self.config.snowflake_unload.storage_integration
        findings, location = check_stage(session, scope.stage, self.place(), integration)
        if location is None:
            raise SessionFailed(findings[0])
        return location

    def find_location(self) -> Location | None:
        """The same; None where the stage cannot be asked."""
        try:
            with self.snowflake() as session:
                return self.location(session)
        except SnowmeltError:
            return None

    def path(self) -> str:
        """A folder of this doctor's own, below the stage."""
        return f"{self.scope.place.prefix}doctor_{uuid.uuid4().hex[:12]}/"


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
    for conn_id in doctor.scope.connections(kind):
        try:
            findings += check(doctor, conn_id)
        except SessionFailed as error:
            findings.append(error.finding)
    return findings


def _snowflake(doctor: Doctor) -> list[Finding]:
    from snowmelt.doctor.snowflake import check_session, check_warehouse

    size = doctor.config.snowflake_unload.warehouse_size

    def check(doctor: Doctor, conn_id: str) -> list[Finding]:
        with doctor.snowflake(conn_id) as session:
            findings = check_session(session, conn_id)
            if findings[0].fails:
                return findings
            return [*findings, check_warehouse(session, conn_id, size)]

    return _each(doctor, "snowflake", check)


def _aws(doctor: Doctor) -> list[Finding]:
    from snowmelt.doctor.staging import check_cleanup, check_s3

    location = doctor.find_location()

    def check(doctor: Doctor, conn_id: str) -> list[Finding]:
        client = doctor.s3(conn_id)
        region = client.meta.region_name
        opened = found("S3 session", conn_id, Status.OK, f"credentials for {region}")
        return [opened, *check_s3(client, conn_id, doctor.place(location, region))]

    def check_removal(doctor: Doctor, conn_id: str) -> list[Finding]:
        client = doctor.s3(conn_id)
        return [check_cleanup(client, conn_id, doctor.place(location, client.meta.region_name))]

    return _each(doctor, "aws", check) + _each(doctor, "aws_cleanup", check_removal)


def _postgres(doctor: Doctor) -> list[Finding]:
    from snowmelt.doctor.postgres import check_aws_s3, check_ledger, check_session

    needed = any(table.load_method == "aws_s3" for table in doctor.scope.loaded)

    def check(doctor: Doctor, conn_id: str) -> list[Finding]:
        with doctor.postgres(conn_id) as session:
            findings = check_session(session, conn_id)
            if findings[0].fails:
                return findings
            return findings + check_ledger(session, conn_id) + check_aws_s3(session, conn_id, needed=needed)

    return _each(doctor, "postgres", check)


def _stage(doctor: Doctor) -> list[Finding]:
    from snowmelt.doctor import staging as checks

    stage, named = doctor.scope.stage, doctor.config.snowflake_unload.storage_integration
    place = doctor.place(region=_region_of(doctor))
    with doctor.snowflake() as session:
        findings, location = checks.check_stage(session, stage, place, named)
        if location is None:
            return findings
        integration = checks.read_integration(session, stage, named)
        place = doctor.place(location, _region_of(doctor))
        return findings + checks.check_integration(session, integration, location, place)


def _region_of(doctor: Doctor) -> str | None:
    """The AWS connection's region; None where it gives no client."""
    try:
        return str(doctor.s3().meta.region_name)
    except SessionFailed:
        return None


def _unload(doctor: Doctor) -> list[Finding]:
    from snowmelt.doctor.staging import check_regions, check_unload, read_region

    client = doctor.s3()
    with doctor.snowflake() as session:
        location = doctor.location(session)
        place = doctor.place(location, client.meta.region_name)
        findings = check_unload(session, client, location, doctor.path(), place)
        try:
            region = read_region(client, place)
        except SnowmeltError:  # the check `aws` says why
            region = str(client.meta.region_name)
        return [*findings, check_regions(session, place.bucket, region)]


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
    from snowmelt.doctor.assumptions import ask_questions, check_history, check_parameters, try_staging
    from snowmelt.doctor.tables import check_metadata, check_time_travel

    client = doctor.s3()
    with doctor.snowflake() as session:
        findings = ask_questions(session)
        findings += [check_parameters(session), check_history(session)]
        for table in doctor.scope.tables[:1]:
            findings += [check_metadata(session, table.source), check_time_travel(session, table.source)]
        location = doctor.location(session)
        return findings + try_staging(session, client, location, doctor.path())


def ask_dag_run(dag_id: str, run_id: str) -> DagRunState:
    """What Airflow's API server says of a DAG run; only a task may ask."""
    from airflow.sdk.exceptions import AirflowRuntimeError
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    from snowmelt.doctor.runs import DagRunState

    ended = {"failed": DagRunState.FAILED, "success": DagRunState.SUCCEEDED}
    try:
        return ended.get(str(RuntimeTaskInstance.get_dagrun_state(dag_id, run_id)), DagRunState.ALIVE)
    except AirflowRuntimeError as error:
        status = (error.error.detail or {}).get("status_code")
        return DagRunState.GONE if status == HTTPStatus.NOT_FOUND else DagRunState.UNKNOWN
    except Exception as error:  # noqa: BLE001 - outside of a task there is nobody to ask
        log.warning("Airflow cannot be asked here for the run %s of %s: %s", run_id, dag_id, error)
        return DagRunState.UNKNOWN


def _leftovers(doctor: Doctor) -> list[Finding]:
    from snowmelt.doctor import leftovers
    from snowmelt.doctor.runs import check_runs

    def check(doctor: Doctor, conn_id: str) -> list[Finding]:
        with doctor.postgres(conn_id) as session:
            in_use = partial(leftovers.is_in_use, session)
            runs = check_runs(session, conn_id, doctor.hours, ask=ask_dag_run, in_use=in_use)
            return runs + leftovers.check_postgres(session, conn_id, doctor.hours, remove=doctor.remove)

    findings = _each(doctor, "postgres", check)
    client = doctor.s3()
    with doctor.snowflake() as session:
        database = doctor.config.snowflake_unload.stage_database or next(
            (table.source.database for table in doctor.scope.tables), "SNOWFLAKE"
        )
        findings += leftovers.check_queries(
            session, doctor.config.connections.snowflake, database, doctor.hours, remove=doctor.remove
        )
        location = doctor.location(session)
        prefix = f"{doctor.scope.place.prefix}doctor_"
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
