"""S3ToPostgresLoadOperator: staged files into a table of PostgreSQL, each exactly once."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from snowmelt.airflow.links import MigrationLink, S3FolderLink, build_s3_url, store_link
from snowmelt.airflow.records import recording_load
from snowmelt.airflow.retrying import failing_fast
from snowmelt.airflow.sessions import postgres_session, s3_client
from snowmelt.airflow.versions import AirflowSkipException

if TYPE_CHECKING:
    from airflow.sdk import Context

    from snowmelt.steps.load import LoadJob, ManifestLike
    from snowmelt.unload.manifest import StagedFile


class S3ToPostgresLoadOperator(BaseOperator):
    """Load the staged files of one batch of a planned run, or all files of a manifest into any table.

    Each file is one transaction: its ledger row first, then the COPY. A file that is loaded already is skipped, a
    second worker on the same file waits and then skips, so a retry at any time loads what is left and nothing twice.

    Returns a small dict: files, skipped, rows, rejected, bytes, seconds.

    :param run_id: a planned run's id in the ledger; the batch's files go into its staging table. (templated)
    :param batch: which files of the run; used with `run_id`.
    :param label: what the mapped task is called.
    :param keys: whether the batch is one of the run's keys (deletes), which go into a staging table of their own.
    :param manifest: instead of a run: what S3ManifestSensor returned, or the s3:// address of a manifest.json. (templated)
    :param table: with `manifest`: the existing table to load into, `public.dimpayer`, taken to the letter. (templated)
    :param load_method: with `manifest`: auto, copy or aws_s3.
    """

    template_fields: Sequence[str] = ("run_id", "manifest", "table")
    ui_color = "#cfe2f3"
    operator_extra_links = (MigrationLink(), S3FolderLink())

    def __init__(
        self,
        *,
        run_id: str | None = None,
        batch: int | None = None,
        label: str = "",
        keys: bool = False,
        manifest: ManifestLike | None = None,
        table: str | None = None,
        load_method: str = "auto",
        aws_conn_id: str = "aws_default",
        postgres_conn_id: str = "postgres_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.run_id = run_id
        self.batch = batch
        self.map_label = label
        self.keys = keys
        self.manifest = manifest
        self.table = table
        self.load_method = load_method
        self.aws_conn_id = aws_conn_id
        self.postgres_conn_id = postgres_conn_id
        self._postgres: Any = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Load the files that are not loaded yet."""
        from snowmelt.steps.load import load_files, summarise_loads

        with failing_fast(), postgres_session(self.postgres_conn_id) as postgres:
            self._postgres = postgres
            client = s3_client(self.aws_conn_id)
            job, files = self._read_job(postgres, client)
            if files:
                folder = f"{files[0].key.rpartition('/')[0]}/"
                store_link(context, S3FolderLink(), build_s3_url(job.bucket, folder, client.meta.region_name))
            with self._recording(postgres, job.run_id):
                results = load_files(postgres, client, files, job)
        self._postgres = None
        return summarise_loads(results)

    def _recording(self, postgres: Any, run_id: str) -> AbstractContextManager[None]:
        """A load of a manifest is a run by itself: its outcome is recorded here. A planned run goes on after its loads."""
        return (
            nullcontext()
            if self.manifest is None
            else recording_load(postgres, self.postgres_conn_id, run_id)
        )

    def _read_job(self, postgres: Any, client: Any) -> tuple[LoadJob, tuple[StagedFile, ...]]:
        """What to load: the files of a manifest, or those of a batch of a planned run.

        :raises AirflowSkipException: the run is published already.
        """
        from snowmelt.ledger.files import read_batch
        from snowmelt.ledger.runs import read_published
        from snowmelt.steps.load import build_load_job, prepare_manifest
        from snowmelt.steps.planning import read_plan

        if self.manifest is not None:
            return prepare_manifest(postgres, client, self.manifest, str(self.table), self.load_method)
        plan = read_plan(postgres, str(self.run_id))
        if read_published(postgres, plan.run_id) is not None:
            raise AirflowSkipException(f"Run {plan.run_id} is published already")
        part = plan.keys if self.keys and plan.keys is not None else plan
        files = read_batch(postgres, part.run_id, int(self.batch or 0))
        return build_load_job(part, client.meta.region_name), files

    def get_openlineage_facets_on_start(self) -> Any:
        """The files to be read, for OpenLineage's provider."""
        from snowmelt.airflow.lineage import build_load_lineage

        return build_load_lineage(self, None)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """The files read, and with `manifest` the table filled, for OpenLineage's provider."""
        from snowmelt.airflow.lineage import build_load_lineage, read_result

        return build_load_lineage(self, read_result(task_instance))

    def on_kill(self) -> None:
        """Cancel the COPY at the server, at once: the transaction rolls back with its ledger row."""
        if self._postgres is not None:
            self._postgres.cancel_safe(timeout=3.0)
