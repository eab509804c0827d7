"""The staged files, made once into an ignored folder: snappy Parquet as the unload writes it."""

from __future__ import annotations

import hashlib
import inspect
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks import tables
from benchmarks.tables import Table

#: Arrow bytes of a row group, as the stand-in's unload makes them.
GROUP_BYTES = 64 << 20
_SAMPLE_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class MadeFile:
    """A file on disk."""

    path: str
    bytes: int
    rows: int


def make_file(folder: Path, table: Table, megabytes: float, *, group_bytes: int = GROUP_BYTES) -> MadeFile:
    """The file of about that size; made only where there is none of the same recipe."""
    selects = table.selected()
    recipe = json.dumps([inspect.getsource(tables), selects, megabytes, group_bytes])
    name = f"{table.name}_{megabytes:g}_{hashlib.sha256(recipe.encode()).hexdigest()[:8]}"
    path, note = folder / f"{name}.snappy.parquet", folder / f"{name}.json"
    if note.exists() and path.exists():
        return MadeFile(**json.loads(note.read_text()))
    folder.mkdir(parents=True, exist_ok=True)
    sample = table.rows(0, _SAMPLE_ROWS)
    group_rows = max(1, group_bytes * _SAMPLE_ROWS // sample.nbytes)
    rows = 0
    with pq.ParquetWriter(
        path, sample.schema, compression="snappy", version="1.0", store_schema=False
    ) as writer:
        while path.stat().st_size < megabytes * 0.97e6:
            # the last group is cut to what is missing
            done = path.stat().st_size
            share = min(1.0, (megabytes * 1e6 - done) / (done / rows * group_rows)) if rows else 1.0
            count = max(1, int(group_rows * min(share, 1.0)))
            writer.write_table(table.rows(rows, count), row_group_size=group_rows)
            rows += count
    made = MadeFile(str(path), path.stat().st_size, rows)
    note.write_text(json.dumps(asdict(made)))
    return made
