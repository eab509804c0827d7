"""MigrationFilesOperator: turns what the unloads returned into the run's manifest, in the ledger and in S3."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, XComArg

from snowmelt.core.addresses import build_s3_url
from snowmelt.core.unload.manifest import StagedChunk
from snowmelt.links import MigrationLink, S3FolderLink, store_link
from snowmelt.tasks.failing import failing_fast
from snowmelt.tasks.sessions import postgres_session, s3_client, snowflake_session, task_tag

if TYPE_CHECKING:
    from airflow.sdk import Context


class MigrationFilesOperator(BaseOperator):
    """Add up the chunks, record the files in the ledger, have Snowflake write manifest.json, hand out the files.

    Returns a list of {batch, label, keys}, one entry for each load task; empty in mode `unload`.

    :param run_id: the run's id in the ledger.
    :param chunks: what S3ManifestSensor returned, one dict for each chunk; None in mode `load`.
    """

    template_fields: Sequence[str] = ("run_id", "chunks")
    ui_color = "#fff2cc"
    operator_extra_links = (MigrationLink(), S3FolderLink())

    def __init__(
        self,
        *,
        run_id: str,
        chunks: Iterable[Mapping[str, Any]] | XComArg | None = None,
        snowflake_conn_id: str = "snowflake_default",
        aws_conn_id: str = "aws_default",
        postgres_conn_id: str = "postgres_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.run_id = run_id
        self.chunks = chunks
        self.snowflake_conn_id = snowflake_conn_id
        self.aws_conn_id = aws_conn_id
        self.postgres_conn_id = postgres_conn_id

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Check, record, write the manifest."""
        from snowmelt.io.unload.gathering import gather_files

        staged = [StagedChunk.from_json(chunk) for chunk in _all(self.chunks) if chunk is not None]
        with failing_fast(), postgres_session(self.postgres_conn_id) as postgres:
            gathered = gather_files(
                postgres,
                self.run_id,
                staged,
                s3=lambda: s3_client(self.aws_conn_id),
                snowflake=lambda: snowflake_session(self.snowflake_conn_id, tag=task_tag(context)),
            )
        folder = f"{gathered.manifest_key.rpartition('/')[0]}/"
        store_link(context, S3FolderLink(), build_s3_url(gathered.bucket, folder))
        self.log.info(
            "%s files, %s rows, %.1f MB; manifest s3://%s/%s",
            gathered.files, f"{gathered.rows:,}", gathered.bytes / 1e6, gathered.bucket, gathered.manifest_key,
        )  # fmt: skip
        return [
            {"batch": batch.index, "label": f"keys: {batch.label}" if keys else batch.label, "keys": keys}
            for batches, keys in ((gathered.batches, False), (gathered.key_batches, True))
            for batch in batches
        ]


def _all(chunks: Any) -> list[Any]:
    """All results of a mapped task by one request; a lazy sequence that is walked asks for each, and once too often."""
    return [] if chunks is None else list(chunks[:])
