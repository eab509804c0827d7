"""Where a table's files are in the bucket: the pattern of the prefix, and what it becomes for one table."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated

from snowmelt.config.faults import suggest
from snowmelt.config.fields import plain_text
from snowmelt.config.settings import Written, refuse
from snowmelt.sql.names import TableName

PLACEHOLDERS = ("source_database", "source_schema", "source_table", "target_schema", "target_table")
#: One of these has to be in the pattern, or all tables would share a folder.
_TELLING = ("source_table", "target_table")
DEFAULT_PATTERN = "{source_database}/{source_schema}/{source_table}/"

_PIECE = re.compile(r"\{(?P<name>[^{}]*)\}|(?P<text>[A-Za-z0-9_.=-]+)|(?P<slash>/)|(?P<other>.)", re.DOTALL)
_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")
#: A rendered name is cut here: an S3 key has at most 1024 bytes, and three names, the run and the file share them.
MAX_NAME_CHARACTERS = 200
_HASH_DIGITS = 16


def prefix_pattern(value: object) -> str:
    """A prefix pattern, checked; returned with exactly one slash at its end.

    Allowed are the placeholders, letters, digits and `_ . = -` between slashes. It has to hold the source's or the
    target's table, must not begin with a slash or hold `..`, and two placeholders need something between them
    (A + BC and AB + C would be one folder).
    """
    expected = f"folders made of {', '.join('{' + name + '}' for name in PLACEHOLDERS)} and plain letters"
    text = plain_text(value)
    if text.startswith("s3:"):
        raise refuse(expected, "Give the path below the bucket alone; the bucket is in s3_staging.bucket.")
    if text.startswith("/"):
        raise refuse(expected, "Delete the leading slash: an S3 key has none.")
    names: list[str] = []
    last = ""
    for match in _PIECE.finditer(text):
        name = match["name"]
        if match["other"]:
            raise refuse(expected, f"The character {match['other']!a} is not safe in an S3 key here.")
        if name is not None and name not in PLACEHOLDERS:
            raise refuse(expected, f"{{{name}}} is not known. {suggest(name, PLACEHOLDERS)}".rstrip())
        if name is not None and last == "name":
            raise refuse(
                expected, "Put a slash between two placeholders, so that their values cannot run together."
            )
        if name is not None:
            names.append(name)
        last = "name" if name is not None else "other"
    if any(not folder or set(folder) == {"."} or ".." in folder for folder in text.rstrip("/").split("/")):
        raise refuse(expected, "A folder is empty, or made of dots.")
    if not set(names) & set(_TELLING):
        raise refuse(
            expected, "It has to hold {source_table} or {target_table}, or all tables share one folder."
        )
    return text.rstrip("/") + "/"


PrefixPattern = Annotated[str, Written(prefix_pattern, "text")]


def render_prefix(pattern: str, source: TableName, target_schema: str, target_table: str) -> str:
    """The prefix of one table, with a slash at its end; different names never give the same one.

    >>> render_prefix("{source_schema}/{source_table}/", TableName("A", "BI", "Visit Id"), "public", "v")
    'BI/Visit=20Id/'
    """
    values = {
        "source_database": source.database,
        "source_schema": source.schema,
        "source_table": source.table,
        "target_schema": target_schema,
        "target_table": target_table,
    }
    return re.sub(r"\{([a-z_]+)\}", lambda match: render_name(values[match[1]]), pattern).rstrip("/") + "/"


def render_name(name: str) -> str:
    """A name as one part of an S3 key: letters, digits, `_ - .` stay, every other byte of its UTF-8 becomes `=XX`.

    `=` and not `%`: no client or URL ever decodes it, and partitioned folders (`date=2024-01-01/`) use it everywhere.
    A dot in front is written out too. Beyond 200 characters the end gives way to `=h` and 16 digits of the SHA-256.
    """
    raw = name.encode()
    pieces = [chr(byte) if byte in _SAFE else f"={byte:02X}" for byte in raw]
    if pieces and pieces[0] == ".":
        pieces[0] = "=2E"
    for place in range(1, len(pieces)):
        if pieces[place] == "." and pieces[place - 1].endswith((".", "=2E")):
            pieces[place] = "=2E"
    text = "".join(pieces)
    if len(text) <= MAX_NAME_CHARACTERS:
        return text
    tail = "=h" + hashlib.sha256(raw).hexdigest()[:_HASH_DIGITS]
    head = ""
    for piece in pieces:
        if len(head) + len(piece) + len(tail) > MAX_NAME_CHARACTERS:
            break
        head += piece
    return head + tail
