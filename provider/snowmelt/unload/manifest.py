"""The manifest: what an unload really wrote, as Snowflake returned it. Never a listing of the prefix.

`manifest.json` is written last, by Snowflake, into the run's prefix: a reader can load the files without
the DAG run, the ledger or Snowflake.

A manifest of very many files in several documents, each short enough for one statement.

Snowflake writes the manifest from a literal, and takes at most 1 MB of text in a statement ("Query size limits"); a file
takes some 90 bytes of it. The parts are written before the manifest itself, which says how many there are.

Batches: which load task takes which files.
"""

from __future__ import annotations

import heapq
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import computed_field

from snowmelt.errors import StagingError
from snowmelt.json_values import Rounded, from_json, to_json
from snowmelt.types.columns import Column

#: Raised when a reader of an older manifest would misunderstand a newer one.
MANIFEST_VERSION = 1

MANIFEST_NAME = "manifest.json"


@dataclass(frozen=True, slots=True)
class StagedFile:
    """A file in S3 that an unload wrote."""

    #: The whole S3 key.
    key: str
    #: Its exact size and the rows in it, as the unload returned them.
    bytes: int
    rows: int
    #: Index of the chunk it belongs to.
    chunk: int
    #: The ETag seen when the manifest was checked against S3; None before.
    etag: str | None = None

    @property
    def name(self) -> str:
        """The last two parts of the key, `chunk_003/data_….snappy.parquet`: enough to find it within its run."""
        return "/".join(self.key.rsplit("/", 2)[-2:])


@dataclass(frozen=True, slots=True)
class StagedChunk:
    """What one unload returned."""

    #: Index of the chunk, and the bucket its files are in.
    chunk: int
    bucket: str
    #: The query that unloaded it, and how long that took.
    query_id: str
    seconds: Rounded
    files: tuple[StagedFile, ...]
    #: When the statement was submitted, in seconds since 1970; None: it is not recorded.
    started_at: Rounded | None = None

    @computed_field  # type: ignore[prop-decorator] # pydantic's own way for properties
    @property
    def rows(self) -> int:
        """Rows in all its files."""
        return sum(file.rows for file in self.files)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def bytes(self) -> int:
        """Bytes of all its files."""
        return sum(file.bytes for file in self.files)


@dataclass(frozen=True, slots=True)
class Manifest:
    """All files of a run, and all that is needed to load them elsewhere."""

    run_id: str
    #: `database.schema.table`, quoted as Snowflake takes it, and the snapshot that every chunk read (UTC, as text).
    source: str
    snapshot: str | None
    file_format: str
    compression: str
    bucket: str
    #: The run's folder, as a key; ends in a slash.
    path: str
    columns: tuple[Column, ...]
    chunks: tuple[StagedChunk, ...]

    @property
    def files(self) -> tuple[StagedFile, ...]:
        """All files, in the order of the chunks."""
        return tuple(file for chunk in self.chunks for file in chunk.files)

    @property
    def rows(self) -> int:
        """Rows in all files."""
        return sum(chunk.rows for chunk in self.chunks)

    @property
    def bytes(self) -> int:
        """Bytes of all files."""
        return sum(chunk.bytes for chunk in self.chunks)

    def to_document(self) -> dict[str, Any]:
        """The JSON document that is staged."""
        chunks = tuple(
            _ChunkDocument(
                chunk=chunk.chunk,
                query_id=chunk.query_id,
                seconds=chunk.seconds,
                folder=chunk.files[0].key.rsplit("/", 1)[0] + "/" if chunk.files else None,
                rows=chunk.rows,
                files=tuple((file.key.rsplit("/", 1)[1], file.bytes, file.rows) for file in chunk.files),
            )
            for chunk in self.chunks
        )
        return to_json(
            _Document(
                snowmelt_manifest=MANIFEST_VERSION,
                run_id=self.run_id,
                source=self.source,
                snapshot=self.snapshot,
                file_format=self.file_format,
                compression=self.compression,
                bucket=self.bucket,
                path=self.path,
                rows=self.rows,
                bytes=self.bytes,
                columns=self.columns,
                chunks=chunks,
            )
        )


@dataclass(frozen=True, slots=True)
class _ChunkDocument:
    """A chunk in `manifest.json`."""

    chunk: int
    query_id: str
    seconds: Rounded
    #: The folder of all its files, as a key; None without files.
    folder: str | None
    rows: int
    #: (name below the folder, bytes, rows) each.
    files: tuple[tuple[str, int, int], ...]

    def staged(self, bucket: str) -> StagedChunk:
        """What the unload returned, with whole keys."""
        files = tuple(
            StagedFile(f"{self.folder}{name}", size, rows, self.chunk) for name, size, rows in self.files
        )
        return StagedChunk(self.chunk, bucket, self.query_id, self.seconds, files)


