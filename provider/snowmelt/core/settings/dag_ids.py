"""The id of a configured table's DAG."""

from __future__ import annotations

import hashlib
import re

#: Airflow's longest key.
MOST_CHARACTERS = 250
_HASH_DIGITS = 8
_OTHER = re.compile(r"[^A-Za-z0-9_.-]|(?<=\.)\.")


def build_dag_id(source_name: str, target: str) -> str:
    """`migrate__<source_name>__<target>`, in the characters that Airflow takes.

    Every other character, and a dot that follows a dot, becomes `_`. When that changed anything, or the id is longer than 250, it ends in `_` and
    8 hexadecimal digits of the SHA-256 of both names, so that `Visit Id` and `Visit_Id` stay two DAGs.
    """
    plain = f"migrate__{source_name}__{target}"
    dag_id = _OTHER.sub("_", plain)
    if dag_id == plain and len(plain) <= MOST_CHARACTERS:
        return plain
    digest = hashlib.sha256(f"{source_name}\x00{target}".encode()).hexdigest()[:_HASH_DIGITS]
    return f"{dag_id[: MOST_CHARACTERS - _HASH_DIGITS - 1].rstrip('.')}_{digest}"
