"""What leaves an operator: Airflow's own "do not retry", a transient error, or what it was."""

from __future__ import annotations

import psycopg
import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from snowmelt.airflow.retrying import failing_fast
from snowmelt.errors import TargetUnavailable, ValueRefused


def test_a_terminal_error_is_not_tried_again():
    with pytest.raises(AirflowFailException, match="row 5"), failing_fast():
        raise ValueRefused("row 5")


def test_what_is_none_of_its_business_passes():
    for error in (AirflowSkipException("nothing to do"), TypeError("a fault"), TargetUnavailable("locked")):
        with pytest.raises(type(error)) as caught, failing_fast():
            raise error
        assert caught.value is error


def test_a_session_that_is_ended_while_the_ledger_is_read_is_transient(database, sandbox):
    with psycopg.connect(database, autocommit=True) as connection:
        with psycopg.connect(sandbox.superuser_dsn(), autocommit=True) as superuser:
            superuser.execute("SELECT pg_terminate_backend(%s, 10000)", (connection.info.backend_pid,))
        with pytest.raises(TargetUnavailable, match="57P01") as caught, failing_fast():
            connection.execute("SELECT 1")
    assert str(caught.value).endswith("It is retried. See docs/troubleshooting.md#postgres-unavailable")


def test_a_grant_that_is_missing_for_the_ledger_is_terminal(database):
    with (
        psycopg.connect(database, autocommit=True) as connection,
        pytest.raises(AirflowFailException, match="42501"),
        failing_fast(),
    ):
        connection.execute("SELECT * FROM pg_authid")


def test_a_driver_error_of_each_kind_is_known():
    import botocore.exceptions
    import snowflake.connector.errors

    from snowmelt.airflow.retrying import translate
    from snowmelt.errors import SourceError, StagingUnavailable

    endpoint = botocore.exceptions.EndpointConnectionError(endpoint_url="http://s3")
    assert type(translate(endpoint, "x")) is StagingUnavailable
    refused = snowflake.connector.errors.ProgrammingError("no", errno=1003)
    assert type(translate(refused, "x")) is SourceError
    assert translate(KeyError("x"), "x") is None