@dataclass(frozen=True, slots=True)
class _Document:
    """`manifest.json`. Another form gets another `MANIFEST_VERSION`."""

    snowmelt_manifest: int
    run_id: str
    source: str
    snapshot: str | None
    file_format: str
    compression: str
    bucket: str
    path: str
    rows: int
    bytes: int
    columns: tuple[Column, ...]
    chunks: tuple[_ChunkDocument, ...]


def check_confined(manifest: Manifest, bucket: str, key: str) -> None:
    """A manifest names files of its own folder alone: the author of one must not choose what else is read.

    :param bucket: where the manifest was read, and its `key` there.
    :raises StagingError: it names another bucket, another folder, or a file outside of it.
    """
    folder = key.rpartition("/")[0] + "/"
    unexpected = [] if manifest.bucket == bucket else [f"the bucket {manifest.bucket!r}"]
    unexpected += [] if manifest.path == folder else [f"the folder {manifest.path!r}"]
    unexpected += [f"the file {file.key!r}" for file in manifest.files if not file.key.startswith(folder)][:3]
    if unexpected:
        raise StagingError(
            f"The manifest s3://{bucket}/{key} names {', '.join(unexpected)}; a manifest names files of its own folder alone. "
            "It was copied or changed: load it where it was written, or unload it again."
        )


def parse_manifest(text: str | bytes, *, origin: str) -> Manifest:
    """The manifest that `to_document` wrote.

    :param origin: the manifest's s3:// address, for the message.
    :raises StagingError: no manifest, one of a later version, or one whose sums disagree.
    """
    try:
        values = _read_document(text)
        version = values["snowmelt_manifest"]
        if version != MANIFEST_VERSION:
            raise StagingError(
                f"{origin} is a manifest of version {version}; this provider reads version {MANIFEST_VERSION}. "
                "Load it with the provider that unloaded it, or a newer one."
            )
        document = from_json(_Document, values)
        _refuse_impossible(document)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise StagingError(
            f"{origin} is not a manifest of Snowmelt ({type(error).__name__}: {str(error)[:500]}). "
            "Name the run_id of an unload that ended, or unload it again."
        ) from error
    manifest = Manifest(
        run_id=document.run_id,
        source=document.source,
        snapshot=document.snapshot,
        file_format=document.file_format,
        compression=document.compression,
        bucket=document.bucket,
        path=document.path,
        columns=document.columns,
        chunks=tuple(chunk.staged(document.bucket) for chunk in document.chunks),
    )
    if (manifest.rows, manifest.bytes) != (document.rows, document.bytes):
        raise StagingError(
            f"{origin} says {document.rows:,} rows, {document.bytes:,} bytes, but its files add up to {manifest.rows:,} rows, "
            f"{manifest.bytes:,} bytes: it was changed after it was written. Unload it again."
        )
    return manifest


#: The largest number that the ledger holds.
_MAX_NUMBER = 2**63 - 1


def _read_document(text: str | bytes) -> Any:
    """JSON whose objects name each key once, and whose texts are of characters that a database takes.

    :raises ValueError, RecursionError: it is not that.
    """

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        document = dict(found)
        if len(document) != len(found):
            raise ValueError("an object names a key twice")
        return document

    def refuse(word: str) -> Any:
        raise ValueError(f"{word} is no number")

    values = json.loads(text, object_pairs_hook=pairs, parse_constant=refuse)
    written = json.dumps(values, ensure_ascii=False)
    written.encode()  # half of a surrogate pair is a ValueError
    if "\\u0000" in written:
        raise ValueError("a text holds a NUL character")
    return values


