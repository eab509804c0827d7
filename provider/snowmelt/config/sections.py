"""The sections of the configuration file that hold for all tables, and where a table's files are in the bucket."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated

from snowmelt.config.faults import suggest
from snowmelt.config.fields import (
    WAREHOUSE_SIZES,
    BucketName,
    ConnectionId,
    SnowflakeName,
    Text,
    WarehouseSize,
    plain_text,
    source_patterns,
    target_patterns,
)
from snowmelt.config.settings import Flag, Section, Whole, Written, choice, refuse, setting
from snowmelt.sql.names import TableName
from snowmelt.vocabulary import Compression, FileFormat, LoadMethod

PLACEHOLDERS = ("source_database", "source_schema", "source_table", "target_schema", "target_table")
#: One of these has to be in the pattern, or all tables would share a folder.
_TELLING = ("source_table", "target_table")
DEFAULT_PATTERN = "{source_database}/{source_schema}/{source_table}/"

_PIECE = re.compile(r"\{(?P<name>[^{}]*)\}|(?P<text>[A-Za-z0-9_.=-]+)|(?P<slash>/)|(?P<other>.)", re.DOTALL)
_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")
#: A rendered name is cut here: an S3 key has at most 1024 bytes, and three names, the run and the file share them.
MAX_NAME_CHARACTERS = 200
_HASH_DIGITS = 16


def prefix_pattern(value: object) -> str:
    """A prefix pattern, checked; returned with exactly one slash at its end.

    Allowed are the placeholders, letters, digits and `_ . = -` between slashes. It has to hold the source's or the
    target's table, must not begin with a slash or hold `..`, and two placeholders need something between them
    (A + BC and AB + C would be one folder).
    """
    expected = f"folders made of {', '.join('{' + name + '}' for name in PLACEHOLDERS)} and plain letters"
    text = plain_text(value)
    if text.startswith("s3:"):
        raise refuse(expected, "Give the path below the bucket alone; the bucket is in s3_staging.bucket.")
    if text.startswith("/"):
        raise refuse(expected, "Delete the leading slash: an S3 key has none.")
    names: list[str] = []
    last = ""
    for match in _PIECE.finditer(text):
        name = match["name"]
        if match["other"]:
            raise refuse(expected, f"The character {match['other']!a} is not safe in an S3 key here.")
        if name is not None and name not in PLACEHOLDERS:
            raise refuse(expected, f"{{{name}}} is not known. {suggest(name, PLACEHOLDERS)}".rstrip())
        if name is not None and last == "name":
            raise refuse(
                expected, "Put a slash between two placeholders, so that their values cannot run together."
            )
        if name is not None:
            names.append(name)
        last = "name" if name is not None else "other"
    if any(not folder or set(folder) == {"."} or ".." in folder for folder in text.rstrip("/").split("/")):
        raise refuse(expected, "A folder is empty, or made of dots.")
    if not set(names) & set(_TELLING):
        raise refuse(
            expected, "It has to hold {source_table} or {target_table}, or all tables share one folder."
        )
    return text.rstrip("/") + "/"


PrefixPattern = Annotated[str, Written(prefix_pattern, "text")]


def render_prefix(pattern: str, source: TableName, target_schema: str, target_table: str) -> str:
    """The prefix of one table, with a slash at its end; different names never give the same one.

    >>> render_prefix("{source_schema}/{source_table}/", TableName("A", "BI", "Visit Id"), "public", "v")
    'BI/Visit=20Id/'
    """
    values = {
        "source_database": source.database,
        "source_schema": source.schema,
        "source_table": source.table,
        "target_schema": target_schema,
        "target_table": target_table,
    }
    return re.sub(r"\{([a-z_]+)\}", lambda match: render_name(values[match[1]]), pattern).rstrip("/") + "/"


def render_name(name: str) -> str:
    """A name as one part of an S3 key: letters, digits, `_ - .` stay, every other byte of its UTF-8 becomes `=XX`.

    `=` and not `%`: no client or URL ever decodes it, and partitioned folders (`date=2024-01-01/`) use it everywhere.
    A dot in front is written out too. Beyond 200 characters the end gives way to `=h` and 16 digits of the SHA-256.
    """
    raw = name.encode()
    pieces = [chr(byte) if byte in _SAFE else f"={byte:02X}" for byte in raw]
    if pieces and pieces[0] == ".":
        pieces[0] = "=2E"
    for place in range(1, len(pieces)):
        if pieces[place] == "." and pieces[place - 1].endswith((".", "=2E")):
            pieces[place] = "=2E"
    text = "".join(pieces)
    if len(text) <= MAX_NAME_CHARACTERS:
        return text
    tail = "=h" + hashlib.sha256(raw).hexdigest()[:_HASH_DIGITS]
    head = ""
    for piece in pieces:
        if len(head) + len(piece) + len(tail) > MAX_NAME_CHARACTERS:
            break
        head += piece
    return head + tail


#: MB are 1,048,576 bytes here, as in Snowflake's own default (16777216 bytes are 16 MB).
BYTES_PER_MB = 1024 * 1024
#: Snowflake's MAX_FILE_SIZE ends at 5 GB, read as 5,000,000,000 bytes.
MAX_FILE_MB = 5_000_000_000 // BYTES_PER_MB
MAX_ROWS = 10**15
#: Airflow keeps priorities in an integer of 32 bits, and adds those of the tasks downstream.
_MAX_PRIORITY = 1_000_000
_MAX_SECONDS = 7 * 24 * 3600
DEFAULT_FINGERPRINT_ROWS = 50_000_000

_Seconds = Annotated[int, Whole(1, _MAX_SECONDS)]
_Tasks = Annotated[int, Whole(1, 1000)]

#: What Snowmelt can load again, of what Snowflake can write.
COMPRESSIONS: dict[FileFormat, tuple[Compression, ...]] = {
    FileFormat.PARQUET: (Compression.SNAPPY, Compression.NONE),
    FileFormat.CSV: (Compression.GZIP, Compression.NONE),
}


class FileSettings(Section):
    """What staged files are like: `s3_staging` says it for all tables, a table or a run for itself."""

    file_format: Annotated[
        FileFormat,
        choice({FileFormat.PARQUET: "keeps types and is small", FileFormat.CSV: "what aws_s3 can load"}),
    ] = setting(
        FileFormat.PARQUET,
        "The format of staged files.",
        form=("Tuning", "File format"),
    )
    compression: Annotated[Compression, choice(Compression)] | None = setting(
        None,
        "The compression of the files.",
        details="Parquet takes `snappy` (its default) and `none`. CSV takes `gzip` (its default with `load_method` `copy`) and `none` "
        "(its default otherwise).",
        unset="the best",
    )
    max_file_size_mb: Annotated[int, Whole(1, MAX_FILE_MB)] = setting(
        100,
        "An upper bound for Snowflake; one MB is 1,048,576 bytes.",
        form=("Tuning", "Maximum file size (MB)"),
    )
    cleanup_after_load: Flag = setting(
        False,
        "Delete a run's files once it is published and verified; its report stays.",
        form=("Tuning", "Delete staged files"),
    )


class _Bucket(Section):
    bucket: BucketName = setting(..., "The name of an S3 bucket, without `s3://`.")
    prefix_pattern: PrefixPattern = setting(
        DEFAULT_PATTERN,
        "A table's folder.",
        details=f"Placeholders: {', '.join(f'`{name}`' for name in PLACEHOLDERS)}; one of the two tables has to be among them. In a "
        f"name, any byte but letters, digits, `_`, `-` and `.` is written `=XX`.",
    )


class S3Staging(FileSettings, _Bucket):
    """Section `s3_staging`: where the files are in between, and what they are like."""


class SnowflakeUnload(Section):
    """Section `snowflake_unload`: by which stage and warehouse Snowflake writes the files. Names as Snowflake stores them."""

    storage_integration: SnowflakeName | None = setting(
        None, "Lets Snowflake write into the bucket by its own role."
    )
    stage_name: SnowflakeName | None = setting(
        None, "The external stage, made with that integration. Given together with the next two."
    )
    stage_database: SnowflakeName | None = setting(None, "The stage's database.")
    stage_schema: SnowflakeName | None = setting(None, "The stage's schema.")
    warehouse: SnowflakeName | None = setting(None, "The warehouse that unloads.", unset="the connection's")
    warehouse_size: WarehouseSize | None = setting(
        None,
        "The warehouse's size during the unload.",
        details=f"One of {', '.join(f'`{size}`' for size in WAREHOUSE_SIZES)}; `2X-Large` and the like are accepted. The size is "
        f"restored when the last run that changed it has unloaded.",
        unset="as it is",
    )
    statement_timeout_s: _Seconds | None = setting(
        None, "Seconds after which Snowflake cancels a statement of Snowmelt.", unset="the account's"
    )


class Connections(Section):
    """Section `connections`: ids of Airflow connections, which alone hold keys and passwords."""

    snowflake: ConnectionId = setting("snowflake_default", "Reads the source, writes and removes the files.")
    aws: ConnectionId = setting("aws_default", "Reads the bucket, no more.")
    postgres: ConnectionId = setting("postgres_default", "Loads and publishes; keeps the ledger.")
    aws_cleanup: ConnectionId | None = setting(
        None, "May remove objects. Only needed where there is no stage, by which Snowflake removes them."
    )


class Execution(Section):
    """Section `execution`: how much a run may take of Airflow and of PostgreSQL. Nothing here changes what is copied."""

    pool: Text | None = setting(
        None,
        "The Airflow pool of the unload and load tasks. It has to exist.",
        unset="Airflow's default pool",
    )
    priority: Annotated[int, Whole(1, _MAX_PRIORITY)] = setting(1, "Airflow's priority weight of all tasks.")
    parallel_unloads: _Tasks | None = setting(
        None, "Chunks of a run that are unloaded at the same time.", unset="no limit"
    )
    parallel_loads: _Tasks | None = setting(
        None, "Files (or batches) of a run that are loaded at the same time.", unset="no limit"
    )
    fingerprint_rows: Annotated[int, Whole(0, MAX_ROWS)] = setting(
        DEFAULT_FINGERPRINT_ROWS,
        "Fingerprints of all rows are compared up to this number; beyond, of a sample of chunks, 12 at most; with 0, counts alone.",
    )
    lock_timeout_s: _Seconds = setting(
        3, "Seconds that readers can be kept waiting by a publish that itself waits for its lock."
    )
    lock_patience_s: _Seconds = setting(900, "Seconds from the first try for the lock to the last.")
    snapshot_wait_s: Annotated[int, Whole(0, _MAX_SECONDS)] = setting(
        600, "Seconds that a swap waits for transactions that began before the load ended; 0: it does not."
    )
    index_workers: Annotated[int, Whole(0, 64)] | None = setting(
        None, "Parallel workers of an index build (`max_parallel_maintenance_workers`).", unset="the server's"
    )
    index_memory_mb: Annotated[int, Whole(1, 1_000_000)] | None = setting(
        None, "Memory of an index build (`maintenance_work_mem`), in MB.", unset="the server's"
    )


#: The parts of a table's name; None: any.
NamePattern = tuple[str | None, ...]


class Forms(Section):
    """Section `forms`: what whoever may trigger a DAG may have copied by its form."""

    allow_other_tables: Flag = setting(
        False, "The form of a configured table's DAG may name another source or target."
    )
    sources: Annotated[tuple[NamePattern, ...], Written(source_patterns, "list of names")] = setting(
        (),
        "What forms may copy beside the configured tables. Such as `ANALYTICS.BI.*`; `*` as a whole part is any.",
        unset="any table",
    )
    targets: Annotated[tuple[NamePattern, ...], Written(target_patterns, "list of names")] = setting(
        (),
        "Where they may copy it. Such as `staging.*`.",
        unset="any table but the server's own and the ledger's",
    )


def choose_compression(
    file_format: FileFormat, load_method: LoadMethod, requested: Compression | None
) -> Compression:
    """The compression of a run's files.

    Snappy for Parquet. None for CSV unless it is certainly streamed (load_method copy), where it is gzip: aws_s3 reads
    gzip only with a Content-Encoding that Snowflake does not set. What is requested, and the format or aws_s3 cannot take,
    is meant for other files and is ignored.
    """
    if file_format is FileFormat.CSV and load_method is LoadMethod.AWS_S3:
        return Compression.NONE
    if requested is not None and requested in COMPRESSIONS[file_format]:
        return requested
    if file_format is FileFormat.PARQUET:
        return Compression.SNAPPY
    return Compression.GZIP if load_method is LoadMethod.COPY else Compression.NONE
