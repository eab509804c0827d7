"""The env file: everything that Airflow, the DAGs and the tests need to know about a running sandbox."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from sandbox.postgres import SUPERUSER
from sandbox.postgres_home import read_home
from sandbox.s3.users import User
from sandbox.state import HOST, State, read_ports, read_secrets, write_private

BUCKET = "snowmelt-staging"
REGION = "us-east-1"


def s3_endpoint(state: State) -> str:
    return f"http://{HOST}:{read_ports(state)['s3']}"


def write_environment(state: State, users: dict[str, User], bundle: Path) -> None:
    """Write <state>/env, readable by its owner only: KEY='value' lines for sh, bash, zsh and dotenv readers."""
    values = build_environment(state, users, bundle)
    lines = [f"{name}={quote(value)}" for name, value in values.items()]
    write_private(
        state.env, "# Written by `python -m sandbox up`. Sourced with: set -a\n" + "\n".join(lines) + "\n"
    )


def quote(value: str) -> str:
    """In single quotes nothing is special to a shell but the quote itself."""
    return "'" + value.replace("'", "'\\''") + "'"


def build_environment(state: State, users: dict[str, User], bundle: Path) -> dict[str, str]:
    values = airflow_settings(state) | connections(state, users) | trust(bundle) | for_tests(state, users)
    values["SNOWMELT_CONFIG"] = str(state.checkout / "include" / "config" / "s3copyconfig.json")
    values["SNOWMELT_BUCKET"] = BUCKET
    # Small files, so that the demo tables give several: 200,000 rows are 4 chunks and 8 files.
    values["SNOWMELT_MAX_FILE_SIZE_MB"] = "8"
    return values


def airflow_settings(state: State) -> dict[str, str]:
    """Airflow on this machine: its home and database in the sandbox, and quick on short tasks."""
    ports, secrets = read_ports(state), read_secrets(state)
    database = f"127.0.0.1:{ports['postgres']}/airflow"
    return {
        "AIRFLOW_HOME": str(state.airflow),
        "AIRFLOW__CORE__DAGS_FOLDER": str(state.checkout / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(state.checkout / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__FERNET_KEY": secrets["fernet_key"],
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{ports['api']}/execution/",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://airflow:{secrets['postgres_airflow']}@{database}",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": f"postgresql+asyncpg://airflow:{secrets['postgres_airflow']}@{database}",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(ports["api"]),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{ports['api']}",
        "AIRFLOW__API__SECRET_KEY": secrets["api_secret_key"],
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets["jwt_secret"],
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(ports["worker_log"]),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(ports["trigger_log"]),
        # A heartbeat a second lets a short task end sooner; 20 may fail before a worker gives up, as before.
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        "AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS": "20",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "15",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "15",
        "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "SCARF_ANALYTICS": "false",
        "DO_NOT_TRACK": "1",
    }


def connections(state: State, users: dict[str, User]) -> dict[str, str]:
    """Airflow's connections, as JSON."""
    ports, secrets = read_ports(state), read_secrets(state)
    snowflake = {
        "conn_type": "snowflake",
        "login": "SNOWMELT",
        "password": secrets["snowflake"],
        "schema": "BI",
        "extra": {
            "account": "sandbox",
            "host": _snowflake_host(),
            "port": ports["snowflake"],
            "database": "ANALYTICS",
            "warehouse": "SNOWMELT_WH",
            "role": "SNOWMELT_ROLE",
            "insecure_mode": True,
        },
    }
    postgres = {
        "conn_type": "postgres",
        "host": HOST,
        "port": ports["postgres"],
        "login": "snowmelt",
        "password": secrets["postgres_snowmelt"],
        "schema": "app",
    }
    values = {
        "AIRFLOW_CONN_SNOWFLAKE_DEFAULT": snowflake,
        "AIRFLOW_CONN_AWS_DEFAULT": _aws(state, users["airflow-reader"]),
        "AIRFLOW_CONN_AWS_CLEANUP": _aws(state, users["airflow-cleanup"]),
        "AIRFLOW_CONN_POSTGRES_DEFAULT": postgres,
    }
    return {name: json.dumps(value) for name, value in values.items()}


def _aws(state: State, user: User) -> dict[str, object]:
    return {
        "conn_type": "aws",
        "login": user.access_key,
        "password": user.secret_key,
        "extra": {
            "region_name": REGION,
            "endpoint_url": s3_endpoint(state),
            "service_config": {
                "sts": {"endpoint_url": s3_endpoint(state)}
            },  # for Airflow's "test connection"
            "config_kwargs": {"s3": {"addressing_style": "path"}},
        },
    }


def _snowflake_host() -> str:
    """A name that the certificate contains."""
    return "localhost" if HOST == "127.0.0.1" else HOST


def trust(bundle: Path) -> dict[str, str]:
    """The sandbox's authority beside all others; no proxy for this machine."""
    hosts = list(dict.fromkeys(["localhost", "127.0.0.1", HOST]))
    earlier = os.environ.get("NO_PROXY") or os.environ.get("no_proxy") or ""
    hosts += [host for host in earlier.split(",") if host and host not in hosts]
    return {
        "REQUESTS_CA_BUNDLE": str(bundle),
        "SSL_CERT_FILE": str(bundle),
        "NO_PROXY": ",".join(hosts),
        "no_proxy": ",".join(hosts),
    }


def for_tests(state: State, users: dict[str, User]) -> dict[str, str]:
    """What only tests and benchmarks use."""
    ports, secrets = read_ports(state), read_secrets(state)
    postgres = f"127.0.0.1:{ports['postgres']}"
    home = read_home(state) or state.root / "postgres"
    values = {
        "SNOWMELT_SANDBOX_STATE": str(state.root),
        "SNOWMELT_SANDBOX_PYTHON": sys.executable,
        "SNOWMELT_SANDBOX_S3_ENDPOINT": s3_endpoint(state),
        "SNOWMELT_SANDBOX_S3_REGION": REGION,
        "SNOWMELT_SANDBOX_S3_BUCKET": BUCKET,
        "SNOWMELT_SANDBOX_PG_HOST": "127.0.0.1",
        "SNOWMELT_SANDBOX_PG_PORT": str(ports["postgres"]),
        "SNOWMELT_SANDBOX_PG_DSN": f"postgresql://snowmelt:{secrets['postgres_snowmelt']}@{postgres}/app",
        "SNOWMELT_SANDBOX_PG_SUPERUSER_DSN": f"postgresql://{SUPERUSER}:{secrets['postgres_superuser']}@{postgres}/postgres",
        "SNOWMELT_SANDBOX_PG_STATEMENT_LOG": str(home / "log" / "postgres.json"),
        "SNOWMELT_SANDBOX_SNOWFLAKE_HOST": "localhost",
        "SNOWMELT_SANDBOX_SNOWFLAKE_PORT": str(ports["snowflake"]),
        "SNOWMELT_SANDBOX_SNOWFLAKE_STATEMENT_LOG": str(state.log / "snowflake-statements.jsonl"),
        "SNOWMELT_SANDBOX_SNOWFLAKE_CA": str(state.tls / "ca.pem"),
        "SNOWMELT_SANDBOX_S3_LOG": str(state.log / "s3.log"),
    }
    for name, user in users.items():
        prefix = "SNOWMELT_SANDBOX_" + name.upper().replace("-", "_")
        values[f"{prefix}_ACCESS_KEY_ID"] = user.access_key
        values[f"{prefix}_SECRET_ACCESS_KEY"] = user.secret_key
        if user.token:
            values[f"{prefix}_SESSION_TOKEN"] = user.token
    return values
