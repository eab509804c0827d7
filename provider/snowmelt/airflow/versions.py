"""What differs between the supported versions of Airflow, 3.1 to 3.3. All else is imported from `airflow.sdk`, which they share.

Names that have moved come from Airflow's own compatibility provider, which knows where they are. What an older version does not
have is replaced: before 3.3 there is no policy of retries (`retrying.py` fails by AirflowFailException what another try would
meet again) and no store of a task (a planned run's queries are in the ledger; an unload by itself is submitted again by a retry).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.sdk import CronTriggerTimetable, RetryDecision, RetryPolicy
    from airflow.sdk.configuration import conf
    from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
    from airflow.sdk.plugins_manager import AirflowPlugin
else:
    from airflow.providers.common.compat.sdk import (
        AirflowFailException,
        AirflowPlugin,
        AirflowSkipException,
        conf,
    )

    try:
        from airflow.sdk import CronTriggerTimetable
    except ImportError:  # before 3.2
        from airflow.timetables.trigger import CronTriggerTimetable

    try:
        from airflow.sdk import RetryDecision, RetryPolicy
    except ImportError:  # before 3.3
        RetryDecision, RetryPolicy = None, object

#: Whether a task can have a policy that decides which errors are retried, and after which pause.
HAS_RETRY_POLICY = RetryPolicy is not object

__all__ = [
    "HAS_RETRY_POLICY",
    "AirflowFailException",
    "AirflowPlugin",
    "AirflowSkipException",
    "CronTriggerTimetable",
    "RetryDecision",
    "RetryPolicy",
    "conf",
]
