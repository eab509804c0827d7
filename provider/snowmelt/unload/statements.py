"""The exact SQL of an unload: where Snowflake writes the files, `COPY INTO <location>`, the manifest's own, and what their results mean.

Sources: Snowflake documentation, "COPY INTO <location>", "AT | BEFORE", "CREATE FILE FORMAT" (formatTypeOptions) and "Data unloading
considerations" (empty strings and NULL); PostgreSQL "COPY" (CSV format: the NULL string is not compared with a quoted value).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from snowmelt.errors import ConfigurationError, SourceError
from snowmelt.sql.names import TableName, join_predicates, snowflake_identifier, snowflake_literal
from snowmelt.unload.chunks import Chunk
from snowmelt.unload.manifest import StagedFile
from snowmelt.vocabulary import FileFormat


@dataclass(frozen=True, slots=True)
class Location:
    """Where Snowflake writes: below an external stage, or by a storage integration straight into the bucket."""

    #: S3 bucket, and the key prefix of the stage's own URL ("" or "base/").
    bucket: str
    base: str
    #: Quoted name of the stage; empty when the integration is used directly.
    stage: str
    #: Name of the storage integration; only used without a stage.
    integration: str
    #: What a location without a stage begins with: s3, s3gov or s3china.
    scheme: str = "s3"

    def target(self, path: str) -> str:
        """`path` as the operand of COPY INTO."""
        if self.stage:
            return snowflake_literal(f"@{self.stage}/{self._below_base(path)}")
        return snowflake_literal(f"{self.scheme}://{self.bucket}/{self.key(path)}")

    def integration_clause(self) -> str:
        """The STORAGE_INTEGRATION option, or nothing with a stage, which has its own."""
        return "" if self.stage else f" STORAGE_INTEGRATION = {snowflake_identifier(self.integration)}"

    def key(self, path: str) -> str:
        """The S3 key of `path`: below the stage's URL, which the path may already begin with.

        So the stage, the integration and the IAM policies can be limited to the folders that all paths begin with.
        """
        return f"{self.base}{self._below_base(path)}"

    def _below_base(self, path: str) -> str:
        return path.removeprefix(self.base)

    @property
    def writable(self) -> bool:
        """Whether Snowflake can write here: a plan of an older load may name the bucket alone."""
        return bool(self.stage or self.integration)


#: Snowflake's longest QUERY_TAG, in characters.
QUERY_TAG_LENGTH = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class UnloadRequest:
    """One unload."""

    source: TableName
    #: Folder below the location; ends in a slash.
    path: str
    #: Stage as the user writes it, or empty; then the integration writes into the bucket.
    stage: str
    integration: str
    bucket: str
    #: Key prefix that the stage's own URL has to have; None: any.
    base: str | None = None
    #: (name in the file, SQL expression); None: every column in its exact staged form.
    columns: tuple[tuple[str, str], ...] | None
    where: str
    #: Whether `where` may ask other objects.
    subqueries: bool = False
    chunk: Chunk
    #: The instant to read at; None: now.
    snapshot: str | None
    #: Read what has changed since this instant, in place of the rows; None: the rows.
    since: str | None = None
    #: Rows at most; 0: all.
    row_limit: int
    file_format: str
    compression: str
    max_file_bytes: int
    #: What it runs by: a warehouse, and seconds after which Snowflake cancels it. None: the connection's, the account's.
    warehouse: str | None = None
    statement_timeout_s: int | None = None
    #: Column → predicate of its values with digits beyond the microsecond, at which the unload divides by zero.
    guarded: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What is unloaded, for messages."""
        return f"{self.source}, {self.chunk.label}"


def max_file_bytes(megabytes: int) -> int:
    """A file's upper bound in bytes, from MB of 1,048,576 bytes; Snowflake takes at most 5 GB."""
    return min(megabytes * 1024 * 1024, 5_000_000_000)


#: Which of the rows that `build_source` gives with `since` are there at the end of the interval, and which are no longer.
INSERTED = "METADATA$ACTION = 'INSERT'"
DELETED = "METADATA$ACTION = 'DELETE'"


