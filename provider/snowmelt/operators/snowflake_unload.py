"""SnowflakeUnloadToS3Operator: one `COPY INTO <location>` of a table, or of one chunk of it.

MigrationUnloadOperator: the same for one chunk of a stored plan.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from snowmelt.airflow.links import (
    MigrationLink,
    S3FolderLink,
    SnowflakeQueryLink,
    build_query_url,
    build_s3_url,
    store_link,
)
from snowmelt.airflow.records import note_submitted
from snowmelt.airflow.retrying import failing_fast
from snowmelt.airflow.sessions import (
    postgres_session,
    s3_client,
    snowflake_account,
    snowflake_session,
    task_tag,
)
from snowmelt.json_values import from_json, to_json

if TYPE_CHECKING:
    from airflow.sdk import Context

    from snowmelt.unload.statements import UnloadRequest

#: Under this name the id of the submitted query survives a retry.
QUERY_KEY = "snowflake_query"


class _UnloadOperator(BaseOperator):
    """Submits an unload asynchronously, waits in the triggerer, returns what Snowflake returned.

    A retry finds the query that its predecessor submitted and goes on waiting for it instead of unloading twice; a killed
    task cancels it. Where the query is kept: by Airflow for a task by itself, in the ledger for a planned run.
    """

    ui_color = "#d7ecf8"
    operator_extra_links = (MigrationLink(), S3FolderLink(), SnowflakeQueryLink())

    def __init__(
        self,
        *,
        snowflake_conn_id: str = "snowflake_default",
        aws_conn_id: str | None = None,
        poll_interval: float = 5.0,
        deferrable: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.snowflake_conn_id = snowflake_conn_id
        self.aws_conn_id = aws_conn_id
        self.poll_interval = poll_interval
        self.deferrable = deferrable
        self._query_id: str | None = None

    @abstractmethod
    def read_request(self) -> UnloadRequest:
        """What is to be unloaded."""

    @property
    @abstractmethod
    def chunk_index(self) -> int | None:
        """The chunk, for the query's tag."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Submit the unload, or find the one that an earlier try submitted, and wait for it."""
        with failing_fast():
            request = self.read_request()
            with snowflake_session(
                self.snowflake_conn_id,
                warehouse=request.warehouse,
                tag=self._tag(context),
                timeout=request.statement_timeout_s,
            ) as session:
                submitted = self._submit(context, session, request)
                self._query_id = submitted["query_id"]
                self._store_links(context, submitted)
                if not self.deferrable:
                    return self._finish(context, session, request, submitted)
        from snowmelt.airflow.triggers import SnowflakeQueryTrigger

        trigger = SnowflakeQueryTrigger(
            snowflake_conn_id=self.snowflake_conn_id,
            submitted=submitted,
            poll_interval=self.poll_interval,
        )
        self.defer(trigger=trigger, method_name="execute_complete")

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Read the ended query's result; the event is what `execute` submitted."""
        with failing_fast(), snowflake_session(self.snowflake_conn_id, tag=self._tag(context)) as session:
            self._query_id = event["query_id"]
            return self._finish(context, session, self.read_request(), event)

    def on_kill(self) -> None:
        """Cancel the query; Airflow ends the process a few seconds later."""
        from snowmelt.drivers.snowflake import cancel_query

        if self._query_id:
            with snowflake_session(self.snowflake_conn_id) as session:
                cancel_query(session, self._query_id)

    @abstractmethod
    def recall_query(self, context: Context, request: UnloadRequest) -> object:
        """What an earlier try submitted for the request, as `submit_unload` gave it; None: nothing is known."""

    @abstractmethod
    def keep_query(self, context: Context, submitted: Mapping[str, Any]) -> None:
        """Keep what was submitted, for later tries."""

    @abstractmethod
    def forget_query(self, context: Context) -> None:
        """Let the next try submit the unload again."""

    def _submit(self, context: Context, session: Any, request: UnloadRequest) -> dict[str, Any]:
        """The running or finished query of an earlier try, or a new one."""
        from snowmelt.unload.chunk import find_submitted, submit_unload

        found = find_submitted(session, self.recall_query(context, request), request)
        if found is not None:
            self.log.info("Waiting for query %s, which an earlier try submitted", found["query_id"])
            return found
        submitted = submit_unload(session, request)
        self.keep_query(context, submitted)
        self.log.info("Unloading %s by query %s", request.title, submitted["query_id"])
        return submitted

    def _store_links(self, context: Context, submitted: Mapping[str, Any]) -> None:
        account, region = snowflake_account(self.snowflake_conn_id)
        query_url = build_query_url(account, region, submitted["query_id"])
        store_link(context, SnowflakeQueryLink(), query_url)
        folder = f"{submitted['base']}{submitted['path']}"
        store_link(context, S3FolderLink(), build_s3_url(submitted["bucket"], folder))

    def _finish(
        self, context: Context, session: Any, request: UnloadRequest, submitted: Mapping[str, Any]
    ) -> dict[str, Any]:
        from snowmelt.steps.lost_result import UnloadUnproven, finish_unload
        from snowmelt.unload.chunk import describe_unload

        aws = self.aws_conn_id
        s3 = None if aws is None else lambda: s3_client(aws)
        try:
            staged = finish_unload(session, request, submitted, self.poll_interval, s3)
        except UnloadUnproven:
            self.forget_query(context)
            raise
        self._query_id = None
        rate = staged.rows / staged.seconds if staged.seconds else 0
        self.log.info(
            "Unloaded %s rows into %s files, %.1f MB, in %.1f s (%.0f rows/s)",
            f"{staged.rows:,}", len(staged.files), staged.bytes / 1e6, staged.seconds, rate,
        )  # fmt: skip
        return to_json(staged) | describe_unload(request, submitted)

    def _tag(self, context: Context) -> str:
        return task_tag(context, chunk=self.chunk_index, submitted=int(time.time()))


