"""The one place where drivers' errors become Snowmelt's: transient ones are retried, terminal ones fail the task at once.

A module for each driver, so that a task imports only those it uses; each is a table (number or code → `Known`) and the
function that reads it. Every known error names its section of the troubleshooting page. What the driver raised is not
chained to what leaves here: its text may hold values of a row (PostgreSQL's DETAIL and CONTEXT, Snowflake's casts), and
Airflow logs the whole chain. The traceback is kept, so that the log still shows where it was raised.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from snowmelt.errors import SnowmeltError, Topic, TransientError


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an error."""

    #: Transient or terminal, and whose.
    family: type[SnowmeltError]
    #: What a user does about it.
    advice: str
    #: Its section of the troubleshooting page; None where the message says all.
    topic: Topic | None = None


def build_failure(known: Known, doing: str, answer: str, **facts: Any) -> SnowmeltError:
    """The error: what was under way, what the other side answered, what to do, whether it is retried, where to read on.

    :param answer: `PostgreSQL answered 55P03: …`, without a full stop.
    :param facts: attributes of `SnowmeltError`.
    """
    parts = [f"{doing}: {answer.rstrip('. ')}.", known.advice]
    if issubclass(known.family, TransientError):
        parts.append("It is retried.")
    return known.family(" ".join(part for part in parts if part), topic=known.topic, **facts)


def one_line(text: object) -> str:
    """An error's text without its line breaks."""
    return " ".join(str(text).split())


#: The text between the first and the last quotation mark, in the languages of the servers' messages.
_QUOTED = re.compile(r"[\"'«»„“\u2018「『].*[\"'»«“”\u2019」』]", re.DOTALL)


def hide_quoted(text: str) -> str:
    """A message without what it quotes: `invalid input syntax for type integer: "…"`."""
    return _QUOTED.sub('"…"', text)


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
