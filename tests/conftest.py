"""The sandbox, once for the whole session: a real PostgreSQL, the S3 protocol, Snowflake's protocol."""

from __future__ import annotations

import os
import shlex
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg import sql

ROOT = Path(__file__).parents[1]
SANDBOX = [str(ROOT / "sandbox" / ".venv" / "bin" / "python"), "-m", "sandbox"]
#: A state folder of its own for each process of the tests: they meet neither the demo nor each other.
STATE = ROOT / f".sandbox-test{os.environ.get('PYTEST_XDIST_WORKER', '')}"

# Generated examples are the same each time, so that a failure is the change's; `make test-long` draws others, and more.
# No deadlines: a busy machine is no fault.
_ALWAYS = {"deadline": None, "database": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("short", max_examples=200, derandomize=True, **_ALWAYS)
settings.register_profile("long", max_examples=5000, **_ALWAYS)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))


@dataclass(frozen=True)
class Sandbox:
    """The running stand-ins; `env` is what <state>/env sets."""

    env: dict[str, str]

    def superuser_dsn(self, database: str = "postgres") -> str:
        return psycopg.conninfo.make_conninfo(self.env["SNOWMELT_SANDBOX_PG_SUPERUSER_DSN"], dbname=database)

    def user_dsn(self, database: str) -> str:
        return psycopg.conninfo.make_conninfo(self.env["SNOWMELT_SANDBOX_PG_DSN"], dbname=database)

    def create_database(self, name: str, encoding: str = "UTF8") -> str:
        """A new database that the ordinary role owns; returns the role's DSN."""
        owner = psycopg.conninfo.conninfo_to_dict(self.env["SNOWMELT_SANDBOX_PG_DSN"])["user"]
        with psycopg.connect(self.superuser_dsn(), autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )
            connection.execute(
                sql.SQL(
                    "CREATE DATABASE {} OWNER {} ENCODING {} TEMPLATE template0 LOCALE_PROVIDER libc LOCALE 'C'"
                    if encoding != "UTF8"
                    else "CREATE DATABASE {} OWNER {} ENCODING {}"
                ).format(sql.Identifier(name), sql.Identifier(str(owner)), sql.Literal(encoding))
            )
        return self.user_dsn(name)

    def drop_database(self, name: str) -> None:
        with psycopg.connect(self.superuser_dsn(), autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )

    def s3(self, user: str = "SNOWFLAKE_WRITER"):
        """A boto3 client with one of the sandbox's users."""
        return boto3.client(
            "s3",
            endpoint_url=self.env["SNOWMELT_SANDBOX_S3_ENDPOINT"],
            region_name=self.env["SNOWMELT_SANDBOX_S3_REGION"],
            aws_access_key_id=self.env[f"SNOWMELT_SANDBOX_{user}_ACCESS_KEY_ID"],
            aws_secret_access_key=self.env[f"SNOWMELT_SANDBOX_{user}_SECRET_ACCESS_KEY"],
        )

    @property
    def bucket(self) -> str:
        return self.env["SNOWMELT_SANDBOX_S3_BUCKET"]

    def activate(self) -> None:
        """Let hooks and Airflow in this process see the sandbox's connections and settings."""
        os.environ.update(self.env)


def read_env(path: Path) -> dict[str, str]:
    """KEY='value' lines, as a shell reads them."""
    lines = (line for line in path.read_text().splitlines() if line and not line.startswith("#"))
    return {key: "".join(shlex.split(value)) for key, _, value in (line.partition("=") for line in lines)}


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    # From nothing: what an earlier session left must not decide a test.
    subprocess.run(
        [*SANDBOX, "down", "--purge", "--state", str(STATE)], cwd=ROOT, check=True, capture_output=True
    )
    started = subprocess.run(
        [*SANDBOX, "up", "--state", str(STATE)], cwd=ROOT, capture_output=True, text=True
    )
    assert started.returncode == 0, started.stdout + started.stderr
    running = Sandbox(read_env(STATE / "env"))
    running.activate()
    yield running
    subprocess.run([*SANDBOX, "down", "--state", str(STATE)], cwd=ROOT, check=True, capture_output=True)


@pytest.fixture
def database(sandbox: Sandbox) -> Iterator[str]:
    """The DSN of an empty database that the ordinary role owns; gone afterwards."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield sandbox.create_database(name)
    sandbox.drop_database(name)


@pytest.fixture(scope="session")
def postgres_dsn(sandbox: Sandbox) -> Iterator[str]:
    """A superuser's DSN of one empty database for the session."""
    sandbox.create_database("test_io")
    yield sandbox.superuser_dsn("test_io")
    sandbox.drop_database("test_io")


@pytest.fixture
def connection(postgres_dsn: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres_dsn, autocommit=True) as opened:
        yield opened


@pytest.fixture(scope="session")
def s3_client(sandbox: Sandbox):
    client = sandbox.s3()
    yield client
    client.close()


@pytest.fixture(scope="session")
def bucket(sandbox: Sandbox) -> str:
    return sandbox.bucket


@pytest.fixture(scope="session")
def source_session(sandbox):
    """A session of the Snowflake stand-in as the product opens it, with the demo's stage and a database TESTS."""
    from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook

    from sandbox.demo_data import surroundings
    from snowmelt.drivers.snowflake import SESSION_PARAMETERS

    connection = SnowflakeHook(
        snowflake_conn_id="snowflake_default", session_parameters=dict(SESSION_PARAMETERS)
    ).get_conn()
    with connection.cursor() as cursor:
        for statement in [*surroundings(sandbox.bucket), "CREATE DATABASE IF NOT EXISTS TESTS"]:
            cursor.execute(statement)
    yield connection
    connection.close()


@pytest.fixture
def run_world(source_session, sandbox, database):
    """A Snowflake schema, the bucket and a target database, for whole runs of one test."""
    from tests.steps.runs import World

    schema = f"S{uuid.uuid4().hex[:10].upper()}"
    made = World(source_session, sandbox.s3("AIRFLOW_READER"), database, sandbox.bucket, schema)
    made.sql(f"CREATE SCHEMA TESTS.{schema}", "USE DATABASE TESTS", f"USE SCHEMA {schema}")
    yield made
    made.s3.close()
    made.sql(f"DROP SCHEMA TESTS.{schema}")
