"""Which errors a task tries again, after which pause; and that Airflow itself does what the policy says."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse

from snowmelt.airflow.retrying import SnowmeltRetryPolicy
from snowmelt.errors import ConfigurationError, StagingUnavailable, TargetUnavailable, ValueRefused
from tests.dags.conftest import environment


def runtime_error(kind, status=None, detail=""):
    values = {"status_code": status, "detail": detail} if status else None
    return AirflowRuntimeError(ErrorResponse(error=kind, detail=values))


def caused(error, cause):
    error.__cause__ = cause
    return error


RETRIED = [
    TargetUnavailable("locked"),
    StagingUnavailable("503"),
    ConnectionResetError("reset"),
    TimeoutError("slow"),
    MemoryError(),
    SystemExit(1),
    runtime_error(ErrorType.GENERIC_ERROR),
    runtime_error(ErrorType.API_SERVER_ERROR, 503),
    caused(RuntimeError("while closing"), TargetUnavailable("gone")),
]
FAILED = [
    ValueRefused("row 5"),
    ConfigurationError("bad"),
    TypeError("a fault in the program"),
    KeyError("chunk"),
    AssertionError(),
    runtime_error(ErrorType.CONNECTION_NOT_FOUND),
    runtime_error(ErrorType.API_SERVER_ERROR, 400),
    caused(RuntimeError("told"), ValueRefused("row 5")),
]


@pytest.mark.parametrize("error", RETRIED, ids=repr)
def test_what_may_pass_is_tried_again(error):
    assert SnowmeltRetryPolicy().evaluate(error, 1, 6).action.value == "retry"


@pytest.mark.parametrize("error", FAILED, ids=repr)
def test_what_would_come_again_fails_at_once(error):
    assert SnowmeltRetryPolicy().evaluate(error, 1, 6).action.value == "fail"


def test_pauses_double_up_to_ten_minutes_and_are_spread_by_half():
    longest = [SnowmeltRetryPolicy(lambda: 1.0).pause(number).total_seconds() for number in range(1, 9)]
    shortest = [SnowmeltRetryPolicy(lambda: 0.0).pause(number).total_seconds() for number in range(1, 9)]
    assert longest == [10, 20, 40, 80, 160, 320, 600, 600]
    assert shortest == [5, 10, 20, 40, 80, 160, 300, 300]
    policy = SnowmeltRetryPolicy()
    assert len({policy.pause(3) for _ in range(50)}) > 40
    assert policy.pause(10_000).total_seconds() <= 600


def test_too_many_mapped_tasks_are_explained():
    answer = {"detail": {"reason": "unmappable_return_value_length", "message": "XCom list too long"}}
    error = runtime_error(ErrorType.API_SERVER_ERROR, 400, answer)
    decision = SnowmeltRetryPolicy().evaluate(error, 1, 6)
    assert decision.action.value == "fail"
    assert str(decision.reason).endswith("See docs/troubleshooting.md#map-limit")


SCRIPT = """
import json, sys
from datetime import timedelta
from airflow.sdk import DAG, task
from snowmelt.errors import TargetUnavailable, ValueRefused
from snowmelt.airflow.retrying import SnowmeltRetryPolicy

with DAG("policy", schedule=None, default_args={"retries": 2, "retry_policy": SnowmeltRetryPolicy(lambda: 0.0)}) as dag:
    for name, error in [("passing", TargetUnavailable), ("lasting", ValueRefused), ("fault", TypeError)]:
        @task(task_id=name)
        def fail(error=error):
            raise error("on purpose")
        fail()
run_states = {}
from airflow.sdk.execution_time.task_runner import _handle_current_task_failed
import logging, types
for name, error in [("passing", TargetUnavailable), ("lasting", ValueRefused), ("fault", TypeError)]:
    ti = types.SimpleNamespace(task=dag.get_task(name), try_number=1, end_date=None, rendered_map_index=None,
        stats_tags={}, _failure_metrics_emitted=True,
        _ti_context_from_server=types.SimpleNamespace(max_tries=2, should_retry=True))
    import structlog
    message, state = _handle_current_task_failed(ti, error("on purpose"), structlog.get_logger())
    run_states[name] = [state.value, getattr(message, "retry_delay_seconds", None)]
print("@@@" + json.dumps(run_states))
"""


def test_airflow_asks_the_policy(sandbox):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment(sandbox), capture_output=True, text=True
    )
    assert "@@@" in done.stdout, done.stdout + done.stderr
    assert json.loads(done.stdout.rpartition("@@@")[2]) == {
        "passing": ["up_for_retry", 5.0],
        "lasting": ["failed", None],
        "fault": ["failed", None],
    }


def test_the_dags_carry_it():
    from snowmelt.dag_factory import build_migrate_table, read_config
    from tests.conftest import ROOT

    dag = build_migrate_table(read_config(ROOT / "include/config/s3copyconfig.json", {}))
    assert all(isinstance(task.retry_policy, SnowmeltRetryPolicy) for task in dag.tasks)
    assert {task.retries for task in dag.tasks} == {6}
