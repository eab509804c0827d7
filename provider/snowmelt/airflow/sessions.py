"""Sessions opened by Airflow's own hooks, from Airflow's own connections."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from snowmelt.errors import AccessError, ConfigurationError, Topic
from snowmelt.sql.names import TASK_SESSION
from snowmelt.unload.statements import build_query_tag

if TYPE_CHECKING:
    import psycopg
    from airflow.sdk import Context

    from snowmelt.plan.plan import Plan

#: What every session of PostgreSQL starts with. The doctor finds our idle sessions by the name.
#: The encoding is that of names, and of what psycopg reads and writes; else it would be the database's own.
POSTGRES_OPTIONS = f"-c timezone=UTC -c client_encoding=UTF8 -c application_name={TASK_SESSION}"

#: Seconds that a session waits for a connection before it gives up; the task is then retried.
CONNECT_TIMEOUT = 30
#: Seconds of silence before the first probe, between probes, probes, and milliseconds that sent bytes may stay unacknowledged.
_KEEPALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 6, "TCP_USER_TIMEOUT": 120_000}


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
def postgres_session(conn_id: str, *, options: str = POSTGRES_OPTIONS) -> Iterator[psycopg.Connection[Any]]:
    """A psycopg 3 connection; each transaction is opened where it is needed. Closed at the end.

    :param options: settings that the session starts with, as libpq takes them.
    """
    from airflow.providers.postgres.hooks.postgres import USE_PSYCOPG3, PostgresHook

    from snowmelt.drivers.postgres_errors import postgres_failures, refuse_read_only

    if not USE_PSYCOPG3:
        raise ConfigurationError(
            "The Postgres hook uses psycopg2 here; Snowmelt needs psycopg 3: install psycopg>=3.3 and SQLAlchemy>=2 beside Airflow."
        )
    doing = f"Opening a PostgreSQL session by the connection {conn_id!r}"
    with postgres_failures(doing):
        connection: Any = PostgresHook(
            postgres_conn_id=conn_id, options=options, enable_log_db_messages=False
        ).get_conn()
    try:
        if options == POSTGRES_OPTIONS:
            refuse_read_only(connection, doing)
        keep_alive(connection)
        connection.autocommit = True
        yield connection
    finally:
        connection.close()


def task_tag(context: Context, **parts: object) -> str:
    """QUERY_TAG of a task's statements: DAG, run and task, so that Snowflake's query history can be asked by them."""
    ti = context["ti"]
    return build_query_tag(dag=ti.dag_id, run=ti.run_id, task=ti.task_id, **parts)


def keep_alive(connection: psycopg.Connection[Any]) -> None:
    """Let the kernel notice within two minutes that the server's host is gone: a failover closes no connection.

    By default a session that waits for an answer notices after two hours. Sockets that know no such option keep theirs.
    """
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as shared:
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE.items():
            if hasattr(socket, name):
                shared.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def s3_client(conn_id: str) -> Any:
    """A boto3 S3 client of the AWS connection.

    :raises AccessError: a temporary key (ASIA…) without its session token, which AWS would refuse with a misleading text.
    """
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook
    from botocore.config import Config

    from snowmelt.drivers.s3_errors import s3_failures

    config = Config(
        retries={"mode": "standard", "max_attempts": 5}, connect_timeout=CONNECT_TIMEOUT, read_timeout=60
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
