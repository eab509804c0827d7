"""The one place where drivers' errors become Snowmelt's: transient ones are retried, terminal ones fail the task at once.

A module for each driver, so that a task imports only those it uses; each is a table (number or code → `Known`) and the
function that reads it. Every known error names its place on the troubleshooting page.
"""

from __future__ import annotations

from typing import NamedTuple

from snowmelt.core.troubleshooting import Topic, see
from snowmelt.errors import SnowmeltError, TransientError


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
