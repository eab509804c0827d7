"""IAM policies: who may write, who may read, who may remove, each no more than it does.

Sources: Snowflake "Configuring a storage integration to access Amazon S3" (its role's actions), AWS "Actions, resources, and
condition keys for Amazon S3", Amazon RDS "Setting up access to an Amazon S3 bucket" (aws_s3 needs GetObject and ListBucket).
What Python does in S3 was recorded over the S3 stand-in: GetObject and ListBucket, nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from snowmelt.setup.facts import AWS_ACCOUNT, EXTERNAL_ID, IAM_USER_ARN, RDS_ARN, SetupFacts
from snowmelt.setup.scope import SetupScope

_VERSION = "2012-10-17"

#: What Snowflake's role does: unload, look (LIST), validate, REMOVE.
WRITE_OBJECT = (
    "s3:PutObject",
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
)
#: What Python and aws_s3 do.
READ_OBJECT = ("s3:GetObject",)
CLEANUP_OBJECT = ("s3:DeleteObject",)


def build_snowflake_policy(scope: SetupScope, facts: SetupFacts) -> str:
    """What the role that Snowflake takes may do."""
    key = ("kms:GenerateDataKey", "kms:Decrypt")
    return _policy(
        [
            _objects("WriteStagedFiles", WRITE_OBJECT, scope, facts),
            *_bucket(scope, facts),
            {
                "Sid": "FindBucket",
                "Effect": "Allow",
                "Action": ["s3:GetBucketLocation"],
                "Resource": [_arn(scope, facts)],
            },
            *_key(key, facts),
        ]
    )


def build_read_policy(scope: SetupScope, facts: SetupFacts) -> str:
    """What Airflow's workers may do, and the database instance by aws_s3: read, nothing else."""
    return _policy(
        [
            _objects("ReadStagedFiles", READ_OBJECT, scope, facts),
            *_bucket(scope, facts),
            *_key(("kms:Decrypt",), facts),
        ]
    )


def build_cleanup_policy(scope: SetupScope, facts: SetupFacts) -> str:
    """What the optional connection `aws_cleanup` may do beside nothing: remove staged objects."""
    return _policy([_objects("RemoveStagedFiles", CLEANUP_OBJECT, scope, facts)])


def build_snowflake_trust(facts: SetupFacts) -> str:
    """Who may take Snowflake's role: the user of your Snowflake account, by the id of your integration."""
    return _policy(
        [
            {
                "Sid": "SnowflakeTakesThisRole",
                "Effect": "Allow",
                "Principal": {"AWS": facts.iam_user_arn or IAM_USER_ARN},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"sts:ExternalId": facts.external_id or EXTERNAL_ID}},
            }
        ]
    )


def build_rds_trust(facts: SetupFacts) -> str:
    """Who may take the import role: one database instance or cluster of your account."""
    return _policy(
        [
            {
                "Sid": "DatabaseTakesThisRole",
                "Effect": "Allow",
                "Principal": {"Service": "rds.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": facts.aws_account or AWS_ACCOUNT},
                    "ArnEquals": {"aws:SourceArn": facts.rds_arn or RDS_ARN},
                },
            }
        ]
    )


def _policy(statements: Sequence[dict[str, Any]]) -> str:
    return json.dumps({"Version": _VERSION, "Statement": statements}, indent=2, ensure_ascii=False) + "\n"


def _arn(scope: SetupScope, facts: SetupFacts) -> str:
    return f"arn:{facts.partition}:s3:::{scope.bucket}"


def _objects(sid: str, actions: Sequence[str], scope: SetupScope, facts: SetupFacts) -> dict[str, Any]:
    resource = f"{_arn(scope, facts)}/{scope.head}*"
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": [resource]}


def _bucket(scope: SetupScope, facts: SetupFacts) -> list[dict[str, Any]]:
    statement: dict[str, Any] = {
        "Sid": "ListStagedFiles",
        "Effect": "Allow",
        "Action": ["s3:ListBucket"],
        "Resource": [_arn(scope, facts)],
    }
    if scope.head:
        statement["Condition"] = {"StringLike": {"s3:prefix": [f"{scope.head}*"]}}
    return [statement]


def _key(actions: Sequence[str], facts: SetupFacts) -> list[dict[str, Any]]:
    if facts.kms_key_arn is None:
        return []
    return [
        {
            "Sid": "UseBucketKey",
            "Effect": "Allow",
            "Action": list(actions),
            "Resource": [facts.kms_key_arn],
        }
    ]
