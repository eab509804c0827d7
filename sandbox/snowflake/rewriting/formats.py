"""The values of a session that expressions depend on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Formats:
    """The session's values that expressions depend on."""

    timezone: str
    ntz: str
    ltz: str
    tz: str
    date: str
    time: str
    constants: dict[str, str | None]  # CURRENT_ROLE, LAST_QUERY_ID, … of this statement
    now: float | None = None
    query_ids: tuple[str, ...] = ()  # the session's statements before this one
