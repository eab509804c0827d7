"""AWS Signature Version 4 for S3: is the request signed by the user it names?

botocore computes the signature that the request should have. It only signs: reading what a request claims, whose key it is,
and comparing are here.

Checked: key, signature over method, path, query and signed headers, time (15 minutes), token, region.
Not checked: the body. Neither the SHA-256 that a signed header names, nor the signatures and checksums of an aws-chunked
body's chunks and trailers are compared; botocore has nothing that would.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

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
    if not hmac.compare_digest(sign(user, claim, method, path, query, headers), claim.signature):
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


class Signer(S3SigV4Auth):
    """Signs the headers that a request claims to have signed; botocore would choose them itself."""

    def __init__(self, user: User, claim: Claim) -> None:
        super().__init__(Credentials(user.access_key, user.secret_key), claim.service, claim.region)
        self.signed_names = claim.signed_headers

    def headers_to_sign(self, request: AWSRequest) -> HTTPHeaders:
        chosen = HTTPHeaders()
        for name in self.signed_names:
            chosen[name] = request.headers.get(name, "")
        return chosen


def sign(user: User, claim: Claim, method: str, path: str, query: str, headers: Mapping[str, str]) -> str:
    """The signature that this request has when its user signed it, as hexadecimal digits.

    Clients write one address in several ways ("/a%2Fb", "/a/b"); it is signed in the one way that S3 reads it, encoded once.
    """
    pairs = [part.partition("=")[::2] for part in query.split("&") if part]
    encoded = "&".join(
        f"{_encode(name)}={_encode(value)}"
        for name, value in pairs
        if not (claim.presigned and name == "X-Amz-Signature")
    )
    request = AWSRequest(method, f"http://{headers.get('host', '')}{_encode(path, keep='/')}?{encoded}")
    for name, value in {**headers, "x-amz-content-sha256": claim.payload}.items():
        request.headers[name] = value
    request.context["timestamp"] = claim.timestamp
    signer = Signer(user, claim)
    return signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)


def _encode(text: str, keep: str = "") -> str:
    return quote(unquote(text, errors="surrogateescape"), safe=f"-_.~{keep}", errors="surrogateescape")


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
