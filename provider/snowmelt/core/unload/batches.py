"""Batches: which load task takes which files."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from snowmelt.core.unload.manifest import StagedFile

#: No map of load tasks passes this, whatever the table's size (Airflow's max_map_length is 1024).
MOST_BATCHES = 300


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


def plan_batches(files: Sequence[StagedFile], most: int = MOST_BATCHES) -> tuple[Batch, ...]:
    """One file to a batch while there are at most `most`; beyond, batches of about equal bytes.

    Each file goes to the batch that has the fewest bytes so far, the largest file first: the longest batch is then at
    most a third above the ideal. The same files give the same batches.
    """
    if len(files) <= most:
        return tuple(Batch(index, (file,)) for index, file in enumerate(files))
    filled: list[tuple[int, int]] = [(0, index) for index in range(most)]
    members: list[list[StagedFile]] = [[] for _ in range(most)]
    for file in sorted(files, key=lambda file: (-file.bytes, file.key)):
        size, index = heapq.heappop(filled)
        members[index].append(file)
        heapq.heappush(filled, (size + file.bytes, index))
    return tuple(
        Batch(index, tuple(sorted(group, key=lambda file: file.key)))
        for index, group in enumerate(members)
        if group
    )