def build_source(table: str, snapshot: str | None, since: str | None = None) -> str:
    """What is behind FROM: the quoted table, pinned to the snapshot where there is one; or its changes up to the snapshot.

    The changes are the net difference of both instants: the end is included, the start is not, so that intervals follow each other
    without a gap. An update is a deleted row, with its old values, and an inserted one
    (docs.snowflake.com/en/sql-reference/constructs/changes).

    :param snapshot: an instant as Snowflake printed it, in UTC with nanoseconds and offset.
    :param since: the snapshot that the changes follow.
    """
    if not snapshot:
        return table
    if since is None:
        return f"{table} AT({_instant(snapshot)})"
    return f"{table} CHANGES(INFORMATION => DEFAULT) AT({_instant(since)}) END({_instant(snapshot)})"


def build_tracking_probe(table: str, snapshot: str, since: str | None = None) -> str:
    """Asks for no row of the changes: Snowflake refuses it where it does not have them.

    :param since: None: whether changes are recorded at the snapshot.
    """
    return f"SELECT 1 FROM {build_source(table, snapshot, since or snapshot)} LIMIT 0"


def _instant(text: str) -> str:
    return f"TIMESTAMP => {snowflake_literal(text)}::TIMESTAMP_TZ"


def build_where(*predicates: str) -> str:
    """All predicates that are not empty, each in its own parentheses, or the empty text."""
    return join_predicates(*predicates)


def build_select(
    select: Iterable[tuple[str, str]], source: str, where: str, row_limit: int | None = None
) -> str:
    """`SELECT <expression> AS "<name>", … FROM <source> WHERE … LIMIT …`."""
    columns = ", ".join(f"{expression} AS {snowflake_identifier(name)}" for name, expression in select)
    condition = f" WHERE {where}" if where else ""
    limit = f" LIMIT {row_limit:d}" if row_limit else ""
    return f"SELECT {columns} FROM {source}{condition}{limit}"


# CSV as Snowflake writes it and PostgreSQL reads it: UTF-8, comma, line feed, double quotes (a quote inside is doubled, backslash is an
# ordinary character), no header line. NULL is nothing between two delimiters, and every text is in quotes: an empty text is `""`. A text
# for NULL (NULL_IF) is not used, for Snowflake puts it in quotes too, where it would be a text. A record of one NULL column is an empty
# line, which COPY takes as a row; no line can be a bare `\.`, which ends a COPY before PostgreSQL 18.
_SNOWFLAKE_COMPRESSION = {"none": "NONE", "gzip": "GZIP", "zstd": "ZSTD"}
#: COPY's own text for the dialect. A constant: no part of it comes from a form, a file or a name.
COPY_OPTIONS = r"""FORMAT csv, DELIMITER ',', QUOTE '"', ESCAPE '"', NULL '', ENCODING 'UTF8'"""


def csv_file_format(compression: str) -> str:
    """The operand of Snowflake's FILE_FORMAT for an unload that `COPY_OPTIONS` reads; it goes with HEADER = FALSE.

    :param compression: none, gzip or zstd; aws_s3 takes none, and gzip where the object says `Content-Encoding: gzip`.
    :raises ConfigurationError: for any other compression.
    """
    if compression not in _SNOWFLAKE_COMPRESSION:
        raise ConfigurationError(
            f"CSV files cannot be loaded under the compression {compression!r}: "
            f"choose one of {', '.join(_SNOWFLAKE_COMPRESSION)}."
        )
    return (
        f"(TYPE = CSV COMPRESSION = {_SNOWFLAKE_COMPRESSION[compression]} "
        r"""FIELD_DELIMITER = ',' RECORD_DELIMITER = '\n' FIELD_OPTIONALLY_ENCLOSED_BY = '"' """
        r"ESCAPE = NONE ESCAPE_UNENCLOSED_FIELD = NONE NULL_IF = () EMPTY_FIELD_AS_NULL = FALSE)"
    )


def build_file_format(file_format: str, compression: str) -> str:
    """The FILE_FORMAT option's text for one of the two staged formats.

    :raises ConfigurationError: a format or compression that Snowmelt cannot load.
    """
    if file_format not in set(FileFormat):
        raise ConfigurationError(f"file_format is {file_format!r}; it is one of {', '.join(FileFormat)}.")
    allowed = FileFormat(file_format).compressions
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
    distinguished from those that count. DETAILED_OUTPUT returns a row for each file: that list is the manifest.
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

    :raises SourceError: a row that is not such a triple, or a name outside of the folder.
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
