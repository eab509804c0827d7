"""The HTTP server: checks each request, answers reads of objects itself, passes the rest to moto."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import struct
import sys
import threading
import time
import xml.etree.ElementTree as ET
from xml.sax.saxutils import escape

from moto.core import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.s3.models import FakeBucket, FakeKey, s3_backends
from werkzeug.serving import ThreadedWSGIServer

from sandbox.faults import Faults
from sandbox.s3.access import Target, check_access, parse_target, required_actions
from sandbox.s3.reads import ObjectReads
from sandbox.s3.signature import Claim, Refused, check_signature
from sandbox.s3.users import User
from sandbox.state import LISTEN

PIECE = 1024 * 1024
HEALTH = "/sandbox/health"
FAULTS_PATH = "/sandbox/faults"
ONLY = "The sandbox answers s3 and sts:GetCallerIdentity only."


FAULTS = Faults()


def find_bucket(name: str) -> FakeBucket | None:
    return s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets.get(name)


class Handler(ObjectReads, MotoRequestHandler):
    """One connection. Kept open between plain reads of objects, closed after what moto answers."""

    protocol_version = "HTTP/1.1"
    #: Head and body are two writes on a kept connection: the body would wait 40 ms for the head's acknowledgement.
    disable_nagle_algorithm = True
    users: dict[str, User] = {}  # by access key

    def handle_expect_100(self) -> bool:
        return True  # only a request that passes the checks gets "100 Continue" (by werkzeug)

    def run_wsgi(self) -> None:
        self.status_sent, self.body_read = 0, False
        started = time.perf_counter()
        user = "-"
        try:
            if self.path == HEALTH:
                self._answer(200, b'{"status":"ok"}', {"Content-Type": "application/json"})
                return
            if self.path == FAULTS_PATH:
                self._set_faults()
                return
            user = self._serve()
        except Refused as refused:
            user = refused.details.get("AWSAccessKeyId", user)
            self._refuse(refused)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            if self.path not in {HEALTH, FAULTS_PATH}:
                milliseconds = (time.perf_counter() - started) * 1000
                byte_range = self.headers.get("Range", "-")
                path = self.path.partition("?")[0] if "X-Amz-Signature" in self.path else self.path
                print(
                    f"{user} {self.command} {path} {byte_range} {self.status_sent} {milliseconds:.1f}ms",
                    flush=True,
                )

    def _serve(self) -> str:
        headers: dict[str, str] = {}
        for name, value in self.headers.items():
            name = name.lower()
            headers[name] = f"{headers[name]},{value}" if name in headers else value
        if "/sts/aws4_request" in headers.get("authorization", ""):
            return self._say_who(headers)
        user, claim = check_signature(self.command, self.path, headers, self.users)
        target = parse_target(self.path)
        if claim.service != "s3" or target.bucket == "moto-api":
            raise Refused(403, "AccessDenied", ONLY)
        check_access(user, required_actions(self.command, target, headers.get("x-amz-copy-source")))
        bucket = find_bucket(target.bucket)
        _check_region(bucket, claim)
        if self.command == "POST" and "delete" in target.query and not user.may("s3:DeleteObject"):
            self._refuse_each_delete(bucket)
            return user.name
        if self._struck(user.name, bucket, target):
            return user.name
        key = self._readable(bucket, target) if self.command in ("GET", "HEAD") else None
        if key is not None:
            self._read(key)
        elif (
            bucket is not None
            and target.key
            and self.command in ("GET", "HEAD")
            and not user.may("s3:ListBucket")
        ):
            raise Refused(
                403, "AccessDenied", "Access Denied"
            )  # S3 does not reveal what is missing to who may not list
        else:
            super().run_wsgi()
        return user.name

    # ---------------------------------------------------------------- faults on order

    def _set_faults(self) -> None:
        """GET the rules and how often each struck; POST a JSON list of rules that replaces them."""
        status, text = 200, ""
        if self.command == "POST":
            try:
                FAULTS.set(json.loads(self._drop_body()))
            except (ValueError, TypeError, re.error) as error:
                status, text = 400, json.dumps({"error": str(error)})
        body = text or json.dumps(FAULTS.list())
        self._answer(status, body.encode(), {"Content-Type": "application/json"})

    def _struck(self, user: str, bucket: FakeBucket | None, target: Target) -> bool:
        """Whether a rule answered instead. What `match` is searched in: `airflow-reader GET bucket/key`, LIST for a listing.

        stall: waits <seconds>, then goes on; error: <status>, <code>, <message>; cut, reset: <after> bytes of the object,
        then the connection is closed, or reset.
        """
        verb = self.command if target.key or self.command != "GET" else "LIST"
        key = target.key or target.query.get("prefix", "")
        rule = FAULTS.take(("stall", "error", "cut", "reset"), f"{user} {verb} {target.bucket}/{key}")
        if rule is None:
            return False
        if rule.kind == "stall":
            time.sleep(rule.seconds)
            return False
        if rule.kind == "error":
            raise Refused(rule.status, rule.code or "InternalError", rule.message or "A fault on order.")
        found = bucket.keys.get(target.key) if bucket is not None else None
        if isinstance(found, FakeKey):
            self._read(found, cut_after=rule.after)
        self.close_connection = True
        self.wfile.flush()
        if rule.kind == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        return True

    # ---------------------------------------------------------------- short answers

    def _answer(
        self, status: int, body: bytes | None, headers: dict[str, str], *, length: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body or b"") if length is None else length))
        self.end_headers()
        if body and self.command != "HEAD":
            self.wfile.write(body)

    def send_response(self, code: int, message: str | None = None) -> None:
        self.status_sent = code
        super().send_response(code, message)

    def _refuse(self, refused: Refused) -> None:
        details = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in refused.details.items())
        error = f"<Error><Code>{refused.code}</Code><Message>{escape(refused.message)}</Message>{details}"
        body = f'<?xml version="1.0" encoding="UTF-8"?>\n{error}<RequestId>SANDBOX</RequestId></Error>'
        if "/sts/aws4_request" in self.headers.get("Authorization", ""):
            body = f"<ErrorResponse>{error}</Error><RequestId>SANDBOX</RequestId></ErrorResponse>"
        self._drop_body()
        headers = {"Content-Type": "application/xml"}
        if "Region" in refused.details:
            headers["x-amz-bucket-region"] = refused.details["Region"]
        self._answer(refused.status, body.encode(), headers)

    def _drop_body(self) -> bytes:
        """Read what the client sends anyway, so that it comes to read the answer."""
        if "100-continue" in self.headers.get("Expect", "").lower() or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            return b""
        left, kept = 0 if self.body_read else int(self.headers.get("Content-Length") or 0), b""
        self.body_read = True
        while left > 0:
            piece = self.rfile.read(min(left, PIECE))
            if not piece:
                break
            kept = kept + piece if len(kept) < PIECE else kept
            left -= len(piece)
        return kept

    def _refuse_each_delete(self, bucket: FakeBucket | None) -> None:
        """A bulk delete is answered with 200 and one error a key: S3 checks each key by itself."""
        if bucket is None:
            raise Refused(404, "NoSuchBucket", "The specified bucket does not exist")
        if "100-continue" in self.headers.get("Expect", "").lower():
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            del self.headers["Expect"]
        try:
            keys = [
                node.text or ""
                for node in ET.fromstring(self._drop_body()).iter()
                if node.tag.endswith("Key")
            ]
        except ET.ParseError:
            raise Refused(400, "MalformedXML", "The XML you provided was not well-formed.") from None
        errors = "".join(
            f"<Error><Key>{escape(key)}</Key><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
            for key in keys
        )
        body = f'<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{errors}</DeleteResult>'
        self._answer(200, body.encode(), {"Content-Type": "application/xml"})

    def _say_who(self, headers: dict[str, str]) -> str:
        body = self._drop_body()
        signed = headers | {
            "x-amz-content-sha256": hashlib.sha256(body).hexdigest()
        }  # STS signs the body unnamed
        user, _ = check_signature(self.command, self.path, signed, self.users)
        if b"Action=GetCallerIdentity" not in body:
            raise Refused(403, "AccessDenied", ONLY)
        arn = f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:user/{user.name}"
        text = (
            '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
            f"<Arn>{arn}</Arn><UserId>{user.access_key}</UserId><Account>{DEFAULT_ACCOUNT_ID}</Account>"
            "</GetCallerIdentityResult><ResponseMetadata><RequestId>SANDBOX</RequestId></ResponseMetadata>"
            "</GetCallerIdentityResponse>"
        )
        self._answer(200, text.encode(), {"Content-Type": "text/xml"})
        return user.name

    def log(self, type: str, message: str, *args: object) -> None:
        """Errors only: run_wsgi writes a line for each request."""
        if type == "error":
            print(message % args, file=sys.stderr, flush=True)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: run_wsgi writes the line."""


def _check_region(bucket: FakeBucket | None, claim: Claim) -> None:
    if bucket is not None and claim.region != bucket.region_name:
        raise Refused(
            400,
            "AuthorizationHeaderMalformed",
            f"The authorization header is malformed; the region '{claim.region}' is wrong; "
            f"expecting '{bucket.region_name}'",
            Region=bucket.region_name,
        )


class Server(ThreadedWSGIServer):
    daemon_threads = True
    request_queue_size = 256


def make_server(port: int, users: dict[str, User]) -> Server:
    """A server that trusts these users."""
    handler = type("UserHandler", (Handler,), {"users": {user.access_key: user for user in users.values()}})
    return Server(LISTEN, port, DomainDispatcherApplication(create_backend_app), handler)


def serve_until(server: Server, stop: threading.Event) -> None:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    stop.wait()
    server.shutdown()
    thread.join()
