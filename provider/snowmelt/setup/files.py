"""All files of a set-up by name, and STEPS.md: what to run where, in which order.

airflow-connections.env is a template for each Airflow connection that the configuration names, never with a secret.
Sources: Airflow "Managing connections" (JSON in AIRFLOW_CONN_<ID>), the Snowflake provider "Snowflake connection" (extras).
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from typing import Any

from snowmelt.config.file import Config
from snowmelt.rights.iam import (
    Principal,
    build_bucket_policy,
    build_database_trust,
    build_policy,
    build_snowflake_trust,
)
from snowmelt.setup.facts import (
    AWS_ACCOUNT,
    AWS_REGION,
    EXTERNAL_ID,
    IAM_USER_ARN,
    RDS_ARN,
    READER_ARN,
    SetupFacts,
    SetupScope,
    plan_scope,
)
from snowmelt.setup.postgres import build_postgres_sql, build_rds_sql
from snowmelt.setup.snowflake import build_snowflake_sql
from snowmelt.sql.names import snowflake_identifier, snowflake_literal

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


_BUCKET_POLICY = "iam-bucket-policy.json"


def build_steps(scope: SetupScope, *, command: str) -> str:
    """A numbered list.

    :param command: the call that made these files, to be repeated with what Snowflake shows.
    """
    facts = scope.facts
    steps = [
        f"**Snowflake**, as ACCOUNTADMIN: run `snowflake.sql`.{_key_note(facts)}",
        _trust_step(scope, command),
        f"**AWS**: make the role that Snowflake assumes.\n\n{_role_commands(facts.iam_role, 'iam-trust-policy.json', 'iam-snowflake-policy.json')}",
        "**AWS**: give `iam-read-policy.json` to the user or role that Airflow's workers run under."
        + (
            " And `iam-cleanup-policy.json` to the one of the connection `aws_cleanup`."
            if scope.connections("aws_cleanup")
            else " `iam-cleanup-policy.json` is not needed: Snowflake removes staged files through its stage."
        ),
        *_bucket_steps(facts),
        "**PostgreSQL**, in the target database, as its administrator: run `postgres.sql`, then set the role's password by `\\password`.",
        _rds_step(scope),
        "**Airflow**: fill in `airflow-connections.env` and make these connections known to Airflow.",
        f"**Snowflake**: see that the integration works.\n\n{_code('sql', _validate(scope))}",
        (
            "**Airflow**: trigger `migration_doctor`, which checks every connection and right; then `migrate_table` with `mode` = `test` and "
            "`row_limit` = 100 (the target stays untouched); then the first table."
        ),
    ]
    numbered = "\n\n".join(f"{number}. {_indent(step)}" for number, step in enumerate(steps, 1))
    return f"# What to run where, in this order\n\n{numbered}\n"


def _key_note(facts: SetupFacts) -> str:
    if facts.rsa_public_key:
        return ""
    commands = _code(
        "sh",
        "openssl genrsa 2048 | openssl pkcs8 -topk8 -inform PEM -nocrypt -out snowmelt.p8\n"
        "openssl rsa -in snowmelt.p8 -pubout -out snowmelt.pub",
    )
    return f" It holds a placeholder for the user's public key: make a pair, and give `--rsa-public-key-file snowmelt.pub`.\n\n{commands}"


def _trust_step(scope: SetupScope, command: str) -> str:
    if scope.facts.iam_user_arn and scope.facts.external_id:
        return "`iam-trust-policy.json` holds what Snowflake showed; nothing to do."
    name = snowflake_identifier(scope.integration)
    again = _code(
        "sh",
        f"{command} --storage-aws-iam-user-arn '<STORAGE_AWS_IAM_USER_ARN>' --storage-aws-external-id '<STORAGE_AWS_EXTERNAL_ID>'",
    )
    return (
        f"**Here**: take the two values that its last statement (`DESC INTEGRATION {name}`) shows, and write the files once more. "
        f"Files that you did not change are replaced.\n\n{again}"
    )


def _bucket_steps(facts: SetupFacts) -> list[str]:
    if not facts.foreign_bucket:
        return []
    return [
        (
            f"**AWS**, in the account {facts.bucket_account}, which owns the bucket: add the statements of `{_BUCKET_POLICY}` to the bucket's "
            f"policy, after `{READER_ARN}` is replaced by the user or role that Airflow's workers run under."
        )
    ]


def _role_commands(role: str, trust: str, policy: str) -> str:
    name = shlex.quote(role)
    return _code(
        "sh",
        f"aws iam create-role --role-name {name} --assume-role-policy-document file://{trust}\n"
        f"aws iam put-role-policy --role-name {name} --policy-name snowmelt --policy-document file://{policy}",
    )


def _rds_step(scope: SetupScope) -> str:
    facts = scope.facts
    if not scope.uses_aws_s3:
        return "`rds-aws_s3*` are for tables loaded as CSV by the server itself; the configuration has none."
    arn = facts.rds_arn or RDS_ARN
    kind = "cluster" if ":cluster:" in arn else "instance"
    identifier = shlex.quote(arn.rpartition(":")[2])
    attach = f"aws rds add-role-to-db-{kind} --db-{kind}-identifier {identifier} --feature-name s3Import --role-arn {shlex.quote(facts.role_arn(facts.rds_role))}"
    made = _role_commands(facts.rds_role, "rds-aws_s3-trust-policy.json", "rds-aws_s3-policy.json")
    return f"**RDS or Aurora**, for CSV by the server itself: make its role, attach it, and run `rds-aws_s3.sql`.\n\n{made}\n\n{_code('sh', attach)}"


def _validate(scope: SetupScope) -> str:
    integration = scope.integration
    plain = integration == integration.upper() and integration.isidentifier()
    name = snowflake_literal(integration if plain else snowflake_identifier(integration))
    path = snowflake_literal(scope.place.url)
    return f"SELECT SYSTEM$VALIDATE_STORAGE_INTEGRATION({name}, {path}, 'snowmelt_check.txt', 'all');"


def _indent(step: str) -> str:
    """The lines behind a number, so that code stays within its step."""
    first, *others = step.splitlines()
    return "\n".join([first, *(f"   {line}" if line else "" for line in others)])


def _code(language: str, text: str) -> str:
    return f"```{language}\n{text}\n```"


def build_setup(config: Config, facts: SetupFacts, *, command: str) -> dict[str, str]:
    """File name → text, in the order in which they are needed.

    :param command: the call that asked for them; it is shown in STEPS.md.
    """
    scope = plan_scope(config, facts)
    place = scope.place
    bucket = {Principal.SNOWFLAKE: facts.role_arn(facts.iam_role), Principal.AIRFLOW: READER_ARN}
    if scope.uses_aws_s3:
        bucket[Principal.DATABASE] = facts.role_arn(facts.rds_role)
    return {
        "STEPS.md": build_steps(scope, command=command),
        "snowflake.sql": build_snowflake_sql(scope),
        "iam-trust-policy.json": build_snowflake_trust(
            facts.iam_user_arn or IAM_USER_ARN, facts.external_id or EXTERNAL_ID
        ),
        "iam-snowflake-policy.json": build_policy(Principal.SNOWFLAKE, place),
        "iam-read-policy.json": build_policy(Principal.AIRFLOW, place),
        "iam-cleanup-policy.json": build_policy(Principal.CLEANUP, place),
        **({_BUCKET_POLICY: build_bucket_policy(place, bucket)} if facts.foreign_bucket else {}),
        "postgres.sql": build_postgres_sql(scope),
        "rds-aws_s3.sql": build_rds_sql(facts),
        "rds-aws_s3-policy.json": build_policy(Principal.DATABASE, place),
        "rds-aws_s3-trust-policy.json": build_database_trust(
            facts.aws_account or AWS_ACCOUNT, facts.rds_arn or RDS_ARN
        ),
        "airflow-connections.env": build_connections_env(scope),
    }
