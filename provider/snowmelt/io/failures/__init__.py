"""The one place where drivers' errors become Snowmelt's: transient ones are retried, terminal ones fail the task at once.

A module for each driver, so that a task imports only those it uses.
"""

from __future__ import annotations

from snowmelt.errors import SnowmeltError

#: A kind of error, and what a user does about it.
Known = tuple[type[SnowmeltError], str]


def one_line(text: object) -> str:
    """An error's text without its line breaks."""
    return " ".join(str(text).split())
