"""IAM policies: who may write, read and remove staged files, each no more than it does.

Sources: Snowflake "Configuring a Snowflake storage integration to access Amazon S3" (its role's actions) and "CREATE STORAGE
INTEGRATION" (S3GOV, S3CHINA, STORAGE_AWS_OBJECT_ACL), AWS "Actions, resources, and condition keys for Amazon S3" (an ACL sent with a
PutObject needs PutObjectAcl), Amazon RDS "Setting up access to an Amazon S3 bucket" (aws_s3 needs GetObject and ListBucket).
What Python does in S3 was recorded over the S3 stand-in: GetObject and ListBucket, nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

_VERSION = "2012-10-17"


class Partition(StrEnum):
    """The part of AWS that a region belongs to; the first part of every ARN."""

    AWS = "aws"
    GOV = "aws-us-gov"
    CHINA = "aws-cn"

    @classmethod
    def of_region(cls, region: str | None) -> Partition:
        """The partition of a region such as us-gov-west-1; the usual one where no region is known."""
        name = region or ""
        return cls.CHINA if name.startswith("cn-") else cls.GOV if name.startswith("us-gov-") else cls.AWS

    @property
    def provider(self) -> str:
        """STORAGE_PROVIDER of a storage integration."""
        return {Partition.AWS: "S3", Partition.GOV: "S3GOV", Partition.CHINA: "S3CHINA"}[self]

    @property
    def scheme(self) -> str:
        """What a location in Snowflake begins with, in front of `://`."""
        return self.provider.lower()


class Principal(StrEnum):
    """Who touches the bucket."""

    SNOWFLAKE = "snowflake"  #: the role behind the storage integration
    AIRFLOW = "airflow"  #: the connection `aws_default`, which Airflow's workers use
    DATABASE = "database"  #: the database's own role, for `load_method` aws_s3
    CLEANUP = "cleanup"  #: the optional connection `aws_cleanup`


@dataclass(frozen=True, slots=True)
class BucketRights:
    """What one of them does."""

    #: The Sid of the statement about the objects.
    sid: str
    #: On the objects below the prefix.
    objects: tuple[str, ...]
    #: On the bucket.
    bucket: tuple[str, ...]
    #: On the KMS key of your own that encrypts the bucket, where one does.
    key: tuple[str, ...]


_LIST = "s3:ListBucket"
_LOCATE = "s3:GetBucketLocation"
#: Sent with each object where the bucket belongs to another account.
OBJECT_ACL = "s3:PutObjectAcl"

BUCKET_RIGHTS: Mapping[Principal, BucketRights] = {
    Principal.SNOWFLAKE: BucketRights(
        "WriteStagedFiles",
        ("s3:PutObject", "s3:GetObject", "s3:GetObjectVersion", "s3:DeleteObject", "s3:DeleteObjectVersion"),
        (_LIST, _LOCATE),
        ("kms:GenerateDataKey", "kms:Decrypt"),
    ),
    Principal.AIRFLOW: BucketRights("ReadStagedFiles", ("s3:GetObject",), (_LIST,), ("kms:Decrypt",)),
    Principal.DATABASE: BucketRights("ReadStagedFiles", ("s3:GetObject",), (_LIST,), ("kms:Decrypt",)),
    Principal.CLEANUP: BucketRights("RemoveStagedFiles", ("s3:DeleteObject",), (), ()),
}


def fixed_folders(prefix_pattern: str) -> str:
    """The folders in front of a prefix pattern's first placeholder, `snowmelt/` or empty: all keys are below them."""
    fixed = prefix_pattern.partition("{")[0]
    return fixed[: fixed.rfind("/") + 1]


@dataclass(frozen=True, slots=True)
class StagedPlace:
    """Where the staged files are."""

    bucket: str
    #: Key prefix of all of them; empty, or ends in a slash.
    prefix: str = ""
    partition: Partition = Partition.AWS
    #: The key of your own that encrypts the bucket.
    kms_key_arn: str | None = None
    #: Whether the bucket belongs to another AWS account than the role that writes.
    foreign: bool = False

    @property
    def url(self) -> str:
        """As Snowflake takes it: of the stage, and of STORAGE_ALLOWED_LOCATIONS."""
        return f"{self.partition.scheme}://{self.bucket}/{self.prefix}"

    @property
    def bucket_arn(self) -> str:
        """The bucket's ARN."""
        return f"arn:{self.partition}:s3:::{self.bucket}"

    @property
    def objects_arn(self) -> str:
        """The pattern of the ARNs of all staged files."""
        return f"{self.bucket_arn}/{self.prefix}*"


def object_actions(principal: Principal, *, foreign: bool) -> tuple[str, ...]:
    """The actions on the objects."""
    rights = BUCKET_RIGHTS[principal].objects
    return (*rights, OBJECT_ACL) if foreign and principal is Principal.SNOWFLAKE else rights


def build_policy(principal: Principal, place: StagedPlace) -> str:
    """The identity policy of one of them, as JSON."""
    statements = _bucket_statements(principal, place)
    rights = BUCKET_RIGHTS[principal]
    if place.kms_key_arn and rights.key:
        statements.append(_statement("UseBucketKey", rights.key, place.kms_key_arn))
    return _document(statements)


def build_bucket_policy(place: StagedPlace, principals: Mapping[Principal, str]) -> str:
    """The bucket's own policy, which a bucket of another account needs beside the identity policies.

    :param principals: who → the ARN of the role or user.
    """
    statements = []
    for principal, arn in principals.items():
        for statement in _bucket_statements(principal, place):
            sid = f"{principal.value.title()}{statement['Sid']}"
            statements.append(statement | {"Sid": sid, "Principal": {"AWS": arn}})
    return _document(statements)


def build_snowflake_trust(iam_user_arn: str, external_id: str) -> str:
    """Who may assume Snowflake's role: the user of your Snowflake account, by the id of your integration."""
    return _trust(
        "SnowflakeTakesThisRole",
        {"AWS": iam_user_arn},
        {"StringEquals": {"sts:ExternalId": external_id}},
    )


def build_database_trust(account: str, database_arn: str) -> str:
    """Who may assume the import role: one database instance or cluster of your account."""
    return _trust(
        "DatabaseTakesThisRole",
        {"Service": "rds.amazonaws.com"},
        {"StringEquals": {"aws:SourceAccount": account}, "ArnEquals": {"aws:SourceArn": database_arn}},
    )


def _bucket_statements(principal: Principal, place: StagedPlace) -> list[dict[str, Any]]:
    rights = BUCKET_RIGHTS[principal]
    statements = [
        _statement(rights.sid, object_actions(principal, foreign=place.foreign), place.objects_arn),
    ]
    for action in rights.bucket:
        if action == _LIST:
            listing = _statement("ListStagedFiles", (action,), place.bucket_arn)
            if place.prefix:
                listing["Condition"] = {"StringLike": {"s3:prefix": [f"{place.prefix}*"]}}
            statements.append(listing)
        else:
            statements.append(_statement("FindBucket", (action,), place.bucket_arn))
    return statements


def _statement(sid: str, actions: Sequence[str], resource: str) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": [resource]}


def _trust(sid: str, principal: Mapping[str, str], condition: Mapping[str, Any]) -> str:
    return _document(
        [
            {
                "Sid": sid,
                "Effect": "Allow",
                "Principal": dict(principal),
                "Action": "sts:AssumeRole",
                "Condition": dict(condition),
            }
        ]
    )


def _document(statements: Sequence[Mapping[str, Any]]) -> str:
    return json.dumps({"Version": _VERSION, "Statement": statements}, indent=2, ensure_ascii=False) + "\n"
