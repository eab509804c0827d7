"""Lineage: the datasets that a task reads and writes, their columns, and what each column comes from.

Names follow OpenLineage's naming specification: `snowflake://<account>` with `DATABASE.SCHEMA.TABLE`, `s3://<bucket>` with a folder,
`postgres://<host>:<port>` with `database.schema.table`. A table's staged files are one dataset, its folder, whatever the
run and the chunk: lineage joins the runs of one table instead of showing each by itself.

Lineage for OpenLineage's provider, where that is installed: it calls the operators' `get_openlineage_facets_on_start` and `…_on_complete`.

At a task's start only what it reads is reported: it may still fail. The same holds for a result of None.

Nothing here is imported, and none of OpenLineage's packages is needed, unless that provider asks.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from snowmelt.airflow.sessions import postgres_session
from snowmelt.config.request import MigrationRequest
from snowmelt.sql.names import TableName, match_name, parse_table_name, snowflake_identifier
from snowmelt.types.columns import Column

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

#: What follows a table's folder in the key of a staged file.
_RUN_FOLDER = re.compile(r"(?P<table>|.*/)(run_[^/]+|test_[0-9]+_rows)(/.*)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class LineageField:
    """A column."""

    name: str
    #: As its database prints it; None where it is not known.
    type: str | None = None
    #: The columns of `LineageDataset.derived_from` that its value is made of.
    inputs: tuple[str, ...] = ()
    #: Whether a mask replaces the original value.
    masked: bool = False


@dataclass(frozen=True, slots=True)
class LineageDataset:
    """A table, or the staged files of one."""

    namespace: str
    name: str
    fields: tuple[LineageField, ...] = ()
    #: The dataset that the fields' inputs are columns of.
    derived_from: LineageDataset | None = None
    #: What this task read from it or wrote to it; None: not known.
    rows: int | None = None
    bytes: int | None = None
    files: int | None = None


def plan_source_dataset(account: str, source: TableName, columns: Iterable[str] = ()) -> LineageDataset:
    """The Snowflake table, each part to the letter."""
    return LineageDataset(
        f"snowflake://{account}",
        ".".join((source.database, source.schema, source.table)),
        tuple(LineageField(name) for name in columns),
    )


def plan_staged_dataset(
    bucket: str,
    path: str,
    fields: Sequence[LineageField] = (),
    *,
    derived_from: LineageDataset | None = None,
    rows: int | None = None,
    bytes: int | None = None,  # noqa: A002 - the field's name
    files: int | None = None,
) -> LineageDataset:
    """A table's staged files.

    :param path: a folder or key; the run's own folder and all below it is left out.
    """
    run = _RUN_FOLDER.fullmatch(path)
    name = (run["table"] if run else path).strip("/")
    return LineageDataset(
        f"s3://{bucket}", name or "/", tuple(fields), derived_from, rows=rows, bytes=bytes, files=files
    )


def plan_staged_fields(columns: Iterable[tuple[str, str]]) -> tuple[LineageField, ...]:
    """The staged columns, from the (name, Snowflake expression) pairs of an unload; an expression without the column has no input."""
    return tuple(
        LineageField(name, inputs=(name,) if snowflake_identifier(name) in expression else ())
        for name, expression in columns
    )


def plan_target_fields(columns: Sequence[Column], masked: Collection[str] = ()) -> tuple[LineageField, ...]:
    """The target's columns, each from the source's column that it was copied from.

    :param masked: columns that the configuration masks, as they were typed there.
    """
    sources = [column.source for column in columns]
    hidden = {match_name(typed, sources) for typed in masked}
    return tuple(
        LineageField(column.target, column.target_type, (column.source,), column.source in hidden)
        for column in columns
    )


def plan_target_dataset(
    server: str,
    database: str,
    schema: str,
    table: str,
    fields: Sequence[LineageField],
    *,
    derived_from: LineageDataset | None = None,
    rows: int | None = None,
) -> LineageDataset:
    """The table in PostgreSQL.

    :param server: `host:port`.
    """
    name = f"{database}.{schema}.{table}"
    return LineageDataset(f"postgres://{server}", name, tuple(fields), derived_from, rows=rows)


def read_result(task_instance: Any) -> Any:
    """What the task returned, from its XCom; None where it returned nothing, as one that failed does."""
    chosen = {"map_indexes": task_instance.map_index} if (task_instance.map_index or -1) >= 0 else {}
    return task_instance.xcom_pull(task_ids=task_instance.task_id, **chosen)


def build_unload_lineage(operator: Any, result: Mapping[str, Any] | None) -> OperatorLineage:
    """The Snowflake table, and the staged files with what was written."""
    columns = operator.columns
    if columns is None and result is not None:
        columns = [(column["source"], column["select"]) for column in result.get("unload", {}).get("columns", [])]  # fmt: skip
    source = parse_table_name(operator.source)
    return _unload_lineage(operator.snowflake_conn_id, source, columns or (), operator.path, result)


def build_chunk_lineage(operator: Any, result: Mapping[str, Any] | None) -> OperatorLineage:
    """The same of a planned chunk."""
    request = operator.read_request()
    columns = request.columns or ()
    return _unload_lineage(operator.snowflake_conn_id, request.source, columns, request.path, result)


def _unload_lineage(
    conn_id: str,
    table: TableName,
    columns: Iterable[Sequence[str]],
    folder: str,
    result: Mapping[str, Any] | None,
) -> OperatorLineage:
    fields = plan_staged_fields([(name, select) for name, select in columns])
    names = [name for field in fields for name in field.inputs]
    source = plan_source_dataset(_snowflake_account(conn_id), table, names)
    if result is None:
        return _lineage([source], [])
    path = result["files"][0]["key"] if result["files"] else folder
    staged = plan_staged_dataset(
        result["bucket"],
        path.rpartition("/")[0],
        fields,
        derived_from=source,
        rows=result["rows"],
        bytes=result["bytes"],
        files=len(result["files"]),
    )
    return _lineage([source], [staged], query_id=result["query_id"])


def build_staged_lineage(operator: Any, result: Any) -> OperatorLineage:
    """The staged files that a sensor waited for; nothing is written. A chunk without files has no folder to name.

    :param result: what the sensor returned: a dict for a chunk, a list of them for a manifest.json.
    """
    from snowmelt.airflow.sessions import s3_client
    from snowmelt.steps.load import read_manifest_of
    from snowmelt.unload.staged import parse_s3_url

    columns: Sequence[tuple[str, str]] = ()
    if isinstance(operator.manifest, str):
        bucket, path = parse_s3_url(operator.manifest)
        if result is not None:
            manifest = read_manifest_of(s3_client(operator.aws_conn_id), operator.manifest)
            columns = [(column.source, column.select) for column in manifest.columns]
    else:
        bucket, unload = operator.manifest["bucket"], operator.manifest.get("unload", {})
        path = next((file["key"] for file in operator.manifest["files"]), unload.get("path", ""))
        columns = [(column["source"], column["select"]) for column in unload.get("columns", ())]
    if not path:
        return _lineage([], [])
    chunks = [] if result is None else result if isinstance(result, list) else [result]
    counts = {name: sum(chunk[name] for chunk in chunks) for name in ("rows", "bytes")}
    counts["files"] = sum(len(chunk["files"]) for chunk in chunks)
    written = counts if result is not None else {}
    return _lineage(
        [plan_staged_dataset(bucket, path.rpartition("/")[0], plan_staged_fields(columns), **written)], []
    )


def build_load_lineage(operator: Any, result: Mapping[str, Any] | None) -> OperatorLineage:
    """The staged files; and the table, where the load is the one who fills it. A run's target is written by its publish."""
    from snowmelt.airflow.sessions import s3_client
    from snowmelt.steps.load import read_manifest_of
    from snowmelt.steps.planning import read_plan

    counts = {
        "rows": None if result is None else result["rows"],
        "files": None if result is None else result["files"],
        "bytes": None if result is None else result["bytes"],
    }
    if operator.manifest is None:
        with postgres_session(operator.postgres_conn_id) as postgres:
            plan = read_plan(postgres, str(operator.run_id))
        fields = plan_staged_fields([(column.source, column.select) for column in plan.columns])
        key = plan.location.key(plan.path)
        return _lineage([plan_staged_dataset(plan.location.bucket, key, fields, **counts)], [])
    manifest = read_manifest_of(s3_client(operator.aws_conn_id), operator.manifest)
    staged_fields = plan_staged_fields([(column.source, column.select) for column in manifest.columns])
    staged = plan_staged_dataset(manifest.bucket, manifest.path, staged_fields, **counts)
    schema, _, table = str(operator.table).rpartition(".")
    target = _target(
        operator.postgres_conn_id, schema, table, manifest.columns, staged, rows=counts["rows"], typed=False
    )
    return _lineage([staged], [target] if result is not None else [])


