"""A manifest of very many files in several documents, each short enough for one statement.

Snowflake writes the manifest from a literal, and takes at most 1 MB of text in a statement ("Query size limits"); a file
takes some 90 bytes of it. The parts are written before the manifest itself, which tells how many there are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

#: Beyond so many files the list stands in parts of so many: 0.8 MB.
FILES_OF_PART = 8_000


def name_parts(files: int) -> tuple[str, ...]:
    """The parts' names beside manifest.json, for a run of so many files."""
    if files <= FILES_OF_PART:
        return ()
    return tuple(f"manifest_part_{number:03d}.json" for number in range(-(-files // FILES_OF_PART)))


def split_document(document: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[dict[str, Any], ...]]:
    """The manifest's document without its files, and the parts that hold them; a short one as it is, and no part."""
    files = [[chunk["chunk"], *file] for chunk in document["chunks"] for file in chunk["files"]]
    names = name_parts(len(files))
    if not names:
        return dict(document), ()
    bare = [{**chunk, "files": []} for chunk in document["chunks"]]
    parts = tuple(
        {"run_id": document["run_id"], "files": files[start : start + FILES_OF_PART]}
        for start in range(0, len(files), FILES_OF_PART)
    )
    return {**document, "chunks": bare, "parts": list(names)}, parts


def find_parts(text: str | bytes) -> tuple[str, ...]:
    """The names of the parts that a manifest's text tells; none where it is no manifest, which its reader will say."""
    try:
        names = json.loads(text).get("parts", [])
    except (AttributeError, ValueError):
        return ()
    known = name_parts(FILES_OF_PART * len(names)) if len(names) > 1 else ()
    return known if list(known) == names else ()


def join_parts(text: str | bytes, parts: Sequence[str | bytes]) -> str:
    """The text of the whole manifest.

    :raises KeyError, TypeError, ValueError: a part is none of this manifest.
    """
    document = json.loads(text)
    chunks = {chunk["chunk"]: chunk for chunk in document["chunks"]}
    for part in map(json.loads, parts):
        if part["run_id"] != document["run_id"]:
            raise ValueError(f"a part is of the run {part['run_id']}")
        for chunk, *file in part["files"]:
            chunks[chunk]["files"].append(file)
    del document["parts"]
    return json.dumps(document)
