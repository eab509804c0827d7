"""What Snowmelt reads from S3, through a boto3 client that is passed in. Nothing here writes.

A manifest, of one chunk or of a whole run, compared with S3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from snowmelt.drivers.s3_errors import s3_failures
from snowmelt.errors import StagingError
from snowmelt.json_values import from_json
from snowmelt.unload.manifest import (
    Manifest,
    StagedChunk,
    StagedFile,
    check_confined,
    find_parts,
    join_parts,
    parse_manifest,
)

#: A manifest of 100,000 files has about 10 MB; anything far larger is not one.
MAX_MANIFEST_BYTES = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class StagedCheck:
    """The files of a manifest compared with what is in S3."""

    #: The files that are there at their exact size, with their ETags.
    present: tuple[StagedFile, ...]
    #: Those not there (yet).
    missing: tuple[StagedFile, ...]
    #: Objects in the same folders that the manifest does not name: left by a try that failed. Never loaded.
    unexpected: tuple[str, ...]


def check_staged(s3: Any, bucket: str, files: Iterable[StagedFile]) -> StagedCheck:
    """Compare keys and sizes with S3, folder by folder: one request for each 1,000 objects.

    :raises StagingError: a file has another size than the unload returned.
    """
    wanted = {file.key: file for file in files}
    found: dict[str, tuple[int, str]] = {}
    for folder in sorted({key.rsplit("/", 1)[0] + "/" for key in wanted}):
        with s3_failures(f"Listing s3://{bucket}/{folder}"):
            for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder):
                for entry in page.get("Contents", ()):
                    found[entry["Key"]] = (int(entry["Size"]), str(entry["ETag"]).strip('"'))
    wrong = [
        f"{key}: the unload returned {file.bytes:,} bytes, S3 has {found[key][0]:,}"
        for key, file in wanted.items()
        if key in found and found[key][0] != file.bytes
    ]
    if wrong:
        raise StagingError(
            f"{len(wrong)} of {len(wanted)} staged files in s3://{bucket} have another size than Snowflake wrote; "
            f"someone overwrote them. Start a new run. {'; '.join(wrong[:5])}"
        )
    present = tuple(replace(file, etag=found[key][1]) for key, file in wanted.items() if key in found)
    missing = tuple(file for key, file in wanted.items() if key not in found)
    return StagedCheck(present, missing, tuple(sorted(set(found) - set(wanted))))


def read_manifest(s3: Any, bucket: str, key: str) -> Manifest:
    """The manifest of an earlier unload.

    :raises StagingError: there is none, it is not one, or it names something outside of its own folder.
    """
    origin = f"s3://{bucket}/{key}"
    text: str | bytes = _read_text(s3, bucket, key)
    folder = key.rpartition("/")[0]
    parts = [_read_text(s3, bucket, f"{folder}/{name}") for name in find_parts(text)]
    if parts:
        try:
            text = join_parts(text, parts)
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
            raise StagingError(
                f"{origin} and its parts do not go together ({str(error)[:500]}). Unload it again."
            ) from error
    manifest = parse_manifest(text, origin=origin)
    check_confined(manifest, bucket, key)
    return manifest


def _read_text(s3: Any, bucket: str, key: str) -> bytes:
    origin = f"s3://{bucket}/{key}"
    with s3_failures(f"Reading the manifest {origin}"):
        response = s3.get_object(Bucket=bucket, Key=key)
        if response["ContentLength"] > MAX_MANIFEST_BYTES:
            raise StagingError(f"{origin} has {response['ContentLength']:,} bytes: that is not a manifest.")
        return bytes(response["Body"].read())


def manifest_exists(s3: Any, bucket: str, key: str) -> bool:
    """Whether the manifest is written yet."""
    with s3_failures(f"Looking for the manifest s3://{bucket}/{key}"):
        answer = s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)
    return any(entry["Key"] == key for entry in answer.get("Contents", ()))


def parse_s3_url(url: str) -> tuple[str, str]:
    """`s3://bucket/some/key` → (bucket, key).

    :raises StagingError: it is not such an address.
    """
    scheme, _, rest = url.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme not in {"s3", "s3a", "s3n"} or not bucket or not key:
        raise StagingError(f"{url!r} is not the address of an object: expected s3://<bucket>/<key>.")
    return bucket, key


@dataclass(frozen=True, slots=True)
class StagedLook:
    """What one check found."""

    #: The chunks with the ETags of their files; of a manifest.json that is not written yet, none.
    chunks: tuple[StagedChunk, ...]
    #: What is still awaited, as keys.
    missing: tuple[str, ...]
    #: Objects beside the files that no manifest names.
    unexpected: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether every file is there at its exact size."""
        return not self.missing


def look_for_staged(s3: Any, manifest: Mapping[str, Any] | str) -> StagedLook:
    """Check once. A chunk without rows has no files, and is complete at once.

    :param manifest: what SnowflakeUnloadToS3Operator returned, or the s3:// address of a manifest.json.
    :raises StagingError: a file of another size, or no manifest at that address's end.
    """
    if isinstance(manifest, str):
        bucket, key = parse_s3_url(manifest)
        if not manifest_exists(s3, bucket, key):
            return StagedLook((), (manifest,), ())
        return look_for_chunks(s3, read_manifest(s3, bucket, key).chunks)
    return look_for_chunks(s3, (from_json(StagedChunk, manifest),))


def look_for_chunks(s3: Any, chunks: tuple[StagedChunk, ...]) -> StagedLook:
    """Check once for the files of these chunks."""
    etags: dict[str, str | None] = {}
    missing: list[str] = []
    unexpected: list[str] = []
    for bucket in sorted({chunk.bucket for chunk in chunks}):
        check = check_staged(
            s3, bucket, [file for chunk in chunks if chunk.bucket == bucket for file in chunk.files]
        )
        etags.update({file.key: file.etag for file in check.present})
        missing.extend(file.key for file in check.missing)
        unexpected.extend(check.unexpected)
    seen = tuple(
        replace(chunk, files=tuple(replace(file, etag=etags.get(file.key)) for file in chunk.files))
        for chunk in chunks
    )
    return StagedLook(seen, tuple(missing), tuple(unexpected))
