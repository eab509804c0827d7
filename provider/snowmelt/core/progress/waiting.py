"""What a task says while Snowflake unloads: what is waited for, and for how long. How far a COPY is, Snowflake does not tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from snowmelt.core.progress.shown import show_count, show_seconds


def show_waiting(submitted: Mapping[str, Any], now: float) -> str:
    """A line for the log.

    :param submitted: what the submission returned: query_id, submitted_at (seconds since 1970), title, rows.
    :param now: seconds since 1970.
    """
    title = submitted.get("title") or submitted.get("path") or "the unload"
    rows = submitted.get("rows")
    size = f" ({show_count(rows)} rows)" if rows is not None else ""
    seconds = show_seconds(max(0.0, now - float(submitted.get("submitted_at") or now)))
    return f"Snowflake still unloads {title}{size}: query {submitted['query_id']}, {seconds} so far"
