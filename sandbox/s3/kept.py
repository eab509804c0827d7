"""Objects outlive a restart: written to a folder when the server is stopped, read back when it starts.

Kept: the newest version of each object with its metadata, of each bucket. Not kept: versions, uploads in progress,
bucket settings; nothing when the server is killed.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
from pathlib import Path

from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import FakeKey, s3_backends

PIECE = 1024 * 1024
CHECKSUM = ("checksum_algorithm", "checksum_value", "checksum_type", "checksum_parts")


def save_objects(folder: Path) -> int:
    """Write all objects; the folder is replaced as a whole. Returns how many."""
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    index, count = {}, 0
    for bucket in list(s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets.values()):
        entries = []
        for key in [bucket.keys[name] for name in list(bucket.keys)]:
            if not isinstance(key, FakeKey):
                continue
            entries.append(
                {
                    "key": key.name,
                    "file": str(count),
                    "etag": key.etag.strip('"'),
                    "modified": key.last_modified.replace(tzinfo=None).isoformat(),
                    "metadata": dict(key.metadata),
                    "checksum": {name: getattr(key, name) for name in CHECKSUM},
                }
            )
            with (fresh / str(count)).open("wb") as file, key.lock:
                key._value_buffer.seek(0)
                shutil.copyfileobj(key._value_buffer, file, PIECE)
            count += 1
        index[bucket.name] = {"region": bucket.region_name, "objects": entries}
    (fresh / "index.json").write_text(json.dumps(index))
    old = folder.with_name(folder.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
    return count


def load_objects(folder: Path) -> int:
    """Put back what an earlier server kept."""
    source = next(
        (f for f in (folder, folder.with_name(folder.name + ".old")) if (f / "index.json").exists()), None
    )
    if source is None:
        return 0
    backend, count = s3_backends[DEFAULT_ACCOUNT_ID]["aws"], 0
    for name, bucket in json.loads((source / "index.json").read_text()).items():
        if name not in backend.buckets:
            backend.create_bucket(name, bucket["region"])
        for entry in bucket["objects"]:
            key = backend.put_object(
                name,
                entry["key"],
                (source / entry["file"]).read_bytes(),
                etag=entry["etag"],
                disable_notification=True,
            )
            key.set_metadata(entry["metadata"])
            key.last_modified = dt.datetime.fromisoformat(entry["modified"])
            for attribute, value in entry["checksum"].items():
                setattr(key, attribute, value)
            count += 1
    return count


def ensure_bucket(name: str, region: str) -> None:
    backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    if name not in backend.buckets:
        backend.create_bucket(name, region)


def set_scratch(folder: Path) -> None:
    """Objects of more than 16 MB are in unnamed files here, beside the kept ones, not in a small /tmp."""
    import tempfile

    folder.mkdir(parents=True, exist_ok=True)
    os.environ["TMPDIR"] = str(folder)
    tempfile.tempdir = str(folder)
