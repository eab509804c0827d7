"""Sessions opened by Airflow's own hooks, from Airflow's own connections."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from copy import copy
from typing import TYPE_CHECKING, Any, cast

from snowmelt.errors import AccessError, ConfigurationError, Topic
from snowmelt.unload.statements import build_query_tag

if TYPE_CHECKING:
    import psycopg
    from airflow.sdk import Connection, Context

    from snowmelt.drivers.postgres import SessionKind
    from snowmelt.plan.plan import Plan

#: Seconds that S3 may take to accept a connection.
_S3_CONNECT_TIMEOUT = 30


@contextmanager
def snowflake_session(
    conn_id: str, *, warehouse: str | None = None, tag: str | None = None, timeout: int | None = None
) -> Iterator[Any]:
    """A session of the Snowflake connector, its parameters pinned (`SESSION_PARAMETERS`) and its statements tagged; closed at the end.

    :param tag: QUERY_TAG of all its statements.
    :param timeout: STATEMENT_TIMEOUT_IN_SECONDS of all its statements; the account's own where None.
    """
    from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook

    from snowmelt.drivers.snowflake import SESSION_PARAMETERS, pin_session
    from snowmelt.drivers.snowflake_errors import snowflake_failures

    parameters: dict[str, Any] = dict(SESSION_PARAMETERS)
    if tag:
        parameters["QUERY_TAG"] = tag
    if timeout:
        parameters["STATEMENT_TIMEOUT_IN_SECONDS"] = str(timeout)
    hook = SnowflakeHook(
        snowflake_conn_id=conn_id, warehouse=warehouse or None, session_parameters=parameters
    )
    with snowflake_failures(f"Opening a Snowflake session by the connection {conn_id!r}"):
        connection = hook.get_conn()
    try:
        pin_session(connection)
        yield connection
    finally:
        connection.close()


def run_session(conn_id: str, plan: Plan, context: Context) -> AbstractContextManager[Any]:
    """A session of Snowflake for a task of a planned run: by the plan's warehouse and limit, tagged with the task."""
    return snowflake_session(
        conn_id, warehouse=plan.warehouse, tag=task_tag(context), timeout=plan.statement_timeout_s
    )


def snowflake_account(conn_id: str) -> tuple[str | None, str | None]:
    """The account and the region that a Snowflake connection names, for links; nothing secret."""
    from airflow.sdk import Connection

    extra = Connection.get(conn_id).extra_dejson
    return extra.get("account"), extra.get("region")


@contextmanager
def postgres_session(conn_id: str, kind: SessionKind | None = None) -> Iterator[psycopg.Connection[Any]]:
    """A psycopg 3 connection, its settings pinned; each transaction is opened where it is needed. Closed at the end.

    :param kind: what the session is for; `snowmelt.drivers.postgres.TASK` where None.
    """
    from airflow.providers.postgres.hooks.postgres import USE_PSYCOPG3, PostgresHook

    from snowmelt.drivers.postgres import TASK, open_session
    from snowmelt.drivers.postgres_errors import postgres_failures

    if not USE_PSYCOPG3:
        raise ConfigurationError(
            "The Postgres hook uses psycopg2 here; Snowmelt needs psycopg 3: install psycopg>=3.3 and SQLAlchemy>=2 beside Airflow."
        )
    wanted = kind or TASK
    doing = f"Opening a PostgreSQL session by the connection {conn_id!r}"
    hook = PostgresHook(
        postgres_conn_id=conn_id,
        connection=_limit_connecting(PostgresHook.get_connection(conn_id), wanted),
        enable_log_db_messages=False,
    )
    with postgres_failures(doing):
        connection = open_session(cast("Callable[[], psycopg.Connection[Any]]", hook.get_conn), wanted, doing)
    try:
        yield connection
    finally:
        connection.close()


def _limit_connecting(connection: Connection, kind: SessionKind) -> Connection:
    """The Airflow connection with time limits and TCP keepalives in its extra, where the extra does not set them itself.

    A page waits no longer than its own limit, whatever the extra sets.
    """
    from snowmelt.drivers.postgres import CONNECT_ARGUMENTS

    extra = {**CONNECT_ARGUMENTS, "connect_timeout": kind.connect_timeout, **connection.extra_dejson}
    if not kind.writes:
        extra["connect_timeout"] = kind.connect_timeout
    limited = copy(connection)
    limited.extra = json.dumps(extra)
    return limited


def task_tag(context: Context, **parts: object) -> str:
    """QUERY_TAG of a task's statements: DAG, run and task, so that Snowflake's query history can be asked by them."""
    ti = context["ti"]
    return build_query_tag(dag=ti.dag_id, run=ti.run_id, task=ti.task_id, **parts)


def s3_client(conn_id: str) -> Any:
    """A boto3 S3 client of the AWS connection.

    :raises AccessError: a temporary key (ASIA…) without its session token, which AWS would refuse with a misleading text.
    """
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook
    from botocore.config import Config

    from snowmelt.drivers.s3_errors import s3_failures

    config = Config(
        retries={"mode": "standard", "max_attempts": 5}, connect_timeout=_S3_CONNECT_TIMEOUT, read_timeout=60
    )
    hook = S3Hook(aws_conn_id=conn_id, config=config)
    with s3_failures(f"Opening an S3 client by the connection {conn_id!r}"):
        client = hook.get_conn()
        credentials = client._request_signer._credentials  # noqa: SLF001 - boto3 has no public way to the client's own
    if credentials is not None and str(credentials.access_key).startswith("ASIA") and not credentials.token:
        raise AccessError(
            f"The AWS connection {conn_id!r} holds a temporary access key (ASIA…) without its session token; AWS would answer "
            "'The AWS Access Key Id you provided is not valid'. Add aws_session_token to the connection's extra, or use a role or an AKIA key.",
            topic=Topic.ASIA_KEY,
        )
    return client
