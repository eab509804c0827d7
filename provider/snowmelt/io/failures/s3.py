"""Errors of boto3. Source: Amazon S3, "Error responses"."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import botocore.exceptions

from snowmelt.errors import (
    AccessError,
    ConfigurationError,
    StagingError,
    StagingUnavailable,
)
from snowmelt.io.failures import Known, one_line

_S3_TRANSIENT = frozenset(
    {
        "500",
        "502",
        "503",
        "504",
        "InternalError",
        "RequestTimeout",
        "RequestTimeTooSkewed",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "RequestLimitExceeded",
        "OperationAborted",
    }
)
_S3: dict[str, Known] = {
    "AccessDenied": (
        AccessError,
        "The AWS connection needs s3:ListBucket on the bucket and s3:GetObject on its objects (and kms:Decrypt where they are encrypted by a KMS key).",
    ),
    "403": (
        AccessError,
        "The AWS connection needs s3:ListBucket on the bucket and s3:GetObject on its objects (and kms:Decrypt where they are encrypted by a KMS key).",
    ),
    "InvalidAccessKeyId": (
        AccessError,
        "AWS does not know the access key of the Airflow connection. A key that begins with ASIA is temporary: it needs its aws_session_token in the connection's extra.",
    ),
    "InvalidToken": (
        AccessError,
        "The session token of the Airflow connection is malformed or of another account.",
    ),
    "ExpiredToken": (
        AccessError,
        "The session token of the Airflow connection has expired: renew it, or use a role.",
    ),
    "SignatureDoesNotMatch": (
        AccessError,
        "The secret key of the Airflow connection does not belong to its access key.",
    ),
    "NoSuchBucket": (ConfigurationError, "Correct s3_staging.bucket, or create the bucket."),
    "NoSuchKey": (StagingError, "The staged file is gone: start a new run."),
    "404": (StagingError, "The staged file is gone: start a new run."),
    "PermanentRedirect": (
        ConfigurationError,
        "The bucket is in another region: set region_name in the AWS connection's extra.",
    ),
    "AuthorizationHeaderMalformed": (
        ConfigurationError,
        "The bucket is in another region: set region_name in the AWS connection's extra.",
    ),
    "PreconditionFailed": (
        StagingError,
        "The object was overwritten after the manifest was written: start a new run.",
    ),
    "412": (StagingError, "The object was overwritten after the manifest was written: start a new run."),
}


@contextmanager
def s3_failures(doing: str) -> Iterator[None]:
    """Turn boto3's errors into Snowmelt's. `doing` says what was under way, with bucket and key."""
    try:
        yield
    except botocore.exceptions.ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        text = one_line(error.response.get("Error", {}).get("Message") or error)
        status = str(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))
        if code in _S3_TRANSIENT or (code not in _S3 and status.startswith("5")):
            raise StagingUnavailable(f"{doing}: S3 answered {code}: {text}. It is tried again.") from error
        family, advice = (
            _S3.get(code) or _S3.get(status) or (StagingError, "See the AWS documentation of that error.")
        )
        raise family(f"{doing}: S3 answered {code}: {text}. {advice}") from error
    except (botocore.exceptions.NoCredentialsError, botocore.exceptions.PartialCredentialsError) as error:
        raise AccessError(
            f"{doing}: {one_line(error)}. Set the keys or the role in the Airflow connection."
        ) from error
    except (botocore.exceptions.ParamValidationError, botocore.exceptions.InvalidRegionError) as error:
        raise ConfigurationError(f"{doing}: {one_line(error)}") from error
    except (botocore.exceptions.BotoCoreError, ConnectionError, TimeoutError) as error:
        raise StagingUnavailable(
            f"{doing}: S3 could not be read: {one_line(error)}. It is tried again."
        ) from error
