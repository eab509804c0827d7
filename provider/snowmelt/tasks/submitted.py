"""An unload that was submitted leaves its query's id in the ledger, where the pages show it while it runs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from snowmelt.tasks.sessions import postgres_session

log = logging.getLogger(__name__)


def note_submitted(postgres_conn_id: str, run_id: str, chunk: int, submitted: Mapping[str, Any]) -> None:
    """Note the query of a chunk.

    It is for people to read, and nothing decides by it: where it cannot be written, the log says so and the unload goes on.

    :param submitted: as `submit_unload` gave it: query_id and submitted_at.
    """
    try:
        from snowmelt.io.ledger import write_submitted

        note = {"run_id": run_id, "chunk": chunk}
        note |= {name: submitted[name] for name in ("query_id", "submitted_at")}
        with postgres_session(postgres_conn_id) as connection:
            write_submitted(connection, note)
    except Exception as error:  # noqa: BLE001 - Snowflake is unloading: that must not end for a note's sake
        log.warning(
            "Query %s of chunk %s could not be noted in the ledger, so the pages show it once it has ended: %s",
            submitted["query_id"], chunk, next(iter(str(error).splitlines()), type(error).__name__),
        )  # fmt: skip
