"""One object in S3, read by ranges through a boto3 client, and never a changed one: every GET carries If-Match.

boto3 and not Arrow's own S3 file system: one place for credentials, endpoint and retries, an If-Match that the other
cannot send, and no second AWS SDK in the process. Sources: S3 API "HeadObject", "GetObject" (412 when the ETag differs).

Ranges of an S3 object fetched before they are asked for, by a few threads, and the files that pyarrow reads them through.

One connection to S3 gives less than PostgreSQL takes, and its first byte takes tens of milliseconds: so the pieces of a
row group are fetched side by side, and the next group while this one is decoded. Measured over a range server with 30 ms
to the first byte, a file of 62 MB and 40 columns in 8 groups, read and decoded: held 0.5 s, Arrow's own S3 file system
0.9 s with pre-buffering, 11 s without. A single group of 56 MB: held 0.5 s, streamed in blocks 3.8 s, which is the price
of the bound on memory.
"""

from __future__ import annotations

import mmap
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, TypeVar

import pyarrow as pa

from snowmelt.drivers.s3_errors import s3_failures
from snowmelt.errors import SnowmeltError, StagingError, StagingUnavailable, Topic
from snowmelt.unload.manifest import StagedFile

#: A transfer that breaks off is begun again this often; boto3 itself retries only until the first byte.
_TRIES = 3
_PAUSE_SECONDS = 0.5
#: Between two checks of whether the load was given up.
_PIECE_BYTES = 1 << 18
#: Answers from this size on have memory of their own.
_LARGE_BYTES = 2 << 20

_T = TypeVar("_T")


def _allocate(size: int) -> pa.Buffer:
    """Memory for one answer. A large one goes back to the system at once.

    Arrow's allocator keeps the space of several for each thread that fetches. Measured: 390 MB resident at the peak for a
    file of 1 GB, 214 MB this way, at the same speed.
    """
    return pa.allocate_buffer(size) if size < _LARGE_BYTES else pa.py_buffer(mmap.mmap(-1, size))


class ObjectClosed(SnowmeltError):
    """The load was given up while the object was being read; never raised outside of it."""


