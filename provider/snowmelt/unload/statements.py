"""The exact SQL of an unload: `COPY INTO <location>`, the manifest's own, and what their results mean.

Source: Snowflake documentation, "COPY INTO <location>" and "AT | BEFORE".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from snowmelt.errors import ConfigurationError, SourceError
from snowmelt.sql.names import snowflake_identifier, snowflake_literal
from snowmelt.unload.csv_dialect import csv_file_format
from snowmelt.unload.location import Location
from snowmelt.unload.manifest import StagedFile

#: Snowflake's longest QUERY_TAG, in characters.
QUERY_TAG_LENGTH = 2000

PARQUET_COMPRESSIONS = ("snappy", "none")
CSV_COMPRESSIONS = ("none", "gzip")


def build_source(table: str, snapshot: str | None) -> str:
    """What stands behind FROM: the quoted table, pinned to the snapshot where there is one.

    :param snapshot: an instant as Snowflake printed it, in UTC with nanoseconds and offset.
    """
    return f"{table} AT(TIMESTAMP => {snowflake_literal(snapshot)}::TIMESTAMP_TZ)" if snapshot else table


def build_where(*predicates: str) -> str:
    """All predicates that are not empty, each in its own parentheses, or the empty text."""
    return " AND ".join(f"({predicate})" for predicate in predicates if predicate)


def build_select(
    select: Iterable[tuple[str, str]], source: str, where: str, row_limit: int | None = None
) -> str:
    """`SELECT <expression> AS "<name>", … FROM <source> WHERE … LIMIT …`."""
    columns = ", ".join(f"{expression} AS {snowflake_identifier(name)}" for name, expression in select)
    condition = f" WHERE {where}" if where else ""
    limit = f" LIMIT {row_limit:d}" if row_limit else ""
    return f"SELECT {columns} FROM {source}{condition}{limit}"


def build_file_format(file_format: str, compression: str) -> str:
    """The FILE_FORMAT option's text for one of the two staged formats.

    :raises ConfigurationError: a format or compression that Snowmelt cannot load.
    """
    allowed = {"parquet": PARQUET_COMPRESSIONS, "csv": CSV_COMPRESSIONS}.get(file_format)
    if allowed is None:
        raise ConfigurationError(f"file_format is {file_format!r}; it is one of parquet, csv.")
    if compression not in allowed:
        raise ConfigurationError(
            f"compression is {compression!r}; for file_format {file_format} it is one of {', '.join(allowed)}."
        )
    if file_format == "csv":
        return csv_file_format(compression)
    return f"(TYPE = PARQUET COMPRESSION = {compression.upper()})"


def build_unload(
    location: Location, path: str, select: str, *, file_format: str, compression: str, max_file_bytes: int
) -> str:
    """The unload of one chunk into the folder `path` (it ends in a slash).

    INCLUDE_QUERY_ID puts the query's id into each name: a retry never overwrites, and the files of a failed try are
    told from those that count. DETAILED_OUTPUT returns a row for each file: that list is the manifest.
    """
    if not path.endswith("/"):
        raise ConfigurationError(f"The unload's path {path!r} has to end in a slash: it names a folder.")
    header = " HEADER = TRUE" if file_format == "parquet" else " HEADER = FALSE"
    return (
        f"COPY INTO {location.target(path)} FROM ({select}){location.integration_clause()} "
        f"FILE_FORMAT = {build_file_format(file_format, compression)}{header} "
        f"MAX_FILE_SIZE = {max_file_bytes:d} INCLUDE_QUERY_ID = TRUE DETAILED_OUTPUT = TRUE"
    )


def build_write_document(location: Location, path: str, document: Mapping[str, Any]) -> str:
    """Write a JSON document to the key `path` by Snowflake's own rights (Python has none to write)."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return (
        f"COPY INTO {location.target(path)} FROM (SELECT PARSE_JSON({snowflake_literal(text)})){location.integration_clause()} "
        "FILE_FORMAT = (TYPE = JSON COMPRESSION = NONE) SINGLE = TRUE OVERWRITE = TRUE"
    )


def build_remove(location: Location, path: str) -> str:
    """Remove everything below `path` by Snowflake's own rights; needs a stage."""
    if not location.stage:
        raise ConfigurationError(
            "Snowflake removes staged files through a stage only (REMOVE @stage/…), and none is configured. "
            "Set snowflake_unload.stage_name, or connections.aws_cleanup to clean up by Python."
        )
    return f"REMOVE {location.target(path)}"


def parse_unloaded(
    rows: Sequence[Sequence[Any]], location: Location, path: str, chunk: int
) -> tuple[StagedFile, ...]:
    """The files of one unload, from DETAILED_OUTPUT's rows (name, bytes, rows), read by position.

    The name may come bare, relative to the stage, or as the whole key: only its last part counts.

    :raises SourceError: a row that is no such triple, or a name outside of the folder.
    """
    files = []
    for row in rows:
        try:
            name, size, count = str(row[0]), int(row[1]), int(row[2])
        except (IndexError, TypeError, ValueError) as error:
            raise SourceError(
                f"The unload of chunk {chunk} into {path} answered with the row {tuple(row)!r}; "
                "expected (file name, bytes, rows). Report this with the query's id."
            ) from error
        bare = name.rsplit("/", 1)[-1]
        if not bare or bare in {".", ".."} or size < 0 or count < 0:
            raise SourceError(
                f"The unload of chunk {chunk} into {path} named the file {name!r} with {size} bytes, {count} rows."
            )
        files.append(
            StagedFile(key=location.key(path + bare), bytes=size, rows=count, chunk=chunk, etag=None)
        )
    return tuple(sorted(files, key=lambda file: file.key))


def build_query_tag(**parts: object) -> str:
    """QUERY_TAG as JSON, so that Snowflake's query history can be asked by run, task and chunk."""
    tag = json.dumps(
        {"app": "snowmelt", **{name: part for name, part in parts.items() if part is not None}},
        ensure_ascii=False,
    )
    return tag if len(tag) <= QUERY_TAG_LENGTH else tag[:QUERY_TAG_LENGTH]
