"""Which S3 right a request needs, and whether its user has it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

from sandbox.s3.signature import Refused
from sandbox.s3.users import User

#: A parameter in the query of a bucket's address → the right to GET it; any other is ListBucket.
BUCKET_READS = {
    "location": "s3:GetBucketLocation",
    "uploads": "s3:ListBucketMultipartUploads",
    "versions": "s3:ListBucketVersions",
    "versioning": "s3:GetBucketVersioning",
    "policy": "s3:GetBucketPolicy",
    "acl": "s3:GetBucketAcl",
    "tagging": "s3:GetBucketTagging",
    "cors": "s3:GetBucketCORS",
    "lifecycle": "s3:GetLifecycleConfiguration",
    "encryption": "s3:GetEncryptionConfiguration",
    "notification": "s3:GetBucketNotification",
    "object-lock": "s3:GetBucketObjectLockConfiguration",
}
OBJECT_ACTIONS = {
    "GET": {
        "uploadId": "s3:ListMultipartUploadParts",
        "acl": "s3:GetObjectAcl",
        "tagging": "s3:GetObjectTagging",
    },
    "HEAD": {},
    "PUT": {"acl": "s3:PutObjectAcl", "tagging": "s3:PutObjectTagging"},
    "POST": {"restore": "s3:RestoreObject", "select": "s3:GetObject"},
    "DELETE": {"uploadId": "s3:AbortMultipartUpload", "tagging": "s3:DeleteObjectTagging"},
}
OBJECT_DEFAULT = {
    "GET": "s3:GetObject",
    "HEAD": "s3:GetObject",
    "PUT": "s3:PutObject",
    "POST": "s3:PutObject",
    "DELETE": "s3:DeleteObject",
}


@dataclass(frozen=True)
class Target:
    """The bucket and key that a path-style address names, and the names in its query."""

    bucket: str
    key: str
    query: dict[str, str]


def parse_target(target: str) -> Target:
    path, _, query = target.partition("?")
    bucket, _, key = path.lstrip("/").partition("/")
    return Target(unquote(bucket), unquote(key), dict(parse_qsl(query, keep_blank_values=True)))


def required_actions(method: str, target: Target, copy_source: str | None) -> list[str]:
    """All the rights that the request needs. Empty for a bulk delete: its keys are checked one by one."""
    if not target.bucket:
        return ["s3:ListAllMyBuckets"]
    if not target.key:
        if method in ("GET", "HEAD"):
            return [
                next((BUCKET_READS[name] for name in target.query if name in BUCKET_READS), "s3:ListBucket")
            ]
        if method == "POST" and "delete" in target.query:
            return []
        if target.query:
            return ["s3:PutBucketConfiguration"]
        return [{"PUT": "s3:CreateBucket", "DELETE": "s3:DeleteBucket"}.get(method, "s3:PutObject")]
    special = OBJECT_ACTIONS.get(method, {})
    actions = [
        next((special[name] for name in target.query if name in special), OBJECT_DEFAULT.get(method, "s3:*"))
    ]
    return [*actions, "s3:GetObject"] if copy_source else actions


def check_access(user: User, actions: list[str]) -> None:
    """Raises Refused with S3's 403 where the user lacks a right."""
    for action in actions:
        if not user.may(action):
            raise Refused(
                403,
                "AccessDenied",
                f"User: arn:aws:iam::123456789012:user/{user.name} is not authorized to perform: {action} "
                "because no identity-based policy allows the action",
            )