class S3Object:
    """A random-access reader over one object. `read_at` may be called from any thread; `close` ends all reading.

    :param client: a boto3 S3 client.
    :param file: what the manifest says about the object; the sizes, and the ETags where it knows one, must agree.
    :raises StagingError: missing, or not of the manifest's size or ETag; both values are named.
    :raises SnowmeltError: as `s3_failures` translates them; what is transient is tried three times here first.
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
                "unloaded. Unload this run again."
            )
        if file.etag is not None and file.etag.strip('"') != self.etag.strip('"'):
            raise StagingError(
                f"{self.origin} has the ETag {self.etag}, the manifest says {file.etag}: it was overwritten. "
                f"Unload this run again.",
                topic=Topic.OBJECT_CHANGED,
            )

    def close(self) -> None:
        """End all reading, in every thread, at the next piece."""
        self._closed.set()

    def reopened(self) -> S3Object:
        """The same object, of the same ETag, to be read once more after `close`."""
        return S3Object(self._client, self._bucket, replace(self._file, etag=self.etag))

    def read_at(self, offset: int, size: int) -> pa.Buffer:
        """`size` bytes from `offset`, fewer at the end of the object."""
        end = min(offset + size, self.size)
        if offset >= end:
            return pa.py_buffer(b"")
        return self._ask(lambda: self._get(offset, end))

    def read_pieces(self, piece_bytes: int) -> Iterator[pa.Buffer]:
        """The whole object, in order."""
        for offset in range(0, self.size, piece_bytes):
            yield self.read_at(offset, piece_bytes)

    def _get(self, start: int, end: int) -> pa.Buffer:
        answer = self._client.get_object(
            Bucket=self._bucket, Key=self._key, Range=f"bytes={start}-{end - 1}", IfMatch=self.etag
        )
        data = _allocate(end - start)
        view, filled = memoryview(data).cast("B"), 0
        with closing(answer["Body"]) as body:
            while filled < data.size:
                if self._closed.is_set():
                    raise ObjectClosed(f"{self.origin}: the load was given up.")
                got = body.readinto(view[filled : filled + _PIECE_BYTES])
                if not got:
                    raise StagingUnavailable(
                        f"{self.origin}: S3 sent {filled:,} bytes of {data.size:,} from {start:,}."
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


#: Bytes of a GET, and how many run at a time.
PIECE_BYTES = 8 << 20
WORKERS = 4

_Piece = tuple[int, int]


def plan_pieces(ranges: Iterable[_Piece]) -> list[_Piece]:
    """GETs over these ranges: neighbours together up to `PIECE_BYTES`, so that only a longer range is cut."""
    pieces: list[_Piece] = []
    for start, end in sorted(ranges):
        if pieces and pieces[-1][1] == start and end - pieces[-1][0] <= PIECE_BYTES:
            pieces[-1] = (pieces[-1][0], end)
        else:
            pieces += [(at, min(at + PIECE_BYTES, end)) for at in range(start, end, PIECE_BYTES)]
    return pieces


class ReadAhead:
    """Fetches ranges of an object in the background. Leaving the `with` block waits for no piece that has not begun."""

    def __init__(self, source: S3Object) -> None:
        self._source = source
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="snowmelt-fetch")
        self._pieces: dict[_Piece, Future[pa.Buffer]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._pieces.clear()

    def hold(self, groups: list[tuple[_Piece, ...]]) -> None:
        """Fetch these groups of ranges (start, end), and forget all others. What is held already is not fetched again.

        No GET reaches from one group into the next, so that a group's GETs are the same whatever is held beside it. A range
        is read without a copy where one GET covers it.
        """
        wanted = [piece for ranges in groups for piece in plan_pieces(ranges)]
        self._pieces = {piece: self._pieces.get(piece) or self.fetch(piece) for piece in wanted}

    def fetch(self, piece: _Piece) -> Future[pa.Buffer]:
        """Begin to fetch one range; the caller keeps it."""
        start, end = piece
        return self._pool.submit(self._source.read_at, start, end - start)

    def read(self, start: int, end: int) -> bytes | memoryview | pa.Buffer:
        """A range that is held, without a copy where one piece covers it; other ranges are fetched now."""
        parts: list[memoryview] = []
        at = start
        for (first, last), future in sorted(self._pieces.items()):
            if first <= at < last and at < end:
                parts.append(memoryview(future.result())[at - first : min(end, last) - first])
                at = min(end, last)
        if at < end:
            parts.append(memoryview(self._source.read_at(at, end - at)))
        return parts[0] if len(parts) == 1 else b"".join(parts)


class ObjectFile:
    """An `S3Object` as a file object. Not for several threads at once; pyarrow puts a lock around it."""

    def __init__(self, source: S3Object) -> None:
        self._source = source
        self._position = 0
        self.closed = False

    @property
    def origin(self) -> str:
        """The object's address, for messages."""
        return self._source.origin

    def _fetch(self, start: int, end: int) -> bytes | memoryview | pa.Buffer:
        return self._source.read_at(start, end - start)

    def read(self, size: int = -1) -> bytes | memoryview | pa.Buffer:
        """The next bytes; the rest of the object where `size` is negative."""
        end = self._source.size if size < 0 else min(self._position + size, self._source.size)
        data = self._fetch(self._position, end) if end > self._position else b""
        self._position += memoryview(data).nbytes
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


class HeldFile(ObjectFile):
    """Reads from what `ReadAhead.hold` fetched."""

    def __init__(self, source: S3Object, ahead: ReadAhead) -> None:
        super().__init__(source)
        self._ahead = ahead

    def _fetch(self, start: int, end: int) -> bytes | memoryview | pa.Buffer:
        return self._ahead.read(start, end)


class StreamedFile(ObjectFile):
    """Reads the streams of a large row group side by side, a block ahead in each.

    :param streams: (start, end) of each column's bytes.
    :param block: bytes that pyarrow reads at a time (its `buffer_size`).
    """

    def __init__(self, source: S3Object, ahead: ReadAhead, streams: list[_Piece], block: int) -> None:
        super().__init__(source)
        self._ahead = ahead
        self._block = block
        self._starts = [start for start, _ in sorted(streams)]
        self._ends = [end for _, end in sorted(streams)]
        self._next: dict[int, tuple[int, Future[pa.Buffer]]] = {}
        for start in self._starts:
            self._expect(start)

    def _expect(self, start: int) -> None:
        stream = bisect_right(self._starts, start) - 1
        if stream >= 0 and start < self._ends[stream]:
            end = min(start + self._block, self._ends[stream])
            self._next[start] = end, self._ahead.fetch((start, end))

    def _fetch(self, start: int, end: int) -> bytes | memoryview | pa.Buffer:
        data: bytes | memoryview | pa.Buffer
        known, future = self._next.pop(start, (end, None))
        if future is None:
            data = self._source.read_at(start, end - start)
        elif known >= end:
            data = memoryview(future.result())[: end - start]
        else:  # a page larger than a block: only what is not under way is fetched now
            rest = self._source.read_at(known, end - known)
            data = b"".join((future.result(), rest))
        self._expect(end)
        return data
