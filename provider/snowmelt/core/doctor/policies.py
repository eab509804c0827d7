"""IAM policies: what Python's connections and Snowflake's role need on the bucket, and no more.

Sources: Snowflake "Configuring a Snowflake storage integration to access Amazon S3"; Amazon S3 "Actions, resources, and
condition keys".
"""

from __future__ import annotations

import json

from snowmelt.core.doctor.findings import Remedy

_BUCKET = ("s3:ListBucket", "s3:GetBucketLocation")
READ = ("s3:GetObject",)
DELETE = ("s3:DeleteObject",)
WRITE = ("s3:PutObject", "s3:GetObject", "s3:GetObjectVersion", "s3:DeleteObject", "s3:DeleteObjectVersion")


def build_policy(bucket: str, prefix: str, actions: tuple[str, ...]) -> str:
    """An identity policy for the bucket and the objects below a prefix, as JSON.

    :param prefix: empty, or ends in a slash.
    """
    statements = [
        {"Effect": "Allow", "Action": list(_BUCKET), "Resource": f"arn:aws:s3:::{bucket}"},
        {"Effect": "Allow", "Action": list(actions), "Resource": f"arn:aws:s3:::{bucket}/{prefix}*"},
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2)


def read_policy(bucket: str, prefix: str = "") -> Remedy:
    """For the connection that Python reads by."""
    return Remedy("AWS IAM", (build_policy(bucket, prefix, READ),), "json")


def cleanup_policy(bucket: str, prefix: str = "") -> Remedy:
    """For the optional connection that Python removes files by."""
    return Remedy("AWS IAM", (build_policy(bucket, prefix, DELETE),), "json")


def write_policy(bucket: str, prefix: str = "") -> Remedy:
    """For the role behind Snowflake's storage integration."""
    return Remedy("AWS IAM", (build_policy(bucket, prefix, WRITE),), "json")
