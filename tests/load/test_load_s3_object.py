"""Reading an object by ranges: pieces, retries of a broken transfer, an end from outside."""

from __future__ import annotations

import threading

import pytest

from snowmelt.errors import StagingError, StagingUnavailable
from snowmelt.load import s3_object
from snowmelt.load import s3_object as read_ahead
from snowmelt.load.s3_object import HeldFile, ObjectClosed, ReadAhead, S3Object, StreamedFile
from snowmelt.unload.manifest import StagedFile

DATA = bytes(range(256)) * 400


@pytest.fixture
def source(s3_client, bucket):
    s3_client.put_object(Bucket=bucket, Key="object", Body=DATA)
    return S3Object(s3_client, bucket, StagedFile("object", len(DATA), 0, 0))


def test_ranges(source):
    assert source.read_at(0, 3).to_pybytes() == DATA[:3]
    assert source.read_at(300, 1000).to_pybytes() == DATA[300:1300]
    assert source.read_at(len(DATA) - 2, 100).to_pybytes() == DATA[-2:]
    assert source.read_at(len(DATA), 1).to_pybytes() == b""
    assert b"".join(piece.to_pybytes() for piece in source.read_pieces(999)) == DATA


def test_held_ranges_are_the_object(source, monkeypatch):
    monkeypatch.setattr("snowmelt.load.s3_object.PIECE_BYTES", 1000)
    with ReadAhead(source) as ahead:
        ahead.hold([((500, 5500), (7000, 8000))])
        file = HeldFile(source, ahead)
        for start, size in ((500, 10), (1400, 300), (500, 5000), (7000, 1000), (0, 900), (5000, 3000)):
            file.seek(start)
            assert bytes(file.read(size)) == DATA[start : start + size]


def test_streams_are_the_object(source):
    with ReadAhead(source) as ahead:
        file = StreamedFile(source, ahead, [(4, 5000), (5000, 9999)], 1000)
        for start, size in (
            (4, 1000),
            (5000, 1000),
            (1004, 1000),
            (6000, 2500),
            (8500, 1000),
            (2004, 10),
            (9500, 499),
        ):
            file.seek(start)
            assert bytes(file.read(size)) == DATA[start : start + size]


class ShortBody:
    """Ten bytes, and then the end."""

    def __init__(self, body):
        self._left, self._body = 10, body

    def readinto(self, view):
        got, self._left = self._left, 0
        view[:got] = bytes(got)
        return got

    def close(self):
        self._body.close()


class Broken:
    """A client whose first transfers break off."""

    def __init__(self, client, times):
        self.times, self.asked = times, 0
        self.head_object, self._get_object = client.head_object, client.get_object

    def get_object(self, **rest):
        self.asked += 1
        answer = self._get_object(**rest)
        if self.asked <= self.times:
            answer["Body"] = ShortBody(answer["Body"])
        return answer


@pytest.mark.parametrize(("times", "asked"), [(1, 2), (2, 3)])
def test_a_broken_transfer_is_begun_again(s3_client, bucket, source, monkeypatch, times, asked):
    monkeypatch.setattr(s3_object, "_PAUSE_SECONDS", 0.01)
    client = Broken(s3_client, times)
    again = S3Object(client, bucket, StagedFile("object", len(DATA), 0, 0))
    assert again.read_at(0, 5000).to_pybytes() == DATA[:5000]
    assert client.asked == asked


def test_a_transfer_that_stays_broken_is_transient(s3_client, bucket, source, monkeypatch):
    monkeypatch.setattr(s3_object, "_PAUSE_SECONDS", 0.01)
    again = S3Object(Broken(s3_client, 9), bucket, StagedFile("object", len(DATA), 0, 0))
    with pytest.raises(StagingUnavailable, match="S3 sent 10 bytes of 5,000 from 0"):
        again.read_at(0, 5000)


def test_a_changed_object_is_refused(s3_client, bucket, source):
    s3_client.put_object(Bucket=bucket, Key="object", Body=DATA[::-1])
    with pytest.raises(StagingError, match="overwritten"):
        source.read_at(0, 10)


def test_closing_ends_all_reading(source):
    source.close()
    with pytest.raises(ObjectClosed):
        source.read_at(0, 10)
    assert source.reopened().read_at(0, 4).to_pybytes() == DATA[:4]


def test_leaving_ends_the_fetching_threads(source):
    with ReadAhead(source) as ahead:
        ahead.hold([((0, len(DATA)),)])
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("snowmelt-fetch")]


def test_neighbours_are_fetched_together_and_only_what_is_longer_than_a_get_is_cut(monkeypatch):
    monkeypatch.setattr(read_ahead, "PIECE_BYTES", 10)
    assert read_ahead.plan_pieces([(4, 8), (8, 12), (12, 15), (20, 24), (24, 47), (47, 50)]) == [
        (4, 12),
        (12, 15),
        (20, 24),
        (24, 34),
        (34, 44),
        (44, 50),
    ]