def build_publish_lineage(operator: Any, *, ended: bool) -> OperatorLineage:
    """The Snowflake table and the staged files, and the published target: column by column, renamed and masked ones too."""
    from snowmelt.ledger.runs import read_published, read_run
    from snowmelt.steps.planning import read_plan

    with postgres_session(operator.postgres_conn_id) as postgres:
        plan = read_plan(postgres, operator.run_id)
        published = read_published(postgres, plan.run_id)
        stored = read_run(postgres, plan.run_id)
    request = MigrationRequest.from_json((stored or {})["request"])
    columns = [column.source for column in plan.columns]
    account = _snowflake_account(request.connections.snowflake)
    source = plan_source_dataset(account, plan.source, columns)
    staged = plan_staged_dataset(plan.location.bucket, plan.location.key(plan.path))
    if published is None or not ended:
        return _lineage([source, staged], [])
    rows = int(published.get("inserted") or 0) + int(published.get("updated") or 0)
    target = _target(
        operator.postgres_conn_id,
        plan.target_schema,
        plan.target_table,
        plan.columns,
        source,
        rows=rows,
        masked=request.columns.mask,
    )
    return _lineage([source, staged], [target])


def _target(
    conn_id: str,
    schema: str,
    table: str,
    columns: Sequence[Column],
    derived_from: LineageDataset,
    *,
    rows: int | None,
    masked: Mapping[str, Any] | None = None,
    typed: bool = True,
) -> LineageDataset:
    from airflow.sdk import Connection

    connection = Connection.get(conn_id)
    fields = plan_target_fields(columns, tuple(masked or ()))
    if not typed:  # a manifest names the types of the table that its own run would have made
        fields = tuple(replace(field, type=None) for field in fields)
    server = f"{connection.host or 'localhost'}:{connection.port or 5432}"
    return plan_target_dataset(
        server, connection.schema or "", schema, table, fields, derived_from=derived_from, rows=rows
    )


