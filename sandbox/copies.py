"""Copies of programs that a server runs from.

A copy has the fingerprint of its original in its name. It is made under another name and renamed once it is whole, and it
never changes afterwards: a running program cannot be overwritten ("Text file busy"), and must not be.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

#: The copies that a PostgreSQL home may have, whole or unfinished.
PATTERNS = ("programs-*", "python-*", "unfinished-*")


def fingerprint(*facts: str) -> str:
    """Sixteen hexadecimal digits that differ when any of the facts does."""
    return hashlib.sha256("\0".join(facts).encode()).hexdigest()[:16]


def make_copy(folder: Path, name: str, fill: Callable[[Path], None]) -> Path:
    """The copy of this name in `folder`: the one that is there, or a new one that `fill` writes."""
    copy = folder / name
    if copy.is_dir():
        return copy
    unfinished = Path(tempfile.mkdtemp(dir=folder, prefix="unfinished-"))
    try:
        fill(unfinished)
        unfinished.rename(copy)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return copy


def remove_copies(folder: Path) -> None:
    """Remove all copies in `folder`. Nothing may run from them."""
    for pattern in PATTERNS:
        for copy in folder.glob(pattern):
            shutil.rmtree(copy)
