"""Waits in the triggerer until the files of a manifest stand in S3."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from snowmelt.errors import TerminalError


class StagedFilesTrigger(BaseTrigger):
    """Looks at intervals whether the manifest's files are there; the sensor then checks them once more by itself.

    :param aws_conn_id: Airflow connection; read access is enough.
    :param manifest: what the sensor was given: an unload's result, or the address of a manifest.json.
    :param poll_interval: seconds between two looks.
    """

    def __init__(self, *, aws_conn_id: str, manifest: Mapping[str, Any] | str, poll_interval: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.aws_conn_id = aws_conn_id
        self.manifest = manifest
        self.poll_interval = poll_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments, as they stand in Airflow's database."""
        return (
            "snowmelt.triggers.staged_files.StagedFilesTrigger",
            {"aws_conn_id": self.aws_conn_id, "manifest": self.manifest, "poll_interval": self.poll_interval},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until all files are there, or one will never be right."""
        from airflow.providers.amazon.aws.hooks.s3 import S3Hook

        from snowmelt.io.unload.staged import look_for_staged

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