def _snowflake_account(conn_id: str) -> str:
    """The account's identifier as OpenLineage writes it, normalized by the Snowflake provider."""
    from airflow.providers.snowflake.utils.openlineage import fix_account_name
    from airflow.sdk import Connection

    return str(fix_account_name(str(Connection.get(conn_id).extra_dejson.get("account") or "")))


def _lineage(
    inputs: Iterable[LineageDataset], outputs: Iterable[LineageDataset], query_id: str | None = None
) -> OperatorLineage:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.event_v2 import InputDataset, OutputDataset
    from openlineage.client.facet_v2 import (
        external_query_run,
        input_statistics_input_dataset,
        output_statistics_output_dataset,
    )

    read = [
        InputDataset(
            dataset.namespace,
            dataset.name,
            facets=_facets(dataset),
            inputFacets={}
            if dataset.rows is None
            else {
                "inputStatistics": input_statistics_input_dataset.InputStatisticsInputDatasetFacet(
                    rowCount=dataset.rows, size=dataset.bytes, fileCount=dataset.files
                )
            },
        )
        for dataset in inputs
    ]
    written = [
        OutputDataset(
            dataset.namespace,
            dataset.name,
            facets=_facets(dataset),
            outputFacets={}
            if dataset.rows is None
            else {
                "outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
                    rowCount=dataset.rows, size=dataset.bytes, fileCount=dataset.files
                )
            },
        )
        for dataset in outputs
    ]
    query = {"externalQuery": external_query_run.ExternalQueryRunFacet(externalQueryId=query_id, source="snowflake")} if query_id else {}  # fmt: skip
    return OperatorLineage(inputs=read, outputs=written, run_facets=query)


def _facets(dataset: LineageDataset) -> dict[str, Any]:
    from openlineage.client.facet_v2 import column_lineage_dataset, schema_dataset

    facets: dict[str, Any] = {}
    if dataset.fields:
        facets["schema"] = schema_dataset.SchemaDatasetFacet(
            fields=[
                schema_dataset.SchemaDatasetFacetFields(name=field.name, type=field.type)
                for field in dataset.fields
            ]
        )
    origin = dataset.derived_from
    if origin is not None:
        facets["columnLineage"] = column_lineage_dataset.ColumnLineageDatasetFacet(
            fields={
                field.name: column_lineage_dataset.Fields(
                    inputFields=[
                        column_lineage_dataset.InputField(
                            origin.namespace,
                            origin.name,
                            name,
                            transformations=[
                                column_lineage_dataset.Transformation(
                                    "DIRECT",
                                    subtype="TRANSFORMATION" if field.masked else "IDENTITY",
                                    masking=field.masked,
                                )
                            ],
                        )
                        for name in field.inputs
                    ]
                )
                for field in dataset.fields
                if field.inputs
            }
        )
    return facets
