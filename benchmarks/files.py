"""The staged files, made once into an ignored folder: snappy Parquet as the unload writes it."""

from __future__ import annotations

import hashlib
import inspect
import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks import tables
from benchmarks.tables import Table

#: Arrow bytes of a row group, as the stand-in's unload makes them.
GROUP_BYTES = 64 << 20
_FEW_ROWS = 5_000
_WRITING: dict[str, Any] = {"compression": "snappy", "version": "1.0", "store_schema": False}


@dataclass(frozen=True, slots=True)
class MadeFile:
    """A file on disk."""

    path: str
    bytes: int
    rows: int


def make_file(folder: Path, table: Table, megabytes: float, *, group_bytes: int = GROUP_BYTES) -> MadeFile:
    """The file of about that size; made only where none of the same recipe exists."""
    selects = table.selected()
    recipe = json.dumps([inspect.getsource(tables), selects, megabytes, group_bytes])
    name = f"{table.name}_{megabytes:g}_{hashlib.sha256(recipe.encode()).hexdigest()[:8]}"
    path, note = folder / f"{name}.snappy.parquet", folder / f"{name}.json"
    if note.exists() and path.exists():
        return MadeFile(**json.loads(note.read_text()))
    folder.mkdir(parents=True, exist_ok=True)
    row_bytes = table.rows(0, _FEW_ROWS).nbytes / _FEW_ROWS
    # a whole row group predicts the size best: dictionaries weigh less in it than in a few rows
    sample = table.rows(0, int(GROUP_BYTES / row_bytes))
    buffer = io.BytesIO()
    pq.write_table(sample, buffer, **_WRITING)
    wanted = int(megabytes * 1e6 * len(sample) / buffer.tell())
    group_rows = max(1, int(group_bytes / row_bytes))
    with pq.ParquetWriter(path, sample.schema, **_WRITING) as writer:
        for first in range(0, wanted, group_rows):
            writer.write_table(table.rows(first, min(group_rows, wanted - first)), row_group_size=group_rows)
    rows = wanted
    made = MadeFile(str(path), path.stat().st_size, rows)
    note.write_text(json.dumps(asdict(made)))
    return made
