"""airflow-connections.env: a template for each Airflow connection that the configuration names. Never a secret.

Sources: Airflow "Managing connections" (JSON in AIRFLOW_CONN_<ID>), the Snowflake provider "Snowflake connection" (extras).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from snowmelt.setup.facts import AWS_REGION
from snowmelt.setup.scope import SetupScope

_HEAD = """\
# Airflow connections for Snowmelt. Fill in what is in <…>, then keep the file where secrets are kept, not in the repository;
# or type the same values into Airflow's page Admin > Connections, or into your secrets backend.
# Where Airflow runs under an IAM role of its own, leave login and password of the AWS connections out."""

#: A connection's id that can be part of an environment variable's name.
_PLAIN_ID = re.compile(r"[A-Za-z0-9_]+")


def build_connections_env(scope: SetupScope) -> str:
    """Lines `AIRFLOW_CONN_<ID>='<json>'`, for shells and env files."""
    facts = scope.facts
    region = facts.aws_region or AWS_REGION
    snowflake = {
        "conn_type": "snowflake",
        "login": facts.snowflake_user,
        "extra": {
            "account": "<SNOWFLAKE_ACCOUNT, as in orgname-accountname>",
            "warehouse": scope.warehouse,
            "role": facts.snowflake_role,
            "private_key_file": "<PATH_OF_THE_PRIVATE_KEY>",
        },
    }
    postgres = {
        "conn_type": "postgres",
        "host": "<POSTGRES_HOST>",
        "port": 5432,
        "schema": "<POSTGRES_DATABASE>",
        "login": facts.postgres_role,
        "password": "<POSTGRES_PASSWORD>",
        "extra": {"sslmode": "require"},
    }
    reader = _aws("READER", region)
    cleanup = _aws("CLEANUP", region)
    parts = [
        _HEAD,
        *_lines("Unloads, by a key pair (private_key_content takes the key itself, from a secrets backend).", scope.connections("snowflake"), snowflake),
        *_lines("Reads the bucket: iam-read-policy.json.", scope.connections("aws"), reader),
        *_lines("Removes staged files: iam-cleanup-policy.json.", scope.connections("aws_cleanup"), cleanup),
        *_lines("Loads, publishes, keeps the ledger: postgres.sql.", scope.connections("postgres"), postgres),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _aws(who: str, region: str) -> dict[str, Any]:
    return {
        "conn_type": "aws",
        "login": f"<AWS_ACCESS_KEY_ID of the {who.lower()}>",
        "password": f"<AWS_SECRET_ACCESS_KEY of the {who.lower()}>",
        "extra": {"region_name": region},
    }


def _lines(title: str, ids: Sequence[str], value: dict[str, Any]) -> list[str]:
    return [f"# {conn_id}. {title}\n{_line(conn_id, value)}" for conn_id in ids]


def _line(conn_id: str, value: dict[str, Any]) -> str:
    text = json.dumps(value, ensure_ascii=False)
    if not _PLAIN_ID.fullmatch(conn_id):
        return f"# This id cannot be part of a variable's name: create the connection in Airflow.\n# {text}"
    quoted = text.replace("'", "'\\''")
    return f"AIRFLOW_CONN_{conn_id.upper()}='{quoted}'"
