"""Who may do what in the S3 stand-in. Each sandbox makes up its own keys."""

from __future__ import annotations

import json
import secrets
import string
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from sandbox.state import write_private

READ = ("s3:GetObject", "s3:ListBucket", "s3:GetBucketLocation")
WRITE = (*READ, "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")

#: User name → actions, as an IAM policy on all buckets would list them.
POLICIES: dict[str, tuple[str, ...]] = {
    "snowflake-writer": WRITE,
    "airflow-reader": READ,
    "airflow-cleanup": (*READ, "s3:DeleteObject"),
    "rds-import": READ,
    "policy-reader": ("s3:GetObject", "s3:ListBucket"),
    "session": READ,
    "admin": ("s3:*",),
    "nobody": (),
}


@dataclass(frozen=True)
class User:
    """A user with one key. `token`: a session token that must come with the key (its key begins with ASIA)."""

    name: str
    access_key: str
    secret_key: str
    actions: tuple[str, ...]
    token: str | None = None

    def may(self, action: str) -> bool:
        return any(fnmatchcase(action, allowed) for allowed in self.actions)


def read_users(path: Path) -> dict[str, User]:
    """The users by name; those that are missing are made and written down."""
    try:
        known = {
            name: User(**{**entry, "actions": tuple(entry["actions"])}) for name, entry in _read(path).items()
        }
    except (TypeError, KeyError):
        known = {}
    made = {name: make_user(name, actions) for name, actions in POLICIES.items() if name not in known}
    if made:
        known |= made
        write_private(path, json.dumps({name: asdict(user) for name, user in known.items()}, indent=1) + "\n")
    return known


def _read(path: Path) -> dict[str, dict[str, object]]:
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError):
        return {}


def make_user(name: str, actions: tuple[str, ...]) -> User:
    """A user with random keys of AWS's shape."""
    kind = "ASIA" if name == "session" else "AKIA"
    access_key = kind + "".join(secrets.choice(string.ascii_uppercase + "234567") for _ in range(16))
    token = secrets.token_urlsafe(60) if name == "session" else None
    return User(name, access_key, secrets.token_urlsafe(30), actions, token)
