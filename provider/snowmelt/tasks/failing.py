"""Terminal errors fail a task at once, transient ones leave it to Airflow's retries: decided here, for all operators."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow.sdk.exceptions import AirflowFailException

from snowmelt.errors import TerminalError


@contextmanager
def failing_fast() -> Iterator[None]:
    """Raise AirflowFailException, which is not retried, for an error that another try would meet again."""
    try:
        yield
    except TerminalError as error:
        raise AirflowFailException(str(error)) from error
