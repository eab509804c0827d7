"""S3 as Snowflake reaches it: with the account's own credentials, failures in Snowflake's words."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sandbox.snowflake import errors

#: STORAGE_PROVIDER → the scheme of its URLs and AWS's partition (docs.snowflake.com/en/sql-reference/sql/create-storage-integration).
PROVIDERS = {"S3": ("s3", "aws"), "S3GOV": ("s3gov", "aws-us-gov"), "S3CHINA": ("s3china", "aws-cn")}

_URL = re.compile(r"(s3|s3gov|s3china)://([^/]+)(?:/(.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Stored:
    """An object in a bucket."""

    key: str
    size: int
    md5: str
    modified: datetime


def split_url(url: str) -> tuple[str, str]:
    """Bucket and key of s3://bucket/key, s3gov:// and s3china:// too."""
    found = _match(url)
    return found[2], found[3] or ""


def scheme_of(url: str) -> str:
    return _match(url)[1]


def _match(url: str) -> re.Match[str]:
    found = _URL.fullmatch(url)
    if not found:
        raise errors.compilation(1026, "42601", f"invalid URL prefix found in: '{url}'")
    return found


class Objects:
    """One boto3 client for all (it may be shared by threads), made when it is first needed."""

    def __init__(self, endpoint: str | None) -> None:
        self._endpoint = endpoint
        self._client: Any = None
        self._lock = threading.Lock()

    @property
    def client(self) -> Any:
        with self._lock:
            if self._client is None:
                import boto3
                from botocore.config import Config

                self._client = boto3.client(
                    "s3",
                    endpoint_url=self._endpoint,
                    config=Config(
                        s3={"addressing_style": "path"}, max_pool_connections=32, retries={"max_attempts": 2}
                    ),
                )
        return self._client

    def list(self, bucket: str, prefix: str) -> Iterator[Stored]:
        with _translated(bucket):
            for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                for found in page.get("Contents", []):
                    yield Stored(found["Key"], found["Size"], found["ETag"].strip('"'), found["LastModified"])

    def exists(self, bucket: str, prefix: str) -> bool:
        with _translated(bucket):
            found = self.client.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)
        return bool(found.get("KeyCount"))

    def upload(self, path: Path, bucket: str, key: str, acl: str = "") -> None:
        """:param acl: STORAGE_AWS_OBJECT_ACL of the integration; empty: none is sent."""
        with _translated(bucket):
            self.client.upload_file(str(path), bucket, key, ExtraArgs={"ACL": acl} if acl else None)

    def put(self, body: bytes, bucket: str, key: str, acl: str = "") -> None:
        with _translated(bucket):
            self.client.put_object(Bucket=bucket, Key=key, Body=body, **({"ACL": acl} if acl else {}))

    def read(self, bucket: str, key: str) -> bytes:
        with _translated(bucket):
            return self.client.get_object(Bucket=bucket, Key=key)["Body"].read()

    def delete(self, bucket: str, key: str) -> None:
        with _translated(bucket):
            self.client.delete_object(Bucket=bucket, Key=key)


@contextmanager
def _translated(bucket: str) -> Iterator[None]:
    from boto3.exceptions import S3UploadFailedError
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (ClientError, S3UploadFailedError) as error:
        text = str(error)
        response = getattr(error, "response", None) or {}
        code = response.get("Error", {}).get("Code", "")
        if code in {"NoSuchBucket", "404"} or "NoSuchBucket" in text:
            message = f"Failure using stage area. Cause: [The specified bucket does not exist (Status Code: 404; Error Code: NoSuchBucket)] (bucket {bucket})"
            raise errors.SnowflakeError(91003, "22000", message) from None
        if code == "NoSuchKey":
            raise errors.SnowflakeError(91016, "22000", f"Remote file '{bucket}' was not found.") from None
        denied = {"AccessDenied", "403", "InvalidAccessKeyId", "SignatureDoesNotMatch", "Forbidden"}
        if code in denied or any(
            word in text
            for word in ("AccessDenied", "Forbidden", "InvalidAccessKeyId", "SignatureDoesNotMatch")
        ):
            message = "Failed to access remote file: access denied. Please check your credentials"
            raise errors.SnowflakeError(91003, "22000", message) from None
        raise errors.SnowflakeError(91003, "22000", f"Failure using stage area. Cause: [{text}]") from None
    except BotoCoreError as error:
        raise errors.SnowflakeError(91003, "22000", f"Failure using stage area. Cause: [{error}]") from None
