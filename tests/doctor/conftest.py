"""A configuration of its own for each test: a schema in Snowflake, a database and a role in PostgreSQL."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg import sql

from snowmelt.airflow.doctor import Doctor, run_check
from snowmelt.config.file import Config, parse_config
from snowmelt.doctor.findings import Finding, Status
from tests.dags.conftest import demo, run_dags

__all__ = ["demo", "run_dags"]


@dataclass
class Patient:
    """What the doctor looks at, and the administrator's hands to break and fix it."""

    sandbox: Any
    session: Any
    monkeypatch: Any
    schema: str
    database: str
    role: str
    stage: str
    document: dict[str, Any]

    @property
    def config(self) -> Config:
        config = parse_config(json.dumps(self.document), {})
        assert not config.broken, config.broken
        return config

    def check(self, name: str, **rest: Any) -> list[Finding]:
        table = self.config.tables[0] if name == "table" else None
        return run_check(name, Doctor(self.config, table, **rest))

    def statuses(self, name: str, **rest: Any) -> dict[str, str]:
        """check → the worst of its findings."""
        worst: dict[str, str] = {}
        order = [Status.OK, Status.ATTENTION, Status.UNKNOWN, Status.WRONG]
        for finding in sorted(self.check(name, **rest), key=lambda one: order.index(one.status)):
            worst[finding.check] = str(finding.status)
        return worst

    def one(self, name: str, check: str, **rest: Any) -> Finding:
        """The first finding of a check that is not OK."""
        findings = [one for one in self.check(name, **rest) if one.check == check]
        return next((one for one in findings if one.status is not Status.OK), findings[0])

    def snowflake(self, *statements: str) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = []
        with self.session.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
                rows = cursor.fetchall()
        return rows

    def postgres(self, *statements: str) -> list[tuple[Any, ...]]:
        """As the superuser, in the target database."""
        rows: list[tuple[Any, ...]] = []
        with psycopg.connect(self.sandbox.superuser_dsn(self.database), autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
                rows = cursor.fetchall() if cursor.description else []
        return rows

    def as_role(self, **rest: Any) -> psycopg.Connection[Any]:
        dsn = psycopg.conninfo.make_conninfo(
            self.sandbox.superuser_dsn(self.database), user=self.role, password=self.role
        )
        return psycopg.connect(dsn, **rest)

    def run_remedy(self, finding: Finding) -> None:
        """Paste what the finding says, each statement for itself, where it says."""
        assert finding.remedy is not None, finding
        run = {"Snowflake": self.snowflake, "PostgreSQL": self.postgres}[finding.remedy.where]
        run(*(step.rstrip(";") for step in finding.remedy.steps))

    def connection(self, conn_id: str, **changes: Any) -> None:
        """Set an Airflow connection, as the sandbox has it but for the changes; `extra` is merged."""
        name = f"AIRFLOW_CONN_{conn_id.upper()}"
        values = json.loads(self.sandbox.env[name])
        extra = values.get("extra", {}) | changes.pop("extra", {})
        self.monkeypatch.setenv(name, json.dumps(values | changes | {"extra": extra}))

    def aws_user(self, conn_id: str, user: str) -> None:
        env = self.sandbox.env
        self.connection(
            conn_id,
            login=env[f"SNOWMELT_SANDBOX_{user}_ACCESS_KEY_ID"],
            password=env[f"SNOWMELT_SANDBOX_{user}_SECRET_ACCESS_KEY"],
        )


@pytest.fixture(scope="session")
def doctor_session(sandbox):
    from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook

    session = SnowflakeHook("snowflake_default", session_parameters={"TIMEZONE": "UTC"}).get_conn()
    yield session
    session.close()


@pytest.fixture
def patient(sandbox, doctor_session, monkeypatch):
    mark = uuid.uuid4().hex[:8]
    schema, role, database = f"S_{mark}".upper(), f"doctor_{mark}", f"doctor_{mark}"
    stage = f"STAGE_{mark}".upper()
    document = {
        "s3_staging": {"bucket": sandbox.bucket},
        "snowflake_unload": {
            "storage_integration": f"INTEGRATION_{mark}".upper(),
            "stage_database": "DOCTOR",
            "stage_schema": schema,
            "stage_name": stage,
        },
        "connections": {"aws_cleanup": "aws_cleanup"},
        "sources": [
            {
                "source_name": "d",
                "source_database": "DOCTOR",
                "source_schema": schema,
                "target_schema": "public",
                "schedule": None,
                "tables": [{"source": "T", "mode": "full"}],
            }
        ],
    }
    sandbox.create_database(database)
    one = Patient(sandbox, doctor_session, monkeypatch, schema, database, role, stage, document)
    with psycopg.connect(sandbox.superuser_dsn(), autocommit=True) as admin:
        admin.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), sql.Literal(role))
        )
    one.postgres(
        f'CREATE SCHEMA snowmelt AUTHORIZATION "{role}"', f'GRANT CREATE, USAGE ON SCHEMA public TO "{role}"'
    )
    one.connection("postgres_default", login=role, password=role, schema=database)
    one.snowflake(
        "CREATE DATABASE IF NOT EXISTS DOCTOR",
        f"CREATE SCHEMA DOCTOR.{schema}",
        f"CREATE TABLE DOCTOR.{schema}.T (ID NUMBER(9,0) PRIMARY KEY, NAME VARCHAR(20))",
        f"CREATE STORAGE INTEGRATION INTEGRATION_{mark} TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE "
        f"STORAGE_AWS_ROLE_ARN = 'arn:aws:iam::1:role/x' STORAGE_ALLOWED_LOCATIONS = ('s3://{sandbox.bucket}/')",
        f"CREATE STAGE DOCTOR.{schema}.{stage} URL = 's3://{sandbox.bucket}/' STORAGE_INTEGRATION = INTEGRATION_{mark}",
    )
    yield one
    one.snowflake(
        f"DROP SCHEMA DOCTOR.{schema} CASCADE", f"DROP STORAGE INTEGRATION IF EXISTS INTEGRATION_{mark}"
    )
    sandbox.drop_database(database)
    with psycopg.connect(sandbox.superuser_dsn(), autocommit=True) as admin:
        admin.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))
