"""Errors of boto3. Source: Amazon S3, "Error responses"."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import botocore.exceptions

from snowmelt.drivers.failures import Known, failure, one_line
from snowmelt.errors import (
    AccessError,
    ConfigurationError,
    SnowmeltError,
    StagingError,
    StagingUnavailable,
    Topic,
)
from snowmelt.rights.iam import BUCKET_RIGHTS, Principal

_S3_TRANSIENT = frozenset(
    {
        "500",
        "502",
        "503",
        "504",
        "InternalError",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "RequestLimitExceeded",
        "OperationAborted",
    }
)
_UNAVAILABLE = Known(StagingUnavailable, "", Topic.S3_UNAVAILABLE)
_READ = BUCKET_RIGHTS[Principal.AIRFLOW]
_LIST = Known(
    AccessError,
    f"The AWS connection needs {' and '.join(_READ.bucket)} on the bucket itself (iam-read-policy.json of `airflow snowmelt setup-sql`).",
    Topic.ACCESS_DENIED_LIST,
)
_GET = Known(
    AccessError,
    f"The AWS connection needs {' and '.join(_READ.objects)} on the bucket's objects (iam-read-policy.json of `airflow snowmelt setup-sql`), "
    f"and {' and '.join(_READ.key)} where they are encrypted by a KMS key.",
    Topic.ACCESS_DENIED_GET,
)
_KMS = Known(
    AccessError,
    "The objects are encrypted by a KMS key that the AWS connection may not use: it needs kms:Decrypt in its policy and in the key's.",
    Topic.ACCESS_DENIED_KMS,
)
_DELETE = Known(
    AccessError,
    "The cleanup's AWS connection needs s3:DeleteObject on the bucket's objects; without one, Snowflake removes the files.",
    Topic.ACCESS_DENIED_GET,
)
_REGION = Known(
    ConfigurationError,
    "The bucket is in another region: set region_name in the AWS connection's extra.",
    Topic.WRONG_REGION,
)
_GONE = Known(StagingError, "The staged file is gone: start a new run.", Topic.OBJECT_GONE)
_CHANGED = Known(
    StagingError,
    "The object was overwritten after the manifest was written: start a new run.",
    Topic.OBJECT_CHANGED,
)
_TOKEN = Known(
    AccessError,
    "The session token of the Airflow connection has expired, is malformed or is of another account: renew it, or use a role.",
    Topic.SESSION_TOKEN,
)
_S3: dict[str, Known] = {
    "InvalidAccessKeyId": Known(
        AccessError,
        "AWS does not know the access key of the Airflow connection. A key that begins with ASIA is temporary: it needs its aws_session_token in the connection's extra.",
        Topic.ACCESS_KEY_UNKNOWN,
    ),
    "InvalidToken": _TOKEN,
    "ExpiredToken": _TOKEN,
    "ExpiredTokenException": _TOKEN,
    "SignatureDoesNotMatch": Known(
        AccessError,
        "The secret key of the Airflow connection does not belong to its access key.",
        Topic.SECRET_KEY,
    ),
    "RequestTimeTooSkewed": Known(
        StagingUnavailable,
        "The worker's clock differs from AWS's by more than 15 minutes: set it by NTP.",
        Topic.CLOCK,
    ),
    "NoSuchBucket": Known(
        ConfigurationError, "Correct s3_staging.bucket, or create the bucket.", Topic.BUCKET_MISSING
    ),
    "NoSuchKey": _GONE,
    "404": _GONE,
    "301": _REGION,
    "PermanentRedirect": _REGION,
    "AuthorizationHeaderMalformed": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "KMS.DisabledException": _KMS,
    "KMS.NotFoundException": _KMS,
    "KMS.KMSInvalidStateException": _KMS,
    "PreconditionFailed": _CHANGED,
    "412": _CHANGED,
    "InvalidObjectState": Known(
        StagingError,
        "The object was moved to an archive class by a rule of the bucket: start a new run, or restore it.",
        Topic.OBJECT_GONE,
    ),
    "400": Known(
        ConfigurationError,
        "S3 says no more to a HEAD request; most often the region or the session token is wrong.",
        Topic.WRONG_REGION,
    ),
}
_NO_KEYS = Known(AccessError, "Set the keys or the role in the Airflow connection.", Topic.ACCESS_KEY_UNKNOWN)


@contextmanager
def s3_failures(doing: str) -> Iterator[None]:
    """Turn boto3's errors into Snowmelt's. `doing` says what was under way, with bucket and key."""
    try:
        yield
    except botocore.exceptions.ClientError as error:
        raise s3_failure(error, doing) from error
    except (botocore.exceptions.NoCredentialsError, botocore.exceptions.PartialCredentialsError) as error:
        raise failure(_NO_KEYS, doing, one_line(error)) from error
    except (botocore.exceptions.ParamValidationError, botocore.exceptions.InvalidRegionError) as error:
        raise failure(Known(ConfigurationError, ""), doing, one_line(error)) from error
    except (botocore.exceptions.BotoCoreError, ConnectionError, TimeoutError) as error:
        raise failure(_UNAVAILABLE, doing, f"S3 could not be read: {one_line(error)}") from error


def s3_failure(error: botocore.exceptions.ClientError, doing: str) -> SnowmeltError:
    """The error of Snowmelt for an answer of S3's."""
    answer = error.response.get("Error", {})
    code = str(answer.get("Code", ""))
    text = one_line(answer.get("Message") or error)
    status = str(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))
    return failure(
        _find(code, status, text, error.operation_name), doing, f"S3 answered {code or status}: {text}"
    )


def _find(code: str, status: str, text: str, operation: str) -> Known:
    if code in _S3_TRANSIENT or (code not in _S3 and status.startswith("5")):
        return _UNAVAILABLE
    if code in {"AccessDenied", "403", "AllAccessDisabled"}:
        return _denied(text, operation)
    known = _S3.get(code) or _S3.get(status)
    return known or Known(StagingError, "See the AWS documentation of that error.")


def _denied(text: str, operation: str) -> Known:
    """Which right is missing: the text names it in most answers, the operation in all."""
    lowered = text.lower()
    if "kms" in lowered:
        return _KMS
    if "deleteobject" in lowered or operation.startswith("Delete"):
        return _DELETE
    if "listbucket" in lowered or operation in {"ListObjectsV2", "ListObjects", "HeadBucket"}:
        return _LIST
    return _GET
