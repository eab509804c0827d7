"""An S3 client whose objects are files of a folder: what a load costs where S3 costs nothing."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any


class DiskS3:
    """Answers what `S3Object` asks; the key is the file's path."""

    def head_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        """Size and ETag."""
        return {"ContentLength": Path(Key).stat().st_size, "ETag": '"disk"'}

    def get_object(self, *, Bucket: str, Key: str, Range: str, IfMatch: str) -> dict[str, Any]:  # noqa: N803
        """A range, as a stream."""
        first, last = (int(part) for part in Range.removeprefix("bytes=").split("-"))
        return {"Body": _Part(Path(Key), first, last + 1)}


class _Part(io.RawIOBase):
    def __init__(self, path: Path, start: int, end: int) -> None:
        super().__init__()
        self._file = path.open("rb", buffering=0)
        self._file.seek(start)
        self._left = end - start

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)[: self._left]
        count = self._file.readinto(view) or 0
        self._left -= count
        return count

    def close(self) -> None:
        self._file.close()
        super().close()