def _refuse_impossible(document: _Document) -> None:
    """What no unload writes.

    :raises ValueError: with what it is.
    """
    chunks = [chunk.chunk for chunk in document.chunks]
    if len(set(chunks)) != len(chunks):
        raise ValueError("a chunk is listed twice")
    numbers = [*chunks, document.rows, document.bytes]
    for chunk in document.chunks:
        names = [name for name, _, _ in chunk.files]
        if len(set(names)) != len(names):
            raise ValueError(f"chunk {chunk.chunk} lists a file twice")
        bad = next((name for name in names if not name or "/" in name or name in {".", ".."}), None)
        if bad is not None or (names and not chunk.folder):
            raise ValueError(f"chunk {chunk.chunk} lists {bad!r}, which is not the name of a file")
        if any(part in {"", ".", ".."} for part in (chunk.folder or "x/").removesuffix("/").split("/")):
            raise ValueError(f"chunk {chunk.chunk} has the folder {chunk.folder!r}")
        if not math.isfinite(chunk.seconds):
            raise ValueError(f"chunk {chunk.chunk} took {chunk.seconds} seconds")
        numbers += [chunk.rows, *(number for _, size, rows in chunk.files for number in (size, rows))]
    wrong = next((number for number in numbers if not 0 <= number <= _MAX_NUMBER), None)
    if wrong is not None:
        raise ValueError(f"{wrong} is not a number of rows, bytes or chunks")


#: Beyond this many files the list is written in parts of this many: 0.8 MB.
PART_FILES = 8_000


def name_parts(files: int) -> tuple[str, ...]:
    """The parts' names beside manifest.json, for a run of that many files."""
    if files <= PART_FILES:
        return ()
    return tuple(f"manifest_part_{number:03d}.json" for number in range(-(-files // PART_FILES)))


def split_document(document: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[dict[str, Any], ...]]:
    """The manifest's document without its files, and the parts that hold them; a short one as it is, and no part."""
    files = [[chunk["chunk"], *file] for chunk in document["chunks"] for file in chunk["files"]]
    names = name_parts(len(files))
    if not names:
        return dict(document), ()
    bare = [{**chunk, "files": []} for chunk in document["chunks"]]
    parts = tuple(
        {"run_id": document["run_id"], "files": files[start : start + PART_FILES]}
        for start in range(0, len(files), PART_FILES)
    )
    return {**document, "chunks": bare, "parts": list(names)}, parts


def find_parts(text: str | bytes) -> tuple[str, ...]:
    """The names of the parts that a manifest's text says; none where it is not a manifest, which its reader reports."""
    try:
        names = json.loads(text).get("parts", [])
    except (AttributeError, ValueError, RecursionError):
        return ()
    known = name_parts(PART_FILES * len(names)) if isinstance(names, list) and len(names) > 1 else ()
    return known if list(known) == names else ()


def join_parts(text: str | bytes, parts: Sequence[str | bytes]) -> str:
    """The text of the whole manifest.

    :raises AttributeError, KeyError, RecursionError, TypeError, ValueError: a part is not of this manifest.
    """
    document = _read_document(text)
    chunks = {chunk["chunk"]: chunk for chunk in document["chunks"]}
    for part in map(_read_document, parts):
        if part["run_id"] != document["run_id"]:
            raise ValueError(f"a part is of the run {part['run_id']}")
        for chunk, *file in part["files"]:
            chunks[chunk]["files"].append(file)
    del document["parts"]
    return json.dumps(document)


#: No map of load tasks passes this, whatever the table's size (Airflow's max_map_length is 1024).
MAX_BATCHES = 300


@dataclass(frozen=True, slots=True)
class Batch:
    """The files that one load task takes, one after another, each in a transaction of its own."""

    index: int
    files: tuple[StagedFile, ...]

    @property
    def label(self) -> str:
        """What a person reads on the mapped task."""
        size = sum(file.bytes for file in self.files) / 1e6
        rows = sum(file.rows for file in self.files)
        what = (
            self.files[0].name
            if len(self.files) == 1
            else f"{len(self.files)} files from {self.files[0].name}"
        )
        return f"{what} ({size:.1f} MB, {rows:,} rows)"


def plan_batches(files: Sequence[StagedFile], limit: int = MAX_BATCHES) -> tuple[Batch, ...]:
    """One file to a batch while there are at most `limit`; beyond, batches of about equal bytes.

    Each file goes to the batch that has the fewest bytes so far, the largest file first: the longest batch is then at
    most a third above the ideal. The same files give the same batches.
    """
    if len(files) <= limit:
        return tuple(Batch(index, (file,)) for index, file in enumerate(files))
    filled: list[tuple[int, int]] = [(0, index) for index in range(limit)]
    members: list[list[StagedFile]] = [[] for _ in range(limit)]
    for file in sorted(files, key=lambda file: (-file.bytes, file.key)):
        size, index = heapq.heappop(filled)
        members[index].append(file)
        heapq.heappush(filled, (size + file.bytes, index))
    return tuple(
        Batch(index, tuple(sorted(group, key=lambda file: file.key)))
        for index, group in enumerate(members)
        if group
    )
