"""A manifest, of one chunk or of a whole run, held against S3."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from snowmelt.core.unload.manifest import StagedChunk
from snowmelt.io.s3 import check_staged, manifest_exists, parse_s3_url, read_manifest


@dataclass(frozen=True, slots=True)
class StagedLook:
    """What one look found."""

    #: The chunks with the ETags of their files; of a manifest.json that is not written yet, none.
    chunks: tuple[StagedChunk, ...]
    #: What is still awaited, as keys.
    missing: tuple[str, ...]
    #: Objects beside the files that no manifest names.
    strays: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether every file is there at its exact size."""
        return not self.missing


def look_for_staged(s3: Any, manifest: Mapping[str, Any] | str) -> StagedLook:
    """Look once. A chunk without rows has no files, and is complete at once.

    :param manifest: what SnowflakeUnloadToS3Operator returned, or the s3:// address of a manifest.json.
    :raises StagingError: a file of another size, or no manifest at that address's end.
    """
    if isinstance(manifest, str):
        bucket, key = parse_s3_url(manifest)
        if not manifest_exists(s3, bucket, key):
            return StagedLook((), (manifest,), ())
        return look_for_chunks(s3, read_manifest(s3, bucket, key).chunks)
    return look_for_chunks(s3, (StagedChunk.from_json(manifest),))


def look_for_chunks(s3: Any, chunks: tuple[StagedChunk, ...]) -> StagedLook:
    """Look once for the files of these chunks."""
    etags: dict[str, str | None] = {}
    missing: list[str] = []
    strays: list[str] = []
    for bucket in sorted({chunk.bucket for chunk in chunks}):
        check = check_staged(
            s3, bucket, [file for chunk in chunks if chunk.bucket == bucket for file in chunk.files]
        )
        etags.update({file.key: file.etag for file in check.present})
        missing.extend(file.key for file in check.missing)
        strays.extend(check.strays)
    seen = tuple(
        replace(chunk, files=tuple(replace(file, etag=etags.get(file.key)) for file in chunk.files))
        for chunk in chunks
    )
    return StagedLook(seen, tuple(missing), tuple(strays))
