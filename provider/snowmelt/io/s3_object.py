"""One object in S3, read by ranges through a boto3 client, and never a changed one: every GET carries If-Match.

boto3 and not Arrow's own S3 file system: one place for credentials, endpoint and retries, an If-Match that the other
cannot send, and no second AWS SDK in the process. Sources: S3 API "HeadObject", "GetObject" (412 when the ETag differs).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

from snowmelt.core.manifest import StagedFile
from snowmelt.errors import SnowmeltError, StagingError, StagingUnavailable
from snowmelt.io.failures.s3 import s3_failures

#: A transfer that breaks off is begun again this often; boto3 itself retries only until the first byte.
_TRIES = 3
_PAUSE_SECONDS = 0.5
#: Between two looks at whether the load was given up.
_PIECE_BYTES = 1 << 20

_T = TypeVar("_T")


class ObjectClosed(SnowmeltError):
    """The load was given up while the object was being read; never seen outside of it."""


class S3Object:
    """A random-access reader over one object. `read_at` may be called from any thread; `close` ends all reading.

    :param client: a boto3 S3 client.
    :param file: what the manifest says about the object; the sizes, and the ETags where it knows one, must agree.
    :raises StagingError: missing, or not of the manifest's size or ETag; both values are named.
    :raises SnowmeltError: as `s3_failures` tells them; what is transient is tried three times here first.
    """

    def __init__(self, client: Any, bucket: str, file: StagedFile) -> None:
        self._client = client
        self._bucket = bucket
        self._key = file.key
        self._file = file
        self._closed = threading.Event()
        self.origin = f"s3://{bucket}/{file.key}"
        head = self._ask(lambda: client.head_object(Bucket=bucket, Key=file.key))
        self.size = int(head["ContentLength"])
        self.etag = str(head["ETag"])
        self.content_encoding = str(head.get("ContentEncoding", ""))
        if self.size != file.bytes:
            raise StagingError(
                f"{self.origin} has {self.size:,} bytes, the manifest says {file.bytes:,}: it is not the file that was "
                "unloaded. Unload this run anew."
            )
        if file.etag is not None and file.etag.strip('"') != self.etag.strip('"'):
            raise StagingError(
                f"{self.origin} has the ETag {self.etag}, the manifest says {file.etag}: it was overwritten. "
                "Unload this run anew."
            )

    def close(self) -> None:
        """End all reading, in every thread, at the next piece."""
        self._closed.set()

    def reopened(self) -> S3Object:
        """The same object, of the same ETag, to be read once more after `close`."""
        return S3Object(self._client, self._bucket, replace(self._file, etag=self.etag))

    def read_at(self, offset: int, size: int) -> bytearray:
        """`size` bytes from `offset`, fewer at the end of the object."""
        end = min(offset + size, self.size)
        if offset >= end:
            return bytearray()
        return self._ask(lambda: self._get(offset, end))

    def read_pieces(self, piece_bytes: int) -> Iterator[bytearray]:
        """The whole object, in order."""
        for offset in range(0, self.size, piece_bytes):
            yield self.read_at(offset, piece_bytes)

    def _get(self, start: int, end: int) -> bytearray:
        answer = self._client.get_object(
            Bucket=self._bucket, Key=self._key, Range=f"bytes={start}-{end - 1}", IfMatch=self.etag
        )
        data = bytearray(end - start)
        view, filled = memoryview(data), 0
        with answer["Body"] as body:
            while filled < len(data):
                if self._closed.is_set():
                    raise ObjectClosed(f"{self.origin}: the load was given up.")
                got = body.readinto(view[filled : filled + _PIECE_BYTES])
                if not got:
                    raise StagingUnavailable(
                        f"{self.origin}: S3 sent {filled:,} bytes of {len(data):,} from {start:,}."
                    )
                filled += got
        return data

    def _ask(self, request: Callable[[], _T]) -> _T:
        for tried in range(1, _TRIES + 1):
            if self._closed.is_set():
                raise ObjectClosed(f"{self.origin}: the load was given up.")
            try:
                with s3_failures(f"Reading {self.origin}"):
                    return request()
            except StagingUnavailable:
                if tried == _TRIES:
                    raise
                self._closed.wait(_PAUSE_SECONDS * tried)
        raise AssertionError


class ObjectFile:
    """An `S3Object` as the file object that pyarrow reads. Not for several threads; pyarrow puts a lock around it."""

    def __init__(self, source: S3Object) -> None:
        self._source = source
        self._position = 0
        self.closed = False

    def read(self, size: int = -1) -> bytearray:
        """The next bytes; the rest of the object where `size` is negative."""
        data = self._source.read_at(self._position, self._source.size if size < 0 else size)
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move, as `io.IOBase.seek` does."""
        self._position = offset + (0, self._position, self._source.size)[whence]
        return self._position

    def tell(self) -> int:
        """The position."""
        return self._position

    def size(self) -> int:
        """Bytes of the object."""
        return self._source.size

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def writable(self) -> bool:
        """Never."""
        return False

    def flush(self) -> None:
        """Nothing to write."""

    def close(self) -> None:
        """Closes this file, not the object."""
        self.closed = True
