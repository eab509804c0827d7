"""Terminal errors fail a task at once, transient ones leave it to the retries: decided here, for all operators."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow.sdk.exceptions import AirflowFailException

from snowmelt.errors import SnowmeltError, TerminalError
from snowmelt.io.failures import translate


@contextmanager
def failing_fast() -> Iterator[None]:
    """Raise AirflowFailException, which is not retried, for an error that another try would meet again.

    Drivers' errors are translated where it is known what was under way; one that comes up here as it is (a read of the
    ledger while PostgreSQL restarts) is translated now, so that it is retried or not by the same table.
    """
    try:
        yield
    except TerminalError as error:
        raise AirflowFailException(str(error)) from error
    except SnowmeltError:
        raise
    except Exception as error:
        translated = translate(error, "Working on this task")
        if translated is None:
            raise
        if isinstance(translated, TerminalError):
            raise AirflowFailException(str(translated)) from error
        raise translated from error