class SnowflakeUnloadToS3Operator(_UnloadOperator):
    """Unload a Snowflake table, or one chunk of it, into S3 by Snowflake's own role.

    The statement is submitted asynchronously and awaited in the triggerer. A retry finds the query that its
    predecessor submitted and goes on waiting for it instead of unloading twice; a killed task cancels it.

    Returns what Snowflake returned, a small dict: chunk, bucket, query_id, seconds, rows, bytes and
    files (key, bytes, rows each). An empty chunk has no files.

    :param source: the table, `ANALYTICS.BI.DIMPAYER`; parts in double quotes are taken to the letter. (templated)
    :param path: folder below the stage (or bucket) to write into, ending in a slash. (templated)
    :param stage: external stage, `UTIL.STAGING.SNOWMELT_STAGE`; None: `storage_integration` writes into `bucket`.
    :param storage_integration: name of the storage integration; only used without a stage.
    :param bucket: bucket that the stage has to point to; may be empty with a stage.
    :param columns: (name in the file, SQL expression) pairs; None: every column in its exact staged form. (templated)
    :param source_filter: one SQL predicate, or empty. (templated)
    :param filter_subqueries: the filter may ask other objects; each chunk asks them again.
    :param chunk: as a plan gives it: index, predicate, rows, label; None: the whole table.
    :param snapshot: instant to read the table at, with its offset; None: now. (templated)
    :param row_limit: rows at most; 0: all.
    :param file_format: parquet or csv.
    :param compression: snappy or none for parquet, none or gzip for csv; None: the first of them.
    :param max_file_size_mb: upper bound of a file, in MiB.
    :param warehouse: None: the connection's.
    :param statement_timeout: seconds after which Snowflake cancels the query; None: the account's setting.
    :param aws_conn_id: reads the files of a query whose result Snowflake keeps no more (24 hours); None: such a chunk is unloaded again.
    :param poll_interval: seconds between two checks of the query.
    """

    template_fields: Sequence[str] = ("source", "path", "source_filter", "snapshot", "columns")

    def __init__(
        self,
        *,
        source: str,
        path: str,
        stage: str | None = None,
        storage_integration: str | None = None,
        bucket: str = "",
        columns: Sequence[Sequence[str]] | None = None,
        source_filter: str = "",
        filter_subqueries: bool = False,
        chunk: Mapping[str, Any] | None = None,
        snapshot: str | None = None,
        row_limit: int = 0,
        file_format: str = "parquet",
        compression: str | None = None,
        max_file_size_mb: int = 100,
        warehouse: str | None = None,
        statement_timeout: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.path = path
        self.stage = stage
        self.storage_integration = storage_integration
        self.bucket = bucket
        self.columns = columns
        self.source_filter = source_filter
        self.filter_subqueries = filter_subqueries
        self.chunk = chunk
        self.snapshot = snapshot
        self.row_limit = row_limit
        self.file_format = file_format
        self.compression = compression
        self.max_file_size_mb = max_file_size_mb
        self.warehouse = warehouse
        self.statement_timeout = statement_timeout

    @property
    def map_label(self) -> str:
        """What the mapped task is called."""
        return str(self.chunk["label"]) if self.chunk else self.source

    @property
    def chunk_index(self) -> int | None:
        """The chunk, where one was given."""
        return int(self.chunk["index"]) if self.chunk else None

    def read_request(self) -> UnloadRequest:
        """What the parameters say."""
        from snowmelt.sql.names import parse_table_name
        from snowmelt.unload.chunks import Chunk
        from snowmelt.unload.statements import UnloadRequest, max_file_bytes
        from snowmelt.vocabulary import FileFormat

        return UnloadRequest(
            source=parse_table_name(self.source),
            path=self.path,
            stage=self.stage or "",
            integration=self.storage_integration or "",
            bucket=self.bucket,
            columns=None if self.columns is None else tuple((name, select) for name, select in self.columns),
            where=self.source_filter or "",
            subqueries=self.filter_subqueries,
            chunk=from_json(Chunk, self.chunk) if self.chunk else Chunk(0, "", None, self.source),
            snapshot=self.snapshot or None,
            row_limit=self.row_limit,
            file_format=self.file_format,
            compression=self.compression or FileFormat(self.file_format).compressions[0],
            max_file_bytes=max_file_bytes(self.max_file_size_mb),
            warehouse=self.warehouse,
            statement_timeout_s=self.statement_timeout,
        )

    def recall_query(self, context: Context, request: UnloadRequest) -> object:
        """From what Airflow keeps of the task over its tries; before Airflow 3.3 it keeps nothing."""
        store = context.get("task_state_store")
        return None if store is None else store.get(QUERY_KEY)

    def keep_query(self, context: Context, submitted: Mapping[str, Any]) -> None:
        """In Airflow's store of the task."""
        store = context.get("task_state_store")
        if store is not None:
            store.set(QUERY_KEY, dict(submitted))

    def forget_query(self, context: Context) -> None:
        """Remove it from Airflow's store of the task."""
        store = context.get("task_state_store")
        if store is not None:
            store.delete(QUERY_KEY)

    def get_openlineage_facets_on_start(self) -> Any:
        """The table to be read, for OpenLineage's provider."""
        from snowmelt.airflow.lineage import build_unload_lineage

        return build_unload_lineage(self, None)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """The table read and the files written, for OpenLineage's provider."""
        from snowmelt.airflow.lineage import build_unload_lineage, read_result

        return build_unload_lineage(self, read_result(task_instance))


class MigrationUnloadOperator(_UnloadOperator):
    """Unload one chunk of a planned run. All that it does follows from the plan in the ledger.

    Returns what SnowflakeUnloadToS3Operator returns.

    :param run_id: the run's id in the ledger. (templated)
    :param chunk: index of the chunk in the plan.
    :param label: what the mapped task is called.
    """

    template_fields: Sequence[str] = ("run_id",)

    def __init__(
        self,
        *,
        run_id: str,
        chunk: int,
        label: str = "",
        postgres_conn_id: str = "postgres_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.run_id = run_id
        self.chunk = chunk
        self.map_label = label
        self.postgres_conn_id = postgres_conn_id

    @property
    def chunk_index(self) -> int | None:
        """The chunk."""
        return self.chunk

    def read_request(self) -> UnloadRequest:
        """What the stored plan says."""
        from snowmelt.plan.plan import build_unload_request
        from snowmelt.steps.planning import read_plan

        with postgres_session(self.postgres_conn_id) as postgres:
            return build_unload_request(read_plan(postgres, self.run_id), self.chunk)

    def recall_query(self, context: Context, request: UnloadRequest) -> object:
        """From the ledger, whichever task of whichever run submitted it."""
        from snowmelt.ledger.tries import read_submitted
        from snowmelt.unload.chunk import recall_submitted

        with postgres_session(self.postgres_conn_id) as postgres:
            found = read_submitted(postgres, self.run_id, self.chunk)
        return None if found is None else recall_submitted(request, *found)

    def keep_query(self, context: Context, submitted: Mapping[str, Any]) -> None:
        """In the ledger, where the pages show it while it runs."""
        note_submitted(self.postgres_conn_id, self.run_id, self.chunk, submitted)

    def forget_query(self, context: Context) -> None:
        """Remove it from the ledger."""
        from snowmelt.ledger.tries import delete_submitted

        with postgres_session(self.postgres_conn_id) as postgres:
            delete_submitted(postgres, self.run_id, self.chunk)

    def get_openlineage_facets_on_start(self) -> Any:
        """The table to be read, for OpenLineage's provider."""
        from snowmelt.airflow.lineage import build_chunk_lineage

        return build_chunk_lineage(self, None)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """The table read and the files written, for OpenLineage's provider."""
        from snowmelt.airflow.lineage import build_chunk_lineage, read_result

        return build_chunk_lineage(self, read_result(task_instance))
