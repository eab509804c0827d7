"""Asks the stand-in what a record of `airflow snowmelt doctor --record` asked an account, and compares the answers.

A record that somebody attached to a report of a problem goes into tests/doctor/records/; each is replayed there.
"""

from __future__ import annotations

import base64
import io
import uuid
from typing import Any

import pyarrow.parquet


def replay(record: dict[str, Any], session: Any, stage: str, s3: Any, bucket: str) -> list[str]:
    """What the stand-in answers otherwise than the account did, a line each.

    :param stage: its quoted name; it writes into the bucket.
    """
    folder = f"replay_{uuid.uuid4().hex}/"
    differences = []
    written: list[str] = []
    for place, entry in enumerate(each for each in record["asked"] if each["kind"] != "other"):
        statement = entry["statement"].replace(' STORAGE_INTEGRATION = "<integration>"', "")
        path = f"{folder}{place}/"
        here = _ask(session, statement.replace("<location>", f"@{stage}/{path}"))
        name = entry.get("name", statement)
        if ("error" in entry) != (here is None):
            differences.append(f"{name}: an error on one side alone")
        elif here is not None and entry["kind"] == "question" and entry["rows"] != here:
            differences.append(f"{name}: the account answered {entry['rows']}, the stand-in {here}")
        elif here is not None and entry["kind"] == "unload":
            there = sorted(row[2] for row in entry["rows"])
            if there != sorted(str(row[2]) for row in here):
                differences.append(f"{name}: the account wrote files of {there} rows, the stand-in {here}")
            written += sorted(_key(s3, bucket, path, str(row[0])) for row in here)
    read = list(record["files"])
    if len(read) > len(written):
        return [*differences, f"{len(read)} files were read, and the stand-in wrote {len(written)}"]
    contents = [s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in written]
    for file in read:
        there = _decode(file["name"], base64.b64decode(file["content"]))
        if not any(there == _decode(file["name"], content) for content in contents):
            differences.append(f"{file['name']}: the stand-in wrote no such file, but {there}")
    return differences


def _ask(session: Any, sql: str) -> list[list[str | None]] | None:
    from snowflake.connector.errors import Error

    with session.cursor() as cursor:
        try:
            cursor.execute(sql)
        except Error:
            return None
        return [[None if value is None else str(value) for value in row] for row in cursor.fetchall()]


def _key(s3: Any, bucket: str, path: str, name: str) -> str:
    bare = name.rsplit("/", 1)[-1]
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return next(e["Key"] for page in pages for e in page["Contents"] if e["Key"].endswith(f"{path}{bare}"))


def _decode(name: str, content: bytes) -> Any:
    """A Parquet file's types and rows; CSV as it is."""
    if not content.startswith(b"PAR1"):
        return content if name.endswith(".csv") else b"compressed"
    table = pyarrow.parquet.read_table(io.BytesIO(content))
    return ([(field.name, str(field.type)) for field in table.schema], sorted(map(repr, table.to_pylist())))
