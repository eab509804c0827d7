"""Which failures of a task are retried, and when: decided here, for all operators."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from snowmelt.airflow.versions import (
    HAS_RETRY_POLICY,
    AirflowFailException,
    AirflowSkipException,
    RetryDecision,
    RetryPolicy,
)
from snowmelt.errors import SnowmeltError, TerminalError, Topic, TransientError, see

if TYPE_CHECKING:
    from airflow.sdk import Context


@contextmanager
def failing_fast() -> Iterator[None]:
    """Raise AirflowFailException, which is not retried, for an error that another try would meet again.

    Where Airflow has no policy of retries (before 3.3), that is any error that is not transient.

    Drivers' errors are translated where it is known what was under way; one that comes up here as it is (a read of the
    ledger while PostgreSQL restarts) is translated now, so that it is retried or not by the same table.
    """
    try:
        yield
    except Exception as error:
        known = error if isinstance(error, SnowmeltError) else translate(error, "Working on this task")
        if isinstance(known, TerminalError):
            raise AirflowFailException(str(known)) from known
        if (
            not HAS_RETRY_POLICY
            and not isinstance(error, _ENDS_OF_TASKS)
            and not is_transient(known or error)
        ):
            raise AirflowFailException(_reason(error, type(error).__name__)) from error
        if known is None or known is error:
            raise
        raise known from None


#: Tries after the first. With the pauses below they span some 10 minutes: a failover of RDS takes one or two.
RETRIES = 6
FIRST_PAUSE = timedelta(seconds=10)
LONGEST_PAUSE = timedelta(minutes=10)
#: Where no exception says why a task died (its process was killed), Airflow's own pause is used, doubled each time.
BACKOFF = 2.0

#: Airflow's own: the API server was not reached, the task ran into its execution_timeout, its process received a signal to end.
_AIRFLOW_TRANSIENT = frozenset({"AirflowTaskTimeout", "AirflowTaskTerminated", "TaskDeferralTimeout"})
_SERVER_FAULT = 500
#: The API server's reason for an XCom that more tasks would be mapped over than core.max_map_length allows.
_TOO_MANY_TASKS = "unmappable_return_value_length"
_UNREACHABLE = frozenset(
    {"ConnectError", "ReadError", "WriteError", "RemoteProtocolError", "ConnectTimeout", "ReadTimeout"}
)


#: By these a task says that it is skipped or failed: they pass as they are.
_ENDS_OF_TASKS = (AirflowSkipException, AirflowFailException)


class SnowmeltRetryPolicy(RetryPolicy):
    """Retries transient errors, a broken network and an unreachable API server of Airflow. Nothing else.

    The pause doubles from 10 s up to 10 minutes, and is drawn between half of that and all of it, so that the forty loads that
    one restart of PostgreSQL broke do not come back at the same instant. A terminal error, and any unexpected error (a fault in
    the program gives the same answer each time), fails the task at once.

    :param draw: gives a number from 0 to 1.
    """

    def __init__(self, draw: Callable[[], float] = random.random) -> None:
        self._draw = draw

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """Airflow asks in the task's process; the decision is in the task's log."""
        kind = type(exception).__name__
        if not is_transient(exception):
            return RetryDecision.fail(_reason(exception, kind))
        pause = self.pause(try_number)
        return RetryDecision.retry(pause, f"{kind} is transient: retried after {pause.total_seconds():.0f} s")

    def pause(self, try_number: int) -> timedelta:
        """Before the next try; `try_number` counts from 1."""
        whole = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(try_number - 1, 20))
        return whole * (0.5 + 0.5 * self._draw())

    def serialize(self) -> dict[str, Any]:
        """Nothing to keep: the DAG file makes the policy again."""
        return {"__type": "SnowmeltRetryPolicy"}


#: What every task is given. The policy decides by the error; the pauses here are for tasks whose process died without one.
RETRY_ARGUMENTS: dict[str, Any] = {
    "retries": RETRIES,
    "retry_delay": FIRST_PAUSE,
    "retry_exponential_backoff": BACKOFF,
    "max_retry_delay": LONGEST_PAUSE,
    "retry_policy": SnowmeltRetryPolicy(),
}
if not HAS_RETRY_POLICY:  # before 3.3; until 3.2 the backoff is switched on or off
    RETRY_ARGUMENTS |= {"retry_exponential_backoff": True}
    del RETRY_ARGUMENTS["retry_policy"]


def is_transient(error: BaseException) -> bool:
    """Whether another try may succeed: by the error itself, or by what it was raised from."""
    for cause in _causes(error):
        if isinstance(cause, TransientError) or _passes(cause):
            return True
        if isinstance(cause, TerminalError):
            return False
    return False


def _passes(error: BaseException) -> bool:
    """Errors that are not Snowmelt's: of the network, of memory, of Airflow."""
    if isinstance(error, (ConnectionError, TimeoutError, MemoryError, SystemExit)):
        return True
    kind = type(error)
    if kind.__name__ == "AirflowRuntimeError":
        return _is_absence(getattr(error, "error", None))
    by_network = kind.__name__ in _UNREACHABLE and kind.__module__.startswith(("httpx", "httpcore"))
    return by_network or kind.__name__ in _AIRFLOW_TRANSIENT


def _is_absence(answer: Any) -> bool:
    """Airflow's API server was not reached, or failed (5xx); a refusal (4xx) would repeat."""
    kind = getattr(getattr(answer, "error", None), "value", "")
    status = (getattr(answer, "detail", None) or {}).get("status_code", 0)
    return kind == "GENERIC_ERROR" or (kind == "API_SERVER_ERROR" and int(status) >= _SERVER_FAULT)


def _read_reason(error: BaseException) -> str:
    """The `reason` of the API server's answer; empty where there is none. It is one or two levels below `detail`."""
    detail = getattr(getattr(error, "error", None), "detail", None)
    while isinstance(detail, Mapping):
        if "reason" in detail:
            return str(detail["reason"])
        detail = detail.get("detail")
    return ""


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__


def _reason(error: BaseException, kind: str) -> str:
    if _read_reason(error) == _TOO_MANY_TASKS:
        return f"More mapped tasks than this Airflow allows (core.max_map_length). {see(Topic.MAP_LIMIT)}"
    return f"{kind} would fail again: not retried"


def translate(error: Exception, doing: str) -> SnowmeltError | None:
    """Snowmelt's error for a driver's that nothing translated on its way up; None where it is not a driver's."""
    origins = {kind.__module__.partition(".")[0] for kind in type(error).__mro__}
    if "psycopg" in origins:
        from snowmelt.drivers.postgres_errors import postgres_failures as failures
    elif "botocore" in origins:
        from snowmelt.drivers.s3_errors import s3_failures as failures
    elif "snowflake" in origins:
        from snowmelt.drivers.snowflake_errors import snowflake_failures as failures
    else:
        return None
    try:
        with failures(doing):
            raise error  # noqa: TRY301 - the table reads what is raised
    except SnowmeltError as translated:
        return translated
    except Exception:  # noqa: BLE001 - a class of the driver's that the table does not know
        return None
