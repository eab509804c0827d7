"""Errors of boto3, judged by S3's code, else by the HTTP status.

Sources: Amazon S3, "Error responses"; AWS KMS and AWS STS, "Common errors".
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import botocore.exceptions

from snowmelt.drivers.failures import Known, build_failure, one_line
from snowmelt.errors import (
    AccessError,
    ConfigurationError,
    SnowmeltError,
    StagingError,
    StagingUnavailable,
    Topic,
)
from snowmelt.rights.iam import BUCKET_RIGHTS, Principal

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
_ASSUME = Known(
    AccessError,
    "The keys of the AWS connection may not assume its role: they need sts:AssumeRole on role_arn, and the role's trust policy must name them.",
    Topic.ACCESS_KEY_UNKNOWN,
)
_ACCOUNT = Known(
    AccessError,
    "AWS has closed or restricted the account, or the bucket for it: see the account's status in the AWS console.",
    Topic.ACCESS_KEY_UNKNOWN,
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
_KEY = Known(
    AccessError,
    "AWS does not know the access key of the Airflow connection. A key that begins with ASIA is temporary: it needs its aws_session_token in the connection's extra.",
    Topic.ACCESS_KEY_UNKNOWN,
)
_BUCKET = Known(ConfigurationError, "Correct s3_staging.bucket, or create the bucket.", Topic.BUCKET_MISSING)
#: Answers of AWS that pass by themselves: it is overloaded, or a request took too long.
_TRANSIENT = (
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "IDPCommunicationError",
    "InternalError",
    "InternalFailure",
    "KMS.DependencyTimeoutException",
    "KMS.KMSInternalException",
    "KMS.KeyUnavailableException",
    "KMS.ThrottlingException",
    "OperationAborted",
    "PriorRequestNotComplete",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceUnavailable",
    "SlowDown",
    "TemporaryRedirect",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
    "BadDigest",  # the bytes were changed on their way
)
#: S3's code, or the HTTP status of an answer without one → what is known.
_CODES: dict[str, Known] = {
    **dict.fromkeys(_TRANSIENT, _UNAVAILABLE),
    "408": _UNAVAILABLE,
    "429": _UNAVAILABLE,
    "500": _UNAVAILABLE,
    "502": _UNAVAILABLE,
    "503": _UNAVAILABLE,
    "504": _UNAVAILABLE,
    "InvalidAccessKeyId": _KEY,
    "InvalidClientTokenId": _KEY,
    "UnrecognizedClientException": _KEY,
    "InvalidToken": _TOKEN,
    "ExpiredToken": _TOKEN,
    "ExpiredTokenException": _TOKEN,
    "TokenRefreshRequired": _TOKEN,
    "InvalidIdentityToken": _TOKEN,
    "AccountProblem": _ACCOUNT,
    "AllAccessDisabled": _ACCOUNT,
    "InvalidPayer": _ACCOUNT,
    "InvalidSecurity": _ACCOUNT,
    "NotSignedUp": _ACCOUNT,
    "UnauthorizedAccess": _ACCOUNT,
    "NotImplemented": Known(
        ConfigurationError,
        "The S3 server does not know this operation: use Amazon S3 or one that is compatible.",
    ),
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
    "RequestExpired": Known(
        StagingUnavailable, "The worker's clock differs from AWS's: set it by NTP.", Topic.CLOCK
    ),
    "NoSuchBucket": _BUCKET,
    "InvalidBucketName": _BUCKET,
    "NoSuchAccessPoint": _BUCKET,
    "NoSuchKey": _GONE,
    "NoSuchVersion": _GONE,
    "MethodNotAllowed": _GONE,  # the newest version is a delete marker
    "405": _GONE,
    "404": _GONE,
    "301": _REGION,
    "PermanentRedirect": _REGION,
    "AuthorizationHeaderMalformed": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "KMS.DisabledException": _KMS,
    "KMS.NotFoundException": _KMS,
    "KMS.KMSInvalidStateException": _KMS,
    "RegionDisabledException": _REGION,
    "PreconditionFailed": _CHANGED,
    "InvalidRange": _CHANGED,  # the object is shorter than the manifest says
    "416": _CHANGED,
    "412": _CHANGED,
    "InvalidObjectState": Known(
        StagingError,
        "The object was moved to an archive class by a rule of the bucket: start a new run, or restore it.",
        Topic.OBJECT_GONE,
    ),
    "400": Known(
        ConfigurationError,
        "S3 gives no reason for a HEAD request; most often the region or the session token is wrong.",
        Topic.WRONG_REGION,
    ),
}
_NO_KEYS = Known(AccessError, "Set the keys or the role in the Airflow connection.", Topic.ACCESS_KEY_UNKNOWN)


#: What boto3 finds wrong before it asks anyone.
_MISCONFIGURED = (
    botocore.exceptions.InvalidConfigError,
    botocore.exceptions.InvalidRegionError,
    botocore.exceptions.NoRegionError,
    botocore.exceptions.ParamValidationError,
    botocore.exceptions.ProfileNotFound,
)
_KEYLESS = (
    botocore.exceptions.NoAuthTokenError,
    botocore.exceptions.NoCredentialsError,
    botocore.exceptions.PartialCredentialsError,
    botocore.exceptions.SSOError,
)


@contextmanager
def s3_failures(doing: str, **facts: Any) -> Iterator[None]:
    """Turn boto3's errors into Snowmelt's.

    :param doing: what was under way, with bucket and key.
    :param facts: attributes of `SnowmeltError` that S3 does not know: file, run_id.
    """
    try:
        yield
    except botocore.exceptions.ClientError as error:
        raise s3_failure(error, doing, **facts) from error
    except _KEYLESS as error:
        raise build_failure(_NO_KEYS, doing, one_line(error), **facts) from error
    except _MISCONFIGURED as error:
        raise build_failure(Known(ConfigurationError, ""), doing, one_line(error), **facts) from error
    except (botocore.exceptions.BotoCoreError, ConnectionError, TimeoutError) as error:
        answer = f"S3 could not be read: {one_line(error)}"
        raise build_failure(_UNAVAILABLE, doing, answer, **facts) from error


def s3_failure(error: botocore.exceptions.ClientError, doing: str, **facts: Any) -> SnowmeltError:
    """Snowmelt's error for an answer of S3."""
    answer = error.response.get("Error", {})
    status = str(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))
    code = str(answer.get("Code") or status)
    text = one_line(answer.get("Message") or error)
    known = _find(code, status, text, error.operation_name)
    return build_failure(known, doing, f"S3 answered {code}: {text}", **(facts | {"code": code}))


def _find(code: str, status: str, text: str, operation: str) -> Known:
    if known := _CODES.get(code):
        return known
    if code.startswith("AccessDenied") or code == "403":
        return _denied(text, operation)
    if status.startswith("5"):
        return _UNAVAILABLE
    return _CODES.get(status) or Known(StagingError, "See the AWS documentation of that error.")


def _denied(text: str, operation: str) -> Known:
    """Which right is missing: the text names it in most answers, the operation in all."""
    lowered = text.lower()
    if operation.startswith("AssumeRole") or "sts:assumerole" in lowered:
        return _ASSUME
    if "kms" in lowered:
        return _KMS
    if "deleteobject" in lowered or operation.startswith("Delete"):
        return _DELETE
    if "listbucket" in lowered or operation in {"ListObjectsV2", "ListObjects", "HeadBucket"}:
        return _LIST
    return _GET
