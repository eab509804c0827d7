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
