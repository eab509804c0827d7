"""The one place where drivers' errors become Snowmelt's: transient ones are retried, terminal ones fail the task at once.

A module for each driver, so that a task imports only those it uses; each is a table (number or code → `Known`) and the
function that reads it. Every known error names its place on the troubleshooting page.
"""

from __future__ import annotations

from typing import NamedTuple

from snowmelt.errors import SnowmeltError, Topic, TransientError, see


class Known(NamedTuple):
    """What is known of an error."""

    #: Transient or terminal, and whose.
    family: type[SnowmeltError]
    #: What a user does about it.
    advice: str
    #: Its place on the troubleshooting page; None where the message says all.
    topic: Topic | None = None


def failure(known: Known, doing: str, said: str) -> SnowmeltError:
    """The error: what was under way, what the other side said, what to do, whether it is tried again, where to read on.

    :param said: `PostgreSQL answered 55P03: …`, without a full stop.
    """
    parts = [f"{doing}: {said.rstrip('. ')}.", known.advice]
    if issubclass(known.family, TransientError):
        parts.append("It is tried again.")
    if known.topic is not None:
        parts.append(see(known.topic))
    return known.family(" ".join(part for part in parts if part))


def one_line(text: object) -> str:
    """An error's text without its line breaks."""
    return " ".join(str(text).split())


def translate(error: Exception, doing: str) -> SnowmeltError | None:
    """Snowmelt's error for a driver's that nothing translated on its way up; None where it is no driver's."""
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
