"""What the doctor's checks work with: the configuration, and sessions whose failure to open is a finding."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from snowmelt.core.doctor.checks import DEAD_AFTER_HOURS
from snowmelt.core.doctor.findings import Finding, Status, found
from snowmelt.core.doctor.policies import read_policy
from snowmelt.core.doctor.remedies import grant_login
from snowmelt.core.settings.config import Config
from snowmelt.core.settings.table_config import TableConfig
from snowmelt.errors import SnowmeltError
from snowmelt.tasks.sessions import postgres_session, s3_client, snowflake_session

if TYPE_CHECKING:
    from snowmelt.core.unload.statements import Location


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
        from snowmelt.io.doctor.snowflake import check_stage

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
