"""AWS Signature Version 4 for S3: is the request signed by the user it names?

Checked: key, signature over method, path, query and signed headers, time (15 minutes), token, region.
Not checked: that the body has the SHA-256 that the signed header names.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote

from sandbox.s3.users import User

SKEW_SECONDS = 15 * 60
ALGORITHM = "AWS4-HMAC-SHA256"


class Refused(Exception):
    """An S3 error answer: HTTP status, code and message as S3 gives them."""

    def __init__(self, status: int, code: str, message: str, **details: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.details = status, code, message, details


@dataclass(frozen=True)
class Claim:
    """What a request says about itself, from its header or, when presigned, from its query."""

    access_key: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    timestamp: str
    token: str | None
    payload: str
    presigned: bool


def check_signature(
    method: str, target: str, headers: Mapping[str, str], users: Mapping[str, User]
) -> tuple[User, Claim]:
    """Return the user who signed. `headers` has lower-case names, `users` is by access key.

    Raises Refused (403, or 400 for a malformed header) as S3 does.
    """
    path, _, query = target.partition("?")
    claim = parse_claim(query, headers)
    user = users.get(claim.access_key)
    if user is None or (user.token and claim.token is None):
        raise Refused(
            403,
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
            AWSAccessKeyId=claim.access_key,
        )
    if claim.token is not None and claim.token != user.token:
        raise Refused(400, "InvalidToken", "The provided token is malformed or otherwise invalid.")
    canonical = build_canonical_request(method, path, query, headers, claim)
    if not hmac.compare_digest(sign(user.secret_key, claim, canonical), claim.signature):
        raise Refused(
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. "
            "Check your key and signing method.",
            AWSAccessKeyId=claim.access_key,
        )
    _check_time(query, claim)
    return user, claim


def parse_claim(query: str, headers: Mapping[str, str]) -> Claim:
    """Read the Authorization header or the X-Amz-… query of a presigned address."""
    authorization = headers.get("authorization", "")
    if authorization.startswith(ALGORITHM):
        parts = dict(part.strip().partition("=")[::2] for part in authorization[len(ALGORITHM) :].split(","))
        try:
            access_key, date, region, service, _ = parts["Credential"].rsplit("/", 4)
            return Claim(
                access_key,
                date,
                region,
                service,
                tuple(parts["SignedHeaders"].split(";")),
                parts["Signature"],
                headers["x-amz-date"],
                headers.get("x-amz-security-token"),
                headers.get("x-amz-content-sha256") or hashlib.sha256(b"").hexdigest(),
                presigned=False,
            )
        except (KeyError, ValueError):
            raise Refused(
                400,
                "AuthorizationHeaderMalformed",
                "The authorization header that you provided is not valid.",
            ) from None
    values = dict(parse_qsl(query, keep_blank_values=True))
    if values.get("X-Amz-Algorithm") == ALGORITHM:
        try:
            access_key, date, region, service, _ = values["X-Amz-Credential"].rsplit("/", 4)
            return Claim(
                access_key,
                date,
                region,
                service,
                tuple(values["X-Amz-SignedHeaders"].split(";")),
                values["X-Amz-Signature"],
                values["X-Amz-Date"],
                values.get("X-Amz-Security-Token"),
                values.get("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD"),
                presigned=True,
            )
        except (KeyError, ValueError):
            raise Refused(
                400, "AuthorizationQueryParametersError", "Error parsing the X-Amz-Credential parameter."
            ) from None
    raise Refused(403, "AccessDenied", "Access Denied")


def build_canonical_request(
    method: str, path: str, query: str, headers: Mapping[str, str], claim: Claim
) -> str:
    """The text that was signed. The path is encoded once, as S3 alone does."""
    pairs = [part.partition("=")[::2] for part in query.split("&") if part]
    encoded = sorted((_encode(name), _encode(value)) for name, value in pairs)
    canonical_query = "&".join(
        f"{n}={v}" for n, v in encoded if not (claim.presigned and n == "X-Amz-Signature")
    )
    lines = "".join(f"{name}:{' '.join(headers.get(name, '').split())}\n" for name in claim.signed_headers)
    canonical_path = quote(unquote(path, errors="surrogateescape"), safe="/-_.~", errors="surrogateescape")
    return "\n".join(
        [method, canonical_path, canonical_query, lines, ";".join(claim.signed_headers), claim.payload]
    )


def _encode(text: str) -> str:
    return quote(unquote(text, errors="surrogateescape"), safe="-_.~", errors="surrogateescape")


def sign(secret_key: str, claim: Claim, canonical: str) -> str:
    scope = f"{claim.date}/{claim.region}/{claim.service}/aws4_request"
    digest = hashlib.sha256(canonical.encode("utf-8", "surrogateescape")).hexdigest()
    text = f"{ALGORITHM}\n{claim.timestamp}\n{scope}\n{digest}"
    key = ("AWS4" + secret_key).encode()
    for part in (claim.date, claim.region, claim.service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


def _check_time(query: str, claim: Claim) -> None:
    try:
        signed = dt.datetime.strptime(claim.timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
    except ValueError:
        raise Refused(
            403, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header"
        ) from None
    age = (dt.datetime.now(dt.UTC) - signed).total_seconds()
    if claim.presigned:
        expires = int(dict(parse_qsl(query)).get("X-Amz-Expires", "0"))
        if age > expires:
            raise Refused(403, "AccessDenied", "Request has expired")
    elif abs(age) > SKEW_SECONDS:
        raise Refused(
            403,
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
        )
