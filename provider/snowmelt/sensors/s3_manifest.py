"""S3ManifestSensor: waits until all that an unload wrote can be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator, PokeReturnValue

from snowmelt.airflow.links import MigrationLink
from snowmelt.airflow.retrying import failing_fast
from snowmelt.airflow.sessions import s3_client
from snowmelt.json_values import to_json

if TYPE_CHECKING:
    from airflow.sdk import Context


class S3ManifestSensor(BaseSensorOperator):
    """Wait for each file of a manifest at its exact size.

    The manifest is what the unload returned, never a listing: other objects in the folder are reported and left
    alone. An empty chunk passes at once; a file of another size fails with both sizes.

    Returns the same dict that SnowflakeUnloadToS3Operator returns, with each file's ETag; for a manifest.json,
    a list of them.

    :param manifest: what SnowflakeUnloadToS3Operator returned, or the s3:// address of a manifest.json. (templated)
    :param aws_conn_id: Airflow connection; s3:ListBucket and s3:GetObject are enough.
    :param deferrable: wait in the triggerer when the first look finds a file missing.
    """

    template_fields: Sequence[str] = ("manifest",)
    ui_color = "#e2f0d9"
    operator_extra_links = (MigrationLink(),)

    def __init__(
        self,
        *,
        manifest: Mapping[str, Any] | str,
        aws_conn_id: str = "aws_default",
        poke_interval: float = 10.0,
        deferrable: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poke_interval, **kwargs)
        self.manifest = manifest
        self.aws_conn_id = aws_conn_id
        self.deferrable = deferrable

    @property
    def map_label(self) -> str:
        """What the mapped task is called."""
        if isinstance(self.manifest, str):
            return self.manifest
        return f"chunk {self.manifest['chunk']:03d}: {len(self.manifest['files'])} files, {self.manifest['rows']:,} rows"

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once."""
        from snowmelt.unload.staged import look_for_staged

        with failing_fast():
            look = look_for_staged(s3_client(self.aws_conn_id), self.manifest)
        if not look.complete:
            self.log.info("Waiting for %s files, for example %s", len(look.missing), look.missing[0])
            return PokeReturnValue(is_done=False)
        files = sum(len(chunk.files) for chunk in look.chunks)
        self.log.info("All %s files are there at their exact sizes", files)
        if look.strays:
            self.log.warning(
                "%s other objects stand beside them, left by a try that failed; they are not loaded: %s",
                len(look.strays), ", ".join(look.strays[:5]),
            )  # fmt: skip
        chunks = [to_json(chunk) for chunk in look.chunks]
        return PokeReturnValue(
            is_done=True, xcom_value=chunks if isinstance(self.manifest, str) else chunks[0]
        )

    def execute(self, context: Context) -> Any:
        """Look, and wait in the triggerer or here for what is missing."""
        if not self.deferrable:
            return super().execute(context)
        found = self.poke(context)
        if found.is_done:
            return found.xcom_value
        from snowmelt.airflow.triggers import StagedFilesTrigger

        trigger = StagedFilesTrigger(
            aws_conn_id=self.aws_conn_id,
            manifest=self.manifest if isinstance(self.manifest, str) else dict(self.manifest),
            poll_interval=self.poke_interval,
        )
        self.defer(trigger=trigger, method_name="execute_complete", timeout=timedelta(seconds=self.timeout))

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> Any:
        """Check the files once more, and return them."""
        return self.execute(context)

    def get_openlineage_facets_on_start(self) -> Any:
        """The files to be waited for, for OpenLineage's provider."""
        from snowmelt.airflow.lineage import build_staged_lineage

        return build_staged_lineage(self, None)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """The files that were found at their exact sizes, for OpenLineage's provider."""
        from snowmelt.airflow.lineage import build_staged_lineage, read_result

        return build_staged_lineage(self, read_result(task_instance))
