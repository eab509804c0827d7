"""What waits in the triggerer: for the files of a manifest to be in S3, and for a query of Snowflake to end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from snowmelt.errors import TerminalError
from snowmelt.progress.pace import show_waiting

if TYPE_CHECKING:
    from snowmelt.drivers.snowflake import QueryStatus


class StagedFilesTrigger(BaseTrigger):
    """Checks at intervals whether the manifest's files are there; the sensor then checks them once more.

    :param aws_conn_id: Airflow connection; read access is enough.
    :param manifest: what the sensor was given: an unload's result, or the address of a manifest.json.
    :param poll_interval: seconds between two checks.
    """

    def __init__(self, *, aws_conn_id: str, manifest: Mapping[str, Any] | str, poll_interval: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.aws_conn_id = aws_conn_id
        self.manifest = manifest
        self.poll_interval = poll_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments, as Airflow's database holds them."""
        return (
            "snowmelt.airflow.triggers.StagedFilesTrigger",
            {"aws_conn_id": self.aws_conn_id, "manifest": self.manifest, "poll_interval": self.poll_interval},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until all files are there, or one will never be right."""
        from airflow.providers.amazon.aws.hooks.s3 import S3Hook

        from snowmelt.unload.staged import look_for_staged

        client = await sync_to_async(S3Hook(aws_conn_id=self.aws_conn_id).get_conn)()
        while True:
            try:
                done = (await asyncio.to_thread(look_for_staged, client, self.manifest)).complete
            except TerminalError:
                done = True
            except Exception as error:  # noqa: BLE001 - the next look may succeed; the sensor's timeout bounds them
                self.log.warning("Looking for the staged files failed: %s", error)
                done = False
            if done:
                yield TriggerEvent({})
                return
            await asyncio.sleep(self.poll_interval)


#: Polls that may fail in a row before the task resumes and finds out why.
MAX_FAILED_POLLS = 5
#: Seconds between two lines of the log that the query still runs.
LOG_EVERY = 10.0
#: Seconds between the first two polls, doubled up to `poll_interval`: a short query is not waited for needlessly.
FIRST_POLL = 0.25


class SnowflakeQueryTrigger(BaseTrigger):
    """Polls one query by its id, over one session, until it no longer runs.

    The event says only that waiting is over; the task reads status and result itself, so that a lost event, a
    retry and a query that ended long ago take the same way.

    :param snowflake_conn_id: Airflow connection.
    :param submitted: what the task needs to go on, query_id among it; it comes back as the event.
    :param poll_interval: seconds between two polls.
    """

    def __init__(self, *, snowflake_conn_id: str, submitted: dict[str, Any], poll_interval: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.snowflake_conn_id = snowflake_conn_id
        self.submitted = submitted
        self.query_id = str(submitted["query_id"])
        self.poll_interval = poll_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments, as Airflow's database holds them."""
        return (
            "snowmelt.airflow.triggers.SnowflakeQueryTrigger",
            {
                "snowflake_conn_id": self.snowflake_conn_id,
                "submitted": self.submitted,
                "poll_interval": self.poll_interval,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll until the query no longer runs, or cannot be asked any more."""
        from snowmelt.drivers import snowflake as drivers

        connection: Any = None
        failures = polls = 0
        unknown_since: float | None = None
        logged = time.monotonic()
        try:
            while True:
                try:
                    if connection is None:
                        connection = await sync_to_async(self._connect)()
                    status = await asyncio.to_thread(self._read_status, connection)
                except Exception as error:  # noqa: BLE001 - whatever the driver raises: the task finds out and reports it
                    failures += 1
                    self.log.warning(
                        "Asking for query %s failed (%s of %s): %s",
                        self.query_id,
                        failures,
                        MAX_FAILED_POLLS,
                        error,
                    )
                    await self._close(connection)
                    connection = None
                    if failures >= MAX_FAILED_POLLS:
                        yield TriggerEvent(self.submitted)
                        return
                else:
                    failures = 0
                    if not status.running:
                        yield TriggerEvent({**self.submitted, "ended_at": time.time()})
                        return
                    unknown_since = status.unknown_since(unknown_since)
                    if unknown_since is not None and time.time() - unknown_since >= drivers.MAX_NO_DATA:
                        yield TriggerEvent({**self.submitted, "unknown_since": unknown_since})
                        return
                    if time.monotonic() - logged >= LOG_EVERY:
                        logged = time.monotonic()
                        self.log.info("%s", show_waiting(self.submitted, time.time()))
                await asyncio.sleep(min(self.poll_interval, FIRST_POLL * 2.0**polls))
                polls = min(polls + 1, 30)
        finally:
            await self._close(connection)

    async def on_kill(self) -> None:
        """Cancel the query when a user clears or fails the deferred task."""
        await sync_to_async(self._cancel)()

    def _connect(self) -> Any:
        from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook

        return SnowflakeHook(snowflake_conn_id=self.snowflake_conn_id).get_conn()

    def _read_status(self, connection: Any) -> QueryStatus:
        from snowmelt.drivers.snowflake import read_status

        return read_status(connection, self.query_id, f"Asking for query {self.query_id}")

    def _cancel(self) -> None:
        from snowmelt.drivers.snowflake import cancel_query

        connection = self._connect()
        try:
            cancel_query(connection, self.query_id)
        finally:
            connection.close()

    async def _close(self, connection: Any) -> None:
        if connection is not None:
            await asyncio.to_thread(connection.close)
